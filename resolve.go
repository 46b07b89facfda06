package landline

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"sync"

	"landline/dns"
)

// A resolver knows which name server to ask first.
type resolver struct {
	mu    sync.Mutex
	first int // the one that answered last
}

// order returns the servers, the one that answered last first.
func (r *resolver) order(servers []netip.AddrPort) []netip.AddrPort {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(servers) == 0 {
		return nil
	}
	first := r.first % len(servers)
	return append(append([]netip.AddrPort(nil), servers[first:]...), servers[:first]...)
}

// failed makes another server the first, if this one was.
func (r *resolver) failed(server netip.AddrPort, servers []netip.AddrPort) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(servers) > 0 && servers[r.first%len(servers)] == server {
		r.first = (r.first + 1) % len(servers)
	}
}

// nameServers returns the name servers: those of Config, or else those of DHCP and the routers.
func (h *Host) nameServers() []netip.AddrPort {
	addrs := h.cfg.DNS
	if len(addrs) == 0 {
		addrs = append(h.leasedServers(), h.advertisedServers()...)
	}
	var all []netip.AddrPort
	for _, a := range addrs {
		all = append(all, netip.AddrPortFrom(a, dns.Port))
	}
	return all
}

// advertisedServers returns the name servers that routers tell of.
func (h *Host) advertisedServers() (all []netip.Addr) {
	for _, i := range h.stack.Interfaces() {
		for _, a := range i.Servers() {
			all = append(all, i.Zoned(netip.AddrPortFrom(a.WithZone(""), 0)).Addr())
		}
	}
	return all
}

// LookupNetIP returns the addresses of a name, as DNS tells them, in the order in which they should be
// tried (RFC 6724, Section 6). The network is "ip" for both families, "ip4" or "ip6".
//
// A name without a dot is looked up in Config.Search; one with a dot at its end is not. "localhost"
// is this host (RFC 6761, Section 6.3), as is Config.Hostname. The system's hosts file
// and name servers do not count. What does not fit a datagram is asked for again over TCP. The
// error is a *net.DNSError.
func (h *Host) LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error) {
	families := map[string]family{"ip": both, "ip4": v4only, "ip6": v6only}
	f, ok := families[network]
	if !ok {
		return nil, net.UnknownNetworkError(network)
	}
	return h.hostAddrs(ctx, f, host)
}

// LookupHost is LookupNetIP for both families, as text.
func (h *Host) LookupHost(ctx context.Context, host string) ([]string, error) {
	addrs, err := h.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, a := range addrs {
		all = append(all, a.String())
	}
	return all, nil
}

// lookup returns the addresses of a name.
func (h *Host) lookup(ctx context.Context, f family, host string) ([]netip.Addr, error) {
	if addrs := h.ownName(f, host); addrs != nil {
		return addrs, nil
	}
	names := h.candidates(host)
	if len(names) == 0 {
		return nil, noSuchHost(host)
	}
	for _, name := range names {
		addrs, err := h.ask(ctx, f, name)
		if err != nil {
			err.Name = host
			return nil, err
		}
		if len(addrs) > 0 {
			h.stack.SortDestinations(addrs)
			return addrs, nil
		}
	}
	return nil, noSuchHost(host)
}

func noSuchHost(host string) *net.DNSError {
	return &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
}

// ownName returns the addresses of this host if that is what is asked for.
func (h *Host) ownName(f family, host string) (addrs []netip.Addr) {
	name := strings.ToLower(strings.TrimSuffix(host, "."))
	local := name == "localhost" || strings.HasSuffix(name, ".localhost")
	if !local && (name == "" || name != strings.ToLower(h.cfg.Hostname)) {
		return nil
	}
	for _, a := range h.Addresses() {
		own := a.Prefix.Addr()
		usable := a.State == "preferred" && !own.IsLinkLocalUnicast()
		if f.takes(own) && usable && own.IsLoopback() == local {
			addrs = append(addrs, own)
		}
	}
	return addrs
}

// candidates returns the names that a text may mean, in order: in the domains of the search
// list first if it has no dot, last otherwise.
func (h *Host) candidates(host string) []dns.Name {
	var all []dns.Name
	add := func(s string) {
		if name, err := dns.ParseName(s); err == nil {
			all = append(all, name)
		}
	}
	dotted := strings.Contains(host, ".")
	if dotted {
		add(host)
	}
	if !strings.HasSuffix(host, ".") {
		for _, domain := range h.searchList() {
			add(host + "." + domain)
		}
	}
	if !dotted {
		add(host)
	}
	return all
}

func (h *Host) searchList() []string {
	if h.cfg.Search != nil {
		return h.cfg.Search
	}
	return h.leasedSearch()
}

// Resolver returns a resolver of package net that asks this host's name servers, for programs that
// want one, and for records other than addresses.
//
// It is Go's own resolver, which reads the system's hosts file and takes the domains
// that it searches from the system's configuration: LookupNetIP does not. It cannot be
// used in a synctest bubble.
func (h *Host) Resolver() *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: h.dialServer}
}

// dialServer connects to a name server of this host, whatever address is asked for: that is
// the system's.
func (h *Host) dialServer(ctx context.Context, network, _ string) (net.Conn, error) {
	servers := h.nameServers()
	if len(servers) == 0 {
		return nil, &net.OpError{Op: "dial", Net: network, Err: errNoServer}
	}
	server := h.names.order(servers)[0]
	c, err := h.DialContext(ctx, network, server.String())
	if err != nil {
		h.names.failed(server, servers)
		return nil, err
	}
	asked := &serverConn{Conn: c, silent: func() { h.names.failed(server, servers) }}
	if p, ok := c.(net.PacketConn); ok {
		return struct {
			*serverConn
			net.PacketConn
		}{asked, p}, nil // net's resolver sends datagrams to what has these methods, and streams to others
	}
	return asked, nil
}

// A serverConn is a connection to a name server, which is asked last if it was silent.
type serverConn struct {
	net.Conn
	silent func()
}

// Read reads an answer.
func (c *serverConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err != nil {
		c.silent()
	}
	return n, err
}
