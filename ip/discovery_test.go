package ip

import (
	"fmt"
	"net/netip"
	"slices"
	"syscall"
	"testing"
	"time"

	"landline/wire"
)

// arpFrame is an ARP message from theirMAC.
func arpFrame(op wire.ARPOp, sender, target netip.Addr) []byte {
	to := wire.Broadcast
	if op == wire.ARPReply {
		to = ourMAC
	}
	b := wire.AppendEthernet(nil, to, theirMAC, wire.TypeARP)
	return wire.AppendARP(b, op, theirMAC, sender, wire.MAC{}, target)
}

// ndpFrame is a message of Neighbor Discovery from theirMAC.
func ndpFrame(src, dst netip.Addr, m []byte) []byte {
	return icmp6Frame(src, dst, wire.NDPHopLimit, m)
}

func icmp6Frame(src, dst netip.Addr, hops uint8, m []byte) []byte {
	wire.ICMPv6(m).FillChecksum(wire.PseudoSum(src, dst, wire.ProtoICMPv6, len(m)))
	p := packetTo{dst: dst, src: src, proto: wire.ProtoICMPv6, payload: string(m), ttl: hops}
	if dst.IsMulticast() {
		p.mac = wire.MulticastMAC(dst)
	}
	return p.frame()
}

func TestARPIsAnsweredAndLearntFrom(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLab(t, Config{}, InterfaceConfig{})
		l.receive(arpFrame(wire.ARPRequest, their4, our4))
		l.wrote("arp reply 10.0.0.1 at 02:00:00:00:00:01 to 10.0.0.2 at 02:00:00:00:00:02")
		equal(t, "error", l.sends(netip.Addr{}, their4, "known", Header{}), nil)
		l.wrote("ip4 10.0.0.1 > 10.0.0.2 ttl 64 | proto 253 len 5")
	})
}

func TestARPForOthersIsNotLearntFrom(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLab(t, Config{}, InterfaceConfig{})
		l.receive(arpFrame(wire.ARPRequest, their4, addr("10.0.0.7")), arpFrame(wire.ARPReply, their4, our4))
		equal(t, "neighbors", len(l.i.Neighbors()), 0)
		l.wrote()
	})
}

func TestBadARPIsDropped(t *testing.T) {
	own := arpFrame(wire.ARPRequest, their4, our4)
	copy(own[22:28], ourMAC[:])
	for what, f := range map[string][]byte{
		"from another network":      arpFrame(wire.ARPRequest, addr("192.0.2.1"), our4),
		"from all":                  arpFrame(wire.ARPRequest, addr("10.0.0.255"), our4),
		"from the network":          arpFrame(wire.ARPRequest, addr("10.0.0.0"), our4),
		"from our hardware address": own,
		"of another operation":      arpFrame(9, their4, our4),
	} {
		bubble(t, func(t *testing.T) {
			l := newLab(t, Config{}, InterfaceConfig{})
			l.dropped(what, DropARP, func() { l.receive(f) })
			equal(t, "neighbors", len(l.i.Neighbors()), 0)
		})
	}
}

func TestUnknownNeighborIsAskedForAndWhatWaitsGoes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLab(t, Config{}, InterfaceConfig{})
		equal(t, "error", l.sends(netip.Addr{}, their4, "one", Header{}), nil)
		equal(t, "error", l.sends(netip.Addr{}, their4, "three", Header{}), nil)
		l.wrote("arp who has 10.0.0.2 tell 10.0.0.1 at 02:00:00:00:00:01")
		l.receive(arpFrame(wire.ARPReply, their4, our4))
		l.wrote("ip4 10.0.0.1 > 10.0.0.2 ttl 64 | proto 253 len 3", "ip4 10.0.0.1 > 10.0.0.2 ttl 64 | proto 253 len 5")
	})
}

func TestNeighborThatDoesNotAnswerIsAFault(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLab(t, Config{}, InterfaceConfig{})
		start := time.Now()
		equal(t, "error", l.sends(netip.Addr{}, their4, "12345678", Header{}), nil)
		sleep(5)
		if len(l.faults) != 1 {
			t.Fatalf("%d faults", len(l.faults))
		}
		equal(t, "after", l.faultAt.Sub(start), 3*time.Second)
		equal(t, "error", l.faults[0].Err.Errno, syscall.EHOSTUNREACH)
		who := "arp who has 10.0.0.2 tell 10.0.0.1 at 02:00:00:00:00:01"
		l.wrote(who, who, who)
	})
}

func TestNeighborSolicitIsAnswered(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLab(t, Config{}, InterfaceConfig{})
		m := wire.AppendLinkAddr(wire.AppendNeighborSolicit(nil, our6), wire.NDPSourceLinkAddr, theirMAC)
		l.receive(ndpFrame(their6, wire.SolicitedNode(our6), m))
		l.wrote("ip6 2001:db8::1 > 2001:db8::2 hop 255 | icmp6 neighbor advert 2001:db8::1 solicited override <target 02:00:00:00:00:01>")
		l.receive(ndpFrame(addr("::"), wire.SolicitedNode(our6), wire.AppendNeighborSolicit(nil, our6)))
		l.wrote("ip6 2001:db8::1 > ff02::1 hop 255 | icmp6 neighbor advert 2001:db8::1 override <target 02:00:00:00:00:01>")
	})
}

// "Routers SHOULD create a new entry for the target address"; "Hosts SHOULD silently discard the advertisement" (RFC 9131,
// Section 6.1.1).
func TestRouterLearnsWhoIsNewFromAnAdvertisement(t *testing.T) {
	for _, router := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			l := newLab(t, Config{Forwarding: router}, InterfaceConfig{})
			m := wire.AppendLinkAddr(wire.AppendNeighborAdvert(nil, wire.NeighborOverride, their6), wire.NDPTargetLinkAddr, theirMAC)
			l.receive(ndpFrame(their6, allNodes, m))
			l.wrote()
			var got []string
			for _, n := range l.i.Neighbors() {
				got = append(got, fmt.Sprint(n.Addr, n.MAC, n.State))
			}
			var want []string
			if router {
				want = append(want, fmt.Sprint(their6, theirMAC, NeighborStale))
			}
			if !slices.Equal(got, want) {
				t.Errorf("a router, %t, knows %v, not %v", router, got, want)
			}
		})
	}
}

func TestBadNDPIsDropped(t *testing.T) {
	solicit := func() []byte { return wire.AppendNeighborSolicit(nil, our6) }
	withAddr := func(b []byte) []byte { return wire.AppendLinkAddr(b, wire.NDPSourceLinkAddr, theirMAC) }
	advert := func(f wire.NeighborFlags) []byte { return wire.AppendNeighborAdvert(nil, f, their6) }
	router := func() []byte { return wire.AppendRouterAdvert(nil, &wire.RouterAdvertHeader{Lifetime: 1800}) }
	for _, c := range []struct {
		what  string
		frame []byte
		want  Drop
	}{
		{"from another link", icmp6Frame(their6, wire.SolicitedNode(our6), 64, solicit()), DropNDPHopLimit},
		{"a probe with a hardware address", ndpFrame(addr("::"), wire.SolicitedNode(our6), withAddr(solicit())), DropNDP},
		{"a probe to all", ndpFrame(addr("::"), allNodes, solicit()), DropNDP},
		{"for another's address", ndpFrame(their6, allNodes, wire.AppendNeighborSolicit(nil, addr("2001:db8::9"))), DropNDP},
		{"a solicited answer to all", ndpFrame(their6, allNodes, advert(wire.NeighborSolicited)), DropNDP},
		{"a router without a link-local address", ndpFrame(their6, allNodes, router()), DropNDP},
		{"a host that looks for routers", ndpFrame(addr("fe80::2"), allNodes, wire.AppendRouterSolicit(nil)), DropICMPKind},
		{"a redirect by a stranger", ndpFrame(addr("fe80::2"), our6, wire.AppendRedirect(nil, addr("fe80::3"), far6)), DropNDP},
		{"a bad option", ndpFrame(their6, our6, append(solicit(), 1, 0, 0, 0, 0, 0, 0, 0)), Drop(wire.ErrNDPOption)},
	} {
		bubble(t, func(t *testing.T) {
			l := newLab(t, Config{}, InterfaceConfig{})
			l.dropped(c.what, c.want, func() { l.receive(c.frame) })
			equal(t, c.what+": neighbors", len(l.i.Neighbors()), 0)
		})
	}
}

// states returns the addresses of the lab's interface and their states.
func (l *lab) states() map[string]string {
	m := map[string]string{}
	for _, a := range l.i.Addresses() {
		m[a.Prefix.String()] = a.State
	}
	return m
}

func TestAddressIsTentativeUntilNobodyObjects(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLab(t, Config{}, InterfaceConfig{NoAutoconf: true, Probes: 3})
		equal(t, "after a while", l.states()["10.0.0.1/24"], "preferred")
		a := netip.MustParsePrefix("2001:db8::5/64")
		equal(t, "error", l.i.AddAddress(a), nil)
		equal(t, "at first", l.states()[a.String()], "tentative")
		l.dropped("a packet", DropTentative, func() {
			l.receive(packetTo{dst: a.Addr(), src: their6, proto: testProto}.frame())
		})
		sleep(5)
		equal(t, "after the probes", l.states()[a.String()], "preferred")
	})
}

func TestAddressThatAnotherHasIsNotUsed(t *testing.T) {
	for _, c := range []struct {
		what, prefix string
		objection    func(netip.Addr) []byte
	}{
		{"it has it", "10.0.0.5/24", func(a netip.Addr) []byte { return arpFrame(wire.ARPReply, a, a) }},
		{"it wants it too", "10.0.0.5/24", func(a netip.Addr) []byte { return arpFrame(wire.ARPRequest, addr("0.0.0.0"), a) }},
		{"it has it", "2001:db8::5/64", func(a netip.Addr) []byte {
			return ndpFrame(a, allNodes, wire.AppendNeighborAdvert(nil, wire.NeighborOverride, a))
		}},
		{"it wants it too", "2001:db8::5/64", func(a netip.Addr) []byte {
			return ndpFrame(addr("::"), wire.SolicitedNode(a), wire.AppendNeighborSolicit(nil, a))
		}},
	} {
		bubble(t, func(t *testing.T) {
			l := newLab(t, Config{}, InterfaceConfig{NoAutoconf: true, Probes: 3})
			p := netip.MustParsePrefix(c.prefix)
			equal(t, "error", l.i.AddAddress(p), nil)
			time.Sleep(1500 * time.Millisecond)
			l.receive(c.objection(p.Addr()))
			sleep(10)
			equal(t, c.what, l.states()[p.String()], "duplicated")
			if _, err := l.s.Path(p.Addr(), their4, nil); err == nil {
				t.Errorf("%s: packets may come from it", c.what)
			}
		})
	}
}

// "A host MAY attempt to defend its address by broadcasting one single ARP Announcement", and no second one within 10
// s (RFC 5227, Section 2.4 b).
func TestAddressIsDefendedOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLab(t, Config{}, InterfaceConfig{})
		conflict := arpFrame(wire.ARPRequest, our4, their4)
		l.receive(conflict)
		l.wrote("arp announce 10.0.0.1 at 02:00:00:00:00:01")
		sleep(11)
		l.receive(conflict)
		l.wrote("arp announce 10.0.0.1 at 02:00:00:00:00:01")
		equal(t, "after the second, much later", l.states()["10.0.0.1/24"], "preferred")
		sleep(5)
		l.receive(conflict)
		l.wrote()
		equal(t, "after the third, soon", l.states()["10.0.0.1/24"], "duplicated")
	})
}

// advertFrame is a router's advertisement of a network.
func advertFrame(lifetime uint16, network string, valid, preferred uint32) []byte {
	m := wire.AppendRouterAdvert(nil, &wire.RouterAdvertHeader{Lifetime: lifetime, HopLimit: 33})
	m = wire.AppendLinkAddr(m, wire.NDPSourceLinkAddr, theirMAC)
	m = wire.AppendMTU(m, 1400)
	m = wire.AppendRDNSS(m, 600, addr("2001:db8::53"))
	m = wire.AppendPrefix(m, wire.PrefixInfo{
		Prefix: netip.MustParsePrefix(network), OnLink: true, Autonomous: true, Valid: valid, Preferred: preferred,
	})
	return ndpFrame(addr("fe80::2"), allNodes, m)
}

// slaac returns the state of the address that was made for 2001:db8:7::/64, or "".
func (l *lab) slaac() string {
	for _, a := range l.i.Addresses() {
		if a.Origin == "slaac" && a.Prefix.Masked().String() == "2001:db8:7::/64" {
			return a.State
		}
	}
	return ""
}

func TestRouterAdvertisementConfiguresAHost(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLab(t, Config{}, InterfaceConfig{})
		l.receive(advertFrame(1800, "2001:db8:7::/64", 7200, 3600))
		sleep(2)
		equal(t, "address", l.slaac(), "preferred")
		path, err := l.s.Path(netip.Addr{}, far6, nil)
		equal(t, "error", err, nil)
		equal(t, "first hop", path.next, addr("fe80::2"))
		equal(t, "mtu", path.MTU(), 1400)
		equal(t, "hop limit", l.i.hopLimit.Load(), 33)
		equal(t, "name servers", len(l.i.Servers()), 1)
		sleep(1801)
		if _, err := l.s.Path(netip.Addr{}, far6, nil); err == nil {
			t.Error("a router whose time is over is still a default router")
		}
		equal(t, "name servers, later", len(l.i.Servers()), 0)
		sleep(1800)
		equal(t, "address, when it is no more preferred", l.slaac(), "deprecated")
		sleep(3600)
		equal(t, "address, when it is no more valid", l.slaac(), "")
	})
}

func TestRouterAdvisesTimers(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLab(t, Config{}, InterfaceConfig{})
		advise := func(retrans, reachable uint32) {
			h := wire.RouterAdvertHeader{Lifetime: 1800, RetransTimer: retrans, ReachableTime: reachable}
			l.receive(ndpFrame(addr("fe80::2"), allNodes, wire.AppendRouterAdvert(nil, &h)))
		}
		advise(2000, 60000)
		equal(t, "retransmit", l.i.neighbors.retrans, 2*time.Second)
		equal(t, "reachable", l.i.neighbors.base, time.Minute)
		advise(4000000000, 3600001)
		equal(t, "retransmit, after nonsense", l.i.neighbors.retrans, 2*time.Second)
		equal(t, "reachable, after nonsense", l.i.neighbors.base, time.Minute)
	})
}

// Atomic fragments could be put into each other eight thousand times, and each would be copied.
func TestFragmentsOfFragmentsAreRefused(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLab(t, Config{}, InterfaceConfig{})
		inner := string(wire.AppendIPv6Fragment(nil, testProto, 0, false, 1)) + "deep"
		outer := string(wire.AppendIPv6Fragment(nil, wire.ProtoFragment, 0, false, 2)) + inner
		l.receive(packetTo{dst: our6, src: their6, proto: wire.ProtoFragment, payload: inner}.frame())
		l.received("2001:db8::2 > 2001:db8::1: deep")
		l.dropped("one within another", DropExtension, func() {
			l.receive(packetTo{dst: our6, src: their6, proto: wire.ProtoFragment, payload: outer}.frame())
		})
		l.received()
	})
}

// A forged advertisement cannot take an address away in less than two hours (RFC 4862, Section 5.5.3 e).
func TestAddressLivesTwoHoursAfterAnAdvertisementThatEndsIt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLab(t, Config{}, InterfaceConfig{})
		l.receive(advertFrame(1800, "2001:db8:7::/64", 86400, 86400))
		sleep(2)
		l.receive(advertFrame(1800, "2001:db8:7::/64", 0, 0))
		equal(t, "at once", l.slaac(), "deprecated")
		sleep(7100)
		equal(t, "in less than two hours", l.slaac(), "deprecated")
		sleep(200)
		equal(t, "after two hours", l.slaac(), "")
	})
}

func TestRouterThatSaysGoodbyeIsNoDefault(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLab(t, Config{}, InterfaceConfig{})
		l.receive(advertFrame(1800, "2001:db8:7::/64", 7200, 3600))
		l.receive(advertFrame(0, "2001:db8:7::/64", 7200, 3600))
		if _, err := l.s.Path(netip.Addr{}, far6, nil); err == nil {
			t.Error("it is a default router")
		}
	})
}

func TestHostAsksForRoutersThreeTimes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		w := newWall()
		s := NewStack(Config{Seed: 1})
		defer s.Close()
		if _, err := s.Attach(w, InterfaceConfig{Probes: -1}); err != nil {
			t.Fatal(err)
		}
		sleep(60)
		asked := 0
		for _, text := range w.describe() {
			if text == "ip6 fe80::ff:fe00:1 > ff02::2 hop 255 | icmp6 router solicit <source 02:00:00:00:00:01>" {
				asked++
			}
		}
		equal(t, "times", asked, maxRouterSolicits)
	})
}

func TestRouterAdvertisesItselfAndSaysGoodbye(t *testing.T) {
	bubble(t, func(t *testing.T) {
		a := &Advertise{Prefixes: []AdvertisedPrefix{{Prefix: netip.MustParsePrefix("2001:db8::/64")}}}
		l := newLab(t, Config{Forwarding: true}, InterfaceConfig{Advertise: a, Probes: -1})
		l.receive(ndpFrame(addr("fe80::2"), allRouters, wire.AppendRouterSolicit(nil)))
		sleep(4)
		l.wrote("ip6 fe80::ff:fe00:1 > ff02::1 hop 255 | icmp6 router advert hop 64 lifetime 1800 " +
			"<source 02:00:00:00:00:01, prefix 2001:db8::/64 onlink auto valid 2592000 preferred 604800>")
		l.s.Close()
		l.wrote("ip6 fe80::ff:fe00:1 > ff02::1 hop 255 | icmp6 router advert hop 64 lifetime 0 " +
			"<source 02:00:00:00:00:01, prefix 2001:db8::/64 onlink auto valid 2592000 preferred 604800>")
	})
}

// Who comes just after an advertisement to all is not left to wait for the next, which may not come for three seconds.
func TestHostThatAsksAgainstTheLimitIsAnsweredAlone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLab(t, Config{Forwarding: true}, InterfaceConfig{Advertise: &Advertise{}, Probes: -1})
		ask := func(host string) {
			m := wire.AppendLinkAddr(wire.AppendRouterSolicit(nil), wire.NDPSourceLinkAddr, theirMAC)
			if host == "::" {
				m = wire.AppendRouterSolicit(nil)
			}
			l.receive(ndpFrame(addr(host), allRouters, m))
		}
		answer := func(to string) string {
			return "ip6 fe80::ff:fe00:1 > " + to + " hop 255 | icmp6 router advert hop 64 lifetime 1800 <source 02:00:00:00:00:01>"
		}
		sleep(30) // until the first ones are sent
		l.describe()
		ask("fe80::2")
		ask("fe80::2")
		sleep(1)
		l.wrote(answer("ff02::1"))
		for _, host := range []string{"fe80::2", "fe80::2", "fe80::3"} {
			ask(host)
		}
		sleep(1)
		l.wrote(answer("fe80::2"), answer("fe80::3"))
		ask("::")
		l.wrote()
		sleep(2)
		l.wrote(answer("ff02::1"))
		for k := range maxAsked + 1 {
			ask(fmt.Sprintf("fe80::%x", k+2))
		}
		sleep(1)
		equal(t, "answers", len(l.describe()), maxAsked)
		sleep(2)
		equal(t, "whether there is one for the others", slices.Contains(l.describe(), answer("ff02::1")), true)
	})
}

func TestRedirectOfTheFirstHopIsFollowed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLab(t, Config{}, InterfaceConfig{})
		l.s.AddRoute(Route{Dst: netip.MustParsePrefix("0.0.0.0/0"), Gateway: their4, Interface: l.i.Index()})
		l.receive(advertFrame(1800, "2001:db8:7::/64", 7200, 3600))
		sent := packetTo{dst: far4, src: our4, proto: testProto, payload: "12345678"}.frame()[14:]
		m := string(wire.AppendICMPv4(nil, wire.ICMPv4Redirect, 1, 0x0a000003, sent))
		l.receive(packetTo{dst: our4, src: their4, proto: wire.ProtoICMP, payload: m}.frame())
		equal(t, "IPv4", describePath(l.s.Path(netip.Addr{}, far4, nil)), "10.0.0.1 wall 10.0.0.3")
		l.receive(ndpFrame(addr("fe80::2"), our6, wire.AppendRedirect(nil, addr("fe80::3"), far6)))
		path, err := l.s.Path(netip.Addr{}, far6, nil)
		equal(t, "error", err, nil)
		equal(t, "IPv6", path.next, addr("fe80::3"))
	})
}

func TestGroupsAreReportedJoinedAndLeft(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLab(t, Config{}, InterfaceConfig{})
		mdns := addr("224.0.0.251")
		l.i.Join(mdns)
		l.i.Join(mdns)
		sleep(2)
		report := func(what string) string {
			return "ip4 10.0.0.1 > 224.0.0.22 ttl 1 tos 192 options 4 | igmp report v3 " + what + " 224.0.0.251"
		}
		l.wrote(report("to exclude"), report("to exclude"))
		query := string(wire.AppendIGMP(nil, wire.IGMPQuery, time.Second, mdns))
		l.receive(packetTo{dst: mdns, src: their4, proto: wire.ProtoIGMP, payload: query, ttl: 1, mac: wire.MulticastMAC(mdns)}.frame())
		sleep(2)
		l.wrote("ip4 10.0.0.1 > 224.0.0.251 ttl 1 tos 192 options 4 | igmp report v2 224.0.0.251")
		l.i.Leave(mdns)
		l.wrote()
		l.i.Leave(mdns)
		sleep(2)
		leave := "ip4 10.0.0.1 > 224.0.0.2 ttl 1 tos 192 options 4 | igmp leave 224.0.0.251"
		l.wrote(leave, leave)
		equal(t, "heard", l.i.hears(mdns), false)
	})
}

func TestGroupMessagesFromAfarAreDropped(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLab(t, Config{}, InterfaceConfig{})
		query := string(wire.AppendIGMP(nil, wire.IGMPQuery, time.Second, netip.IPv4Unspecified()))
		l.dropped("IGMP", DropGroupMessage, func() {
			l.receive(packetTo{dst: allSystems, src: their4, proto: wire.ProtoIGMP, payload: query, ttl: 2, mac: wire.MulticastMAC(allSystems)}.frame())
		})
		m := wire.AppendMLD(nil, wire.ICMPv6MLDQuery, time.Second, netip.IPv6Unspecified())
		l.dropped("MLD", DropGroupMessage, func() { l.receive(icmp6Frame(their6, allNodes, 1, m)) })
	})
}

func TestTooManyGroupsAreRefused(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLab(t, Config{}, InterfaceConfig{})
		var err error
		for k := range maxGroups + 1 {
			err = l.i.Join(netip.AddrFrom4([4]byte{239, 1, byte(k >> 8), byte(k)}))
		}
		equal(t, "error", err, error(DropGroupLimit))
	})
}
