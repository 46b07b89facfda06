package lan_test

import (
	"testing"

	"landline/lan"
	"landline/link"
	"landline/wire"
)

// mustNotAllocate checks that do, after a first time, allocates nothing.
func mustNotAllocate(t *testing.T, what string, do func()) {
	t.Helper()
	for range 100 {
		do()
	}
	if n := testing.AllocsPerRun(100, do); n != 0 {
		t.Errorf("%s: %v allocations", what, n)
	}
}

func TestSwitchAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes pools forget")
	}
	s := newSwitch(t, lan.Config{})
	a, err := s.NewPort(lan.PortConfig{Flood: -1, Sources: &lan.Sources{MACs: []wire.MAC{{2, 1}}}, MAC: wire.MAC{2, 1}})
	if err != nil {
		t.Fatal(err)
	}
	var again func()
	sink := func(c lan.PortConfig) wire.MAC {
		p, err := s.NewPort(c)
		if err != nil {
			t.Fatal(err)
		}
		p.Attach(link.Handler{Receive: func([]link.Frame) {
			if again != nil {
				again()
			}
		}})
		return p.Info().MAC
	}
	b, c := sink(lan.PortConfig{}), sink(lan.PortConfig{Without: link.OffloadChecksum})
	mac := a.Info().MAC
	one := frames(b, mac, 32)
	mixed := append(append(frames(b, mac, 5), frames(c, mac, 5)...), frame(b, mac, 0))
	all := append(frames(wire.Broadcast, mac, 5), frames(b, mac, 5)...)
	cut := []link.Frame{unit(c, mac, 60_000, 1460)}
	mustNotAllocate(t, "a batch for one", func() { a.Write(one) })
	mustNotAllocate(t, "a batch for two", func() { a.Write(mixed) })
	mustNotAllocate(t, "a batch for all", func() { a.Write(all) })
	mustNotAllocate(t, "a unit that is cut", func() { a.Write(cut) })
	left := 0
	again = func() { // in Receive, so what is written is queued
		if left--; left >= 0 {
			a.Write(one)
		}
	}
	mustNotAllocate(t, "what is queued", func() { left = 30; a.Write(one) })
	if p := s.Ports()[1].Stats(); p.Queued == 0 {
		t.Error("nothing was queued")
	}
}
