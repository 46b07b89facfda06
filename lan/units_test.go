package lan_test

import (
	"bytes"
	"slices"
	"testing"

	"landline/lan"
	"landline/link"
	"landline/wire"
)

// One unit goes to all at once: whole to who takes units, in segments with open checksums to who completes
// those, and in segments that are complete to a bare wire.
func TestUnitsAreCutForWhoDoesNotTakeThem(t *testing.T) {
	const size, segments = 30_000, 21 // of 1,460 bytes, and 800
	s := newSwitch(t, lan.Config{})
	a, _ := join(t, s, lan.PortConfig{})
	whole, _ := join(t, s, lan.PortConfig{})
	open, _ := join(t, s, lan.PortConfig{Without: link.OffloadTSO})
	bare, _ := plug(t, s, lan.PortConfig{}, link.CableConfig{Checksums: true})
	u := unit(wire.MAC{2, 9}, a.mac, size, 1460)
	before := u.AppendTo(nil)
	a.send(u)
	if !bytes.Equal(u.AppendTo(nil), before) {
		t.Error("what was sent has changed")
	}
	if len(whole.heard) != 1 || whole.heard[0].SegSize != 1460 || !bytes.Equal(whole.heard[0].Head, before) {
		t.Errorf("who takes units got %d frames", len(whole.heard))
	}
	for _, c := range []struct {
		m    *machine
		want link.SumState
	}{{open, link.SumPartial}, {bare, link.SumUnchecked}} {
		if len(c.m.heard) != segments || len(c.m.sizes) != 1 {
			t.Fatalf("%d frames in %d batches, want %d in one", len(c.m.heard), len(c.m.sizes), segments)
		}
		var payload []byte
		for i := range c.m.heard {
			f := &c.m.heard[i]
			h, tcp := parseTCP(t, f)
			if f.Sum != c.want || f.SegSize != 0 {
				t.Errorf("segment %d: %+v", i, f)
			}
			if f.Sum == link.SumUnchecked && tcp.Verify(h.PseudoSum()) != nil {
				t.Errorf("segment %d: checksum", i)
			}
			if h.Verify() != nil || tcp.Seq() != wire.SeqOf(1000).Add(i*1460) {
				t.Errorf("segment %d: %v", i, h)
			}
			payload = append(payload, tcp.Payload()...)
		}
		if !bytes.Equal(payload, u.Body) {
			t.Error("other bytes arrived")
		}
	}
}

func parseTCP(t *testing.T, f *link.Frame) (wire.IPv4, wire.TCP) {
	t.Helper()
	e, err := wire.ParseEthernet(f.Head)
	if err != nil {
		t.Fatal(err)
	}
	h, err := wire.ParseIPv4(e.Payload())
	if err != nil {
		t.Fatal(err)
	}
	tcp, err := wire.ParseTCP(h.Payload())
	if err != nil {
		t.Fatal(err)
	}
	return h, tcp
}

// A unit that nobody can cut is lost for who wants it cut, and the rest of its batch is not.
func TestUnitThatCannotBeCutIsCounted(t *testing.T) {
	s := newSwitch(t, lan.Config{})
	a, _ := join(t, s, lan.PortConfig{})
	whole, _ := join(t, s, lan.PortConfig{})
	bare, port := plug(t, s, lan.PortConfig{}, link.CableConfig{Checksums: true})
	bad := unit(group, a.mac, 5000, 1460)
	bad.Head[23] = byte(wire.ProtoUDP)
	a.send(frame(group, a.mac, 1), bad, frame(group, a.mac, 2))
	bare.wants("a bare wire", 1, 2)
	drops(t, port, map[string]uint64{"malformed": 1})
	if len(whole.numbers()) != 3 {
		t.Error("who takes units does not get it")
	}
}

func TestFramesOverTheMTUOfAPortAreCounted(t *testing.T) {
	s := newSwitch(t, lan.Config{MTU: 9000})
	a, _ := join(t, s, lan.PortConfig{})
	b, _ := join(t, s, lan.PortConfig{})
	small, port := plug(t, s, lan.PortConfig{}, link.CableConfig{MTU: 1500})
	jumbo, _ := plug(t, s, lan.PortConfig{}, link.CableConfig{MTU: 20_000})
	long := frame(group, a.mac, 2)
	long.Body = make([]byte, 9014-64)
	a.send(frame(group, a.mac, 1), long, frame(group, a.mac, 3), unit(group, a.mac, 20_000, 8000))
	small.wants("who takes 1,500 bytes", 1, 3)
	drops(t, port, map[string]uint64{"too long": 1 + 3})
	b.numbers()
	long = frame(b.mac, jumbo.mac, 4)
	long.Body = make([]byte, 9015-64)
	jumbo.send(long, frame(b.mac, jumbo.mac, 5))
	if slices.Contains(b.sizes, 0) {
		t.Error("an empty batch arrived")
	}
	b.wants("b", 5)
	jumbo.send(long)
	if len(b.sizes) != 0 {
		t.Errorf("batches of %v arrived", b.sizes)
	}
	for _, p := range s.Ports()[1:2] {
		drops(t, p, map[string]uint64{"too long": 2})
	}
}

// What waits in a queue has been cut already, and a queue that is full costs no cutting.
func TestSegmentsWaitForADevice(t *testing.T) {
	s := newSwitch(t, lan.Config{})
	d := &wall{room: 10}
	p, err := s.Plug(d, lan.PortConfig{QueueFrames: 30})
	if err != nil {
		t.Fatal(err)
	}
	a, _ := join(t, s, lan.PortConfig{})
	u := unit(group, a.mac, 20*1000, 1000)
	a.send(u)
	a.send(u)
	st := p.Stats()
	if st.Out != 10 || st.Waiting != 30 || st.Drops.Total() != 0 {
		t.Errorf("%+v", st)
	}
	a.send(u)
	a.send(u) // the whole of it is one frame, since it is not cut any more
	drops(t, p, map[string]uint64{"queue full": 20 + 1})
	d.room = 100
	d.handler.Room()
	a.send(u)
	if st := p.Stats(); st.Out != 60 || st.Waiting != 0 || st.Drops.Total() != 21 {
		t.Errorf("%+v", st)
	}
}
