package lan_test

import (
	"context"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"landline"
	"landline/dns"
	"landline/lan"
	"landline/link"
)

// A site is a LAN with a gateway, and a world: a machine at 192.0.2.7 and 2001:db8::7, behind the socket of
// another, which the gateway dials from.
type site struct {
	t       *testing.T
	lan     *lan.Switch
	gateway *lan.Gateway
	world   *landline.Host // where the servers are
	near    *landline.Host // what the computer is
	wire    *link.Impaired // between the two
	resolv  string

	mu     sync.Mutex
	events []lan.Event
}

const worldAddr = "192.0.2.7"

// newSite makes a site. It must be in a bubble.
func newSite(t *testing.T, cfg lan.GatewayConfig) *site {
	t.Helper()
	s := &site{t: t, lan: newSwitch(t, lan.Config{Seed: 5})}
	a, b := link.NewCable(link.CableConfig{Seed: 1})
	s.wire = link.Impair(a, link.Impairment{}, link.Impairment{})
	s.near = s.host(s.wire, landline.Config{Addresses: addrs("192.0.2.1/24", "2001:db8::1/64"), Probes: -1, Seed: 11,
		Gateways: []netip.Addr{netip.MustParseAddr("192.0.2.254")}})
	s.world = s.host(b, landline.Config{Addresses: addrs(worldAddr+"/24", "2001:db8::7/64"), Probes: -1, Seed: 12})
	s.resolv = filepath.Join(t.TempDir(), "resolv.conf")
	s.resolvers(worldAddr)
	cfg.ResolvConf = s.resolv
	if cfg.DialContext == nil {
		cfg.DialContext = s.near.DialContext
	}
	s.gateway = s.start(cfg)
	synctest.Wait() // or its first frames come to a port before the machine
	return s
}

// start puts a gateway at the switch.
func (s *site) start(cfg lan.GatewayConfig) *lan.Gateway {
	s.t.Helper()
	port, err := s.lan.NewPort(lan.PortConfig{Name: "gateway"})
	if err != nil {
		s.t.Fatal(err)
	}
	cfg.Seed, cfg.Switch = 13, s.lan
	cfg.Events = func(e lan.Event) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.events = append(s.events, e)
	}
	g, err := lan.NewGateway(port, cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { g.Close() })
	return g
}

// resolvers says which name servers the computer has.
func (s *site) resolvers(servers ...string) {
	text := "# a comment\nnameserver " + strings.Join(servers, "\nnameserver ") + "\n"
	if err := os.WriteFile(s.resolv, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) host(dev link.Device, cfg landline.Config) *landline.Host {
	s.t.Helper()
	h, err := landline.NewHost(dev, cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { h.Close() })
	return h
}

// guest puts a machine at the switch, which takes an address by DHCP.
func (s *site) guest(name string, seed uint64) *landline.Host {
	s.t.Helper()
	port, err := s.lan.NewPort(lan.PortConfig{})
	if err != nil {
		s.t.Fatal(err)
	}
	h := s.host(port, landline.Config{DHCP: true, Hostname: name, Seed: seed})
	if err := h.WaitReady(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	return h
}

// narrow puts a machine at the switch whose network is smaller than the LAN.
func (s *site) narrow() *landline.Host {
	s.t.Helper()
	port, err := s.lan.NewPort(lan.PortConfig{})
	if err != nil {
		s.t.Fatal(err)
	}
	return s.host(port, landline.Config{
		Addresses: addrs("10.77.0.6/29"), Gateways: []netip.Addr{netip.MustParseAddr("10.77.0.1")}, NoIPv6: true, Probes: -1, Seed: 7,
	})
}

// told returns the events of a kind so far.
func (s *site) told(k lan.Kind) (events []lan.Event) {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.events {
		if e.Kind == k {
			events = append(events, e)
		}
	}
	return events
}

// serveWorld answers questions for names by UDP and TCP: by "UDP" the answer is cut if it is long.
func (s *site) serveWorld(answer func(name string, t dns.Type) (dns.RCode, []dns.Record)) {
	reply := func(b []byte) dns.Message {
		m, err := dns.ParseMessage(b)
		if err != nil {
			s.t.Error(err)
		}
		name, t, _ := m.Question()
		code, records := answer(name.String(), t)
		return dns.AppendAnswer(nil, m, code, records...)
	}
	c, err := s.world.ListenUDP("udp", &net.UDPAddr{Port: 53})
	if err != nil {
		s.t.Fatal(err)
	}
	l, err := s.world.Listen(s.t.Context(), "tcp", ":53")
	if err != nil {
		s.t.Fatal(err)
	}
	go func() {
		b := make([]byte, 4096)
		for {
			n, from, err := c.ReadFromUDPAddrPort(b)
			if err != nil {
				return
			}
			a := reply(b[:n])
			forged := append(dns.Message(nil), dns.Truncate(a)...)
			forged.SetID(a.ID() + 1) // somebody guesses
			c.WriteToUDPAddrPort(forged, from)
			if len(a) > 1232 {
				a = dns.Truncate(a)
			}
			c.WriteToUDPAddrPort(a, from)
		}
	}()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			b := make([]byte, 4096)
			n, _ := c.Read(b)
			a := reply(b[2:n])
			c.Write(append([]byte{byte(len(a) >> 8), byte(len(a))}, a...))
			c.Close()
		}
	}()
}

func addrs(list ...string) (all []netip.Prefix) {
	for _, s := range list {
		all = append(all, netip.MustParsePrefix(s))
	}
	return all
}

// own returns the address of a family and an origin that a host has.
func own(h *landline.Host, origin string) netip.Addr {
	for _, a := range h.Addresses() {
		if a.Origin == origin {
			return a.Prefix.Addr()
		}
	}
	return netip.Addr{}
}

func look(ctx context.Context, h *landline.Host, name string) string {
	all, err := h.LookupHost(ctx, name)
	if err != nil {
		return err.Error()
	}
	return strings.Join(all, " ")
}

// look4 is look for the IPv4 address alone: a machine's others are there once the gateway has heard of them.
func look4(ctx context.Context, h *landline.Host, name string) string {
	address, _, _ := strings.Cut(look(ctx, h, name), " fd")
	return address
}
