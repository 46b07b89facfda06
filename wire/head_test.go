package wire_test

import (
	"testing"

	"landline/wire"
)

// A packet that lies in two places is as good as one that lies in one, and as
// bad.
func TestHeadsAreCheckedWithTheRest(t *testing.T) {
	b := append(wire.AppendUDP(nil, 5353, 53, 3), "hi!"...)
	pseudo := wire.PseudoSum(ip1, ip2, wire.ProtoUDP, len(b))
	wire.UDP(b).FillChecksum(pseudo)
	for n := wire.UDPLen; n <= len(b); n++ {
		u, err := wire.ParseUDPHead(b[:n], len(b)-n)
		equal(t, "error", err, nil)
		equal(t, "checksum", u.VerifyWith(b[n:], pseudo), nil)
		equal(t, "damaged", u.VerifyWith(with(b, len(b)-1, '?')[n:], pseudo) == nil, n == len(b))
	}
	_, err := wire.ParseUDPHead(b[:9], 1)
	equal(t, "a byte is missing", err, error(wire.ErrUDPLen))

	rest := wire.IPv4(ipv4UDP).TotalLen() - wire.IPv4Len - 4
	h, err := wire.ParseIPv4Head(ipv4UDP[:wire.IPv4Len+4], rest)
	equal(t, "error", err, nil)
	equal(t, "what is here of the payload", len(h.Payload()), 4)
	_, err = wire.ParseIPv4Head(ipv4UDP[:wire.IPv4Len+4], rest-1)
	equal(t, "a byte is missing", err, error(wire.ErrIPv4TotalLen))

	six := wire.AppendIPv6(nil, &wire.IPv6Header{NextHeader: wire.ProtoNone, HopLimit: 1, Src: ip1, Dst: ip2}, 5)
	_, err = wire.ParseIPv6Head(six, 5)
	equal(t, "error", err, nil)
	_, err = wire.ParseIPv6Head(six, 4)
	equal(t, "a byte is missing", err, error(wire.ErrIPv6PayloadLen))
}
