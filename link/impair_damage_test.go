package link_test

import (
	"bytes"
	"math/bits"
	"net/netip"
	"testing"

	"landline/link"
	"landline/wire"
)

var (
	mac1, mac2 = wire.MAC{2, 0, 0, 0, 0, 1}, wire.MAC{2, 0, 0, 0, 0, 2}

	addr4a, addr4b = netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	addr6a, addr6b = netip.MustParseAddr("fd00::1"), netip.MustParseAddr("fd00::2")
)

// packetTo makes a frame with n bytes of payload over IPv4 or IPv6, with its checksum
// left open, headers and payload apart.
func packetTo(dst netip.Addr, p wire.Protocol, n int) link.Frame {
	src, network := addr4a, wire.TypeIPv4
	if dst.Is6() {
		src, network = addr6a, wire.TypeIPv6
	}
	header := wire.UDPLen
	if p == wire.ProtoTCP {
		header = wire.TCPLen + 12
	}
	b := wire.AppendEthernet(nil, mac2, mac1, network)
	if dst.Is6() {
		b = wire.AppendIPv6(b, &wire.IPv6Header{NextHeader: p, HopLimit: 64, Src: src, Dst: dst}, header+n)
	} else {
		b = wire.AppendIPv4(b, &wire.IPv4Header{Protocol: p, TTL: 64, Src: src, Dst: dst, DontFragment: true}, header+n)
	}
	start := len(b)
	f := link.Frame{Sum: link.SumPartial, SumStart: uint16(start), Body: payload(n)}
	pseudo := wire.PseudoSum(src, dst, p, header+n)
	if p == wire.ProtoTCP {
		options := wire.AppendTimestamps(wire.AppendNOP(wire.AppendNOP(nil)), 1, 2)
		b = wire.AppendTCP(b, &wire.TCPHeader{SrcPort: 40000, DstPort: 80, Flags: wire.FlagACK | wire.FlagPSH, Window: 1000}, options)
		wire.TCP(b[start:]).SetPartialChecksum(pseudo)
		f.SumField = uint16(start + 16)
	} else {
		b = wire.AppendUDP(b, 40000, 7, n)
		wire.UDP(b[start:]).SetPartialChecksum(pseudo)
		f.SumField = uint16(start + 6)
	}
	f.Head = b
	return f
}

func payload(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8)
	}
	return b
}

// whole returns the bytes of a frame of packetTo, with its checksum.
func whole(f *link.Frame) []byte {
	b := f.AppendTo(nil)
	segment := b[f.SumStart:]
	pseudo := wire.Sum(uint16(segment[f.SumField-f.SumStart])<<8 | uint16(segment[f.SumField-f.SumStart+1]))
	if f.SumField-f.SumStart == 16 {
		wire.TCP(segment).FillChecksum(pseudo)
	} else {
		wire.UDP(segment).FillChecksum(pseudo)
	}
	return b
}

// accepted returns the TCP segment or UDP datagram in a frame if a machine with some
// addresses would take it for good.
func accepted(b []byte) []byte {
	e, err := wire.ParseEthernet(b)
	if err != nil || e.Dst() != mac2 {
		return nil
	}
	if e.Type() == wire.TypeIPv4 {
		h, err := wire.ParseIPv4(e.Payload())
		if err != nil || h.Verify() != nil {
			return nil
		}
		return transport(h.Protocol(), h.Payload(), h.PseudoSum())
	}
	h, err := wire.ParseIPv6(e.Payload())
	if err != nil {
		return nil
	}
	p, b, err := h.Upper()
	if err != nil {
		return nil
	}
	return transport(p, b, h.PseudoSum(p, len(b)))
}

func transport(p wire.Protocol, b []byte, pseudo wire.Sum) []byte {
	switch p {
	case wire.ProtoTCP:
		if t, err := wire.ParseTCP(b); err == nil && t.Verify(pseudo) == nil {
			return t
		}
	case wire.ProtoUDP:
		if u, err := wire.ParseUDP(b); err == nil && u.Verify(pseudo) == nil {
			return u
		}
	}
	return nil
}

// flipped returns how many bits differ.
func flipped(a, b []byte) (n int) {
	for i := range a {
		n += bits.OnesCount8(a[i] ^ b[i])
	}
	return n
}

func TestImpairDamageIsOneBitThatTheReceiverNotices(t *testing.T) {
	for _, dst := range []netip.Addr{addr4b, addr6b} {
		for _, p := range []wire.Protocol{wire.ProtoTCP, wire.ProtoUDP} {
			const n = 3000
			d := impair(t, link.Impairment{Seed: 1, Corrupt: 1}, link.Impairment{})
			f := packetTo(dst, p, 101)
			before, want := f.AppendTo(nil), whole(&f)
			for range n {
				mustWrite(t, d, f)
			}
			if !bytes.Equal(f.AppendTo(nil), before) {
				t.Error("the caller's bytes were changed")
			}
			unnoticed, seen := 0, make(map[string]bool)
			for i := range d.far.frames {
				got := &d.far.frames[i]
				if got.Sum != link.SumUnchecked || got.Len() != len(want) || flipped(want, got.Head) != 1 {
					t.Fatalf("%v differs from\n%v in %d bits, sum state %d", got.Head, want, flipped(want, got.Head), got.Sum)
				}
				seen[string(got.Head)] = true
				if segment := accepted(got.Head); segment == nil {
					continue
				} else if !bytes.Equal(segment, want[f.SumStart:]) {
					t.Fatalf("a damaged segment is taken for good: %v", segment)
				}
				unnoticed++ // damage to an IPv6 header, which has no checksum
			}
			if len(seen) < 8*(len(want)-wire.EthernetLen)*8/10 {
				t.Errorf("only %d bits were flipped", len(seen))
			}
			if dst.Is4() && unnoticed != 0 {
				t.Errorf("%d damaged packets were taken for good", unnoticed)
			}
			out, _ := d.Stats()
			mustCount(t, out, link.ImpairStats{Passed: n, Corrupted: n}, n)
		}
	}
}

// What arrives may come from memory, with an open checksum or one that was looked at.
func TestImpairDamagesWhatArrives(t *testing.T) {
	for _, sum := range []link.SumState{link.SumPartial, link.SumGood, link.SumUnchecked} {
		d := impair(t, link.Impairment{}, link.Impairment{Corrupt: 1})
		f := packetTo(addr4b, wire.ProtoTCP, 1000)
		want := whole(&f)
		if sum != link.SumPartial {
			f = link.Frame{Head: want, Sum: sum}
		}
		d.fake.arrive(f)
		got := d.near.frames[0]
		if flipped(want, got.Head) != 1 || got.Sum != link.SumUnchecked || accepted(got.Head) != nil {
			t.Errorf("%d bits differ, sum state %d", flipped(want, got.Head), got.Sum)
		}
	}
}

func TestImpairDamageFindsThePacketBehindTagsAndBeforePadding(t *testing.T) {
	f := packetTo(addr4b, wire.ProtoUDP, 0)
	plain := whole(&f)
	short := link.Frame{Head: append(bytes.Clone(plain), make([]byte, 18)...)}
	for _, f := range []link.Frame{short, tagged(short, 1), tagged(short, 2)} {
		d := impair(t, link.Impairment{Corrupt: 1}, link.Impairment{})
		header := len(f.Head) - len(plain) - 18 + wire.EthernetLen
		for range 1000 {
			mustWrite(t, d, f)
		}
		for i := range d.far.frames {
			got := d.far.frames[i].Head
			if !bytes.Equal(got[:header], f.Head[:header]) || !bytes.Equal(got[len(got)-18:], f.Head[len(got)-18:]) {
				t.Fatalf("damage is not in the packet: %v", got)
			}
		}
	}
}

func TestImpairDamageKeepsTheOrder(t *testing.T) {
	d := impair(t, link.Impairment{Seed: 1, Corrupt: 0.3, Duplicate: 0.1}, link.Impairment{})
	var frames []link.Frame
	for n := range 200 {
		frames = append(frames, packetTo(addr4b, wire.ProtoUDP, n))
	}
	mustWrite(t, d, frames...)
	last := 0
	for i := range d.far.frames {
		n := d.far.frames[i].Len()
		if n < last {
			t.Fatalf("a frame of %d bytes arrived after one of %d", n, last)
		}
		last = n
	}
	out, _ := d.Stats()
	mustCount(t, out, link.ImpairStats{Passed: 225, Duplicated: 25, Corrupted: 71}, 200)
}

func TestImpairDamageSurvivesOddFrames(t *testing.T) {
	d := impair(t, link.Impairment{Corrupt: 1}, link.Impairment{Corrupt: 1})
	for _, network := range []wire.EtherType{wire.TypeIPv4, wire.TypeIPv6, wire.TypeARP, wire.TypeVLAN, 0} {
		for n := range 64 {
			b := wire.AppendEthernet(nil, mac2, mac1, network)
			f := link.Frame{Head: append(b, payload(n)...)}
			mustWrite(t, d, f)
			d.fake.arrive(f)
		}
	}
	d.fake.arrive(link.Frame{}, link.Frame{Head: make([]byte, 5)})
	out, in := d.Stats()
	mustBalance(t, out, 5*64)
	mustBalance(t, in, 5*64+2)
}
