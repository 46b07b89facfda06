package lan_test

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"landline"
	"landline/dhcp"
	"landline/lan"
	"landline/link"
	"landline/wire"
)

// udp4 and udp6 make packets with datagrams of 8 bytes.
func udp4(src string, from, to uint16, data []byte) []byte {
	h := &wire.IPv4Header{TTL: 1, Protocol: wire.ProtoUDP, Src: netip.MustParseAddr(src), Dst: netip.MustParseAddr("255.255.255.255")}
	b := wire.AppendIPv4(nil, h, wire.UDPLen+len(data))
	return append(wire.AppendUDP(b, from, to, len(data)), data...)
}

func udp6(from, to uint16) []byte {
	return ipv6("fe80::9", wire.ProtoUDP, append(wire.AppendUDP(nil, from, to, 8), make([]byte, 8)...))
}

func solicit(target string) []byte {
	return wire.AppendNeighborSolicit(nil, netip.MustParseAddr(target))
}

// What only a gateway may say is dropped at all ports but its own, and counted by its name, however it is wrapped up.
func TestRoguesAreDropped(t *testing.T) {
	router := wire.AppendRouterAdvert(nil, &wire.RouterAdvertHeader{Lifetime: 1800})
	hop := append([]byte{byte(wire.ProtoICMPv6), 0, 1, 4, 0, 0, 0, 0}, router...)
	first := append(wire.AppendIPv6Fragment(nil, wire.ProtoICMPv6, 0, true, 7), router[:8]...)
	later := append(wire.AppendIPv6Fragment(nil, wire.ProtoICMPv6, 8, false, 7), router[:8]...)
	endless := []byte{byte(wire.ProtoDestination), 200, 1, 4, 0, 0, 0, 0}
	redirect := wire.AppendRedirect(nil, netip.MustParseAddr("fe80::9"), netip.MustParseAddr("2001:db8::7"))
	const dhcps, ra = "rogue DHCP", "rogue RA"
	for _, c := range []struct {
		what   string
		t      wire.EtherType
		packet []byte
		want   string
	}{
		{"an offer", wire.TypeIPv4, udp4("10.77.0.9", 67, 68, make([]byte, 300)), dhcps},
		{"an offer from a strange port", wire.TypeIPv4, udp4("10.77.0.9", 999, 68, make([]byte, 300)), dhcps},
		{"a question", wire.TypeIPv4, udp4("0.0.0.0", 68, 67, make([]byte, 300)), ""},
		{"DHCPv6", wire.TypeIPv6, udp6(547, 546), dhcps},
		{"a question of DHCPv6", wire.TypeIPv6, udp6(546, 547), ""},
		{"a router", wire.TypeIPv6, ipv6("fe80::9", wire.ProtoICMPv6, router), ra},
		{"a router behind another header", wire.TypeIPv6, ipv6("fe80::9", wire.ProtoHopByHop, hop), ra},
		{"the beginning of a router", wire.TypeIPv6, ipv6("fe80::9", wire.ProtoFragment, first), ra},
		{"the rest of something", wire.TypeIPv6, ipv6("fe80::9", wire.ProtoFragment, later), ""},
		{"headers without end", wire.TypeIPv6, ipv6("fe80::9", wire.ProtoDestination, endless), ra},
		{"a redirect", wire.TypeIPv6, ipv6("fe80::9", wire.ProtoICMPv6, redirect), ra},
		{"a neighbor", wire.TypeIPv6, ipv6("fe80::9", wire.ProtoICMPv6, advert("fe80::9")), ""},
		{"the gateway's ARP", wire.TypeARP, arp(wire.MAC{2, 9}, "10.77.0.1"), "source ip"},
		{"the gateway as a neighbor", wire.TypeIPv6, ipv6("fe80::9", wire.ProtoICMPv6, advert("fd77::1")), "source ip"},
	} {
		for tags := range 3 {
			synctest.Test(t, func(t *testing.T) {
				s := newSite(t, lan.GatewayConfig{Addresses: addrs("10.77.0.1/24", "fd77::1/64")})
				bad, port := join(t, s.lan, lan.PortConfig{})
				good, _ := join(t, s.lan, lan.PortConfig{})
				time.Sleep(time.Minute)
				good.numbers()
				bad.send(tag(ethernet(bad.mac, c.t, c.packet), tags))
				dropped := map[string]uint64{}
				if c.want != "" {
					dropped[c.want] = 1
				}
				drops(t, port, dropped)
				if heard := len(good.heard); heard == 1 != (c.want == "") {
					t.Errorf("%s, with %d tags: %d frames arrived", c.what, tags, heard)
				}
				if e := s.told(lan.KindAddress); len(e) == 1 != (c.want == "source ip") {
					t.Errorf("%s: %+v", c.what, e)
				}
			})
		}
	}
}

// With a gateway that guards nothing, a switch is only a switch.
func TestOnlyGatewaysMakeRogues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, lan.GatewayConfig{})
		s.gateway.Close()
		m, _ := join(t, s.lan, lan.PortConfig{})
		other, _ := join(t, s.lan, lan.PortConfig{})
		m.send(ethernet(m.mac, wire.TypeIPv4, udp4("10.77.0.9", 67, 68, make([]byte, 300))))
		if len(other.heard) != 1 {
			t.Errorf("%d frames arrived", len(other.heard))
		}
		port, err := s.lan.NewPort(lan.PortConfig{})
		if err != nil {
			t.Fatal(err)
		}
		if g, err := lan.NewGateway(port, lan.GatewayConfig{Switch: newSwitch(t, lan.Config{})}); err == nil {
			g.Close()
			t.Error("a gateway guards a switch that it is not at")
		}
	})
}

// An address that two machines say they have is reported, whether by a lease one of them is in the right or not.
func TestAddressesOfTwoMachinesAreReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, lan.GatewayConfig{})
		a := own(s.guest("shed", 1), "dhcp").String()
		m, _ := join(t, s.lan, lan.PortConfig{})
		n, _ := join(t, s.lan, lan.PortConfig{})
		says := func(m *machine, ip string) { m.send(ethernet(m.mac, wire.TypeARP, arp(m.mac, ip))) }
		claims := func(m *machine, ip string) {
			m.send(ethernet(m.mac, wire.TypeIPv6, ipv6("fe80::9", wire.ProtoICMPv6, advert(ip))))
		}
		told := 0
		for _, c := range []struct {
			what string
			do   func()
			want string // the address that is told of
		}{
			{"one machine", func() { says(m, "10.77.0.99"); says(m, "10.77.0.99") }, ""},
			{"an address that moves", func() { says(n, "10.77.0.99") }, ""},
			{"an address that moves back", func() { says(m, "10.77.0.99") }, "10.77.0.99"},
			{"that goes on", func() { says(n, "10.77.0.99"); says(m, "10.77.0.99") }, ""},
			{"that goes on for long", func() { time.Sleep(20 * time.Second); says(n, "10.77.0.99"); says(m, "10.77.0.99") }, "10.77.0.99"},
			{"a leased one", func() { says(m, a) }, a},
			{"IPv6", func() { claims(m, "fe80::99"); claims(n, "fe80::99"); claims(m, "fe80::99") }, "fe80::99"},
			{"who only asks", func() { says(m, "0.0.0.0"); says(n, "0.0.0.0"); says(m, "0.0.0.0") }, ""},
		} {
			c.do()
			e := s.told(lan.KindAddress)[told:]
			told += len(e)
			switch {
			case c.want == "" && len(e) == 0:
			case len(e) != 1 || e[0].Src.Addr().String() != c.want || e[0].Verdict != lan.Allowed || !errors.Is(e[0].Err, lan.ErrDuplicate):
				t.Errorf("%s: %+v", c.what, e)
			}
		}
	})
}

// What is known of addresses is bounded, and goes with its port.
func TestHoldersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, lan.GatewayConfig{})
		m, port := join(t, s.lan, lan.PortConfig{Flood: -1})
		n, _ := join(t, s.lan, lan.PortConfig{Flood: -1})
		for k := range 2000 {
			m.send(ethernet(m.mac, wire.TypeARP, arp(m.mac, netip.AddrFrom4([4]byte{10, 78, byte(k >> 8), byte(k)}).String())))
		}
		if got := lan.Holders(s.lan); got != 1024 {
			t.Errorf("%d", got)
		}
		port.Close()
		if got := lan.Holders(s.lan); got != 0 {
			t.Errorf("%d when it is gone", got)
		}
		n.send(ethernet(n.mac, wire.TypeARP, arp(n.mac, "10.77.0.99")))
		if got := lan.Holders(s.lan); got != 1 {
			t.Errorf("%d", got)
		}
	})
}

// A port that has had as many addresses as it may gets new ones for those that nobody has used for long. Those in use stay, and so
// does a machine's that sleeps at a port with room.
func TestAddressesOfLongAgoAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, lan.GatewayConfig{CheckSources: true, Addresses: addrs("10.77.0.1/24", "fd77::1/64")})
		m, port := join(t, s.lan, lan.PortConfig{Flood: -1})
		n, other := join(t, s.lan, lan.PortConfig{Flood: -1})
		dropped := func(who *machine, p *lan.Port, k int) bool {
			a := netip.AddrFrom16([16]byte{0: 0xfd, 1: 0x77, 13: 1, 14: byte(k >> 8), 15: byte(k)}).String()
			before := p.Stats().Drops.Total()
			who.send(ethernet(who.mac, wire.TypeIPv6, ipv6(a, wire.ProtoICMPv6, advert(a))))
			return p.Stats().Drops.Total() > before
		}
		wants := func(what string, got, want bool) {
			t.Helper()
			if got != want {
				t.Errorf("%s is dropped: %t", what, got)
			}
		}
		for k := range 1024 {
			wants("one of the first", dropped(m, port, k), false)
		}
		const more, sleeper = 2000, 3000
		wants("another's", dropped(n, other, sleeper), false)
		wants("one too many", dropped(m, port, more), true)
		wants("one that is used", dropped(m, port, 7), false)
		time.Sleep(4 * time.Minute)
		wants("one too many, soon", dropped(m, port, more), true)
		time.Sleep(2 * time.Minute)
		wants("a new one, later", dropped(m, port, more), false)
		wants("one that is another's in use", dropped(n, other, 7), true)
		wants("one of long ago", dropped(n, other, 8), false)
		wants("one of a machine that sleeps", dropped(m, port, sleeper), true)
	})
}

// Two machines that go on changing many addresses fill no log: of most nothing is said, and of the others seldom.
func TestReportsOfAddressesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, lan.GatewayConfig{})
		m, _ := join(t, s.lan, lan.PortConfig{Flood: -1})
		n, _ := join(t, s.lan, lan.PortConfig{Flood: -1})
		flip := func() int {
			for k := range 300 {
				for _, who := range []*machine{m, n, m} {
					who.send(ethernet(who.mac, wire.TypeARP, arp(who.mac, netip.AddrFrom4([4]byte{10, 78, byte(k >> 8), byte(k)}).String())))
				}
			}
			return len(s.told(lan.KindAddress))
		}
		for _, want := range []int{128, 128, 256} {
			if got := flip(); got != want {
				t.Errorf("%d reports, want %d", got, want)
			}
			if want == 128 {
				time.Sleep(6 * time.Second) // and then again, more than 10 after the first ones
			}
		}
	})
}

// Machines that go by the rules notice nothing of a gateway that checks them, and those that do not get nowhere: two guests
// talk by IPv4 and IPv6, and a third one tries to be one of them.
func TestMachinesHaveOnlyTheirOwnAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, lan.GatewayConfig{CheckSources: true, Addresses: addrs("10.77.0.1/24", "fd77::1/64")})
		a, b := s.guest("shed", 1), s.guest("desk", 2)
		time.Sleep(10 * time.Second)
		a4, a6 := own(a, "dhcp").String(), own(a, "slaac").String()
		mac := s.gateway.Leases()[0].MAC
		m, port := join(t, s.lan, lan.PortConfig{Flood: -1})
		n, _ := join(t, s.lan, lan.PortConfig{})
		discover := func(chaddr wire.MAC, kind dhcp.Type, uses string, id []byte) []byte {
			h := &dhcp.Header{Op: dhcp.OpRequest, XID: 7, CHAddr: chaddr, CIAddr: netip.MustParseAddr(uses)}
			d := dhcp.AppendType(dhcp.AppendHeader(nil, h), kind)
			d = dhcp.AppendAddrs(d, dhcp.OptServerID, netip.MustParseAddr("10.77.0.1"))
			if id != nil {
				d = dhcp.AppendOption(d, dhcp.OptClientID, id)
			}
			return udp4("0.0.0.0", 68, 67, append(d, 255))
		}
		l, err := a.Listen(t.Context(), "tcp", ":80")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go func() { io.Copy(c, c); c.Close() }()
			}
		}()
		for _, c := range []struct {
			what   string
			mac    wire.MAC
			t      wire.EtherType
			packet []byte
			want   string
		}{
			{"its address", m.mac, wire.TypeIPv4, ipv4(a4), "source ip"},
			{"a free address", m.mac, wire.TypeIPv4, ipv4("10.77.0.99"), "source ip"},
			{"its hardware address", mac, wire.TypeIPv4, ipv4("0.0.0.0"), "foreign source"},
			{"both", mac, wire.TypeIPv4, ipv4(a4), "source ip"},
			{"ARP", m.mac, wire.TypeARP, arp(m.mac, a4), "source ip"},
			{"ARP of another", m.mac, wire.TypeARP, arp(mac, a4), "source mac"},
			{"IPv6", m.mac, wire.TypeIPv6, ipv6(a6, wire.ProtoUDP, nil), "source ip"},
			{"a neighbor", m.mac, wire.TypeIPv6, ipv6("fe80::9", wire.ProtoICMPv6, advert(a6)), "source ip"},
			{"another network", m.mac, wire.TypeIPv6, ipv6("2001:db8::9", wire.ProtoUDP, nil), "source ip"},
			{"DHCP", m.mac, wire.TypeIPv4, discover(mac, dhcp.Release, a4, nil), "source mac"},
			{"something cut off", m.mac, wire.TypeIPv4, ipv4(a4)[:10], "source ip"},
			{"its own link-local address", m.mac, wire.TypeIPv6, ipv6("fe80::9", wire.ProtoUDP, nil), ""},
			{"one that another will make for itself", m.mac, wire.TypeIPv6, ipv6(madeOf(n.mac), wire.ProtoUDP, nil), "source ip"},
			{"one that it makes for itself", m.mac, wire.TypeIPv6, ipv6(madeOf(m.mac), wire.ProtoUDP, nil), ""},
			{"no address", m.mac, wire.TypeIPv4, ipv4("0.0.0.0"), ""},
			{"a question whether an address is free", m.mac, wire.TypeIPv6, ipv6("::", wire.ProtoICMPv6, solicit(a6)), ""},
		} {
			before := port.Stats().Drops
			f := ethernet(c.mac, c.t, c.packet)
			m.send(f)
			after := port.Stats().Drops
			for d := range after {
				after[d] -= before[d]
			}
			if got := after.Map(); c.want == "" && len(got) > 0 || c.want != "" && got[c.want] != 1 {
				t.Errorf("%s: dropped %v, want %q", c.what, got, c.want)
			}
		}
		// By its identifier the thief is the same client: it gets nothing, and takes nothing away.
		for _, kind := range []dhcp.Type{dhcp.Request, dhcp.Release, dhcp.Decline} {
			m.send(ethernet(m.mac, wire.TypeIPv4, discover(m.mac, kind, a4, clientID(s.gateway, a4))))
			synctest.Wait()
		}
		if got := s.gateway.Leases(); len(got) != 2 || got[0].MAC != mac {
			t.Errorf("%+v", got)
		}
		for _, addr := range []string{a4, a6} {
			if err := echo(t, b, netip.AddrPortFrom(netip.MustParseAddr(addr), 80).String()); err != nil {
				t.Errorf("%s: %v", addr, err)
			}
		}
		if e := s.told(lan.KindAddress); len(e) == 0 || e[0].Verdict != lan.Refused || e[0].MAC != m.mac {
			t.Errorf("%+v", e)
		}
	})
}

// madeOf returns the link-local address that is made of a hardware address (RFC 4291, Appendix A).
func madeOf(m wire.MAC) string {
	return netip.AddrFrom16([16]byte{0xfe, 0x80, 8: m[0] ^ 2, m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]}).String()
}

// clientID returns the identifier of a client.
func clientID(g *lan.Gateway, a string) []byte {
	for _, b := range g.Leases() {
		if b.Addr.String() == a {
			return b.ClientID
		}
	}
	return nil
}

// echo sends something to a service that sends it back.
func echo(t *testing.T, h *landline.Host, to string) error {
	c, err := h.DialContext(t.Context(), "tcp", to)
	if err != nil {
		return err
	}
	defer c.Close()
	c.Write([]byte("hello"))
	_, err = io.ReadFull(c, make([]byte, 5))
	return err
}

// A lease is where its machine is: also after the gateway was started again, when the machine does not ask anew, and when the
// machine was plugged in elsewhere. An address that is kept for a machine need not be asked for.
func TestLeasesAreWhereTheirMachinesAre(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fixed := wire.MAC{2, 0, 0, 0, 0, 5}
		cfg := lan.GatewayConfig{CheckSources: true, State: t.TempDir(), Static: []dhcp.Static{{MAC: fixed, Addr: netip.MustParseAddr("10.77.0.5")}}}
		s := newSite(t, cfg)
		near, far := link.NewCable(link.CableConfig{})
		port, err := s.lan.Plug(near, lan.PortConfig{})
		if err != nil {
			t.Fatal(err)
		}
		a := s.host(far, landline.Config{DHCP: true, Hostname: "shed", Seed: 1})
		if err := a.WaitReady(t.Context()); err != nil {
			t.Fatal(err)
		}
		pings := func(h *landline.Host, want bool) {
			t.Helper()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if _, err := h.Ping(ctx, "10.77.0.1", landline.PingConfig{}); err == nil != want {
				t.Errorf("%v", err)
			}
		}
		pings(a, true)
		s.gateway.Close()
		cfg.DialContext, cfg.ResolvConf = s.near.DialContext, s.resolv
		s.gateway = s.start(cfg)
		pings(a, true)

		static, err := s.lan.NewPort(lan.PortConfig{MAC: fixed})
		if err != nil {
			t.Fatal(err)
		}
		pings(s.host(static, landline.Config{Addresses: addrs("10.77.0.5/24"), Probes: -1, Seed: 5}), true)
		other, err := s.lan.NewPort(lan.PortConfig{})
		if err != nil {
			t.Fatal(err)
		}
		pings(s.host(other, landline.Config{Addresses: addrs("10.77.0.6/24"), Probes: -1, Seed: 6}), false)
		named, err := s.lan.NewPort(lan.PortConfig{Sources: &lan.Sources{Prefixes: addrs("10.77.0.7/32", "fe80::/10")}})
		if err != nil {
			t.Fatal(err)
		}
		pings(s.host(named, landline.Config{Addresses: addrs("10.77.0.7/24"), Probes: -1, Seed: 7}), true)

		// The machine's cable goes to another port.
		mac := far.Info().MAC
		port.Close()
		moved, err := s.lan.NewPort(lan.PortConfig{MAC: mac})
		if err != nil {
			t.Fatal(err)
		}
		h := s.host(moved, landline.Config{Addresses: []netip.Prefix{netip.PrefixFrom(own(a, "dhcp"), 24)}, Probes: -1, Seed: 8})
		pings(h, true)
	})
}
