package link_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"landline/link"
	"landline/wire"
)

var (
	left4  = station{wire.MAC{2, 1}, netip.MustParseAddr("10.0.0.1")}
	right4 = station{wire.MAC{2, 2}, netip.MustParseAddr("10.0.0.2")}
	left6  = station{wire.MAC{2, 1}, netip.MustParseAddr("fd00::1")}
	right6 = station{wire.MAC{2, 2}, netip.MustParseAddr("fd00::2")}
)

// A unitPlan says what a unit to be cut looks like.
type unitPlan struct {
	v6         bool
	payload    []byte
	segSize    int
	inHead     int // bytes of the payload
	tags       int
	extensions int // headers, over IPv6
	options    []byte
	flags      wire.TCPFlags
	seq        uint32
	id         uint16
	padding    int // bytes after the packet
}

func (p *unitPlan) build() link.Frame {
	from, to := left4, right4
	if p.v6 {
		from, to = left6, right6
	}
	h := wire.TCPHeader{SrcPort: 1, DstPort: 2, Seq: wire.SeqOf(p.seq), Ack: wire.SeqOf(5), Flags: p.flags, Window: 99}
	f := tcpFrame(from, to, &h, p.options, p.payload)
	f.SegSize = uint16(p.segSize)
	if p.v6 {
		f = extended(f, p.extensions)
	} else {
		v4 := wire.IPv4(f.Head[wire.EthernetLen:])
		v4.SetID(p.id)
		v4.FillChecksum()
	}
	f = tagged(f, p.tags)
	f.SumStart += uint16(4 * p.tags)
	f.SumField += uint16(4 * p.tags)
	inHead := min(p.inHead, len(f.Body))
	f.Head = append(f.Head, f.Body[:inHead]...)
	f.Body = append(bytes.Clone(f.Body[inHead:]), make([]byte, p.padding)...)
	if len(p.payload) == inHead {
		f.Head, f.Body = append(f.Head, f.Body...), nil // as a frame that was received
	}
	return f
}

// extended inserts so many headers of destination options, of 8 bytes, into an IPv6 packet.
func extended(f link.Frame, n int) link.Frame {
	const start = wire.EthernetLen + wire.IPv6Len
	for range n {
		options := []byte{f.Head[20], 0, 1, 4, 0, 0, 0, 0}
		f.Head[20] = byte(wire.ProtoDestination)
		f.Head = slices.Insert(f.Head, start, options...)
	}
	v6 := wire.IPv6(f.Head[wire.EthernetLen:])
	v6.SetPayloadLen(v6.PayloadLen() + 8*n)
	f.SumStart += uint16(8 * n)
	f.SumField += uint16(8 * n)
	return f
}

// mustBeCut checks that frames are the unit of p as a wire has to carry it, and that
// checksums are whole, if they are to be.
func (p *unitPlan) mustBeCut(t *testing.T, frames []link.Frame, whole bool) {
	t.Helper()
	if want := max(1, (len(p.payload)+p.segSize-1)/p.segSize); len(frames) != want {
		t.Fatalf("%d segments, want %d", len(frames), want)
	}
	var got []byte
	for i := range frames {
		tcp := p.segment(t, &frames[i], i, whole)
		want := p.flags
		if i > 0 {
			want &^= wire.FlagCWR
		}
		if i < len(frames)-1 {
			want &^= wire.FlagPSH | wire.FlagFIN
		}
		if tcp.Flags() != want || tcp.Seq() != wire.SeqOf(p.seq).Add(len(got)) || tcp.Window() != 99 || !bytes.Equal(tcp[wire.TCPLen:tcp.HeaderLen()], p.options) {
			t.Fatalf("segment %d of %d is %v, want flags %v", i, len(frames), tcp, want)
		}
		if n := len(tcp.Payload()); n != p.segSize && i < len(frames)-1 || n > p.segSize {
			t.Fatalf("segment %d of %d has %d bytes", i, len(frames), n)
		}
		got = append(got, tcp.Payload()...)
	}
	if !bytes.Equal(got, p.payload) {
		t.Fatalf("the segments do not carry what the unit did")
	}
}

// segment checks a frame up to the TCP header, which it returns.
func (p *unitPlan) segment(t *testing.T, f *link.Frame, i int, whole bool) wire.TCP {
	t.Helper()
	if f.SegSize != 0 || (f.Sum == link.SumPartial) == whole {
		t.Fatalf("segment %d: %+v", i, f)
	}
	e, err := wire.ParseEthernet(f.AppendTo(nil))
	if err != nil || len(e.Header()) != wire.EthernetLen+4*p.tags {
		t.Fatalf("segment %d: %v, error %v", i, e, err)
	}
	body, pseudo, ok := transportOf(e, wire.ProtoTCP)
	tcp, err := wire.ParseTCP(body)
	if !ok || err != nil {
		t.Fatalf("segment %d: %v, error %v", i, e, err)
	}
	if len(tcp)+len(e.Header())+len(e.Payload())-len(body) != len(e) {
		t.Fatalf("segment %d: padded", i)
	}
	if h := wire.IPv4(e.Payload()); !p.v6 && (h.Verify() != nil || h.ID() != p.id+uint16(i) || !h.DontFragment() || h.TotalLen() != len(h)) {
		t.Fatalf("segment %d has the IPv4 header %v", i, h)
	}
	if whole && tcp.Verify(pseudo) != nil {
		t.Fatalf("segment %d has a wrong checksum", i)
	}
	if got := wire.Sum(tcp.Checksum()); !whole && got != pseudo {
		t.Fatalf("segment %d has an open checksum of %#x, want %#x", i, got, pseudo)
	}
	return tcp
}

// transportOf returns what is in a packet of protocol p.
func transportOf(e wire.Ethernet, p wire.Protocol) (body []byte, pseudo wire.Sum, ok bool) {
	if h, err := wire.ParseIPv4(e.Payload()); e.Type() == wire.TypeIPv4 && err == nil {
		return h.Payload(), h.PseudoSum(), h.Protocol() == p
	}
	if h, err := wire.ParseIPv6(e.Payload()); e.Type() == wire.TypeIPv6 && err == nil {
		found, body, err := h.Upper()
		return body, h.PseudoSum(found, len(body)), found == p && err == nil
	}
	return nil, 0, false
}

// mustCut cuts a unit for a wire that has some offloads, and checks that it is not changed.
func mustCut(t *testing.T, s *link.Segmenter, unit *link.Frame) []link.Frame {
	t.Helper()
	before, head := unit.AppendTo(nil), len(unit.Head)
	s.Reset()
	if err := s.Add(unit); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(unit.AppendTo(nil), before) || len(unit.Head) != head {
		t.Fatal("the unit was changed")
	}
	return s.Frames()
}

const allFlags = wire.FlagACK | wire.FlagPSH | wire.FlagFIN | wire.FlagCWR | wire.FlagECE

func TestSegmenterCutsUnits(t *testing.T) {
	timestamps := append(wire.AppendTimestamps(nil, 1, 2), 1, 1)
	for _, p := range []unitPlan{
		{payload: pattern(60_000), segSize: 1460},
		{payload: pattern(65535 - 40), segSize: 536, options: nil},
		{payload: pattern(2920), segSize: 1460, inHead: 1460},
		{payload: pattern(2920), segSize: 1460, inHead: 1461},
		{payload: pattern(2920), segSize: 1460, inHead: 2920},
		{payload: pattern(2921), segSize: 1460, inHead: 1459, padding: 5},
		{payload: pattern(10), segSize: 3, inHead: 10, padding: 20},
		{payload: pattern(1461), segSize: 1460, inHead: 3, options: timestamps, tags: 1},
		{payload: pattern(5001), segSize: 999, options: timestamps, tags: 2},
		{payload: pattern(1460), segSize: 1460},
		{payload: nil, segSize: 1460},
		{payload: pattern(5), segSize: 1},
		{payload: pattern(60_000), segSize: 60_001},
		{payload: pattern(6000), segSize: 1000, extensions: 3, inHead: 500},
	} {
		for _, p.v6 = range []bool{false, true} {
			p.flags, p.seq, p.id = allFlags, 0xffffff00, 0xfffe
			if n := len(p.payload); p.v6 {
				p.payload = p.payload[:min(n, 65535-60)]
			}
			for offloads, whole := range map[link.Offloads]bool{0: true, link.OffloadChecksum: false} {
				t.Run(fmt.Sprintf("%d bytes by %d, IPv6 %v, whole %v", len(p.payload), p.segSize, p.v6, whole), func(t *testing.T) {
					unit := p.build()
					p.mustBeCut(t, mustCut(t, &link.Segmenter{Offloads: offloads}, &unit), whole)
				})
			}
		}
	}
}

func TestSegmenterLeavesPayloadWhereItIs(t *testing.T) {
	p := unitPlan{payload: pattern(3000), segSize: 1000, inHead: 1000}
	unit := p.build()
	frames := mustCut(t, new(link.Segmenter), &unit)
	if &frames[0].Body[0] != &unit.Head[54] || &frames[1].Body[0] != &unit.Body[0] || &frames[2].Body[0] != &unit.Body[1000] {
		t.Error("payload was copied")
	}
}

func TestSegmenterCompletesOpenChecksums(t *testing.T) {
	icmp := packetFrame(left6, right6, wire.ProtoICMPv6, wire.AppendICMPv6(nil, wire.ICMPv6Echo, 0, 1, nil), pattern(33))
	udp4, udp6 := udpFrame(left4, right4, 1, 2, pattern(1001)), udpFrame(left6, right6, 1, 2, nil)
	tcp := tcpFrame(left4, right4, &wire.TCPHeader{}, wire.AppendMSS(nil, 1460), pattern(500))
	received := tagged(udpFrame(left4, right4, 1, 2, pattern(999)), 1)
	received.Head, received.Body = received.AppendTo(nil), nil
	received.SumStart, received.SumField = received.SumStart+4, received.SumField+4
	odd := udpFrame(left4, right4, 1, 2, pattern(12))
	odd.Head, odd.Body = append(odd.Head, odd.Body[:5]...), odd.Body[5:]
	for i, f := range []link.Frame{icmp, udp4, udp6, tcp, received, odd} {
		var s link.Segmenter
		got := mustCut(t, &s, &f)
		if len(got) != 1 || got[0].Sum != link.SumUnchecked || got[0].Len() != f.Len() {
			t.Fatalf("frame %d became %+v", i, got)
		}
		e := wire.Ethernet(got[0].AppendTo(nil))
		if err := verify(e); err != nil {
			t.Errorf("frame %d: %v: %v", i, e, err)
		}
		s = link.Segmenter{Offloads: link.OffloadChecksum}
		if got := mustCut(t, &s, &f); &got[0].Head[0] != &f.Head[0] || got[0].Sum != link.SumPartial {
			t.Errorf("frame %d is not left to a device that completes it", i)
		}
	}
}

// verify checks the checksum of a transport header.
func verify(e wire.Ethernet) error {
	if body, pseudo, ok := transportOf(e, wire.ProtoUDP); ok {
		return wire.UDP(body).Verify(pseudo)
	}
	if body, pseudo, ok := transportOf(e, wire.ProtoTCP); ok {
		return wire.TCP(body).Verify(pseudo)
	}
	body, pseudo, _ := transportOf(e, wire.ProtoICMPv6)
	return wire.ICMPv6(body).Verify(pseudo)
}

// Zero in the checksum field of UDP says that there is none (RFC 768).
func TestSegmenterNeverWritesAZeroChecksum(t *testing.T) {
	f := udpFrame(left4, right4, 1, 2, make([]byte, 2))
	for i := range 1 << 16 {
		binary.BigEndian.PutUint16(f.Body, uint16(i))
		var s link.Segmenter
		got := mustCut(t, &s, &f)
		if udp := wire.UDP(got[0].Head[f.SumStart:]); udp.Checksum() == 0 {
			t.Fatalf("payload %#x", i)
		} else if udp.Checksum() == 0xffff {
			return
		}
	}
	t.Error("no payload has this sum")
}

// "the checksum field can never contain ~(+0), which is -0 (0xFFFF)" (RFC 1624, Section 3).
func TestSegmenterWritesTheRightZeroForTCP(t *testing.T) {
	f := tcpFrame(left4, right4, &wire.TCPHeader{}, nil, make([]byte, 2))
	for i := range 1 << 16 {
		binary.BigEndian.PutUint16(f.Body, uint16(i))
		var s link.Segmenter
		got := mustCut(t, &s, &f)
		if tcp := wire.TCP(got[0].Head[f.SumStart:]); tcp.Checksum() == 0xffff {
			t.Fatalf("payload %#x", i)
		} else if tcp.Checksum() == 0 {
			return
		}
	}
	t.Error("no payload has this sum")
}

func TestSegmenterLeavesOthersAlone(t *testing.T) {
	p := unitPlan{payload: pattern(3000), segSize: 1000}
	unit := p.build()
	for _, c := range []struct {
		offloads link.Offloads
		frame    link.Frame
	}{
		{0, testFrame(64, 0)},
		{0, link.Frame{Head: make([]byte, 3)}},
		{link.OffloadChecksum, udpFrame(left4, right4, 1, 2, nil)},
		{link.OffloadChecksum | link.OffloadTSO, unit},
	} {
		got := mustCut(t, &link.Segmenter{Offloads: c.offloads}, &c.frame)
		if len(got) != 1 || &got[0].Head[0] != &c.frame.Head[0] || got[0].SegSize != c.frame.SegSize {
			t.Errorf("%+v became %+v", c.frame, got)
		}
	}
}

func TestSegmenterRefusesUnitsThatAreNone(t *testing.T) {
	for what, change := range map[string]func(*link.Frame){
		"no open checksum":           func(f *link.Frame) { f.Sum = link.SumGood },
		"UDP's checksum":             func(f *link.Frame) { f.SumField -= 10 },
		"checksum of nothing":        func(f *link.Frame) { f.SumStart, f.SumField = 65500, 65516 },
		"UDP":                        func(f *link.Frame) { f.Head[23] = 17 },
		"half a TCP header":          func(f *link.Frame) { f.Head = f.Head[:f.SumStart+19] },
		"options in Body":            func(f *link.Frame) { f.Head = f.Head[:f.SumStart+20] },
		"a data offset of 4":         func(f *link.Frame) { f.Head[f.SumStart+12] = 0x40 },
		"an IPv4 header of 6":        func(f *link.Frame) { f.Head[14] = 0x46 },
		"a fragment":                 func(f *link.Frame) { f.Head[20] |= 0x20 },
		"version 6 in IPv4":          func(f *link.Frame) { f.Head[14] = 0x65 },
		"no IP":                      func(f *link.Frame) { f.Head[12] = 0x86 },
		"nothing":                    func(f *link.Frame) { f.Head = nil },
		"less than the header says":  func(f *link.Frame) { f.Body = f.Body[:2999] },
		"a length below the headers": func(f *link.Frame) { binary.BigEndian.PutUint16(f.Head[16:], 43) },
	} {
		p := unitPlan{payload: pattern(3000), segSize: 1000, options: []byte{1, 1, 1, 1}}
		f := p.build()
		change(&f)
		var s link.Segmenter
		if err := s.Add(&f); err != link.ErrFrame || len(s.Frames()) != 0 {
			t.Errorf("%s: error %v, %d frames", what, err, len(s.Frames()))
		}
	}
	p := unitPlan{v6: true, payload: pattern(3000), segSize: 1000, extensions: 1}
	f := p.build()
	for _, change := range []func(*link.Frame){
		func(f *link.Frame) { f.Head[20] = byte(wire.ProtoTCP) },
		func(f *link.Frame) { f.Head[54] = byte(wire.ProtoUDP) },
		func(f *link.Frame) { f.Head[55] = 1 },
		func(f *link.Frame) { f.Head[20], f.Head[57] = byte(wire.ProtoFragment), 9 },
	} {
		g := f
		g.Head = bytes.Clone(f.Head)
		change(&g)
		if err := new(link.Segmenter).Add(&g); err != link.ErrFrame {
			t.Errorf("%v: error %v", wire.Ethernet(g.Head), err)
		}
	}
	open := udpFrame(left4, right4, 1, 2, nil)
	open.SumField = 41
	if err := new(link.Segmenter).Add(&open); err != link.ErrFrame {
		t.Errorf("a checksum outside Head: error %v", err)
	}
}

func TestSegmenterAllocatesNothing(t *testing.T) {
	p := unitPlan{payload: pattern(60_000), segSize: 1460, inHead: 2000}
	unit, open := p.build(), udpFrame(left4, right4, 1, 2, pattern(1000))
	var s link.Segmenter
	mustNotAllocate(t, "cutting", func() {
		s.Reset()
		for range 4 {
			s.Add(&unit)
			s.Add(&open)
		}
	})
}

func FuzzSegmenter(f *testing.F) {
	f.Add([]byte("some bytes to carry"), uint16(3), uint16(7), uint8(0), uint8(allFlags), uint32(0xfffffffe))
	f.Add(pattern(5000), uint16(1460), uint16(1461), uint8(0xff), uint8(allFlags), uint32(5))
	f.Fuzz(func(t *testing.T, payload []byte, segSize, inHead uint16, shape, flags uint8, seq uint32) {
		p := unitPlan{
			v6: shape&1 != 0, tags: int(shape>>1) % 3, extensions: int(shape>>3) % 4, padding: int(shape>>5) % 4,
			options: make([]byte, 4*(shape>>4)%44), flags: wire.TCPFlags(flags), seq: seq, id: uint16(seq),
			segSize: max(1, int(segSize)), inHead: int(inHead),
		}
		p.payload = payload[:min(len(payload), 60_000, 100*p.segSize)]
		unit := p.build()
		for offloads, whole := range map[link.Offloads]bool{0: true, link.OffloadChecksum: false} {
			p.mustBeCut(t, mustCut(t, &link.Segmenter{Offloads: offloads}, &unit), whole)
		}
	})
}

// Whatever a frame says, nothing is read that is not there.
func FuzzSegmenterSurvives(f *testing.F) {
	p := unitPlan{payload: pattern(50), segSize: 20, v6: true, extensions: 1}
	unit := p.build()
	f.Add(unit.Head, unit.Body, unit.SegSize, uint8(unit.Sum), unit.SumStart, unit.SumField)
	f.Fuzz(func(t *testing.T, head, body []byte, segSize uint16, sum uint8, start, field uint16) {
		unit := link.Frame{Head: head, Body: body, SegSize: segSize, Sum: link.SumState(sum % 3), SumStart: start, SumField: field}
		var s link.Segmenter
		if s.Add(&unit) != nil {
			return
		}
		for _, got := range s.Frames() {
			if got.SegSize != 0 || got.Sum == link.SumPartial || got.Len() > unit.Len() {
				t.Fatalf("%+v became %+v", unit, got)
			}
		}
	})
}

func BenchmarkSegmenter(b *testing.B) {
	for _, c := range []struct {
		what     string
		offloads link.Offloads
	}{{"sums", 0}, {"nosums", link.OffloadChecksum}} {
		b.Run(c.what, func(b *testing.B) {
			p := unitPlan{payload: pattern(62 * 1000), segSize: 1448, options: append(wire.AppendTimestamps(nil, 1, 2), 1, 1)}
			unit := p.build()
			s := link.Segmenter{Offloads: c.offloads}
			b.SetBytes(int64(unit.Len()))
			b.ReportAllocs()
			for b.Loop() {
				s.Reset()
				s.Add(&unit)
			}
		})
	}
}
