package ip

import (
	"encoding/binary"
	"net"
	"net/netip"
	"testing"

	"landline/link"
	"landline/wire"
)

// redirects4 is a redirect by the router their4 about a packet of ours to dst.
func redirects4(dst, gateway netip.Addr) []byte {
	sent := packetTo{dst: dst, src: our4, proto: testProto, payload: "12345678"}.frame()[14:]
	g := gateway.As4()
	m := string(wire.AppendICMPv4(nil, wire.ICMPv4Redirect, 1, binary.BigEndian.Uint32(g[:]), sent))
	return packetTo{dst: our4, src: their4, proto: wire.ProtoICMP, payload: m}.frame()
}

func withDefaultRoute(l *lab) {
	l.s.AddRoute(Route{Dst: netip.MustParsePrefix("0.0.0.0/0"), Gateway: their4, Interface: l.i.Index()})
}

func TestRedirectIsForgottenInTime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLab(t, Config{}, InterfaceConfig{})
		withDefaultRoute(l)
		l.receive(redirects4(far4, addr("10.0.0.3")))
		equal(t, "at first", describePath(l.s.Path(netip.Addr{}, far4, nil)), "10.0.0.1 wall 10.0.0.3")
		sleep(601)
		equal(t, "after ten minutes", describePath(l.s.Path(netip.Addr{}, far4, nil)), "10.0.0.1 wall 10.0.0.2")
	})
}

func TestRedirectToADeadGatewayIsForgotten(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLab(t, Config{}, InterfaceConfig{})
		withDefaultRoute(l)
		l.receive(redirects4(far4, addr("10.0.0.3")))
		equal(t, "error", l.sends(netip.Addr{}, far4, "12345678", Header{}), nil)
		sleep(5)
		equal(t, "when it does not answer", describePath(l.s.Path(netip.Addr{}, far4, nil)), "10.0.0.1 wall 10.0.0.2")
	})
}

func TestRedirectOffTheLinkIsRefused(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLab(t, Config{}, InterfaceConfig{})
		withDefaultRoute(l)
		l.dropped("the destination itself", DropNDP, func() { l.receive(redirects4(far4, far4)) })
		equal(t, "next hop", describePath(l.s.Path(netip.Addr{}, far4, nil)), "10.0.0.1 wall 10.0.0.2")
	})
}

// networkRoute reports whether there is a route to a network on the link.
func (l *lab) networkRoute(p string) bool {
	for _, r := range l.s.Routes() {
		if r.Dst == netip.MustParsePrefix(p) && !r.Gateway.IsValid() && r.Interface == l.i.Index() {
			return true
		}
	}
	return false
}

func TestAdvertisementCannotTakeAStaticNetworkAway(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLab(t, Config{}, InterfaceConfig{})
		l.receive(advertFrame(1800, "2001:db8::/64", 7200, 3600))
		l.receive(advertFrame(1800, "2001:db8::/64", 0, 0))
		equal(t, "route of our address", l.networkRoute("2001:db8::/64"), true)
	})
}

func TestRemovedAddressLeavesWhatARouterTold(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLab(t, Config{}, InterfaceConfig{})
		m := wire.AppendPrefix(wire.AppendRouterAdvert(nil, &wire.RouterAdvertHeader{Lifetime: 1800}), wire.PrefixInfo{
			Prefix: netip.MustParsePrefix("2001:db8::/64"), OnLink: true, Valid: 7200, Preferred: 3600,
		})
		l.receive(ndpFrame(addr("fe80::2"), allNodes, m))
		equal(t, "removed", l.i.RemoveAddress(our6), true)
		equal(t, "route of the advertisement", l.networkRoute("2001:db8::/64"), true)
	})
}

// "The existence of an address does not mean that its prefix is on the link" (RFC 5942, Section 4).
func TestPrefixThatIsNotOnTheLinkStaysOffIt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLab(t, Config{}, InterfaceConfig{})
		m := wire.AppendPrefix(wire.AppendRouterAdvert(nil, &wire.RouterAdvertHeader{Lifetime: 1800}), wire.PrefixInfo{
			Prefix: netip.MustParsePrefix("2001:db8:7::/64"), Autonomous: true, Valid: 7200, Preferred: 3600,
		})
		l.receive(ndpFrame(addr("fe80::2"), allNodes, m))
		sleep(2)
		equal(t, "address", l.slaac(), "preferred")
		equal(t, "on the link", l.networkRoute("2001:db8:7::/64"), false)
	})
}

func TestRemovingTwiceLeavesTheGroupOfAnother(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLab(t, Config{}, InterfaceConfig{})
		twin := netip.MustParsePrefix("2001:db8:5::1/64") // of the same solicited-node group as our6
		equal(t, "error", l.i.AddAddress(twin), nil)
		equal(t, "removed", l.i.RemoveAddress(twin.Addr()), true)
		for range 3 { // as many as there are addresses of the group, the link-local one among them
			equal(t, "removed again", l.i.RemoveAddress(twin.Addr()), false)
		}
		equal(t, "still heard", l.i.hears(wire.SolicitedNode(our6)), true)
	})
}

// A router sends on what fits the link, whatever it has learnt of paths of its own packets.
func TestRouterDoesNotApplyItsPathMTUToOthers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l, far := newRouter(t, 1500)
		for _, f := range []Fault{
			{Quote: wire.Quote{Src: our4, Dst: far4, Protocol: testProto, Len: 1500}, Err: Error{MTU: 1300}},
			{Quote: wire.Quote{Src: our6, Dst: far6, Protocol: testProto, Len: 1500}, Err: Error{MTU: 1300}},
		} {
			l.s.mtus.learn(&f, 1500)
		}
		long := string(make([]byte, 1400))
		l.receive(packetTo{dst: far4, src: their4, proto: testProto, payload: long, df: true}.frame())
		equal(t, "IPv4", lines(far), "ip4 10.0.0.2 > 192.0.2.9 ttl 63 | proto 253 len 1400")
		l.receive(packetTo{dst: far6, src: their6, proto: testProto, payload: long}.frame())
		equal(t, "IPv6", lines(far), "ip6 2001:db8::2 > 2001:db8:9::9 hop 63 | proto 253 len 1400")
	})
}

func TestAddressThatWasTentativeIsDeprecatedInTime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLab(t, Config{}, InterfaceConfig{Probes: 1})
		l.receive(advertFrame(1800, "2001:db8:7::/64", 0xffffffff, 60))
		sleep(5)
		equal(t, "at first", l.slaac(), "preferred")
		sleep(60)
		equal(t, "after its time", l.slaac(), "deprecated")
	})
}

func TestDefaultRouterThatDiesGivesWay(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLab(t, Config{}, InterfaceConfig{})
		advert := func(from string) {
			m := wire.AppendRouterAdvert(nil, &wire.RouterAdvertHeader{Lifetime: 1800})
			l.receive(ndpFrame(addr(from), allNodes, m))
		}
		next := func() netip.Addr {
			path, err := l.s.Path(netip.Addr{}, far6, nil)
			equal(t, "error", err, nil)
			return path.next
		}
		advert("fe80::2")
		advert("fe80::3")
		first := next()
		equal(t, "error", l.sends(netip.Addr{}, far6, "12345678", Header{}), nil)
		sleep(5)
		if next() == first {
			t.Errorf("%v, which does not answer, is still the first hop", first)
		}
		equal(t, "error", l.sends(netip.Addr{}, far6, "12345678", Header{}), nil)
		sleep(5)
		advert(first.String())
		equal(t, "after it is heard of again", next(), first)
	})
}

func TestClosedInterfaceTakesNoAddress(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLab(t, Config{}, InterfaceConfig{})
		equal(t, "close", l.i.Close(), nil)
		equal(t, "error", l.i.AddAddress(netip.MustParsePrefix("10.0.0.5/24")), error(net.ErrClosed))
		equal(t, "close again", l.i.Close(), error(net.ErrClosed))
		equal(t, "route", l.networkRoute("10.0.0.0/24"), false)
	})
}

func TestClosedInterfaceOfARouterSaysGoodbye(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLab(t, Config{Forwarding: true}, InterfaceConfig{Advertise: &Advertise{}, Probes: -1})
		equal(t, "close", l.i.Close(), nil)
		l.wrote("ip6 fe80::ff:fe00:1 > ff02::1 hop 255 | icmp6 router advert hop 64 lifetime 0 <source 02:00:00:00:00:01>")
	})
}

// Both places of an open checksum move when a tag is taken off.
func TestOpenChecksumBehindATagIsSentOn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l, far := newRouter(t, 1500)
		plain := packetTo{dst: far4, src: their4, proto: wire.ProtoUDP, payload: string(wire.AppendUDP(nil, 1, 2, 0))}.frame()
		head := wire.AppendEthernetVLAN(nil, ourMAC, theirMAC, wire.NewVLAN(0, 3), wire.TypeIPv4)
		head = append(head, plain[14:]...)
		var sent link.Frame
		far.watch = func(f link.Frame) { sent = f }
		l.handler.Receive([]link.Frame{{Head: head, Sum: link.SumPartial, SumStart: 38, SumField: 44}})
		equal(t, "start", sent.SumStart, 34)
		equal(t, "field", sent.SumField, 40)
	})
}
