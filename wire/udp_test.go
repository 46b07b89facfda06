package wire_test

import (
	"testing"

	"landline/wire"
)

func TestReadsAndWritesUDP(t *testing.T) {
	h := parsed(t, ipv4UDP, wire.ParseIPv4)
	u := parsed(t, h.Payload(), wire.ParseUDP)
	equal(t, "source port", u.SrcPort(), 5353)
	equal(t, "destination port", u.DstPort(), 53)
	equal(t, "length", u.Len(), 11)
	equal(t, "payload", string(u.Payload()), "hi!")
	equal(t, "checksum", u.Verify(h.PseudoSum()), nil)
	equal(t, "damaged", wire.UDP(with(u, 8, 'H')).Verify(h.PseudoSum()), error(wire.ErrUDPChecksum))
	equal(t, "text", u.String(), "udp 5353 > 53 len 3")

	b := append(wire.AppendUDP(nil, 5353, 53, 3), "hi!"...)
	wire.UDP(b).FillChecksum(h.PseudoSum())
	equalBytes(t, "built", b, u)
}

// Three ways lead to one checksum: over all, from the sum of a copy, and by a
// device that adds up what is there.
func TestChecksumsOfUDPAgree(t *testing.T) {
	pseudo := wire.PseudoSum(ip1, ip2, wire.ProtoUDP, 11)
	b := append(wire.AppendUDP(nil, 5353, 53, 3), 0, 0, 0)
	u := wire.UDP(b)
	payload := wire.CopySum(u.Payload(), []byte("hi!"))
	u.SetChecksum(pseudo.Add(u.Header()).Plus(payload))
	equal(t, "from the sum of a copy", u.Checksum(), 0x4d4e)
	u.SetPartialChecksum(pseudo)
	equal(t, "by a device", wire.Checksum(u), 0x4d4e)
}

func TestZeroUDPChecksumIsSentAsOnes(t *testing.T) {
	// The payload makes up for all that is summed before it.
	pseudo := wire.PseudoSum(ip1, ip2, wire.ProtoUDP, 10)
	b := wire.AppendUDP(nil, 1, 2, 2)
	rest := pseudo.Add(b).Checksum()
	b = append(b, byte(rest>>8), byte(rest))
	u := wire.UDP(b)
	u.FillChecksum(pseudo)
	equal(t, "field", u.Checksum(), 0xffff)
	equal(t, "checksum", u.Verify(pseudo), nil)
}

func TestUDPWithoutChecksumIsToldApart(t *testing.T) {
	u := wire.UDP(wire.AppendUDP(nil, 1, 2, 0))
	equal(t, "checksum", u.Verify(wire.PseudoSum(ip1, ip2, wire.ProtoUDP, 8)), error(wire.ErrUDPNoChecksum))
}

func TestRefusesBadUDP(t *testing.T) {
	b := append(wire.AppendUDP(nil, 5353, 53, 3), "hi!??"...)
	equal(t, "length without what follows", len(parsed(t, b, wire.ParseUDP)), 11)
	for n := range 8 {
		refused(t, "cut", b[:n], wire.ParseUDP, wire.ErrUDPShort)
	}
	refused(t, "less than a header", with(b, 4, 0, 7), wire.ParseUDP, wire.ErrUDPLen)
	refused(t, "length 0", with(b, 4, 0, 0), wire.ParseUDP, wire.ErrUDPLen)
	refused(t, "more than has come", with(b, 4, 0, 14), wire.ParseUDP, wire.ErrUDPLen)
	equal(t, "text of a bad one", wire.IPv4(with(ipv4UDP[:31], 24, 0, 99)).String(),
		"ip4 10.0.0.1 > 10.0.0.2 ttl 64 id 7 df | bad udp length len 11")
}
