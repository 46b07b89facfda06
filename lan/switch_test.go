package lan_test

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"landline/lan"
	"landline/link"
	"landline/wire"
)

var group = wire.MAC{0x33, 0x33, 0, 0, 0, 0xfb}

// trio is three machines at the far ends of devices, of which the switch knows nothing in advance.
func trio(t testing.TB, s *lan.Switch) (m [3]*machine, p [3]*lan.Port) {
	for i, name := range []string{"a", "b", "c"} {
		m[i], p[i] = plug(t, s, lan.PortConfig{Name: name}, link.CableConfig{})
	}
	return m, p
}

func TestWhatCannotBePlacedGoesToAllOthers(t *testing.T) {
	for _, to := range []wire.MAC{wire.Broadcast, group, {2, 9, 9, 9, 9, 9}} {
		m, p := trio(t, newSwitch(t, lan.Config{}))
		m[0].say(to, 1, 2)
		m[0].wants("the sender")
		m[1].wants("b", 1, 2)
		m[2].wants("c", 1, 2)
		if s := p[0].Stats(); s.Flooded != 2 || s.In != 2 || s.InBytes != 128 || s.Addresses != 1 {
			t.Errorf("%+v", s)
		}
		if s := p[1].Stats(); s.Out != 2 || s.OutBytes != 128 || s.In != 0 {
			t.Errorf("%+v", s)
		}
	}
}

func TestAddressesAreLearnt(t *testing.T) {
	m, _ := trio(t, newSwitch(t, lan.Config{}))
	m[0].say(m[1].mac, 1) // nobody knows where that is
	m[1].say(m[0].mac, 2)
	m[0].say(m[1].mac, 3)
	m[0].wants("a", 2)
	m[1].wants("b", 1, 3)
	m[2].wants("c", 1)
}

func TestMachinesInThisProcessAreKnownFromTheStart(t *testing.T) {
	s := newSwitch(t, lan.Config{})
	a, _ := join(t, s, lan.PortConfig{})
	b, _ := join(t, s, lan.PortConfig{})
	c, _ := join(t, s, lan.PortConfig{})
	a.say(b.mac, 1)
	b.wants("b", 1)
	c.wants("c")
}

func TestStationsSayWhereAddressesAre(t *testing.T) {
	s := newSwitch(t, lan.Config{})
	_, a := join(t, s, lan.PortConfig{MAC: wire.MAC{2, 9}})
	there, b := plug(t, s, lan.PortConfig{}, link.CableConfig{})
	there.send(frame(group, wire.MAC{2, 7}, 1), frame(group, wire.MAC{2, 8}, 2))
	want := []lan.Station{{MAC: wire.MAC{2, 7}, Port: b}, {MAC: wire.MAC{2, 8}, Port: b}, {MAC: wire.MAC{2, 9}, Port: a, Fixed: true}}
	if got := s.Stations(); !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
	b.Close()
	if got := s.Stations(); !slices.Equal(got, want[2:]) {
		t.Errorf("%v are left", got)
	}
}

func TestAddressesAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := lan.NewSwitch(lan.Config{})
		defer s.Close()
		m, p := trio(t, s)
		known := func(number int) bool {
			m[0].say(m[1].mac, number)
			m[1].wants("b", number)
			return len(m[2].numbers()) == 0
		}
		m[1].say(group, 1)
		m[2].wants("c", 1)
		time.Sleep(299 * time.Second)
		if !known(2) {
			t.Error("forgotten after 299 s")
		}
		m[1].say(group, 3) // which a hears, and c
		m[2].wants("c", 3)
		time.Sleep(299 * time.Second)
		if !known(4) {
			t.Error("not refreshed")
		}
		time.Sleep(31*time.Second + time.Millisecond)
		if known(5) {
			t.Error("still known after 330 s")
		}
		if n := p[1].Stats().Addresses; n != 0 {
			t.Errorf("%d addresses", n)
		}
	})
}

// A move is a sign of life.
func TestMovedAddressAgesFromItsMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := lan.NewSwitch(lan.Config{})
		defer s.Close()
		m, _ := trio(t, s)
		roams := wire.MAC{2, 0, 0, 0, 0, 7}
		m[1].send(frame(group, roams, 1))
		time.Sleep(200 * time.Second)
		m[2].send(frame(group, roams, 2))
		m[1].numbers()
		time.Sleep(200 * time.Second)
		m[0].say(roams, 3)
		m[1].wants("where it was")
		m[2].wants("where it is", 1, 3)
	})
}

// What is at a port for good does not age.
func TestFixedAddressesDoNotAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := lan.NewSwitch(lan.Config{Age: time.Second})
		defer s.Close()
		a, _ := join(t, s, lan.PortConfig{})
		b, _ := join(t, s, lan.PortConfig{})
		c, _ := plug(t, s, lan.PortConfig{}, link.CableConfig{})
		c.say(a.mac, 1)
		time.Sleep(time.Hour)
		a.say(b.mac, 2)
		b.wants("b", 2)
		c.wants("c")
	})
}

func TestMovedAddressIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		s := lan.NewSwitch(lan.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		defer s.Close()
		m, p := trio(t, s)
		roams := wire.MAC{2, 0, 0, 0, 0, 7}
		m[1].send(frame(group, roams, 1))
		m[2].send(frame(group, roams, 2))
		m[0].numbers()
		m[1].numbers()
		m[2].numbers()
		m[0].say(roams, 3)
		m[1].wants("where it was")
		m[2].wants("where it is", 3)
		if b, c := p[1].Stats(), p[2].Stats(); b.Addresses != 0 || c.Addresses != 1 || c.Moved != 1 {
			t.Errorf("b %+v, c %+v", b, c)
		}
		time.Sleep(11 * time.Second)
		m[1].send(frame(group, roams, 4))
		m[0].send(frame(group, roams, 5))
		m[2].send(frame(group, roams, 6))
		if log.Len() != 0 {
			t.Errorf("a machine that moves, and moves back later, is no alarm: %s", &log)
		}
		for range 5 { // as if it was at both
			m[1].send(frame(group, roams, 4))
			m[2].send(frame(group, roams, 5))
		}
		if got := log.String(); strings.Count(got, "two ports") != 1 || !strings.Contains(got, "mac=02:00:00:00:00:07 port=c other=b") {
			t.Errorf("%s", got)
		}
	})
}

// A loop, or a machine that takes another's address, cannot draw frames off a machine in this process.
func TestFixedAddressIsNotTaken(t *testing.T) {
	var log bytes.Buffer
	s := newSwitch(t, lan.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	a, _ := join(t, s, lan.PortConfig{Name: "a"})
	b, _ := join(t, s, lan.PortConfig{Name: "b"})
	thief, port := plug(t, s, lan.PortConfig{Name: "thief"}, link.CableConfig{})
	thief.send(frame(wire.Broadcast, a.mac, 1), frame(b.mac, a.mac, 2), frame(b.mac, thief.mac, 3))
	a.wants("a")
	b.wants("b", 3)
	b.say(a.mac, 4)
	a.wants("a", 4)
	thief.wants("the thief")
	drops(t, port, map[string]uint64{"foreign source": 2})
	if !strings.Contains(log.String(), "another port") {
		t.Errorf("%s", &log)
	}
	if _, err := s.NewPort(lan.PortConfig{MAC: a.mac}); err == nil {
		t.Error("two machines in this process have one address")
	}
	if _, err := s.NewPort(lan.PortConfig{MAC: thief.mac}); err != nil { // it was learnt only
		t.Error(err)
	}
	if n := port.Stats().Addresses; n != 0 {
		t.Errorf("%d addresses", n)
	}
}

func TestDropsHaveNames(t *testing.T) {
	foreign := wire.MAC{2, 5}
	for _, c := range []struct {
		what string
		send func(m [3]*machine) link.Frame
		want string
	}{
		{"runt", func([3]*machine) link.Frame { return link.Frame{Head: make([]byte, 13)} }, "runt"},
		{"nothing at all", func([3]*machine) link.Frame { return link.Frame{} }, "runt"},
		{"from a group", func(m [3]*machine) link.Frame { return frame(m[1].mac, group, 0) }, "group source"},
		{"from all", func(m [3]*machine) link.Frame { return frame(m[1].mac, wire.Broadcast, 0) }, "group source"},
		{"spanning tree", func(m [3]*machine) link.Frame { return frame(wire.MAC{1, 0x80, 0xc2, 0, 0, 0}, m[0].mac, 0) }, "reserved"},
		{"pause", func(m [3]*machine) link.Frame { return frame(wire.MAC{1, 0x80, 0xc2, 0, 0, 1}, m[0].mac, 0) }, "reserved"},
		{"the last neighbours", func(m [3]*machine) link.Frame { return frame(wire.MAC{1, 0x80, 0xc2, 0, 0, 15}, m[0].mac, 0) }, "reserved"},
		{"to itself", func(m [3]*machine) link.Frame { return frame(m[0].mac, m[0].mac, 0) }, "same port"},
		{"to one beside it", func(m [3]*machine) link.Frame { return frame(foreign, m[0].mac, 0) }, "same port"},
		{"the group after the neighbours", func(m [3]*machine) link.Frame { return frame(wire.MAC{1, 0x80, 0xc2, 0, 0, 16}, m[0].mac, 0) }, ""},
	} {
		s := newSwitch(t, lan.Config{})
		var d raw
		p, err := s.Plug(&d, lan.PortConfig{})
		if err != nil {
			t.Fatal(err)
		}
		m := [3]*machine{{mac: wire.MAC{2, 1}}}
		for i := range 2 {
			m[i+1], _ = join(t, s, lan.PortConfig{})
		}
		d.handler.Receive([]link.Frame{frame(wire.MAC{1, 0x80, 0xc2}, foreign, 0)})
		d.handler.Receive([]link.Frame{c.send(m)})
		want := map[string]uint64{"reserved": 1}
		if c.want != "" {
			want[c.want]++
		}
		got := m[1].numbers()
		if drops(t, p, want); (c.want == "") != (len(got) == 1) || t.Failed() {
			t.Errorf("%s: %d frames arrived", c.what, len(got))
		}
	}
}

// raw is a device that takes everything.
type raw struct {
	handler link.Handler
	took    [][]link.Frame
}

func (d *raw) Info() link.Info       { return link.Info{Name: "raw", MTU: 1500} }
func (d *raw) Attach(h link.Handler) { d.handler = h }
func (d *raw) Close() error          { return nil }
func (d *raw) Write(frames []link.Frame) (int, error) {
	d.took = append(d.took, slices.Clone(frames))
	return len(frames), nil
}

func TestStormsAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := lan.NewSwitch(lan.Config{})
		defer s.Close()
		a, port := join(t, s, lan.PortConfig{Flood: 100})
		b, _ := join(t, s, lan.PortConfig{})
		noisy, _ := join(t, s, lan.PortConfig{Flood: -1})
		kinds := []wire.MAC{wire.Broadcast, group, {2, 9}}
		for _, to := range kinds { // each kind for itself
			a.send(frames(to, a.mac, 150)...)
			if n := len(b.numbers()); n != 100 {
				t.Errorf("to %s: %d frames", to, n)
			}
		}
		drops(t, port, map[string]uint64{"broadcast storm": 50, "multicast storm": 50, "unknown unicast storm": 50})
		a.send(frames(b.mac, a.mac, 1000)...)
		if n := len(b.numbers()); n != 1000 {
			t.Errorf("of what is no storm %d frames", n)
		}
		time.Sleep(100 * time.Millisecond)
		a.send(frames(wire.Broadcast, a.mac, 150)...)
		if n := len(b.numbers()); n != 10 {
			t.Errorf("after a tenth of a second %d frames", n)
		}
		time.Sleep(time.Hour)
		a.send(frames(wire.Broadcast, a.mac, 150)...)
		if n := len(b.numbers()); n != 100 {
			t.Errorf("after a rest %d frames", n)
		}
		noisy.send(frames(wire.Broadcast, noisy.mac, 1000)...)
		if n := len(b.numbers()); n != 1000 {
			t.Errorf("without a limit %d frames", n)
		}
	})
}

// The default is what the documentation says.
func TestStormLimitByDefault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := lan.NewSwitch(lan.Config{})
		defer s.Close()
		a, _ := join(t, s, lan.PortConfig{})
		b, _ := join(t, s, lan.PortConfig{})
		a.send(frames(wire.Broadcast, a.mac, 6000)...)
		if n := len(b.numbers()); n != 5000 {
			t.Errorf("%d frames", n)
		}
	})
}

// A cable from one port to another is a loop. It ends at the storm limit, and what is known is still reached.
func TestLoopIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := lan.NewSwitch(lan.Config{})
		defer s.Close()
		a, _ := join(t, s, lan.PortConfig{})
		b, _ := join(t, s, lan.PortConfig{})
		one, other := link.NewCable(link.CableConfig{})
		var ports []*lan.Port
		for _, end := range []link.Device{one, other} {
			p, err := s.Plug(end, lan.PortConfig{Flood: 50})
			if err != nil {
				t.Fatal(err)
			}
			ports = append(ports, p)
		}
		a.say(wire.Broadcast, 1) // comes back from where a is not
		b.wants("b", 1)
		for _, p := range ports {
			drops(t, p, map[string]uint64{"foreign source": 1})
		}
		stranger, _ := plug(t, s, lan.PortConfig{}, link.CableConfig{}) // whose address moves into the loop
		stranger.say(wire.Broadcast, 2)
		if n := len(b.numbers()); n < 2 || n > 1+2*50 {
			t.Errorf("%d copies of a frame in a loop", n)
		}
		a.numbers()
		b.say(a.mac, 3)
		a.wants("a", 3)
	})
}

// A machine that makes up addresses pushes out nobody's, and fills no memory.
func TestAddressesOfAPortAreBounded(t *testing.T) {
	s := newSwitch(t, lan.Config{})
	m, _ := trio(t, s)
	liar, port := plug(t, s, lan.PortConfig{Addresses: 100, Flood: -1}, link.CableConfig{})
	for _, x := range m {
		x.say(group, 0)
	}
	liar.say(group, 0) // its own is known before
	for i := range 1000 {
		liar.send(frame(m[0].mac, wire.MAC{6, 0, 0, 0, byte(i >> 8), byte(i)}, i))
	}
	if st := port.Stats(); st.Addresses != 100 || st.Unlearnt != 901 {
		t.Errorf("%d addresses, %d not learnt", st.Addresses, st.Unlearnt)
	}
	if n := len(m[0].numbers()); n != 1002+1 {
		t.Errorf("%d frames of it arrived: they are no worse for that", n)
	}
	for _, x := range m {
		x.numbers()
	}
	liar.numbers()
	m[0].say(m[1].mac, 1)
	m[0].say(liar.mac, 2)
	m[1].wants("b", 1)
	m[2].wants("c")
	liar.wants("the liar", 2)

	// An address that moves where there is no room is at least not where it was.
	liar.send(frame(group, m[1].mac, 3))
	m[0].numbers()
	m[2].numbers()
	m[0].say(m[1].mac, 4)
	m[2].wants("c", 4)
}

func TestTagsArePassedAsTheyAre(t *testing.T) {
	s := newSwitch(t, lan.Config{})
	a, _ := join(t, s, lan.PortConfig{})
	b, _ := join(t, s, lan.PortConfig{})
	for _, tags := range []int{1, 2} {
		f := frame(b.mac, a.mac, 1)
		for range tags {
			f.Head = slices.Insert(f.Head, 12, 0x81, 0, 0x40, 5)
		}
		f.Body = make([]byte, 1514-64) // the tags come on top of the MTU
		a.send(f)
		if len(b.heard) != 1 || !bytes.Equal(b.heard[0].Head, f.AppendTo(nil)) {
			t.Errorf("%d tags: got %v", tags, b.heard)
		}
		b.numbers()
	}
}
