package wire_test

import (
	"net/netip"
	"testing"

	"landline/wire"
)

var mdns4 = netip.MustParseAddr("224.0.0.251")

// ipv4UDP is a datagram with two bytes of link padding behind it.
var ipv4UDP = packet(
	field{"45", "version 4, 20 bytes of header (RFC 791, Section 3.1)"},
	field{"00", "type of service"},
	field{"00 1f", "total length 31"},
	field{"00 07", "identification"},
	field{"40 00", "don't fragment"},
	field{"40", "time to live 64"},
	field{"11", "UDP"},
	field{"26 c5", "header checksum"},
	field{"0a 00 00 01", "source"},
	field{"0a 00 00 02", "destination"},

	field{"14 e9", "source port 5353 (RFC 768)"},
	field{"00 35", "destination port 53"},
	field{"00 0b", "length 11"},
	field{"4d 4e", "checksum"},
	field{"68 69 21", "payload"},

	field{"00 00", "padding"},
)

// ipv4Report is an IGMP report behind an option.
var ipv4Report = packet(
	field{"46", "version 4, 24 bytes of header"},
	field{"c0", "internetwork control"},
	field{"00 20", "total length 32"},
	field{"00 00", "identification"},
	field{"00 00", "no fragment"},
	field{"01", "time to live 1"},
	field{"02", "IGMP"},
	field{"39 1c", "header checksum"},
	field{"0a 00 00 01", "source"},
	field{"e0 00 00 fb", "destination"},
	field{"94 04 00 00", "router alert (RFC 2113)"},

	field{"16", "version 2 report (RFC 2236, Section 2)"},
	field{"00", "response time, unused"},
	field{"09 04", "checksum"},
	field{"e0 00 00 fb", "group"},
)

var ipv4Fragment = packet(
	field{"45 00 00 1c", "version, header length, total length 28"},
	field{"12 34", "identification"},
	field{"20 b9", "more fragments, offset 185 units of 8"},
	field{"40 11 33 e2", "time to live, UDP, checksum"},
	field{"0a 00 00 01 0a 00 00 02", "source, destination"},
	field{"01 02 03 04 05 06 07 08", "data"},
)

func TestReadsAndWritesIPv4(t *testing.T) {
	h := parsed(t, ipv4UDP, wire.ParseIPv4)
	equal(t, "length without padding", len(h), 31)
	equal(t, "header length", h.HeaderLen(), 20)
	equal(t, "identification", h.ID(), 7)
	equal(t, "don't fragment", h.DontFragment(), true)
	equal(t, "fragment", h.IsFragment(), false)
	equal(t, "time to live", h.TTL(), 64)
	equal(t, "protocol", h.Protocol(), wire.ProtoUDP)
	equal(t, "source", h.Src(), ip1)
	equal(t, "destination", h.Dst(), ip2)
	equal(t, "checksum", h.Verify(), nil)
	equal(t, "pseudo-header", h.PseudoSum(), wire.PseudoSum(ip1, ip2, wire.ProtoUDP, 11))
	equal(t, "text", h.String(), "ip4 10.0.0.1 > 10.0.0.2 ttl 64 id 7 df | udp 5353 > 53 len 3")

	b := wire.AppendIPv4([]byte("before"), &wire.IPv4Header{
		ID: 7, DontFragment: true, TTL: 64, Protocol: wire.ProtoUDP, Src: ip1, Dst: ip2,
	}, 11)
	equalBytes(t, "built", b, append([]byte("before"), h.Header()...))
}

func TestReadsAndWritesIPv4Options(t *testing.T) {
	h := parsed(t, ipv4Report, wire.ParseIPv4)
	equal(t, "type of service", h.TOS(), 0xc0)
	equal(t, "checksum", h.Verify(), nil)
	o := h.Options()
	equal(t, "an option", o.Next(), true)
	equal(t, "kind", o.Kind(), wire.IPv4OptRouterAlert)
	equalBytes(t, "data", o.Data(), []byte{0, 0})
	equal(t, "copied to fragments", o.Kind()&wire.IPv4OptCopied != 0, true)
	equal(t, "another option", o.Next(), false)
	equal(t, "end", o.Err(), nil)
	equal(t, "text", h.String(), "ip4 10.0.0.1 > 224.0.0.251 ttl 1 id 0 tos 192 options 4 | igmp report v2 224.0.0.251")

	b := wire.AppendIPv4(nil, &wire.IPv4Header{
		TOS: 0xc0, TTL: 1, Protocol: wire.ProtoIGMP, Src: ip1, Dst: mdns4, Options: []byte(wire.IPv4RouterAlert),
	}, 8)
	b = wire.AppendIGMP(b, wire.IGMPv2Report, 0, mdns4)
	equalBytes(t, "built", b, ipv4Report)
}

func TestIPv4OptionsArePadded(t *testing.T) {
	b := wire.AppendIPv4(nil, &wire.IPv4Header{Src: ip1, Dst: ip2, Options: []byte{7, 3, 4}}, 0)
	h := parsed(t, b, wire.ParseIPv4)
	equal(t, "header length", h.HeaderLen(), 24)
	equalBytes(t, "options", h[20:], []byte{7, 3, 4, 0})
	equal(t, "checksum", h.Verify(), nil)
}

func TestReadsAndWritesIPv4Fragments(t *testing.T) {
	h := parsed(t, ipv4Fragment, wire.ParseIPv4)
	equal(t, "checksum", h.Verify(), nil)
	equal(t, "offset", h.FragmentOffset(), 1480)
	equal(t, "more", h.MoreFragments(), true)
	equal(t, "fragment", h.IsFragment(), true)
	equal(t, "don't fragment", h.DontFragment(), false)
	equal(t, "text", h.String(), "ip4 10.0.0.1 > 10.0.0.2 ttl 64 id 4660 frag 1480 more | udp fragment len 8")

	b := wire.AppendIPv4(nil, &wire.IPv4Header{
		ID: 0x1234, MoreFragments: true, FragmentOffset: 1480, TTL: 64, Protocol: wire.ProtoUDP, Src: ip1, Dst: ip2,
	}, 8)
	equalBytes(t, "built", b, h.Header())

	for flags, fragment := range map[uint16]bool{0x2000: true, 0x0001: true, 0x1fff: true, 0x4000: false, 0x8000: false} {
		h := wire.IPv4(with(ipv4Fragment, 6, byte(flags>>8), byte(flags)))
		equal(t, "fragment", h.IsFragment(), fragment)
	}
}

func TestRefusesBadIPv4(t *testing.T) {
	b := ipv4UDP
	for n := range 20 {
		refused(t, "cut", b[:n], wire.ParseIPv4, wire.ErrIPv4Short)
	}
	refused(t, "version 6", with(b, 0, 0x65), wire.ParseIPv4, wire.ErrIPv4Version)
	refused(t, "header of 16 bytes", with(b, 0, 0x44), wire.ParseIPv4, wire.ErrIPv4HeaderLen)
	refused(t, "header longer than the packet", with(b, 0, 0x4f), wire.ParseIPv4, wire.ErrIPv4HeaderLen)
	refused(t, "less than a header in all", with(b, 2, 0, 19), wire.ParseIPv4, wire.ErrIPv4TotalLen)
	refused(t, "more than has come", with(b, 2, 0, 34), wire.ParseIPv4, wire.ErrIPv4TotalLen)
	equal(t, "damaged", wire.IPv4(with(b, 15, 9)).Verify(), error(wire.ErrIPv4Checksum))
}

func TestOptionWalkEndsAtImpossibleLength(t *testing.T) {
	for _, c := range []struct {
		what    string
		options []byte
		kinds   []byte // that are walked
		at      int    // of the bad option, or -1
	}{
		{"end of list", []byte{148, 4, 0, 0, 0, 148, 4, 0}, []byte{148}, -1},
		{"no-operations", []byte{1, 1, 7, 3, 4, 1, 1, 1}, []byte{7}, -1},
		{"length 0", []byte{7, 3, 4, 1, 7, 0, 0, 0}, []byte{7}, 4},
		{"length 1", []byte{7, 1, 0, 0}, nil, 0},
		{"over the header", []byte{1, 7, 4, 0}, nil, 1},
		{"no length", []byte{1, 1, 1, 7}, nil, 3},
		{"length 2, with no data", []byte{9, 2, 8, 2}, []byte{9, 8}, -1},
	} {
		b := wire.AppendIPv4(nil, &wire.IPv4Header{Src: ip1, Dst: ip2, Options: c.options}, 0)
		o := parsed(t, b, wire.ParseIPv4).Options()
		var kinds []byte
		for o.Next() {
			kinds = append(kinds, o.Kind())
		}
		equalBytes(t, c.what+": kinds", kinds, c.kinds)
		if c.at < 0 {
			equal(t, c.what, o.Err(), nil)
			continue
		}
		equal(t, c.what, o.Err(), error(wire.ErrIPv4Option))
		equal(t, c.what+": place", o.Offset(), c.at)
		equal(t, c.what+": more", o.Next(), false)
	}
}

func TestDecrementTTLMendsChecksum(t *testing.T) {
	h := wire.IPv4(with(ipv4UDP, 0))
	for ttl := 64; ttl > 0; ttl-- {
		equal(t, "time to live", int(h.TTL()), ttl)
		equal(t, "checksum", h.Verify(), nil)
		h.DecrementTTL()
	}
	equal(t, "checksum", h.Verify(), nil)
	h[15]++
	h[8] = 9
	h.DecrementTTL()
	equal(t, "damage that was there", h.Verify(), error(wire.ErrIPv4Checksum))
}

func TestPatchedIPv4IsLikeABuiltOne(t *testing.T) {
	h := wire.IPv4(with(ipv4UDP[:31], 0))
	h.SetTotalLen(25)
	h.SetID(99)
	h.FillChecksum()
	want := wire.AppendIPv4(nil, &wire.IPv4Header{
		ID: 99, DontFragment: true, TTL: 64, Protocol: wire.ProtoUDP, Src: ip1, Dst: ip2,
	}, 5)
	equalBytes(t, "header", h.Header(), want)
}

func TestUnknownProtocolIsDescribedByNumber(t *testing.T) {
	b := append(wire.AppendIPv4(nil, &wire.IPv4Header{TTL: 1, Protocol: 89, Src: ip1, Dst: ip2}, 2), 1, 2)
	equal(t, "text", wire.IPv4(b).String(), "ip4 10.0.0.1 > 10.0.0.2 ttl 1 id 0 | proto 89 len 2")
}
