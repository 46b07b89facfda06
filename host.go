package landline

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"syscall"

	"landline/ip"
	"landline/link"
	"landline/tcp"
	"landline/udp"
)

// Config describes a Host and its first interface. With its zero value the interface finds
// its IPv6 addresses and routers by itself and has no IPv4.
type Config struct {
	// Addresses are those of the first interface, of either family, each with the length of its
	// network's prefix: 10.0.0.2/24. If empty, it has what DHCP and the routers give it.
	Addresses []netip.Prefix
	// Gateways are the routers by which other networks are reached, at most one for each
	// family. They must be on the link. If empty, DHCP and routers' advertisements tell of them.
	Gateways []netip.Addr
	// DHCP makes the first interface take an IPv4 address from a server, and keep it. If false,
	// nobody is asked.
	DHCP bool
	// NoIPv6 leaves IPv6 out on the first interface. If false, it has at least a link-local
	// address.
	NoIPv6 bool
	// Probes is how often it is asked whether somebody else has one of Addresses before
	// it is used, a second apart. If zero, once for IPv6, and never for IPv4; if negative, never.
	Probes int

	// Hostname is what DHCP servers are told. It is also a name of this host's addresses. If empty,
	// it has none.
	Hostname string
	// DNS are the name servers. If empty, they are those that DHCP and routers tell of.
	DNS []netip.Addr
	// Search are the domains in which names without a dot are looked up. If nil, they are
	// those that DHCP tells of.
	Search []string

	// ReservedPorts says that ports below it are for no socket. If zero, all ports may be
	// taken.
	ReservedPorts uint16
	// Forwarding makes the host a router: it sends on what comes to it and is for others. If
	// false, that is dropped.
	Forwarding bool
	// MemoryLimit bounds what all TCP connections together keep in their buffers, in bytes. If zero, 256
	// MiB.
	MemoryLimit int
	// Seed makes all that is random the same again, for tests. If zero, it is unpredictable, as it
	// has to be elsewhere.
	Seed uint64
	// Logger is told what an administrator should know: leases that come and go, another machine with our
	// address. If nil, nobody is.
	Logger *slog.Logger
}

// An InterfaceConfig describes a further interface. Its zero value is as that of Config.
type InterfaceConfig struct {
	// Name is what zones and people call the interface. If empty, it is the device's name,
	// or "eth0" and so on.
	Name string
	// Addresses, Gateways, DHCP, NoIPv6 and Probes are as in Config.
	Addresses []netip.Prefix
	Gateways  []netip.Addr
	DHCP      bool
	NoIPv6    bool
	Probes    int
	// Advertise is what a host that is a router tells the hosts on the link, which make themselves
	// IPv6 addresses of it. If nil, it tells nothing.
	Advertise *ip.Advertise
}

// A Host is a machine of its own, with its addresses, ports and sockets, on one or more networks. Its methods
// may be called by several goroutines at once.
//
// A Host, and all that it makes, may live in a testing/synctest bubble.
type Host struct {
	cfg   Config
	log   *slog.Logger
	stack *ip.Stack
	udp   *udp.Layer
	tcp   *tcp.Layer
	names resolver
	gone  chan struct{} // closed by Close

	mu     sync.Mutex
	closed bool
	leases []*leaseholder
}

// NewHost makes a host with an interface on dev, which is closed with it. If dev is nil,
// it has none yet but the loopback.
func NewHost(dev link.Device, cfg Config) (*Host, error) {
	h := &Host{cfg: cfg, log: cfg.Logger, gone: make(chan struct{})}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	h.stack = ip.NewStack(ip.Config{Forwarding: cfg.Forwarding, Seed: cfg.Seed, Logger: cfg.Logger})
	h.udp = udp.New(h.stack, cfg.ReservedPorts)
	h.tcp = tcp.New(h.stack, tcp.Config{Reserved: cfg.ReservedPorts, MemoryLimit: cfg.MemoryLimit})
	if dev == nil {
		return h, nil
	}
	_, err := h.AddInterface(dev, InterfaceConfig{
		Addresses: cfg.Addresses, Gateways: cfg.Gateways, DHCP: cfg.DHCP, NoIPv6: cfg.NoIPv6, Probes: cfg.Probes,
	})
	if err != nil {
		h.Close()
		return nil, err
	}
	return h, nil
}

// AddInterface puts the host on another network and returns the interface's name. The host closes
// dev in the end, but not if there is an error.
func (h *Host) AddInterface(dev link.Device, cfg InterfaceConfig) (string, error) {
	if err := cfg.check(); err != nil {
		return "", err
	}
	i, err := h.stack.Attach(dev, ip.InterfaceConfig{
		Name: cfg.Name, Addresses: cfg.Addresses, NoIPv6: cfg.NoIPv6, Probes: cfg.Probes, Advertise: cfg.Advertise,
	})
	if err != nil {
		return "", fmt.Errorf("interface on %s: %w", dev.Info().Name, err)
	}
	for _, g := range cfg.Gateways {
		if err := h.stack.AddRoute(ip.Route{Dst: defaultRoute(g), Gateway: g.WithZone(""), Interface: i.Index()}); err != nil {
			i.Close()
			return "", fmt.Errorf("gateway %s: %w", g, err)
		}
	}
	if cfg.DHCP {
		if err := h.takeLease(i); err != nil {
			i.Close()
			return "", fmt.Errorf("dhcp on %s: %w", i.Name(), err)
		}
	}
	return i.Name(), nil
}

// check finds what a person may have got wrong.
func (c *InterfaceConfig) check() error {
	for _, p := range c.Addresses {
		if !p.IsValid() || p.Addr().IsMulticast() || p.Addr().IsUnspecified() || p.Addr().Is4In6() {
			return fmt.Errorf("address %s: not one that a machine can have", p)
		}
	}
	for _, g := range c.Gateways {
		if !g.IsValid() || g.IsMulticast() || g.IsUnspecified() || !c.reaches(g) {
			return fmt.Errorf("gateway %s: not on the link: no address is in its network", g)
		}
	}
	return nil
}

// reaches reports whether a gateway is on the link.
func (c *InterfaceConfig) reaches(g netip.Addr) bool {
	if g.IsLinkLocalUnicast() || c.DHCP && g.Is4() {
		return true
	}
	for _, p := range c.Addresses {
		if p.Contains(g.WithZone("")) {
			return true
		}
	}
	return false
}

// defaultRoute returns the network of all addresses of a's family.
func defaultRoute(a netip.Addr) netip.Prefix {
	if a.Is4() {
		return netip.PrefixFrom(netip.IPv4Unspecified(), 0)
	}
	return netip.PrefixFrom(netip.IPv6Unspecified(), 0)
}

// RemoveInterface takes the host off a network and closes the device. The error is
// syscall.ENODEV if there is no such interface.
func (h *Host) RemoveInterface(name string) error {
	i := h.stack.Interface(name)
	if i == nil || i.Loopback() {
		return fmt.Errorf("interface %q: %w", name, syscall.ENODEV)
	}
	if l := h.dropLease(i); l != nil {
		l.stop()
	}
	return i.Close()
}

// Shutdown is Close for a host that has more to say: first it waits until what was written on TCP connections that have
// been closed has arrived at the other end. Connections that have not been closed are not waited for, and reset. The error
// is that of ctx, if that ended the wait, or of Close.
func (h *Host) Shutdown(ctx context.Context) error {
	waited := h.tcp.Drain(ctx)
	if err := h.Close(); err != nil {
		return err
	}
	return waited
}

// Close ends the host: its sockets are closed, its leases given back, its devices closed, and nothing of it
// runs any more. TCP connections are reset, and what they had still to send is lost: see Shutdown. The second
// time it returns net.ErrClosed.
func (h *Host) Close() error {
	h.mu.Lock()
	if h.closed {
		h.mu.Unlock()
		return net.ErrClosed
	}
	h.closed = true
	close(h.gone)
	leases := h.leases
	h.leases = nil
	h.mu.Unlock()

	for _, l := range leases {
		l.stop()
	}
	h.tcp.Close()
	h.udp.Close()
	return h.stack.Close()
}

func (h *Host) isClosed() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.closed
}

// Changed returns a channel that is closed when an address, a route or a name server comes, goes or
// changes its state after the call.
func (h *Host) Changed() <-chan struct{} { return h.stack.Changed() }

// WaitReady waits until the host's addresses may be used: those that were configured have been
// proved to be nobody else's, and where DHCP was asked for there is a lease. It does not wait
// for IPv6 routers.
//
// The error is that of ctx, net.ErrClosed, or syscall.EADDRINUSE if somebody else has one of
// Config.Addresses.
func (h *Host) WaitReady(ctx context.Context) error {
	for {
		changed := h.stack.Changed()
		if ready, err := h.ready(); ready || err != nil {
			return err
		}
		select {
		case <-changed:
		case <-h.gone:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (h *Host) ready() (bool, error) {
	if h.isClosed() {
		return false, net.ErrClosed
	}
	ready := true
	for _, a := range h.Addresses() {
		switch {
		case a.State == "duplicated" && a.Origin == "static":
			return false, fmt.Errorf("address %s on %s: %w", a.Prefix, a.Interface, syscall.EADDRINUSE)
		case a.State == "tentative":
			ready = false
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, l := range h.leases {
		ready = ready && l.usable()
	}
	return ready, nil
}
