package link_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"landline/link"
	"landline/wire"
)

// unitTo makes a unit of n bytes of payload, some of which lie behind the headers.
func unitTo(dst netip.Addr, n, inHead int) link.Frame {
	f := packetTo(dst, wire.ProtoTCP, n)
	f.Head, f.Body = append(f.Head, f.Body[:inHead]...), f.Body[inHead:]
	tcp := wire.TCP(f.Head[f.SumStart:])
	tcp.SetFlags(wire.FlagACK | wire.FlagPSH | wire.FlagFIN | wire.FlagCWR)
	tcp.SetSeq(wire.SeqOf(0xfffffff0))
	f.SegSize = 1000
	return f
}

func TestImpairCutsUnitsThatArrive(t *testing.T) {
	for _, dst := range []netip.Addr{addr4b, addr6b} {
		for _, c := range []struct{ n, inHead int }{{60_000, 0}, {2999, 1500}, {2500, 2500}, {1000, 3}, {1001, 1000}, {0, 0}} {
			t.Run(fmt.Sprint(dst, c), func(t *testing.T) {
				d := impair(t, link.Impairment{}, link.Impairment{})
				unit := unitTo(dst, c.n, c.inHead)
				before := unit.AppendTo(nil)
				plain := packetTo(dst, wire.ProtoUDP, 5)
				d.fake.arrive(plain, unit, plain, unit)
				if !bytes.Equal(unit.AppendTo(nil), before) {
					t.Error("the device's bytes were changed")
				}
				segments := max(1, (c.n+999)/1000)
				got := d.near.frames
				if len(got) != 2+2*segments || got[0].Len() != plain.Len() || got[1+segments].Len() != plain.Len() {
					t.Fatalf("got %d frames, want %d", len(got), 2+2*segments)
				}
				mustBeSegments(t, got[1:1+segments], c.n)
				mustBeSegments(t, got[2+segments:], c.n)
				_, in := d.Stats()
				mustCount(t, in, link.ImpairStats{Passed: uint64(2 + 2*segments)}, 2+2*segments)
			})
		}
	}
}

// mustBeSegments checks that frames are the segments of a unit of n bytes.
func mustBeSegments(t *testing.T, frames []link.Frame, n int) {
	t.Helper()
	var data []byte
	for i := range frames {
		f := &frames[i]
		tcp := wire.TCP(accepted(whole(f)))
		if tcp == nil || f.SegSize != 0 || f.Sum != link.SumPartial {
			t.Fatalf("segment %d is not a whole packet: %+v", i, f)
		}
		want := wire.FlagACK
		if i == 0 {
			want |= wire.FlagCWR
		}
		if i == len(frames)-1 {
			want |= wire.FlagPSH | wire.FlagFIN
		}
		if tcp.Flags() != want || tcp.Seq() != wire.SeqOf(0xfffffff0).Add(len(data)) {
			t.Errorf("segment %d has flags %v and number %v", i, tcp.Flags(), tcp.Seq())
		}
		if e := wire.Ethernet(f.Head); e.Type() == wire.TypeIPv4 && wire.IPv4(e.Payload()).ID() != uint16(i) {
			t.Errorf("segment %d has the identification %d", i, wire.IPv4(e.Payload()).ID())
		}
		data = append(data, tcp.Payload()...)
	}
	if !bytes.Equal(data, payload(n)) {
		t.Errorf("the segments carry %d bytes, want %d in their order", len(data), n)
	}
}

func TestImpairFaultsHitSegmentsOfAUnit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := impair(t, link.Impairment{}, link.Impairment{Seed: 1, Loss: 0.2, Rate: 1e6, Queue: 1e6})
		unit := unitTo(addr4b, 60_000, 0)
		d.fake.arrive(unit)
		clear(unit.Body)
		time.Sleep(time.Minute)
		_, in := d.Stats()
		mustCount(t, in, link.ImpairStats{Passed: 46, Lost: 14}, 60)
		for i := range d.near.frames {
			if accepted(whole(&d.near.frames[i])) == nil {
				t.Errorf("frame %d is damaged", i)
			}
		}
	})
}

func TestImpairSurvivesUnitsThatAreNone(t *testing.T) {
	good := unitTo(addr4b, 3000, 100)
	for _, change := range []func(*link.Frame){
		func(f *link.Frame) { f.Sum = link.SumGood },
		func(f *link.Frame) { f.SumField++ },
		func(f *link.Frame) { f.SumStart, f.SumField = 65000, 65016 },
		func(f *link.Frame) { f.Head = f.Head[:f.SumStart+19] },
		func(f *link.Frame) { f.Head = f.Head[:f.SumStart+31] }, // of 32
		func(f *link.Frame) { f.Head[f.SumStart+12] = 0x40 },
		func(f *link.Frame) { f.Head[14] = 0x46 },
		func(f *link.Frame) { f.Head[14] = 0x65 },
		func(f *link.Frame) { f.Head[12] = 0x86 },
		func(f *link.Frame) { f.Head = nil },
		func(f *link.Frame) { f.Body = nil }, // shorter than it says
	} {
		f := good
		f.Head = bytes.Clone(f.Head)
		change(&f)
		d := impair(t, link.Impairment{}, link.Impairment{Corrupt: 0.5})
		d.fake.arrive(f)
		for _, got := range d.near.frames {
			if got.SegSize != 0 || got.Len() != f.Len() {
				t.Errorf("%+v became %+v", f, got)
			}
		}
	}
}

func TestImpairCutsUnitsWithoutAllocating(t *testing.T) {
	fake := newFake(ignore)
	d := link.Impair(fake, link.Impairment{}, link.Impairment{Loss: 0.1})
	defer d.Close()
	d.Attach(link.Handler{Receive: ignore})
	units := []link.Frame{unitTo(addr4b, 60_000, 0), unitTo(addr6b, 60_000, 1200)}
	mustNotAllocate(t, "cutting", func() { fake.arrive(units...) })
}
