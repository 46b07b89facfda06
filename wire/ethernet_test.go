package wire_test

import (
	"testing"

	"landline/wire"
)

// arpRequest is a frame with an 802.1Q tag, padded as wires want it.
var arpRequest = packet(
	field{"ff ff ff ff ff ff", "destination"},
	field{"02 00 00 00 00 01", "source"},
	field{"81 00", "tag protocol, 802.1Q"},
	field{"a0 05", "priority 5, may not be dropped, network 5"},
	field{"08 06", "type ARP"},

	field{"00 01", "hardware Ethernet (RFC 826)"},
	field{"08 00", "protocol IPv4"},
	field{"06 04", "address lengths"},
	field{"00 01", "request"},
	field{"02 00 00 00 00 01", "sender's hardware address"},
	field{"0a 00 00 01", "sender 10.0.0.1"},
	field{"00 00 00 00 00 00", "target's, not known"},
	field{"0a 00 00 02", "target 10.0.0.2"},

	field{"00 00 00 00 00 00 00 00 00 00 00 00 00 00", "padding"},
)

func TestReadsAndWritesTaggedFrame(t *testing.T) {
	e := parsed(t, arpRequest, wire.ParseEthernet)
	equal(t, "destination", e.Dst(), wire.Broadcast)
	equal(t, "source", e.Src(), mac1)
	equal(t, "type", e.Type(), wire.TypeARP)
	equal(t, "payload with padding", len(e.Payload()), 42)
	tag, ok := e.Tag()
	equal(t, "tagged", ok, true)
	equal(t, "network", tag.ID(), 5)
	equal(t, "priority", tag.Priority(), 5)
	equal(t, "drop eligible", tag.DropEligible(), false)
	equal(t, "tag", tag, wire.NewVLAN(5, 5))
	equal(t, "text", e.String(), "eth 02:00:00:00:00:01 > ff:ff:ff:ff:ff:ff vlan 5 priority 5"+
		" | arp who has 10.0.0.2 tell 10.0.0.1 at 02:00:00:00:00:01")

	b := wire.AppendEthernetVLAN(nil, wire.Broadcast, mac1, wire.NewVLAN(5, 5), wire.TypeARP)
	equalBytes(t, "built header", b, e.Header())
	b = wire.AppendARP(b, wire.ARPRequest, mac1, ip1, wire.MAC{}, ip2)
	equalBytes(t, "built", b, arpRequest[:len(b)])
}

func TestToleratesTwoTagsAndNoMore(t *testing.T) {
	frame := packet(
		field{"02 00 00 00 00 02 02 00 00 00 00 01", "destination, source"},
		field{"88 a8 00 64", "provider's tag (802.1ad), network 100"},
		field{"81 00 00 07", "customer's tag, network 7"},
		field{"88 cc", "type LLDP"},
		field{"01 02 03", "payload"},
	)
	e := parsed(t, frame, wire.ParseEthernet)
	tag, _ := e.Tag()
	equal(t, "outer network", tag.ID(), 100)
	equal(t, "type", e.Type(), wire.EtherType(0x88cc))
	equal(t, "text", e.String(), "eth 02:00:00:00:00:01 > 02:00:00:00:00:02 vlan 100 vlan 7 | type 0x88cc len 3")

	three := parsed(t, with(frame, 20, 0x81, 0x00), wire.ParseEthernet)
	equal(t, "type behind two tags", three.Type(), wire.TypeVLAN)
	equalBytes(t, "payload behind two tags", three.Payload(), []byte{1, 2, 3})
}

func TestFrameWithoutTypeIsOfLengthKind(t *testing.T) {
	e := wire.Ethernet(append(wire.AppendEthernet(nil, mac2, mac1, 3), 0x42, 0x42, 3))
	equal(t, "text", e.String(), "eth 02:00:00:00:00:01 > 02:00:00:00:00:02 | 802.3 len 3")
	_, tagged := e.Tag()
	equal(t, "tagged", tagged, false)
}

func TestRefusesCutFrames(t *testing.T) {
	for n := range 18 {
		refused(t, "tagged frame", arpRequest[:n], wire.ParseEthernet, wire.ErrEthernetShort)
	}
	parsed(t, arpRequest[:18], wire.ParseEthernet)
	plain := wire.AppendEthernet(nil, mac2, mac1, wire.TypeIPv4)
	parsed(t, plain, wire.ParseEthernet)
	refused(t, "plain frame", plain[:13], wire.ParseEthernet, wire.ErrEthernetShort)
}

func TestARPMessagesAreToldApart(t *testing.T) {
	for _, c := range []struct {
		message         []byte
		text            string
		probe, announce bool
	}{
		{wire.AppendARP(nil, wire.ARPReply, mac2, ip2, mac1, ip1),
			"arp reply 10.0.0.2 at 02:00:00:00:00:02 to 10.0.0.1 at 02:00:00:00:00:01", false, false},
		{wire.AppendARP(nil, wire.ARPRequest, mac1, zero4, wire.MAC{}, ip2),
			"arp probe 10.0.0.2 by 02:00:00:00:00:01", true, false},
		{wire.AppendARP(nil, wire.ARPRequest, mac1, ip1, wire.MAC{}, ip1),
			"arp announce 10.0.0.1 at 02:00:00:00:00:01", false, true},
		{wire.AppendARP(nil, 9, mac1, ip1, mac2, ip2),
			"arp operation 9 10.0.0.1 at 02:00:00:00:00:01 to 10.0.0.2 at 02:00:00:00:00:02", false, false},
	} {
		a := parsed(t, c.message, wire.ParseARP)
		equal(t, "text", a.String(), c.text)
		equal(t, c.text+": probe", a.IsProbe(), c.probe)
		equal(t, c.text+": announcement", a.IsAnnouncement(), c.announce)
	}
}

func TestReadsARPAndCutsPadding(t *testing.T) {
	a := parsed(t, arpRequest[18:], wire.ParseARP)
	equal(t, "length", len(a), wire.ARPLen)
	equal(t, "operation", a.Op(), wire.ARPRequest)
	equal(t, "sender", a.Sender(), mac1)
	equal(t, "sender's address", a.SenderIP(), ip1)
	equal(t, "target", a.Target(), wire.MAC{})
	equal(t, "target's address", a.TargetIP(), ip2)
}

func TestRefusesOtherARP(t *testing.T) {
	a := arpRequest[18:]
	refused(t, "cut", a[:27], wire.ParseARP, wire.ErrARPShort)
	for i, what := range []string{"hardware", "hardware", "protocol", "protocol", "hardware length", "protocol length"} {
		refused(t, what, with(a, i, a[i]^0x10), wire.ParseARP, wire.ErrARPKind)
	}
}
