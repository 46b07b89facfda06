package wire_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"landline/wire"
)

// A header is a kind of header with what must hold for it: described reads b
// and describes it; rebuilt builds what was read once more.
type header struct {
	name      string
	described func(b []byte) (string, error)
	rebuilt   func(b []byte) (got, want []byte)
}

// headers are all kinds. A rebuilt header may differ in bits that have to be
// zero and are ignored, and in its checksum: both are brought into the form
// that builders give them.
var headers = []header{
	{"ethernet", describe(wire.ParseEthernet), rebuildEthernet},
	{"arp", describe(wire.ParseARP), rebuildARP},
	{"ipv4", describe(wire.ParseIPv4), rebuildIPv4},
	{"ipv6", describe(wire.ParseIPv6), rebuildIPv6},
	{"icmpv4", describe(wire.ParseICMPv4), rebuildICMPv4},
	{"icmpv6", describe(wire.ParseICMPv6), rebuildICMPv6},
	{"igmp", describe(wire.ParseIGMP), rebuildIGMP},
	{"udp", describe(wire.ParseUDP), rebuildUDP},
	{"tcp", describe(wire.ParseTCP), rebuildTCP},
}

func describe[V interface {
	~[]byte
	fmt.Stringer
}](parse func([]byte) (V, error)) func([]byte) (string, error) {
	return func(b []byte) (string, error) {
		v, err := parse(b)
		if err != nil {
			return "", err
		}
		if len(v) > len(b) || len(v) > 0 && &v[0] != &b[0] {
			panic("a view that is not of its bytes")
		}
		return v.String(), nil
	}
}

// checkHeader checks what must hold for any bytes at all.
func checkHeader(t *testing.T, h header, b []byte) {
	t.Helper()
	before := bytes.Clone(b)
	text, err := h.described(b)
	if _, ok := err.(wire.Fault); err != nil && !ok {
		t.Fatalf("%s of %x: %v is no fault", h.name, b, err)
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) {
		t.Fatalf("%s of %x: text %q", h.name, b, text)
	}
	if err == nil {
		if got, want := h.rebuilt(bytes.Clone(b)); !bytes.Equal(got, want) {
			t.Fatalf("%s of %x:\nrebuilt as %x\nwant       %x", h.name, b, got, want)
		}
	}
	if !bytes.Equal(b, before) {
		t.Fatalf("%s of %x: changed to %x", h.name, before, b)
	}
}

// checkFrame checks a frame, and its inside as if it were each kind of header.
func checkFrame(t *testing.T, b []byte) {
	t.Helper()
	touch(b)
	checkHeader(t, headers[0], b)
}

func rebuildEthernet(b []byte) (got, want []byte) {
	e := wire.Ethernet(b)
	tag, tagged := e.Tag()
	switch {
	case !tagged:
		got = wire.AppendEthernet(nil, e.Dst(), e.Src(), e.Type())
	case len(e.Header()) == 18 && b[12] == 0x81:
		got = wire.AppendEthernetVLAN(nil, e.Dst(), e.Src(), tag, e.Type())
	default:
		return nil, nil // nothing here builds these
	}
	return append(got, e.Payload()...), b
}

func rebuildARP(b []byte) (got, want []byte) {
	a := wire.ARP(b[:wire.ARPLen])
	return wire.AppendARP(nil, a.Op(), a.Sender(), a.SenderIP(), a.Target(), a.TargetIP()), a
}

func rebuildIPv4(b []byte) (got, want []byte) {
	h, _ := wire.ParseIPv4(b)
	h[6] &= 0x7f // reserved
	h.FillChecksum()
	got = wire.AppendIPv4(nil, &wire.IPv4Header{
		TOS: h.TOS(), ID: h.ID(), DontFragment: h.DontFragment(), MoreFragments: h.MoreFragments(),
		FragmentOffset: h.FragmentOffset(), TTL: h.TTL(), Protocol: h.Protocol(),
		Src: h.Src(), Dst: h.Dst(), Options: h.Header()[wire.IPv4Len:],
	}, len(h.Payload()))
	return append(got, h.Payload()...), h
}

func rebuildIPv6(b []byte) (got, want []byte) {
	h, _ := wire.ParseIPv6(b)
	got = wire.AppendIPv6(nil, &wire.IPv6Header{
		TrafficClass: h.TrafficClass(), FlowLabel: h.FlowLabel(), NextHeader: h.NextHeader(), HopLimit: h.HopLimit(),
		Src: h.Src(), Dst: h.Dst(),
	}, len(h.Payload()))
	e := h.Extensions()
	for e.Next() {
		f, ok := e.Fragment()
		if !ok {
			got = append(got, e.Bytes()...)
			continue
		}
		f[1], f[3] = 0, f[3]&^6 // reserved
		got = wire.AppendIPv6Fragment(got, f.NextHeader(), f.Offset(), f.MoreFragments(), f.ID())
	}
	return append(got, e.Payload()...), h
}

func rebuildICMPv4(b []byte) (got, want []byte) {
	m := wire.ICMPv4(b)
	m.FillChecksum()
	rest := wire.EchoRest(m.ID(), m.Seq())
	return wire.AppendICMPv4(nil, m.Type(), m.Code(), rest, m.Payload()), m
}

func rebuildUDP(b []byte) (got, want []byte) {
	u, _ := wire.ParseUDP(b)
	u.FillChecksum(1)
	got = append(wire.AppendUDP(nil, u.SrcPort(), u.DstPort(), len(u.Payload())), u.Payload()...)
	wire.UDP(got).FillChecksum(1)
	if wire.UDP(got).Verify(1) != nil {
		panic("own checksum does not verify")
	}
	return got, u
}

func rebuildTCP(b []byte) (got, want []byte) {
	t := wire.TCP(b)
	t[12] &= 0xf0 // reserved
	t.FillChecksum(1)
	got = wire.AppendTCP(nil, &wire.TCPHeader{
		SrcPort: t.SrcPort(), DstPort: t.DstPort(), Seq: t.Seq(), Ack: t.Ack(),
		Flags: t.Flags(), Window: t.Window(), Urgent: t.Urgent(),
	}, t.Header()[wire.TCPLen:])
	got = append(got, t.Payload()...)
	wire.TCP(got).FillChecksum(1)
	checkTCPOptions(t)
	return got, t
}

// checkTCPOptions builds what t's options say once more and reads it again.
func checkTCPOptions(t wire.TCP) {
	var o, again wire.TCPOptions
	_ = t.ReadOptions(&o) // what comes before a bad option counts
	var area []byte
	if o.MSS != 0 {
		area = wire.AppendMSS(area, o.MSS)
	}
	if o.HasWindowScale {
		area = wire.AppendWindowScale(area, o.WindowScale)
	}
	if o.SACKPermitted {
		area = wire.AppendSACKPermitted(area)
	}
	if o.HasTimestamps {
		area = wire.AppendTimestamps(area, o.TSVal, o.TSEcr)
	}
	if o.SACKCount > 0 {
		area = wire.AppendSACK(area, o.SACKBlocks()...)
	}
	rebuilt := wire.TCP(wire.AppendTCP(nil, new(wire.TCPHeader), area))
	// An option of each kind was in the header, so all have room.
	if err := rebuilt.ReadOptions(&again); err != nil || !sameOptions(o, again) {
		panic(fmt.Sprintf("options %+v became %+v, %v", o, again, err))
	}
}

// sameOptions ignores blocks that are not set.
func sameOptions(a, b wire.TCPOptions) bool {
	same := slices.Equal(a.SACKBlocks(), b.SACKBlocks())
	a.SACK, b.SACK = [wire.MaxSACKBlocks]wire.SACKBlock{}, [wire.MaxSACKBlocks]wire.SACKBlock{}
	return same && a == b
}

func rebuildIGMP(b []byte) (got, want []byte) {
	m := wire.IGMP(b)
	var records []wire.GroupRecord
	r := m.Records()
	for n := 8; r.Next(); {
		n += 8
		records = append(records, r.Record())
		if r.Sources() != 0 || m[n-7] != 0 {
			return nil, nil // nothing here builds these
		}
	}
	m.FillChecksum()
	switch n := 8 + 8*len(records); {
	case m.Type() == wire.IGMPv3Report && len(m) == n && bytes.Equal(m[1:2], []byte{0}) && bytes.Equal(m[4:6], []byte{0, 0}):
		return wire.AppendIGMPv3Report(nil, records...), m
	case m.Type() != wire.IGMPv3Report && len(m) == 8 && m[1] < 128:
		return wire.AppendIGMP(nil, m.Type(), m.MaxResponse(), m.Group()), m
	}
	return nil, nil
}

func rebuildICMPv6(b []byte) (got, want []byte) {
	m := wire.ICMPv6(b)
	m.FillChecksum(1)
	got = wire.AppendICMPv6(nil, m.Type(), m.Code(), m.Pointer(), m.Payload())
	wire.ICMPv6(got).FillChecksum(1)
	if !bytes.Equal(got, m) {
		return got, m
	}
	got = rebuildNDP(m)
	if got == nil {
		return nil, nil
	}
	got = append(got, m[len(got):]...)
	wire.ICMPv6(got).FillChecksum(1)
	return got, m
}

// rebuildNDP builds what comes before the options, with reserved bits cleared
// in m, or returns nil.
func rebuildNDP(m wire.ICMPv6) []byte {
	clear := func(from, to int) {
		copy(m[from:to], make([]byte, to-from))
		m.FillChecksum(1)
	}
	switch m.Type() {
	case wire.ICMPv6RouterAdvert:
		if v, err := wire.ParseRouterAdvert(m); err == nil {
			m[5] &= 0xc0
			clear(0, 0)
			return wire.AppendRouterAdvert(nil, &wire.RouterAdvertHeader{
				HopLimit: v.HopLimit(), Managed: v.Managed(), OtherConfig: v.OtherConfig(), Lifetime: v.Lifetime(),
				ReachableTime: v.ReachableTime(), RetransTimer: v.RetransTimer(),
			})
		}
	case wire.ICMPv6NeighborSolicit:
		if v, err := wire.ParseNeighborSolicit(m); err == nil {
			clear(4, 8)
			return wire.AppendNeighborSolicit(nil, v.Target())
		}
	case wire.ICMPv6NeighborAdvert:
		if v, err := wire.ParseNeighborAdvert(m); err == nil {
			m[4] &= 0xe0
			clear(5, 8)
			return wire.AppendNeighborAdvert(nil, v.Flags(), v.Target())
		}
	case wire.ICMPv6Redirect:
		if v, err := wire.ParseRedirect(m); err == nil {
			clear(4, 8)
			return wire.AppendRedirect(nil, v.Target(), v.Dst())
		}
	}
	return nil
}

// Every sample is taken, described without a fault, and rebuilt.
func TestSamplesAreGood(t *testing.T) {
	for _, b := range samples {
		checkFrame(t, b)
		if text := wire.Ethernet(b).String(); strings.Contains(text, "bad") || strings.Contains(text, "unknown") {
			t.Error(text)
		}
	}
}

func TestMutatedFramesDoNoHarm(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 6))
	for range 20_000 {
		b := bytes.Clone(samples[r.IntN(len(samples))])
		for range 1 + r.IntN(4) {
			b[r.IntN(len(b))] = byte(r.Uint32())
		}
		b = b[:1+r.IntN(len(b))]
		checkFrame(t, b)
		inside := b[min(len(b), 14*r.IntN(2)+20*r.IntN(2)+20*r.IntN(2)):]
		checkHeader(t, headers[r.IntN(len(headers))], inside)
	}
}

// FuzzFrame reads a frame from the outside in.
func FuzzFrame(f *testing.F) {
	for _, b := range samples {
		f.Add(b)
	}
	f.Fuzz(checkFrame)
}

// FuzzHeader reads bytes as a header of one kind, and builds it once more.
func FuzzHeader(f *testing.F) {
	for kind := range headers {
		for _, b := range samples {
			for _, n := range []int{0, 14, 34, 54, 62} {
				f.Add(byte(kind), b[min(n, len(b)):])
			}
		}
	}
	f.Fuzz(func(t *testing.T, kind byte, b []byte) {
		checkHeader(t, headers[int(kind)%len(headers)], b)
	})
}

// FuzzSum cuts bytes in three and sums the pieces in another order.
func FuzzSum(f *testing.F) {
	f.Add([]byte("landline"), uint16(3), uint16(4))
	f.Add(bytes.Repeat([]byte{0xff}, 300), uint16(129), uint16(1))
	f.Fuzz(func(t *testing.T, b []byte, i, j uint16) {
		first := int(i) % (len(b) + 1)
		second := first + int(j)%(len(b)-first+1)
		s := wire.Sum(0).Add(b[second:])
		s = wire.Sum(0).PlusAt(s, second).Plus(wire.Sum(0).Add(b[:first]))
		s = s.PlusAt(wire.CopySum(make([]byte, len(b)), b[first:second]), first)
		if s.Checksum() != naive(b) || wire.Checksum(b) != naive(b) {
			t.Errorf("%x cut at %d and %d: %04x, whole %04x, want %04x", b, first, second, s.Checksum(), wire.Checksum(b), naive(b))
		}
	})
}
