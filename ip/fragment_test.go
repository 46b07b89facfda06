package ip

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"landline/wire"
)

// pattern returns n bytes of which no two runs are alike.
func pattern(n int) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(uint64(n), 1))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// packet4 returns an IPv4 packet.
func packet4(h wire.IPv4Header, payload []byte) wire.IPv4 {
	a := addrList("10.0.0.1", "10.0.0.2")
	h.Src, h.Dst, h.TTL, h.Protocol, h.ID = a[0], a[1], 64, wire.ProtoUDP, 7
	return append(wire.AppendIPv4(nil, &h, len(payload)), payload...)
}

// packet6 returns an IPv6 packet. The extensions are part of n bytes of headers, and stand
// before the payload of a protocol; their last type field is at nextField.
func packet6(hopByHop int, next wire.Protocol, payload []byte) (h wire.IPv6, headerLen, nextField int) {
	a := addrList("2001:db8::1", "2001:db8::2")
	header := wire.IPv6Header{Src: a[0], Dst: a[1], HopLimit: 64, NextHeader: next}
	headerLen, nextField = wire.IPv6Len+hopByHop, 6
	if hopByHop != 0 {
		header.NextHeader = wire.ProtoHopByHop
		nextField = wire.IPv6Len
	}
	b := wire.AppendIPv6(nil, &header, hopByHop+len(payload))
	if hopByHop != 0 {
		options := make([]byte, hopByHop)
		options[0], options[1] = byte(next), byte(hopByHop/8-1)
		for at := 2; at < hopByHop; { // padding
			n := min(hopByHop-at, 257)
			if n > 1 {
				options[at], options[at+1] = 1, byte(n-2)
			}
			at += n
		}
		b = append(b, options...)
	}
	return append(b, payload...), headerLen, nextField
}

// collect returns the fragments that f makes, each in one piece.
func collect(f *fragmenter) (all [][]byte) {
	scratch := make([]byte, 0, f.mtu)
	for f.next(scratch) {
		all = append(all, append(slices.Clone(f.head), f.body...))
	}
	return all
}

// cut4 cuts a packet whose first n bytes of payload are in the first piece.
func cut4(t testing.TB, h wire.IPv4, n, mtu int) [][]byte {
	t.Helper()
	f, err := fragment4(h, h.Payload()[:n], h.Payload()[n:], mtu)
	if err != nil {
		t.Fatalf("%d bytes for an MTU of %d: %v", len(h), mtu, err)
	}
	return collect(&f)
}

func cut6(t testing.TB, h wire.IPv6, headerLen, nextField, n, mtu int, id uint32) [][]byte {
	t.Helper()
	payload := h[headerLen:]
	f, err := fragment6(h[:headerLen], nextField, payload[:n], payload[n:], mtu, id)
	if err != nil {
		t.Fatalf("%d bytes for an MTU of %d: %v", len(h), mtu, err)
	}
	return collect(&f)
}

// readFragment reads a packet as the input does. The result is false if it is whole.
func readFragment(t testing.TB, b []byte) (*fragment, bool) {
	t.Helper()
	if b[0]>>4 == 4 {
		h, err := wire.ParseIPv4(b)
		if err != nil || h.Verify() != nil || len(h) != len(b) {
			t.Fatalf("%v: %v, %v", h, err, h.Verify())
		}
		return &fragment{
			key:    fragmentKey{src: h.Src(), dst: h.Dst(), id: uint32(h.ID()), protocol: h.Protocol(), index: 1},
			header: h.Header(), offset: h.FragmentOffset(), more: h.MoreFragments(), payload: h.Payload(),
		}, h.IsFragment()
	}
	h, err := wire.ParseIPv6(b)
	if err != nil || len(h) != len(b) {
		t.Fatalf("%v: %v", h, err)
	}
	e := h.Extensions()
	nextField := 6
	for e.Next() {
		f, ok := e.Fragment()
		if !ok {
			nextField = e.ProtocolOffset()
			continue
		}
		return &fragment{
			key:    fragmentKey{src: h.Src(), dst: h.Dst(), id: f.ID(), index: 1},
			header: h[:e.Offset()], nextField: nextField, next: f.NextHeader(),
			offset: f.Offset(), more: f.MoreFragments(), payload: e.Payload(),
		}, true
	}
	return nil, false
}

func TestFragmentsOfIPv4(t *testing.T) {
	h := packet4(wire.IPv4Header{}, pattern(1000))
	all := cut4(t, h, 100, 500)
	want := []string{
		"ip4 10.0.0.1 > 10.0.0.2 ttl 64 id 7 frag 0 more | udp fragment len 480",
		"ip4 10.0.0.1 > 10.0.0.2 ttl 64 id 7 frag 480 more | udp fragment len 480",
		"ip4 10.0.0.1 > 10.0.0.2 ttl 64 id 7 frag 960 | udp fragment len 40",
	}
	for i, b := range all {
		if got := wire.IPv4(b).String(); i >= len(want) || got != want[i] {
			t.Errorf("fragment %d: %s", i, got)
		}
		if err := wire.IPv4(b).Verify(); err != nil {
			t.Errorf("fragment %d: %v", i, err)
		}
	}
	if len(all) != len(want) {
		t.Errorf("%d fragments", len(all))
	}
}

func TestFragmentsOfIPv6(t *testing.T) {
	h, headerLen, nextField := packet6(8, wire.ProtoUDP, pattern(2000))
	all := cut6(t, h, headerLen, nextField, 0, 1280, 99)
	want := []string{
		"ip6 2001:db8::1 > 2001:db8::2 hop 64 | hopbyhop len 8 id 99 frag 0 more | udp fragment len 1224",
		"ip6 2001:db8::1 > 2001:db8::2 hop 64 | hopbyhop len 8 id 99 frag 1224 | udp fragment len 776",
	}
	for i, b := range all {
		if got := wire.IPv6(b).String(); i >= len(want) || got != want[i] {
			t.Errorf("fragment %d: %s", i, got)
		}
	}
	if len(all) != len(want) {
		t.Errorf("%d fragments", len(all))
	}
}

func TestOnlyCopiedOptionsAreInLaterFragments(t *testing.T) {
	const record, alert = "\x07\x07\x04\x00\x00\x00\x00", wire.IPv4RouterAlert
	for _, c := range []struct{ why, options, later string }{
		{"none", "", ""},
		{"copied", alert, alert},
		{"not copied", record, ""},
		{"one of two", record + "\x01" + alert, alert},
		{"padded", "\x83\x03\x04" + record, "\x83\x03\x04\x00"},
		{"impossible", alert + "\x07\x00", alert},
	} {
		all := cut4(t, packet4(wire.IPv4Header{Options: []byte(c.options)}, pattern(600)), 0, 200)
		for i, b := range all {
			f, _ := readFragment(t, b)
			got, want := string(f.header[wire.IPv4Len:]), c.later
			if i == 0 {
				got = got[:len(c.options)] // without padding
				want = c.options
			}
			if got != want {
				t.Errorf("%s: fragment %d has options %q, want %q", c.why, i, got, want)
			}
		}
	}
}

func TestAPacketThatFitsIsNotChanged(t *testing.T) {
	h := packet4(wire.IPv4Header{DontFragment: true}, pattern(80))
	if all := cut4(t, h, 10, 100); len(all) != 1 || !bytes.Equal(all[0], h) {
		t.Errorf("%x", all)
	}
	six, headerLen, nextField := packet6(0, wire.ProtoUDP, pattern(1240))
	if all := cut6(t, six, headerLen, nextField, 10, 1280, 1); len(all) != 1 || !bytes.Equal(all[0], six) {
		t.Errorf("%x", all)
	}
	empty := packet4(wire.IPv4Header{}, nil)
	if all := cut4(t, empty, 0, 100); len(all) != 1 || !bytes.Equal(all[0], empty) {
		t.Errorf("%x", all)
	}
}

func TestRefusesToCutWhatMustNotBe(t *testing.T) {
	h := packet4(wire.IPv4Header{DontFragment: true}, pattern(81))
	if _, err := fragment4(h, h.Payload(), nil, 100); err != DropTooBig {
		t.Errorf("don't fragment: %v", err)
	}
	h = packet4(wire.IPv4Header{Options: make([]byte, 40)}, pattern(81))
	if _, err := fragment4(h, h.Payload(), nil, 67); err != DropTooBig {
		t.Errorf("no room beside the options: %v", err)
	}
	for _, extensions := range []int{1240, 1232} {
		six, n, nextField := packet6(extensions, wire.ProtoUDP, pattern(81))
		if _, err := fragment6(six[:n], nextField, six[n:], nil, 1280, 1); err != DropTooBig {
			t.Errorf("no room beside %d bytes of extension headers: %v", extensions, err)
		}
	}
	six, n, nextField := packet6(1224, wire.ProtoUDP, pattern(81))
	if got := len(cut6(t, six, n, nextField, 0, 1280, 1)); got != 11 {
		t.Errorf("with room for 8 bytes: %d fragments", got)
	}
}

func TestTheSecondPieceIsNotCopied(t *testing.T) {
	h := packet4(wire.IPv4Header{}, pattern(1000))
	body := h.Payload()[100:]
	f, err := fragment4(h, h.Payload()[:100], body, 500)
	if err != nil {
		t.Fatal(err)
	}
	at := 0
	for f.next(nil) {
		if len(f.body) != 0 && &f.body[0] != &body[at] {
			t.Error("a fragment's body lies elsewhere")
		}
		at += len(f.body)
	}
	if at != len(body) {
		t.Errorf("%d bytes of %d", at, len(body))
	}
}

// join gives fragments to a reassembler in an order and returns the packet, or nil.
func join(t testing.TB, r *reassembler, all [][]byte) (packet []byte) {
	t.Helper()
	for i, b := range all {
		f, ok := readFragment(t, b)
		if !ok {
			return b
		}
		p, err := r.add(pureStart, f)
		if err != nil {
			t.Fatalf("fragment %d of %d: %v", i, len(all), err)
		}
		if (p != nil) != (i == len(all)-1) {
			t.Fatalf("fragment %d of %d: packet of %d bytes", i, len(all), len(p))
		}
		packet = p
	}
	return packet
}

func shuffled(all [][]byte, r *rand.Rand) [][]byte {
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

func TestFragmentsOfEveryMTUAreJoined(t *testing.T) {
	r, random := newReassembler(0, seeded(1)), seeded(2)
	four := packet4(wire.IPv4Header{Options: []byte("\x07\x07\x04\x00\x00\x00\x00\x01" + wire.IPv4RouterAlert)}, pattern(1999))
	six, headerLen, nextField := packet6(16, wire.ProtoUDP, pattern(4999))
	for mtu := 68; mtu <= 2050; mtu++ {
		all := cut4(t, four, mtu%1000, mtu)
		for _, b := range all {
			if len(b) > mtu {
				t.Fatalf("a fragment of %d bytes for an MTU of %d", len(b), mtu)
			}
		}
		if got := join(t, r, shuffled(all, random)); !bytes.Equal(got, four) {
			t.Fatalf("MTU %d: %v", mtu, wire.IPv4(got))
		}
	}
	for mtu := 1280; mtu <= 5100; mtu += 3 {
		all := cut6(t, six, headerLen, nextField, mtu%1000, mtu, uint32(mtu))
		for _, b := range all {
			if len(b) > mtu {
				t.Fatalf("a fragment of %d bytes for an MTU of %d", len(b), mtu)
			}
		}
		if got := join(t, r, shuffled(all, random)); !bytes.Equal(got, six) {
			t.Fatalf("MTU %d: %v", mtu, wire.IPv6(got))
		}
	}
}

// A narrower link on the way cuts fragments again.
func TestFragmentsOfFragmentsAreJoined(t *testing.T) {
	r, random := newReassembler(0, seeded(1)), seeded(2)
	h := packet4(wire.IPv4Header{Options: []byte(wire.IPv4RouterAlert)}, pattern(3001))
	for _, mtus := range [][]int{{1500, 576}, {1500, 1499, 1000, 296}, {576, 1500}, {100, 68}} {
		all := [][]byte{h}
		for _, mtu := range mtus {
			var cut [][]byte
			for _, b := range all {
				cut = append(cut, cut4(t, b, 0, mtu)...)
			}
			all = cut
		}
		if got := join(t, r, shuffled(all, random)); !bytes.Equal(got, h) {
			t.Errorf("%v: %v", mtus, wire.IPv4(got))
		}
	}
}

func FuzzFragmentsAreJoined(f *testing.F) {
	f.Add(uint16(3000), uint16(1500), uint16(7), uint8(8), uint64(1))
	f.Add(uint16(65000), uint16(1280), uint16(700), uint8(0), uint64(2))
	f.Add(uint16(20000), uint16(68), uint16(700), uint8(40), uint64(3))
	f.Fuzz(func(t *testing.T, size, mtu, first uint16, extra uint8, seed uint64) {
		random := rand.New(rand.NewPCG(seed, 0))
		r := newReassembler(0, random)
		if mtu < 68 {
			return
		}
		options := int(extra%11) * 4
		n := min(int(size), maxPacket-wire.IPv4Len-options, maxFragments*(int(mtu)-60)&^7)
		h := packet4(wire.IPv4Header{Options: bytes.Repeat([]byte{1}, options)}, pattern(n))
		all := cut4(t, h, min(int(first), n), int(mtu))
		if got := join(t, r, shuffled(all, random)); !bytes.Equal(got, h) {
			t.Fatalf("%d bytes, MTU %d: %v", n, mtu, wire.IPv4(got))
		}
		if mtu < 1280 {
			return
		}
		extensions := int(extra%100) * 8
		n = min(int(size), maxPacket-extensions)
		six, headerLen, nextField := packet6(extensions, wire.ProtoUDP, pattern(n))
		all = cut6(t, six, headerLen, nextField, min(int(first), n), int(mtu), uint32(seed))
		if got := join(t, r, shuffled(all, random)); !bytes.Equal(got, six) {
			t.Fatalf("%d bytes, MTU %d: %v", n, mtu, wire.IPv6(got))
		}
	})
}

func TestCuttingAllocatesNothing(t *testing.T) {
	h := packet4(wire.IPv4Header{}, pattern(8000))
	six, n, nextField := packet6(8, wire.ProtoUDP, pattern(8000))
	scratch := make([]byte, 0, 1500)
	allocatesNothing(t, "IPv4", func() {
		f, _ := fragment4(h, h.Payload()[:20], h.Payload()[20:], 1500)
		for f.next(scratch) {
		}
	})
	allocatesNothing(t, "IPv6", func() {
		f, _ := fragment6(six[:n], nextField, six[n:n+20], six[n+20:], 1500, 1)
		for f.next(scratch) {
		}
	})
}

func BenchmarkCut(b *testing.B) {
	for _, first := range []int{0, 8000} {
		b.Run(fmt.Sprintf("%d copied", first), func(b *testing.B) {
			h := packet4(wire.IPv4Header{}, pattern(8000))
			scratch := make([]byte, 0, 1500)
			b.SetBytes(int64(len(h)))
			b.ReportAllocs()
			for b.Loop() {
				f, _ := fragment4(h, h.Payload()[:first], h.Payload()[first:], 1500)
				for f.next(scratch) {
				}
			}
		})
	}
}
