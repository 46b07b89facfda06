package wire_test

import (
	"bytes"
	"net/netip"
	"testing"

	"landline/wire"
)

var mdns6 = netip.MustParseAddr("ff02::fb")

// ipv6Report is a multicast listener report behind a hop-by-hop header.
var ipv6Report = packet(
	field{"6c 05 43 21", "version 6, traffic class c0, flow label (RFC 8200, Section 3)"},
	field{"00 24", "payload length 36"},
	field{"00", "next header: hop-by-hop"},
	field{"01", "hop limit"},
	field{"fe80 0000 0000 0000 0000 0000 0000 0001", "source"},
	field{"ff02 0000 0000 0000 0000 0000 0000 0016", "destination, all MLDv2 routers"},

	field{"3a", "next header: ICMPv6 (RFC 8200, Section 4.3)"},
	field{"00", "8 bytes long"},
	field{"05 02 00 00", "router alert, MLD (RFC 2711)"},
	field{"01 00", "padding of 2 bytes"},

	field{"8f 00", "version 2 report (RFC 3810, Section 5.2), code"},
	field{"6f 0f", "checksum"},
	field{"00 00", "reserved"},
	field{"00 01", "one record"},
	field{"04 00 00 00", "changed to exclude, no auxiliary data, no sources"},
	field{"ff02 0000 0000 0000 0000 0000 0000 00fb", "group"},
)

func TestReadsAndWritesIPv6WithHopByHop(t *testing.T) {
	routers := netip.MustParseAddr("ff02::16")
	h := parsed(t, append(bytes.Clone(ipv6Report), 0, 0), wire.ParseIPv6)
	equal(t, "length without padding", len(h), 76)
	equal(t, "traffic class", h.TrafficClass(), 0xc0)
	equal(t, "flow label", h.FlowLabel(), 0x54321)
	equal(t, "hop limit", h.HopLimit(), 1)
	equal(t, "source", h.Src(), ll1)
	equal(t, "destination", h.Dst(), routers)
	equal(t, "next header", h.NextHeader(), wire.ProtoHopByHop)
	p, payload, err := h.Upper()
	equal(t, "walk", err, nil)
	equal(t, "upper protocol", p, wire.ProtoICMPv6)
	equalBytes(t, "upper payload", payload, ipv6Report[48:])
	equal(t, "pseudo-header", h.PseudoSum(p, 28), wire.PseudoSum(ll1, routers, p, 28))
	equal(t, "text", h.String(), "ip6 fe80::1 > ff02::16 hop 1 class 192 flow 344865"+
		" | hopbyhop len 8 | icmp6 mld report v2 to exclude ff02::fb")

	b := wire.AppendIPv6(nil, &wire.IPv6Header{
		TrafficClass: 0xc0, FlowLabel: 0x54321, NextHeader: wire.ProtoHopByHop, HopLimit: 1, Src: ll1, Dst: routers,
	}, 36)
	b = wire.AppendRouterAlert(b, wire.ProtoICMPv6)
	b = wire.AppendMLDv2Report(b, wire.GroupRecord{Type: wire.GroupToExclude, Group: mdns6})
	wire.ICMPv6(b[48:]).FillChecksum(h.PseudoSum(wire.ProtoICMPv6, 28))
	equalBytes(t, "built", b, ipv6Report)
}

func TestRefusesBadIPv6(t *testing.T) {
	b := ipv6Report
	for n := range 40 {
		refused(t, "cut", b[:n], wire.ParseIPv6, wire.ErrIPv6Short)
	}
	refused(t, "version 4", with(b, 0, 0x4c), wire.ParseIPv6, wire.ErrIPv6Version)
	refused(t, "more than has come", with(b, 4, 0, 37), wire.ParseIPv6, wire.ErrIPv6PayloadLen)
}

func TestPatchedIPv6IsLikeABuiltOne(t *testing.T) {
	want := wire.IPv6Header{NextHeader: wire.ProtoUDP, HopLimit: 64, Src: gl1, Dst: gl2}
	h := wire.IPv6(wire.AppendIPv6(nil, &want, 9))
	h.SetPayloadLen(10)
	h.DecrementHopLimit()
	want.HopLimit--
	equalBytes(t, "header", h, wire.AppendIPv6(nil, &want, 10))
}

// chain makes a packet of the payload, whose first header is of protocol p.
func chain(p wire.Protocol, payload ...byte) wire.IPv6 {
	h := wire.IPv6Header{NextHeader: p, HopLimit: 64, Src: gl1, Dst: gl2}
	return append(wire.AppendIPv6(nil, &h, len(payload)), payload...)
}

// empty is an extension header of 8 bytes that says nothing.
func empty(next wire.Protocol) []byte { return []byte{byte(next), 0, 1, 4, 0, 0, 0, 0} }

func TestWalksExtensionHeaders(t *testing.T) {
	routing := packet(
		field{"2c", "next header: fragment"},
		field{"02", "24 bytes long"},
		field{"04", "routing type"},
		field{"01", "one address left"},
		field{"00 00 00 00", "type-specific"},
		field{"2001 0db8 0000 0000 0000 0000 0000 0003", "address"},
	)
	h := chain(wire.ProtoHopByHop, bytes.Join([][]byte{
		empty(wire.ProtoDestination), empty(wire.ProtoRouting), routing,
		wire.AppendIPv6Fragment(nil, wire.ProtoDestination, 0, false, 9), empty(wire.ProtoTCP), {1, 2, 3},
	}, nil)...)
	e := h.Extensions()
	for _, want := range []struct {
		kind  wire.Protocol
		at, n int
	}{
		{wire.ProtoHopByHop, 40, 8}, {wire.ProtoDestination, 48, 8}, {wire.ProtoRouting, 56, 24},
		{wire.ProtoFragment, 80, 8}, {wire.ProtoDestination, 88, 8},
	} {
		equal(t, "a header", e.Next(), true)
		equal(t, "kind", e.Kind(), want.kind)
		equal(t, want.kind.String()+" offset", e.Offset(), want.at)
		equal(t, want.kind.String()+" length", len(e.Bytes()), want.n)
		_, fragment := e.Fragment()
		equal(t, "is a fragment header", fragment, want.kind == wire.ProtoFragment)
		typ, left, ok := e.Routing()
		equal(t, "is a routing header", ok, want.kind == wire.ProtoRouting)
		equal(t, "routing type", typ == 4 && left == 1, ok)
	}
	equal(t, "another header", e.Next(), false)
	equal(t, "error", e.Err(), nil)
	equal(t, "protocol", e.Protocol(), wire.ProtoTCP)
	equal(t, "its place", e.ProtocolOffset(), 88)
	equalBytes(t, "payload", e.Payload(), []byte{1, 2, 3})
}

func TestWalkWithoutExtensionHeaders(t *testing.T) {
	e := chain(wire.ProtoNone, 1, 2).Extensions()
	equal(t, "a header", e.Next(), false)
	equal(t, "protocol", e.Protocol(), wire.ProtoNone)
	equal(t, "its place", e.ProtocolOffset(), 6)
	equalBytes(t, "payload", e.Payload(), []byte{1, 2})
	_, fragment := e.Fragment()
	_, _, routing := e.Routing()
	o := e.Options()
	equal(t, "anything", fragment || routing || o.Next(), false)
}

func TestWalkRefusesBadExtensionHeaders(t *testing.T) {
	many := bytes.Repeat(empty(wire.ProtoDestination), wire.MaxExtensions)
	for _, c := range []struct {
		what   string
		packet wire.IPv6
		want   wire.Fault
	}{
		{"cut", chain(wire.ProtoDestination, empty(wire.ProtoTCP)[:7]...), wire.ErrIPv6ExtensionShort},
		{"absent", chain(wire.ProtoFragment), wire.ErrIPv6ExtensionShort},
		{"longer than the packet", chain(wire.ProtoRouting, byte(wire.ProtoTCP), 1, 0, 0, 0, 0, 0, 0), wire.ErrIPv6ExtensionShort},
		{"hop-by-hop after another", chain(wire.ProtoDestination, append(empty(0), empty(wire.ProtoTCP)...)...), wire.ErrIPv6ExtensionOrder},
		{"two hop-by-hop", chain(wire.ProtoHopByHop, append(empty(0), empty(wire.ProtoTCP)...)...), wire.ErrIPv6ExtensionOrder},
		{"nine", chain(wire.ProtoDestination, append(many, empty(wire.ProtoTCP)...)...), wire.ErrIPv6ExtensionCount},
	} {
		_, _, err := c.packet.Upper()
		equal(t, c.what, err, error(c.want))
	}
	copy(many[len(many)-8:], empty(wire.ProtoTCP))
	_, _, err := chain(wire.ProtoDestination, many...).Upper()
	equal(t, "eight", err, nil)
	equal(t, "text", chain(wire.ProtoFragment, 1, 2).String(), "ip6 2001:db8::1 > 2001:db8::2 hop 64 | bad ipv6 extension short len 2")
}

func TestWalkEndsAtFragment(t *testing.T) {
	fragment := packet(
		field{"11 00", "next header: UDP, reserved (RFC 8200, Section 4.5)"},
		field{"05 a9", "offset 1448, reserved, more fragments"},
		field{"00 00 00 07", "identification"},
		field{"01 02 03 04 05 06 07 08", "data"},
	)
	h := chain(wire.ProtoFragment, fragment...)
	e := h.Extensions()
	equal(t, "a header", e.Next(), true)
	f, ok := e.Fragment()
	equal(t, "fragment", ok, true)
	equal(t, "next header", f.NextHeader(), wire.ProtoUDP)
	equal(t, "offset", f.Offset(), 1448)
	equal(t, "more", f.MoreFragments(), true)
	equal(t, "identification", f.ID(), 7)
	equal(t, "atomic", f.IsAtomic(), false)
	equal(t, "another header", e.Next(), false)
	equal(t, "text", h.String(), "ip6 2001:db8::1 > 2001:db8::2 hop 64 id 7 frag 1448 more | udp fragment len 8")
	equalBytes(t, "built", wire.AppendIPv6Fragment(nil, wire.ProtoUDP, 1448, true, 7), fragment[:8])

	// What looks like an extension header in the middle of a packet is data.
	e = chain(wire.ProtoFragment, with(fragment, 0, byte(wire.ProtoRouting))...).Extensions()
	equal(t, "a header", e.Next(), true)
	equal(t, "another header", e.Next(), false)
	equal(t, "error", e.Err(), nil)
	equal(t, "protocol", e.Protocol(), wire.ProtoRouting)
}

func TestWalksIPv6Options(t *testing.T) {
	header := packet(
		field{"3b 01", "next header: none, 16 bytes long (RFC 8200, Section 4.2)"},
		field{"00", "padding of 1 byte"},
		field{"05 02 00 00", "router alert"},
		field{"01 01 00", "padding of 3 bytes"},
		field{"c9 04 01 02 03 04", "one that is not known"},
	)
	e := chain(wire.ProtoHopByHop, header...).Extensions()
	e.Next()
	o := e.Options()
	equal(t, "an option", o.Next(), true)
	equal(t, "type", o.Type(), 5)
	equal(t, "action", o.Action(), wire.OptionSkip)
	equal(t, "another", o.Next(), true)
	equal(t, "type", o.Type(), 0xc9)
	equal(t, "action", o.Action(), wire.OptionDropReplyUnicast)
	equal(t, "place", o.Offset(), 10)
	equalBytes(t, "data", o.Data(), []byte{1, 2, 3, 4})
	equal(t, "a third", o.Next(), false)
	equal(t, "error", o.Err(), nil)
}

func TestIPv6OptionMustEndInItsHeader(t *testing.T) {
	for what, header := range map[string][]byte{
		"over the header":  {59, 0, 5, 5, 0, 0, 0, 0},
		"no length":        {59, 0, 1, 3, 0, 0, 0, 5},
		"padding too long": {59, 0, 1, 5, 0, 0, 0, 0},
	} {
		e := chain(wire.ProtoDestination, header...).Extensions()
		e.Next()
		o := e.Options()
		equal(t, what+": an option", o.Next(), false)
		equal(t, what, o.Err(), error(wire.ErrIPv6Option))
	}
}

func TestOptionActionsAreTheHighBits(t *testing.T) {
	for typ, want := range map[byte]wire.OptionAction{
		0x3e: wire.OptionSkip, 0x7e: wire.OptionDrop, 0xbe: wire.OptionDropReply, 0xfe: wire.OptionDropReplyUnicast,
	} {
		e := chain(wire.ProtoDestination, 59, 0, typ, 4, 0, 0, 0, 0).Extensions()
		e.Next()
		o := e.Options()
		equal(t, "an option", o.Next(), true)
		equal(t, "action", o.Action(), want)
	}
}
