package lan

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"landline"
	"landline/dhcp"
	"landline/dns"
	"landline/ip"
	"landline/link"
)

// GatewayConfig describes a Gateway. Its zero value is that of 10.77.0.1/24, with the domain lan.
type GatewayConfig struct {
	// Addresses are the gateway's own, each with the length of the network's prefix: one of IPv4, of at most 30
	// bits, and perhaps one of IPv6, of 64. If nil, 10.77.0.1/24.
	Addresses []netip.Prefix
	// Name is what the gateway is called in its domain. If empty, "gateway".
	Name string
	// Domain is that of the machines' names. If empty, "lan".
	Domain string
	// Records are told of names in the domain, beside the addresses of the machines: services and texts, and machines that
	// take no lease. They stand below what comes before the domain: "_http._tcp", or "" for the domain itself. No machine
	// gets a name that has addresses here.
	Records map[string][]dns.Record
	// LeaseTime is how long an address is given for. If zero, an hour.
	LeaseTime time.Duration
	// Static are the machines that always get the same address.
	Static []dhcp.Static
	// Routes are told to the machines, beside the one that leads to everywhere by the gateway: to networks behind machines of
	// the LAN.
	Routes []dhcp.Route
	// State is a folder in which leases are kept; it is made if it is not there. If empty, they are
	// forgotten in the end.
	State string

	// Switch, if it is not nil, is what the gateway is plugged into, and is guarded: what only the gateway may say is dropped
	// at all other ports, which is the answers of DHCP servers, router advertisements, and that somebody has an address of
	// the gateway. Addresses that two machines use are reported. No port gets more than 50 questions in a second to a DHCP server.
	Switch *Switch
	// CheckSources, which wants Switch, lets a machine use no address that is not its own: those that it has
	// a lease of or that are kept for it in Static; of IPv6, those on the LAN that nobody had before it. As long as it has a
	// lease, its hardware address is at one port. A port with PortConfig.Sources goes by those in place of that.
	CheckSources bool

	// Loopback makes the gateway's own address lead to the computer's loopback: what listens at 127.0.0.1 or ::1
	// answers there. If false, nobody does.
	Loopback bool
	// DialContext opens what leads to the world, as net.Dialer does, and which stands for it if this is nil. The
	// networks are "tcp" and "udp", and "ip4:icmp" and "ip6:ipv6-icmp" for pings: what is written to such a
	// connection, and read, are ICMP messages. The address is never a name.
	DialContext func(ctx context.Context, network, address string) (net.Conn, error)
	// Listen and ListenPacket open what Forwards begin at, as net.ListenConfig does, which stands for them if they are nil.
	// What ListenPacket returns must have the methods ReadFromUDPAddrPort and WriteToUDPAddrPort of a net.UDPConn.
	Listen       func(ctx context.Context, network, address string) (net.Listener, error)
	ListenPacket func(ctx context.Context, network, address string) (net.PacketConn, error)
	// ResolvConf is a file that tells of the name servers for all other names. It is read anew for every question. If
	// empty, it is /etc/resolv.conf.
	ResolvConf string
	// MaxFlows bounds how many connections there are, and also how many flows of datagrams and pings together. A machine gets
	// another one as long as it has fewer than are left, so that none takes them all. If zero, 8,192.
	MaxFlows int

	// Allow, if it is not nil, is asked before a lease is given, a name is looked up, a flow begins. An error refuses
	// it. It is called by several goroutines at once and must not wait long.
	Allow func(Ask) error
	// Events, if it is not nil, is told of all that Allow was asked, and of the ends of flows. It is called by several
	// goroutines at once and must not wait long.
	Events func(Event)
	// Seed makes all that is random the same again, for tests. If zero, it is unpredictable.
	Seed uint64
	// Logger is told what an administrator should know. If nil, nobody is.
	Logger *slog.Logger
}

const (
	defaultAddress  = "10.77.0.1/24"
	defaultName     = "gateway"
	defaultDomain   = "lan"
	defaultResolv   = "/etc/resolv.conf"
	defaultMaxFlows = 8192
)

// fill replaces what is zero.
func (c *GatewayConfig) fill() {
	if c.Addresses == nil {
		c.Addresses = []netip.Prefix{netip.MustParsePrefix(defaultAddress)}
	}
	for _, s := range []struct {
		of     *string
		ifZero string
	}{{&c.Name, defaultName}, {&c.Domain, defaultDomain}, {&c.ResolvConf, defaultResolv}} {
		if *s.of == "" {
			*s.of = s.ifZero
		}
	}
	c.Name, c.Domain = strings.ToLower(c.Name), strings.ToLower(c.Domain)
	if c.MaxFlows <= 0 {
		c.MaxFlows = defaultMaxFlows
	}
	if c.DialContext == nil {
		c.DialContext = dialWorld
	}
	if c.Listen == nil {
		c.Listen = new(net.ListenConfig).Listen
	}
	if c.ListenPacket == nil {
		c.ListenPacket = new(net.ListenConfig).ListenPacket
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
}

// takenNames returns the names that no machine can have.
func (c *GatewayConfig) takenNames() []string {
	taken := []string{c.Name}
	for name, records := range c.Records {
		if slices.ContainsFunc(records, func(r dns.Record) bool { return r.Addr.IsValid() }) {
			taken = append(taken, name)
		}
	}
	return taken
}

// addressOf returns the gateway's own address of a family, or the zero Prefix.
func (c *GatewayConfig) addressOf(v4 bool) netip.Prefix {
	for _, p := range c.Addresses {
		if p.Addr().Is4() == v4 {
			return p
		}
	}
	return netip.Prefix{}
}

// A Gateway leads from a LAN to the world. On the LAN it is a machine that gives out addresses and names; toward the world it
// is an ordinary program, which opens ordinary sockets for what the machines ask for. Its methods may be called by several
// goroutines at once.
type Gateway struct {
	cfg    GatewayConfig
	log    *slog.Logger
	dev    link.Device
	guard  *guard // nil if there is none
	host   *landline.Host
	domain dns.Name
	leases *leaser
	names  nameServer
	nat    nat
	end    context.CancelFunc
	busy   sync.WaitGroup // all goroutines of the gateway

	mu       sync.Mutex
	closed   bool
	forwards []*forward
}

// NewGateway makes a gateway at a port of a switch, or what stands before one, and takes it over: it is closed in the end, and
// also if there is an error. The error says what is wrong with the configuration, or with what was found in its State.
func NewGateway(dev link.Device, cfg GatewayConfig) (*Gateway, error) {
	ownSockets := cfg.DialContext == nil
	cfg.fill()
	g := &Gateway{cfg: cfg, log: cfg.Logger, dev: dev}
	if ownSockets && sharesPorts {
		g.nat.maps = newMappings()
	}
	var err error
	if g.domain, err = dns.ParseName(cfg.Domain); err != nil {
		dev.Close()
		return nil, fmt.Errorf("domain %q: %w", cfg.Domain, err)
	}
	if err := g.startGuard(); err != nil {
		dev.Close()
		return nil, err
	}
	if g.leases, err = newLeaser(g); err != nil {
		g.endGuard()
		dev.Close()
		return nil, err
	}
	if err := g.begin(); err != nil {
		g.endGuard()
		return nil, errors.Join(err, g.leases.file.close())
	}
	return g, nil
}

// begin makes the host, and starts what runs.
func (g *Gateway) begin() error {
	h, err := landline.NewHost(nil, landline.Config{Forwarding: true, Hostname: g.cfg.Name, Seed: g.cfg.Seed, Logger: g.cfg.Logger})
	if err != nil {
		return err
	}
	g.host = h
	_, err = h.AddInterface(g.dev, landline.InterfaceConfig{
		Addresses: g.cfg.Addresses, NoIPv6: !g.cfg.addressOf(false).IsValid(), Probes: -1, Advertise: g.advertise(),
	})
	if err != nil {
		return errors.Join(err, h.Close(), g.dev.Close())
	}
	ctx, end := context.WithCancel(context.Background())
	g.end = end
	if err := errors.Join(g.leases.start(), g.startNames(ctx), g.startNAT(ctx)); err != nil {
		g.stop()
		return err
	}
	return nil
}

// advertise returns what hosts of IPv6 are told, or nil.
func (g *Gateway) advertise() *ip.Advertise {
	own := g.cfg.addressOf(false)
	if !own.IsValid() {
		return nil
	}
	return &ip.Advertise{
		Prefixes: []ip.AdvertisedPrefix{{Prefix: own.Masked()}}, MTU: g.dev.Info().MTU,
		DNS: []netip.Addr{own.Addr()}, Search: []string{g.cfg.Domain},
	}
}

// Addresses returns the gateway's own addresses.
func (g *Gateway) Addresses() []netip.Prefix { return slices.Clone(g.cfg.Addresses) }

// Leases returns the leases that are in use, in the order of their addresses.
func (g *Gateway) Leases() []dhcp.Binding { return g.leases.table.all() }

// Host returns the machine that the gateway is on the LAN.
func (g *Gateway) Host() *landline.Host { return g.host }

// Close ends the gateway, with all connections through it. The second time it returns net.ErrClosed.
func (g *Gateway) Close() error {
	g.mu.Lock()
	closed := g.closed
	g.closed = true
	g.mu.Unlock()
	if closed {
		return net.ErrClosed
	}
	g.stop()
	g.endGuard()
	return g.leases.file.close()
}

// stop ends all that runs.
func (g *Gateway) stop() {
	for _, f := range g.Forwards() {
		g.Unforward(f.Proto, f.Local)
	}
	g.end()
	g.leases.close()
	g.names.close()
	g.nat.close()
	g.busy.Wait()
	g.host.Close()
}
