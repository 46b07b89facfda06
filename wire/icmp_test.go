package wire_test

import (
	"bytes"
	"testing"

	"landline/wire"
)

// fragmentationNeeded is a router's word about a datagram with don't fragment.
var fragmentationNeeded = packet(
	field{"03 04", "unreachable, fragmentation needed (RFC 792)"},
	field{"dc 62", "checksum"},
	field{"00 00", "unused"},
	field{"05 78", "MTU of the next link, 1400 (RFC 1191, Section 4)"},

	field{"45 00 05 dc", "the packet: version, header length, total length 1500"},
	field{"00 07 40 00 40 11 21 43", "identification, don't fragment, time to live, UDP, checksum"},
	field{"0a 00 00 01 0a 00 00 02", "source, destination"},
	field{"14 e9 00 35 05 c8 00 00", "ports 5353 and 53, length, checksum"},
)

// tooBig is the same for IPv6 and TCP.
var tooBig = packet(
	field{"02 00", "packet too big, code (RFC 4443, Section 3.2)"},
	field{"38 24", "checksum from 2001:db8::ff to 2001:db8::1"},
	field{"00 00 05 00", "MTU of the next link, 1280"},

	field{"60 00 00 00", "the packet: version, traffic class, flow label"},
	field{"05 a8 06 40", "payload length 1448, TCP, hop limit"},
	field{"2001 0db8 0000 0000 0000 0000 0000 0001", "source"},
	field{"2001 0db8 0000 0000 0000 0000 0000 0002", "destination"},
	field{"9c 40 00 50", "ports 40000 and 80"},
	field{"00 00 00 09", "sequence number"},
)

func TestReadsAndWritesEcho(t *testing.T) {
	echo := packet(
		field{"08 00", "echo, code (RFC 792)"},
		field{"ce 30", "checksum"},
		field{"00 07", "identifier"},
		field{"00 01", "sequence number"},
		field{"61 62 63 64 65", "data, of odd length"},
	)
	m := parsed(t, echo, wire.ParseICMPv4)
	equal(t, "type", m.Type(), wire.ICMPv4Echo)
	equal(t, "identifier", m.ID(), 7)
	equal(t, "sequence number", m.Seq(), 1)
	equal(t, "checksum", m.Verify(), nil)
	equal(t, "damaged", wire.ICMPv4(with(m, 12, 0)).Verify(), error(wire.ErrICMPChecksum))
	equal(t, "error", m.IsError(), false)
	equal(t, "text", m.String(), "icmp echo request id 7 seq 1 len 5")
	equalBytes(t, "built", wire.AppendICMPv4(nil, wire.ICMPv4Echo, 0, wire.EchoRest(7, 1), []byte("abcde")), echo)

	six := wire.AppendICMPv6(nil, wire.ICMPv6EchoReply, 0, wire.EchoRest(7, 1), []byte("abcde"))
	m6 := parsed(t, six, wire.ParseICMPv6)
	equal(t, "identifier", m6.ID(), 7)
	equal(t, "sequence number", m6.Seq(), 1)
	equal(t, "error", m6.IsError(), false)
	equal(t, "text", m6.String(), "icmp6 echo reply id 7 seq 1 len 5")
}

func TestErrorsQuoteWhatTheyAreAbout(t *testing.T) {
	m := parsed(t, fragmentationNeeded, wire.ParseICMPv4)
	equal(t, "checksum", m.Verify(), nil)
	equal(t, "code", m.Code(), wire.ICMPv4FragmentationNeeded)
	equal(t, "MTU", m.MTU(), 1400)
	q, err := m.Quote()
	equal(t, "quote", err, nil)
	src, dst := q.Ports()
	equal(t, "ports", [2]uint16{src, dst}, [2]uint16{5353, 53})
	equal(t, "source", q.Src, ip1)
	equal(t, "destination", q.Dst, ip2)
	equal(t, "protocol", q.Protocol, wire.ProtoUDP)
	equal(t, "length", q.Len, 1500)
	equal(t, "text", m.String(), "icmp unreachable fragmentation needed mtu 1400 about 10.0.0.1 > 10.0.0.2 udp 5353 > 53")
	equalBytes(t, "built",
		wire.AppendICMPv4(nil, wire.ICMPv4Unreachable, wire.ICMPv4FragmentationNeeded, 1400, m.Payload()), m)
}

func TestErrorsQuoteWhatTheyAreAboutOverIPv6(t *testing.T) {
	pseudo := wire.PseudoSum(addr("2001:db8::ff"), gl1, wire.ProtoICMPv6, len(tooBig))
	m := parsed(t, tooBig, wire.ParseICMPv6)
	equal(t, "checksum", m.Verify(pseudo), nil)
	equal(t, "damaged", wire.ICMPv6(with(m, 7, 1)).Verify(pseudo), error(wire.ErrICMPv6Checksum))
	equal(t, "MTU", m.MTU(), 1280)
	equal(t, "error", m.IsError(), true)
	q, err := m.Quote()
	equal(t, "quote", err, nil)
	src, dst := q.Ports()
	equal(t, "ports", [2]uint16{src, dst}, [2]uint16{40000, 80})
	equal(t, "sequence number", q.Seq(), wire.SeqOf(9))
	equal(t, "source", q.Src, gl1)
	equal(t, "destination", q.Dst, gl2)
	equal(t, "length", q.Len, 1488)
	equal(t, "text", m.String(), "icmp6 too big mtu 1280 about 2001:db8::1 > 2001:db8::2 tcp 40000 > 80 seq 9")
	b := wire.AppendICMPv6(nil, wire.ICMPv6TooBig, 0, 1280, m.Payload())
	wire.ICMPv6(b).FillChecksum(pseudo)
	equalBytes(t, "built", b, m)
}

func TestQuoteOfEcho(t *testing.T) {
	echo := wire.AppendICMPv4(nil, wire.ICMPv4Echo, 0, wire.EchoRest(7, 9), nil)
	packet := wire.AppendIPv4(nil, &wire.IPv4Header{TTL: 1, Protocol: wire.ProtoICMP, Src: ip1, Dst: ip2}, 8)
	m := wire.ICMPv4(wire.AppendICMPv4(nil, wire.ICMPv4TimeExceeded, wire.ICMPv4TTLExceeded, 0, append(packet, echo...)))
	q, err := m.Quote()
	equal(t, "quote", err, nil)
	id, seq := q.EchoID()
	equal(t, "identifier and number", [2]uint16{id, seq}, [2]uint16{7, 9})
	equal(t, "text", m.String(), "icmp time exceeded ttl about 10.0.0.1 > 10.0.0.2 icmp")
}

func TestQuoteGoesBehindExtensionHeaders(t *testing.T) {
	first := wire.AppendIPv6Fragment(empty(wire.ProtoFragment), wire.ProtoUDP, 0, true, 1)
	h := chain(wire.ProtoDestination, wire.AppendUDP(first, 5, 6, 2000)...)
	m := wire.ICMPv6(wire.AppendICMPv6(nil, wire.ICMPv6Unreachable, wire.ICMPv6PortUnreachable, 0, h))
	equal(t, "text", m.String(), "icmp6 unreachable port about 2001:db8::1 > 2001:db8::2 udp 5 > 6")
}

func TestQuoteNeedsEnough(t *testing.T) {
	four, six := fragmentationNeeded[8:], tooBig[8:]
	for what, packet := range map[string][]byte{
		"cut":             four[:27],
		"nothing":         nil,
		"another version": with(four, 0, 0x65),
		"a later piece":   with(four, 6, 0x00, 0x01),
	} {
		m := wire.ICMPv4(wire.AppendICMPv4(nil, wire.ICMPv4Unreachable, wire.ICMPv4PortUnreachable, 0, packet))
		_, err := m.Quote()
		equal(t, what, err, error(wire.ErrQuoteShort))
		equal(t, what, m.String(), "icmp unreachable port about an unknown packet")
	}
	piece := chain(wire.ProtoFragment, wire.AppendIPv6Fragment(nil, wire.ProtoUDP, 8, false, 1)...)
	for what, packet := range map[string][]byte{
		"cut":                  six[:47],
		"nothing":              nil,
		"another version":      with(six, 0, 0x45),
		"a later piece":        append(piece, six[40:]...),
		"a cut header in it":   chain(wire.ProtoRouting, 6, 9, 0, 0, 0, 0, 0, 0),
		"a header and no more": chain(wire.ProtoDestination, empty(wire.ProtoTCP)...),
	} {
		m := wire.ICMPv6(wire.AppendICMPv6(nil, wire.ICMPv6TimeExceeded, 0, 0, packet))
		_, err := m.Quote()
		equal(t, what, err, error(wire.ErrQuoteShort))
		equal(t, what, m.String(), "icmp6 time exceeded hop limit about an unknown packet")
	}
}

func TestErrorsAreToldFromQuestions(t *testing.T) {
	for typ := range 256 {
		four := wire.ICMPv4{byte(typ), 0, 0, 0, 0, 0, 0, 0}
		equal(t, four.Type().String(), four.IsError(), bytes.IndexByte([]byte{3, 4, 5, 11, 12}, byte(typ)) >= 0)
		six := wire.ICMPv6{byte(typ), 0, 0, 0, 0, 0, 0, 0}
		equal(t, six.Type().String(), six.IsError(), typ < 128) // RFC 4443, Section 2.1
	}
}

func TestTextOfICMPErrors(t *testing.T) {
	for want, m := range map[string]wire.ICMPv4{
		"icmp unreachable host":       wire.AppendICMPv4(nil, wire.ICMPv4Unreachable, 1, 0, nil),
		"icmp unreachable prohibited": wire.AppendICMPv4(nil, wire.ICMPv4Unreachable, 13, 0, nil),
		"icmp unreachable code 8":     wire.AppendICMPv4(nil, wire.ICMPv4Unreachable, 8, 0, nil),
		"icmp unreachable code 200":   wire.AppendICMPv4(nil, wire.ICMPv4Unreachable, 200, 0, nil),
		"icmp parameter problem at 9": wire.AppendICMPv4(nil, wire.ICMPv4ParamProblem, 0, 9<<24, nil),
		"icmp redirect":               wire.AppendICMPv4(nil, wire.ICMPv4Redirect, 0, 0, nil),
	} {
		equal(t, "text", m.String(), want+" about an unknown packet")
	}
	for want, m := range map[string]wire.ICMPv6{
		"icmp6 unreachable address":                 wire.AppendICMPv6(nil, wire.ICMPv6Unreachable, 3, 0, nil),
		"icmp6 parameter problem next header at 40": wire.AppendICMPv6(nil, wire.ICMPv6ParamProblem, 1, 40, nil),
		"icmp6 parameter problem code 3 at 70000":   wire.AppendICMPv6(nil, wire.ICMPv6ParamProblem, 3, 70000, nil),
		"icmp6 type 100":                            wire.AppendICMPv6(nil, 100, 0, 0, nil),
	} {
		equal(t, "text", m.String(), want+" about an unknown packet")
	}
	equal(t, "an unknown message", wire.ICMPv4{13, 0, 0, 0, 0, 0, 0, 0, 1}.String(), "icmp type 13 len 1")
	equal(t, "an unknown message", wire.ICMPv6{200, 0, 0, 0, 0, 0, 0, 0, 1}.String(), "icmp6 type 200 len 1")
}

func TestRefusesShortICMP(t *testing.T) {
	for n := range 8 {
		refused(t, "cut", fragmentationNeeded[:n], wire.ParseICMPv4, wire.ErrICMPShort)
		refused(t, "cut", tooBig[:n], wire.ParseICMPv6, wire.ErrICMPv6Short)
	}
}
