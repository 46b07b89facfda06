package lan_test

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"landline/dhcp"
	"landline/lan"
	"landline/link"
	"landline/wire"
)

// A crowd is many clients of DHCP at one port.
type crowd struct {
	*testing.T
	m     *machine
	given map[int]netip.Addr
	asks  string // the options that clients ask for
}

func newCrowd(t *testing.T, s *site) *crowd {
	m, _ := join(t, s.lan, lan.PortConfig{Addresses: 1 << 16, Flood: -1})
	return &crowd{t, m, map[int]netip.Addr{}, "\x03\x06"}
}

// clientMAC is the hardware address of a client.
func clientMAC(k int) wire.MAC { return wire.MAC{2, 0xaa, 0, byte(k >> 16), byte(k >> 8), byte(k)} }

// ask sends a message of a client and returns the answer, or nil.
func (c *crowd) ask(k int, kind dhcp.Type, name string, wanted netip.Addr) dhcp.Message {
	c.Helper()
	c.m.numbers()
	b := dhcp.AppendHeader(nil, &dhcp.Header{Op: dhcp.OpRequest, XID: uint32(k), CHAddr: clientMAC(k)})
	b = dhcp.AppendOption(dhcp.AppendType(b, kind), dhcp.OptHostName, name)
	if kind == dhcp.Release {
		b = dhcp.AppendHeader(nil, &dhcp.Header{Op: dhcp.OpRequest, XID: uint32(k), CHAddr: clientMAC(k), CIAddr: wanted})
		b = dhcp.AppendAddrs(dhcp.AppendType(b, kind), dhcp.OptServerID, netip.MustParseAddr("10.77.0.1"))
	} else if wanted.IsValid() {
		b = dhcp.AppendAddrs(b, dhcp.OptRequestedAddr, wanted)
	}
	b = dhcp.AppendOption(b, dhcp.OptParameters, c.asks)
	f := link.Frame{Head: wire.AppendEthernet(nil, wire.Broadcast, clientMAC(k), wire.TypeIPv4)}
	f.Head = append(f.Head, udp4("0.0.0.0", 68, 67, append(b, 255))...)
	c.m.send(f)
	synctest.Wait()
	for _, f := range c.m.heard {
		e, _ := wire.ParseEthernet(f.Head)
		h, err := wire.ParseIPv4(e.Payload())
		if err != nil || h.Protocol() != wire.ProtoUDP {
			continue
		}
		if u, err := wire.ParseUDP(h.Payload()); err == nil && u.DstPort() == 68 {
			m, err := dhcp.ParseMessage(u.Payload())
			if err != nil || m.XID() != uint32(k) {
				c.Fatalf("client %d: %v", k, err)
			}
			return m
		}
	}
	return nil
}

// take makes a client take an address.
func (c *crowd) take(k int, name string) netip.Addr {
	c.Helper()
	offer := c.ask(k, dhcp.Discover, name, netip.Addr{})
	if offer.Type() != dhcp.Offer {
		c.Fatalf("client %d: %v", k, offer)
	}
	ack := c.ask(k, dhcp.Request, name, offer.YIAddr())
	if ack.Type() != dhcp.ACK {
		c.Fatalf("client %d: %v", k, ack)
	}
	c.given[k] = ack.YIAddr()
	return ack.YIAddr()
}

// killed returns a folder with what a gateway that is killed leaves behind.
func killed(t *testing.T, state string) string {
	t.Helper()
	kept, err := os.ReadFile(filepath.Join(state, "leases"))
	if err != nil {
		t.Fatal(err)
	}
	after := t.TempDir()
	if err := os.WriteFile(filepath.Join(after, "leases"), append(kept, "lease 10.77.0.9 cut"...), 0o600); err != nil {
		t.Fatal(err)
	}
	return after
}

// A machine that asks for leases without end keeps nobody else from getting one, and can ask again when it has become calm.
func TestFloodsOfQuestionsForLeasesAreCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSite(t, lan.GatewayConfig{})
		m, port := join(t, s.lan, lan.PortConfig{})
		c := &crowd{t, m, nil, "\x03\x06"}
		answers := 0
		for k := range 200 {
			if c.ask(k, dhcp.Discover, "", netip.Addr{}) != nil {
				answers++
			}
		}
		if answers != 50 {
			t.Errorf("%d answers to 200 questions", answers)
		}
		drops(t, port, map[string]uint64{"DHCP storm": 150})
		if a := own(s.guest("shed", 1), "dhcp"); !a.IsValid() {
			t.Error("another machine has no lease")
		}
		time.Sleep(time.Second)
		if c.ask(7, dhcp.Discover, "", netip.Addr{}) == nil {
			t.Error("no answer later")
		}
	})
}

// Ten thousand machines have an address and a name each that no other has, before and after the gateway was
// killed, and an address that was given back is given to another only when there is no new one.
func TestTenThousandLeases(t *testing.T) {
	const many = 10_000
	if _, err := os.Stat("/dev/shm"); err == nil {
		t.Setenv("TMPDIR", "/dev/shm") // every lease is synced, which takes a disk its time
	}
	synctest.Test(t, func(t *testing.T) {
		cfg := lan.GatewayConfig{Addresses: addrs("10.77.0.1/16"), State: t.TempDir()}
		s := newSite(t, cfg)
		c := newCrowd(t, s)
		for k := range many {
			c.take(k, fmt.Sprint("vm-", k/4, "x")) // four of each name
		}
		check := func() {
			t.Helper()
			leases := s.gateway.Leases()
			addrs, names := map[netip.Addr]wire.MAC{}, map[string]bool{}
			for _, b := range leases {
				addrs[b.Addr], names[b.Name] = b.MAC, true
			}
			if len(leases) != many || len(addrs) != many || len(names) != many {
				t.Fatalf("%d leases, of %d addresses and %d names", len(leases), len(addrs), len(names))
			}
			for k, a := range c.given {
				if addrs[a] != clientMAC(k) {
					t.Fatalf("client %d has %v, and that is leased to %v", k, a, addrs[a])
				}
			}
		}
		check()
		cfg.State = killed(t, cfg.State)
		before := s.gateway.Leases()
		s.gateway.Close()
		cfg.DialContext, cfg.ResolvConf = s.near.DialContext, s.resolv
		s.gateway = s.start(cfg)
		check()
		for i, b := range s.gateway.Leases() {
			if b.Name != before[i].Name || b.Addr != before[i].Addr {
				t.Fatalf("%+v, and before %+v", b, before[i])
			}
		}

		back := c.given[7]
		if m := c.ask(7, dhcp.Release, "", back); m != nil {
			t.Errorf("%v", m)
		}
		delete(c.given, 7)
		had := map[netip.Addr]bool{back: true}
		for _, a := range c.given {
			had[a] = true
		}
		if a := c.take(many, "new"); had[a] {
			t.Errorf("%v is given again, and there are new ones", a)
		}
		check()
		if a := c.take(7, "old"); a != back {
			t.Errorf("who comes back has %v, and had %v", a, back)
		}
	})
}

// All that a machine asks for is told, in the way that clients expect.
func TestGatewayTellsWhatMachinesAskFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		static := netip.MustParseAddr("10.77.0.77")
		route := dhcp.Route{Dst: netip.MustParsePrefix("10.99.0.0/16"), Via: netip.MustParseAddr("10.77.0.9")}
		s := newSite(t, lan.GatewayConfig{
			Domain: "home.arpa", LeaseTime: 10 * time.Minute, Routes: []dhcp.Route{route},
			Static: []dhcp.Static{{MAC: clientMAC(9), Addr: static, Name: "nine"}},
		})
		c := newCrowd(t, s)
		gateway := netip.MustParseAddr("10.77.0.1")
		c.asks = "\x01\x03\x06\x0c\x0f\x1a\x77"
		a := c.take(1, "shed")
		m := c.ask(1, dhcp.Request, "shed", a)
		lease, _ := m.LeaseTime()
		search, _ := m.AppendSearch(nil)
		for what, is := range map[string]bool{
			"mask": m.MaskBits() == 24, "router": slices.Equal(m.AppendAddrs(nil, dhcp.OptRouters), []netip.Addr{gateway}),
			"name server": slices.Equal(m.AppendAddrs(nil, dhcp.OptDNS), []netip.Addr{gateway}), "name": m.HostName() == "shed",
			"domain": m.Domain() == "home.arpa", "search list": slices.Equal(search, []string{"home.arpa"}), "mtu": m.MTU() == 1500,
			"lease": lease == 10*time.Minute, "server": m.ServerID() == gateway,
		} {
			if !is {
				t.Errorf("%s: %v", what, m)
			}
		}
		c.asks = "\x03\x79"
		m = c.ask(1, dhcp.Request, "shed", a)
		routes, _ := m.AppendRoutes(nil)
		if want := []dhcp.Route{route, {Dst: netip.MustParsePrefix("0.0.0.0/0"), Via: gateway}}; !slices.Equal(routes, want) {
			t.Errorf("routes are %v", routes)
		}
		if m := c.ask(2, dhcp.Request, "desk", a); m.Type() != dhcp.NAK {
			t.Errorf("an address of another: %v", m)
		}
		if m := c.ask(2, dhcp.Request, "desk", netip.MustParseAddr("10.78.0.5")); m.Type() != dhcp.NAK {
			t.Errorf("an address of another network: %v", m)
		}
		if m := c.ask(1, dhcp.Release, "", a); m != nil || len(s.gateway.Leases()) != 0 {
			t.Errorf("released: %v, %+v", m, s.gateway.Leases())
		}
		if got := c.take(9, "other"); got != static || s.gateway.Leases()[0].Name != "nine" {
			t.Errorf("a static one: %v, %+v", got, s.gateway.Leases())
		}
	})
}

// A machine whose connection was open when the gateway was killed hears that it is over, as soon as it says something to the new
// one.
func TestConnectionsOfAKilledGatewayAreReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := lan.GatewayConfig{State: t.TempDir()}
		s := newSite(t, cfg)
		a := s.guest("shed", 1)
		l, err := s.world.Listen(t.Context(), "tcp", ":80")
		if err != nil {
			t.Fatal(err)
		}
		c, err := a.DialContext(t.Context(), "tcp", worldAddr+":80")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Accept(); err != nil {
			t.Fatal(err)
		}
		had := own(a, "dhcp")
		s.pull() // it says nothing more
		s.gateway.Close()
		cfg.State = killed(t, cfg.State)
		cfg.DialContext, cfg.ResolvConf = s.near.DialContext, s.resolv
		s.gateway = s.start(cfg)
		c.Write([]byte("hello"))
		c.SetDeadline(time.Now().Add(10 * time.Second))
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%v", err)
		}
		if _, err := a.DialContext(t.Context(), "tcp", worldAddr+":80"); err != nil || own(a, "dhcp") != had {
			t.Errorf("%v has %v, and had %v", err, own(a, "dhcp"), had)
		}
	})
}

// pull pulls the cable of the gateway.
func (s *site) pull() {
	for _, p := range s.lan.Ports() {
		if p.Info().Name == "gateway" {
			p.Unplug()
		}
	}
}
