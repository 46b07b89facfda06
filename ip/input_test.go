package ip

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"testing/synctest"

	"landline/wire"
)

// bubble runs a test whose lab has its own time.
func bubble(t *testing.T, f func(t *testing.T)) { t.Helper(); synctest.Test(t, f) }

func TestPacketReachesItsTransport(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLab(t, Config{}, InterfaceConfig{})
		l.receive(
			packetTo{dst: our4, src: their4, proto: testProto, payload: "four"}.frame(),
			packetTo{dst: our6, src: their6, proto: testProto, payload: "six"}.frame(),
		)
		l.received("10.0.0.2 > 10.0.0.1: four", "2001:db8::2 > 2001:db8::1: six")
	})
}

func TestPaddingIsCut(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLab(t, Config{}, InterfaceConfig{})
		f := packetTo{dst: our4, src: their4, proto: testProto, payload: "x"}.frame()
		l.receive(append(f, make([]byte, 60-len(f))...))
		l.received("10.0.0.2 > 10.0.0.1: x")
	})
}

// Every frame that goes no further is counted, under one name.
func TestDropsHaveReasons(t *testing.T) {
	good := packetTo{dst: our4, src: their4, proto: testProto, payload: "x"}
	good6 := packetTo{dst: our6, src: their6, proto: testProto, payload: "x"}
	tagged := wire.AppendEthernetVLAN(nil, ourMAC, theirMAC, wire.NewVLAN(5, 0), wire.TypeIPv4)
	priority := wire.AppendEthernetVLAN(nil, ourMAC, theirMAC, wire.NewVLAN(0, 3), wire.TypeIPv4)
	for _, c := range []struct {
		what  string
		frame []byte
		want  Drop
	}{
		{"nothing wrong", good.frame(), 0},
		{"nothing wrong", good6.frame(), 0},
		{"runt", good.frame()[:13], Drop(wire.ErrEthernetShort)},
		{"unknown type", wire.AppendEthernet(nil, ourMAC, theirMAC, 0x88cc), DropEtherType},
		{"length in place of a type", wire.AppendEthernet(nil, ourMAC, theirMAC, 46), DropEtherType},
		{"another network's tag", append(tagged, good.frame()[14:]...), DropVLAN},
		{"a tag for priority", append(priority, good.frame()[14:]...), 0},
		{"for another machine", edited(good.frame(), 5, 9), DropOtherHost},
		{"from a group", edited(good.frame(), 6, 0x03), DropGroupSource},
		{"IPv4 cut", good.frame()[:33], Drop(wire.ErrIPv4Short)},
		{"IPv4 version", edited(good.frame(), 14, 0x65), Drop(wire.ErrIPv4Version)},
		{"IPv4 header length", edited(good.frame(), 14, 0x44), Drop(wire.ErrIPv4HeaderLen)},
		{"IPv4 total length", edited(good.frame(), 17, 22), Drop(wire.ErrIPv4TotalLen)},
		{"IPv4 checksum", edited(good.frame(), 24, 0xff), Drop(wire.ErrIPv4Checksum)},
		{"IPv4 bad option", packetTo{dst: our4, src: their4, proto: testProto, options: "\x07\x00\x00\x00"}.frame(), Drop(wire.ErrIPv4Option)},
		{"IPv4 source route", packetTo{dst: our4, src: their4, proto: testProto, options: "\x83\x07\x04\x0a\x00\x00\x09\x00"}.frame(), DropExtension},
		{"IPv4 record route is harmless", packetTo{dst: our4, src: their4, proto: testProto, options: "\x07\x07\x04\x00\x00\x00\x00\x00"}.frame(), 0},
		{"IPv4 from 127.0.0.1", packetTo{dst: our4, src: addr("127.0.0.1"), proto: testProto}.frame(), DropMartian},
		{"IPv4 from a group", packetTo{dst: our4, src: addr("224.0.0.1"), proto: testProto}.frame(), DropMartian},
		{"IPv4 from all", packetTo{dst: our4, src: addr("255.255.255.255"), proto: testProto}.frame(), DropMartian},
		{"IPv4 from our network's broadcast", packetTo{dst: our4, src: addr("10.0.0.255"), proto: testProto}.frame(), DropMartian},
		{"IPv4 to 127.0.0.1", packetTo{dst: addr("127.0.0.1"), src: their4, proto: testProto}.frame(), DropMartian},
		{"IPv4 from us", packetTo{dst: our4, src: our4, proto: testProto}.frame(), DropOwnSource},
		{"IPv4 for another", packetTo{dst: addr("10.0.0.9"), src: their4, proto: testProto}.frame(), DropNotForUs},
		{"IPv4 to a group we are not in", packetTo{dst: addr("239.1.2.3"), src: their4, proto: testProto, mac: wire.Broadcast}.frame(), DropNoGroup},
		{"IPv4 broadcast", packetTo{dst: addr("10.0.0.255"), src: their4, proto: testProto, mac: wire.Broadcast}.frame(), 0},
		{"IPv4 broadcast to all", packetTo{dst: addr("255.255.255.255"), src: their4, proto: testProto, mac: wire.Broadcast}.frame(), 0},
		{"IPv4 unknown protocol", packetTo{dst: our4, src: their4, proto: 200}.frame(), DropProtocol},
		{"IPv4 group management", packetTo{dst: our4, src: their4, proto: wire.ProtoIGMP, payload: "123"}.frame(), Drop(wire.ErrIGMPShort)},
		{"ICMP cut", packetTo{dst: our4, src: their4, proto: wire.ProtoICMP, payload: "123"}.frame(), Drop(wire.ErrICMPShort)},
		{"ICMP checksum", packetTo{dst: our4, src: their4, proto: wire.ProtoICMP, payload: "\x08\x0012345678"}.frame(), Drop(wire.ErrICMPChecksum)},
		{"ICMP reply that nobody waits for", packetTo{dst: our4, src: their4, proto: wire.ProtoICMP, payload: echo4(wire.ICMPv4EchoReply, 1, 1, "")}.frame(), DropNoEcho},
		{"ICMP of an unknown kind", packetTo{dst: our4, src: their4, proto: wire.ProtoICMP, payload: echo4(13, 1, 1, "")}.frame(), DropICMPKind},
		{"ICMP echo to all", packetTo{dst: addr("10.0.0.255"), src: their4, proto: wire.ProtoICMP, payload: echo4(wire.ICMPv4Echo, 1, 1, ""), mac: wire.Broadcast}.frame(), DropICMPKind},
		{"IPv6 cut", good6.frame()[:53], Drop(wire.ErrIPv6Short)},
		{"IPv6 version", edited(good6.frame(), 14, 0x45), Drop(wire.ErrIPv6Version)},
		{"IPv6 payload length", edited(good6.frame(), 19, 2), Drop(wire.ErrIPv6PayloadLen)},
		{"IPv6 from a group", packetTo{dst: our6, src: addr("ff02::1"), proto: testProto}.frame(), DropMartian},
		{"IPv6 from ::1", packetTo{dst: our6, src: addr("::1"), proto: testProto}.frame(), DropMartian},
		{"IPv6 for another", packetTo{dst: addr("2001:db8::9"), src: their6, proto: testProto}.frame(), DropNotForUs},
		{"IPv6 to a group we are not in", packetTo{dst: addr("ff02::1:3"), src: their6, proto: testProto, mac: wire.Broadcast}.frame(), DropNoGroup},
		{"IPv6 unknown next header", packetTo{dst: our6, src: their6, proto: 200}.frame(), DropProtocol},
		{"IPv6 nothing follows", packetTo{dst: our6, src: their6, proto: wire.ProtoNone}.frame(), 0},
		{"IPv6 extension cut", packetTo{dst: our6, src: their6, proto: wire.ProtoHopByHop, payload: "\x3b"}.frame(), Drop(wire.ErrIPv6ExtensionShort)},
		{"IPv6 option to skip", packetTo{dst: our6, src: their6, proto: wire.ProtoDestination, payload: "\x3b\x00\x1e\x04    "}.frame(), 0},
		{"IPv6 option to drop", packetTo{dst: our6, src: their6, proto: wire.ProtoDestination, payload: "\x3b\x00\x5e\x04    "}.frame(), DropExtension},
		{"IPv6 routing header", packetTo{dst: our6, src: their6, proto: wire.ProtoRouting, payload: "\x3b\x00\x00\x01    "}.frame(), DropExtension},
		{"IPv6 finished routing header", packetTo{dst: our6, src: their6, proto: wire.ProtoRouting, payload: "\x3b\x00\x00\x00    "}.frame(), 0},
		{"ICMPv6 checksum", packetTo{dst: our6, src: their6, proto: wire.ProtoICMPv6, payload: "\x80\x0012345678"}.frame(), Drop(wire.ErrICMPv6Checksum)},
		{"ICMPv6 cut", packetTo{dst: our6, src: their6, proto: wire.ProtoICMPv6, payload: "\x80"}.frame(), Drop(wire.ErrICMPv6Short)},
		{"ICMPv6 reply that nobody waits for", packetTo{dst: our6, src: their6, proto: wire.ProtoICMPv6, payload: echo6(their6, our6, wire.ICMPv6EchoReply, 1, 1, "")}.frame(), DropNoEcho},
	} {
		bubble(t, func(t *testing.T) {
			l := newLab(t, Config{}, InterfaceConfig{})
			l.dropped(c.what, c.want, func() { l.receive(c.frame) })
			equal(t, c.what+": frames received", l.i.Stats().Received, 1)
			equal(t, c.what+": frames dropped", l.i.Stats().Dropped, min(uint64(c.want), 1))
		})
	}
}

func edited(frame []byte, at int, b byte) []byte {
	frame[at] = b
	return frame
}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

func TestEchoIsAnswered(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLab(t, Config{}, InterfaceConfig{})
		l.knows(their4, their6)
		l.receive(packetTo{dst: our4, src: their4, proto: wire.ProtoICMP, payload: echo4(wire.ICMPv4Echo, 3, 4, "data")}.frame())
		l.wrote("ip4 10.0.0.1 > 10.0.0.2 ttl 64 | icmp echo reply id 3 seq 4 len 4")
		l.receive(packetTo{dst: our6, src: their6, proto: wire.ProtoICMPv6, payload: echo6(their6, our6, wire.ICMPv6Echo, 3, 4, "data")}.frame())
		l.wrote("ip6 2001:db8::1 > 2001:db8::2 hop 64 | icmp6 echo reply id 3 seq 4 len 4")
	})
}

// RFC 1122, Section 3.2.2 and RFC 4443, Section 2.4 e say what no error is sent about.
func TestErrorsAreSentOnlyWhereTheyMayBe(t *testing.T) {
	const unknown = 200
	port4 := "ip4 10.0.0.1 > 10.0.0.2 ttl 64 | icmp unreachable protocol about 10.0.0.2 > 10.0.0.1 proto 200"
	header6 := "ip6 2001:db8::1 > 2001:db8::2 hop 64 | icmp6 parameter problem next header at 6 about 2001:db8::2 > 2001:db8::1 proto 200"
	option := func(action byte) string { return string([]byte{59, 0, action<<6 | 0x1e, 4, 0, 0, 0, 0}) }
	about := string(wire.AppendICMPv4(nil, wire.ICMPv4Unreachable, 3, 0, make([]byte, 28)))
	for _, c := range []struct {
		what string
		packetTo
		want []string
	}{
		{"an ordinary one", packetTo{dst: our4, src: their4, proto: unknown, payload: "12345678"}, []string{port4}},
		{"an ordinary one", packetTo{dst: our6, src: their6, proto: unknown, payload: "12345678"}, []string{header6}},
		{"a broadcast", packetTo{dst: addr("10.0.0.255"), src: their4, proto: unknown, mac: wire.Broadcast}, nil},
		{"one that came in a broadcast frame", packetTo{dst: our4, src: their4, proto: unknown, mac: wire.Broadcast}, nil},
		{"one from nobody", packetTo{dst: addr("255.255.255.255"), src: addr("0.0.0.0"), proto: unknown}, nil},
		{"an error", packetTo{dst: our4, src: their4, proto: wire.ProtoICMP, payload: about}, nil},
		{"a later fragment", packetTo{dst: our4, src: their4, proto: unknown, payload: "12345678", offset: 8}, nil},
		{"an option that asks for it", packetTo{dst: our6, src: their6, proto: wire.ProtoDestination, payload: option(2)},
			[]string{"ip6 2001:db8::1 > 2001:db8::2 hop 64 | icmp6 parameter problem option at 42 about an unknown packet"}},
		{"an option that does not", packetTo{dst: our6, src: their6, proto: wire.ProtoDestination, payload: option(1)}, nil},
		{"a group, with an option that asks for it", packetTo{dst: addr("ff02::1"), src: their6, proto: wire.ProtoDestination, payload: option(2), mac: wire.MAC{0x33, 0x33, 0, 0, 0, 1}},
			[]string{"ip6 2001:db8::1 > 2001:db8::2 hop 64 | icmp6 parameter problem option at 42 about an unknown packet"}},
		{"a group, with an option that does so for one", packetTo{dst: addr("ff02::1"), src: their6, proto: wire.ProtoDestination, payload: option(3), mac: wire.MAC{0x33, 0x33, 0, 0, 0, 1}}, nil},
	} {
		bubble(t, func(t *testing.T) {
			l := newLab(t, Config{}, InterfaceConfig{})
			l.knows(their4, their6)
			l.receive(c.frame())
			t.Log(c.what)
			l.wrote(c.want...)
		})
	}
}

func TestErrorsAreLimited(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLab(t, Config{}, InterfaceConfig{})
		l.knows(their4)
		for range 100 {
			l.receive(packetTo{dst: our4, src: their4, proto: 200}.frame())
		}
		st := l.s.Stats()
		equal(t, "sent and not sent", st.ICMPErrors+st.Drops[DropICMPLimit], 100)
		if st.ICMPErrors < 5 || st.ICMPErrors > 20 {
			t.Errorf("%d errors to one host at once", st.ICMPErrors)
		}
	})
}

// An error counts only if it is about a packet that a transport says it sent.
func TestFaultReachesItsTransport(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLab(t, Config{}, InterfaceConfig{})
		sent := packetTo{dst: far4, src: our4, proto: testProto, payload: "12345678"}.frame()[14:]
		m := string(wire.AppendICMPv4(nil, wire.ICMPv4Unreachable, wire.ICMPv4HostUnreachable, 0, sent))
		l.dropped("believed", 0, func() {
			l.receive(packetTo{dst: our4, src: their4, proto: wire.ProtoICMP, payload: m}.frame())
		})
		if len(l.faults) != 1 || l.faults[0].Quote.Dst != far4 || l.faults[0].From != their4 {
			t.Errorf("faults %+v", l.faults)
		}
		sent = packetTo{dst: far4, src: addr("10.0.0.77"), proto: testProto, payload: "12345678"}.frame()[14:]
		m = string(wire.AppendICMPv4(nil, wire.ICMPv4Unreachable, wire.ICMPv4HostUnreachable, 0, sent))
		l.dropped("about somebody else's packet", DropICMPQuote, func() {
			l.receive(packetTo{dst: our4, src: their4, proto: wire.ProtoICMP, payload: m}.frame())
		})
	})
}

func TestPathMTUIsLearnt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLab(t, Config{}, InterfaceConfig{})
		if err := l.s.AddRoute(Route{Dst: netip.MustParsePrefix("0.0.0.0/0"), Gateway: their4, Interface: l.i.Index()}); err != nil {
			t.Fatal(err)
		}
		path, err := l.s.Path(netip.Addr{}, far4, nil)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "at first", path.MTU(), 1500)
		sent := packetTo{dst: far4, src: our4, proto: testProto, payload: "12345678"}.frame()[14:]
		binary.BigEndian.PutUint16(sent[2:], 1500)
		m := string(wire.AppendICMPv4(nil, wire.ICMPv4Unreachable, wire.ICMPv4FragmentationNeeded, 1400, sent))
		l.receive(packetTo{dst: our4, src: their4, proto: wire.ProtoICMP, payload: m}.frame())
		equal(t, "after the error", path.MTU(), 1400)
		equal(t, "longer packets are told so", path.DontFragment(1400), false)
		other, _ := l.s.Path(netip.Addr{}, addr("192.0.2.10"), nil)
		equal(t, "of another destination", other.MTU(), 1500)
	})
}
