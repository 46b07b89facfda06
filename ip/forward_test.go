package ip

import (
	"net/netip"
	"strings"
	"testing"

	"landline/wire"
)

// newRouter is a lab that forwards, with a second interface on a wall of its own to the network
// 192.0.2.0/24 and 2001:db8:9::/64.
func newRouter(t *testing.T, mtu int) (l *lab, far *wall) {
	l = newLab(t, Config{Forwarding: true}, InterfaceConfig{})
	far = newWall()
	far.info.Name, far.info.MTU = "far", mtu
	i, err := l.s.Attach(far, InterfaceConfig{Probes: -1, Addresses: []netip.Prefix{
		netip.MustParsePrefix("192.0.2.1/24"), netip.MustParsePrefix("2001:db8:9::1/64"),
	}})
	if err != nil {
		t.Fatal(err)
	}
	sleep(30)
	l.knows(their4, their6)
	near := l.i
	l.i = i
	l.knows(far4, far6)
	l.i = near
	far.take()
	return l, far
}

func TestRouterSendsOn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l, far := newRouter(t, 1500)
		l.receive(packetTo{dst: far4, src: their4, proto: testProto, payload: "four"}.frame())
		equal(t, "IPv4", lines(far), "ip4 10.0.0.2 > 192.0.2.9 ttl 63 | proto 253 len 4")
		l.receive(packetTo{dst: far6, src: their6, proto: testProto, payload: "six"}.frame())
		equal(t, "IPv6", lines(far), "ip6 2001:db8::2 > 2001:db8:9::9 hop 63 | proto 253 len 3")
		equal(t, "counted", l.s.Stats().Forwarded, 2)
		l.received()
	})
}

func TestRouterSaysWhatItCannotDo(t *testing.T) {
	long := strings.Repeat("x", 1400)
	for _, c := range []struct {
		what string
		packetTo
		drop Drop
		far  string
		near []string
	}{
		{"no hop left", packetTo{dst: far4, src: their4, proto: testProto, payload: "12345678", ttl: 1}, DropTTL, "",
			[]string{"ip4 10.0.0.1 > 10.0.0.2 ttl 64 | icmp time exceeded ttl about 10.0.0.2 > 192.0.2.9 proto 253"}},
		{"no hop left", packetTo{dst: far6, src: their6, proto: testProto, payload: "12345678", ttl: 1}, DropTTL, "",
			[]string{"ip6 2001:db8::1 > 2001:db8::2 hop 64 | icmp6 time exceeded hop limit about 2001:db8::2 > 2001:db8:9::9 proto 253"}},
		{"no route", packetTo{dst: addr("198.51.100.1"), src: their4, proto: testProto, payload: "12345678"}, DropNoRoute, "",
			[]string{"ip4 10.0.0.1 > 10.0.0.2 ttl 64 | icmp unreachable net about 10.0.0.2 > 198.51.100.1 proto 253"}},
		{"too long, and not to be cut", packetTo{dst: far4, src: their4, proto: testProto, payload: long, df: true}, DropTooBig, "",
			[]string{"ip4 10.0.0.1 > 10.0.0.2 ttl 64 | icmp unreachable fragmentation needed mtu 1300 about 10.0.0.2 > 192.0.2.9 proto 253"}},
		{"too long", packetTo{dst: far6, src: their6, proto: testProto, payload: long}, DropTooBig, "",
			[]string{"ip6 2001:db8::1 > 2001:db8::2 hop 64 | icmp6 too big mtu 1300 about 2001:db8::2 > 2001:db8:9::9 proto 253"}},
		{"too long, but to be cut", packetTo{dst: far4, src: their4, proto: testProto, payload: long}, 0,
			"ip4 10.0.0.2 > 192.0.2.9 ttl 63 frag 0 more | proto 253 fragment len 1280\n" +
				"ip4 10.0.0.2 > 192.0.2.9 ttl 63 frag 1280 | proto 253 fragment len 120", nil},
		{"a broadcast of the other network", packetTo{dst: addr("192.0.2.255"), src: their4, proto: testProto}, DropNotForUs, "", nil},
		{"a group", packetTo{dst: addr("239.1.1.1"), src: their4, proto: testProto, mac: wire.Broadcast}, DropNoGroup, "", nil},
		{"from a link-local address", packetTo{dst: far6, src: addr("fe80::2"), proto: testProto}, DropNotForUs, "", nil},
		{"in a broadcast frame", packetTo{dst: far4, src: their4, proto: testProto, mac: wire.Broadcast}, DropNotForUs, "", nil},
	} {
		bubble(t, func(t *testing.T) {
			l, far := newRouter(t, 1300)
			l.dropped(c.what, c.drop, func() { l.receive(c.frame()) })
			l.wrote(c.near...)
			equal(t, c.what, lines(far), c.far)
		})
	}
}

// A router that speaks for other machines is a hop on the way to them all the same.
func TestWhatIsTakenForOthersNeedsAHopMore(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l, far := newRouter(t, 1500)
		l.s.TakeForeign(testProto, true)
		for _, c := range []struct {
			packetTo
			near string
		}{
			{packetTo{dst: far4, src: their4, proto: testProto, payload: "12345678", ttl: 1},
				"ip4 10.0.0.1 > 10.0.0.2 ttl 64 | icmp time exceeded ttl about 10.0.0.2 > 192.0.2.9 proto 253"},
			{packetTo{dst: far6, src: their6, proto: testProto, payload: "12345678", ttl: 1},
				"ip6 2001:db8::1 > 2001:db8::2 hop 64 | icmp6 time exceeded hop limit about 2001:db8::2 > 2001:db8:9::9 proto 253"},
		} {
			l.receive(c.frame())
			l.wrote(c.near)
			l.received()
			c.ttl = 2
			l.receive(c.frame())
			l.wrote()
			l.received(c.src.String() + " > " + c.dst.String() + ": 12345678")
		}
		equal(t, "far", lines(far), "")
		equal(t, "drops", l.s.Stats().Drops[DropTTL], 2)
	})
}

// That nobody is at a port is for the machine to say whose port it is; that there is no way to it, for a router.
func TestErrorsAboutOthersComeFromWhoKnows(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l, _ := newRouter(t, 1500)
		udp := wire.AppendUDP(nil, 7, 9, 0)
		p4, p6 := Quoted(their4, far4, wire.ProtoUDP, udp, 0), Quoted(their6, far6, wire.ProtoUDP, udp, 0)
		l.s.PortUnreachable(p4)
		l.s.HostUnreachable(p4)
		l.s.PortUnreachable(p6)
		l.s.HostUnreachable(p6)
		l.wrote(
			"ip4 192.0.2.9 > 10.0.0.2 ttl 64 | icmp unreachable port about 10.0.0.2 > 192.0.2.9 udp 7 > 9",
			"ip4 10.0.0.1 > 10.0.0.2 ttl 64 | icmp unreachable host about 10.0.0.2 > 192.0.2.9 udp 7 > 9",
			"ip6 2001:db8:9::9 > 2001:db8::2 hop 64 | icmp6 unreachable port about 2001:db8::2 > 2001:db8:9::9 udp 7 > 9",
			"ip6 2001:db8::1 > 2001:db8::2 hop 64 | icmp6 unreachable address about 2001:db8::2 > 2001:db8:9::9 udp 7 > 9",
		)
	})
}

func TestHostDoesNotForward(t *testing.T) {
	bubble(t, func(t *testing.T) {
		l := newLab(t, Config{}, InterfaceConfig{})
		l.dropped("a packet for another", DropNotForUs, func() {
			l.receive(packetTo{dst: far4, src: their4, proto: testProto}.frame())
		})
		l.wrote()
	})
}

func lines(w *wall) string { return strings.Join(w.describe(), "\n") }
