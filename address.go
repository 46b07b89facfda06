package landline

import (
	"context"
	"net"
	"net/netip"
	"strings"
)

// A family says which addresses a socket is for.
type family uint8

const (
	both   family = iota // a wildcard is for both, another address for its own family
	v4only               // "udp4", "tcp4"
	v6only               // "udp6", "tcp6"
)

// parseNetwork returns the family of a network of a transport, "tcp" or "udp".
func parseNetwork(network, transport string) (family, error) {
	rest, ok := strings.CutPrefix(network, transport)
	switch {
	case ok && rest == "":
		return both, nil
	case ok && rest == "4":
		return v4only, nil
	case ok && rest == "6":
		return v6only, nil
	}
	return 0, net.UnknownNetworkError(network)
}

// takes reports whether an address is one of the family.
func (f family) takes(a netip.Addr) bool {
	switch f {
	case v4only:
		return a.Is4()
	case v6only:
		return a.Is6()
	}
	return true
}

// resolve returns what an address such as "desk.lan:domain", "[fe80::1%eth0]:53" or ":53" means:
// one target or more, in the order to try them. No host is the zero Addr.
func (h *Host) resolve(ctx context.Context, network string, f family, address string) ([]netip.AddrPort, error) {
	host, service, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	// The names of ports are the same on all machines, so the system's list will do.
	ports := net.Resolver{PreferGo: true}
	port, err := ports.LookupPort(ctx, network, service)
	if err != nil {
		return nil, err
	}
	if host == "" {
		return []netip.AddrPort{netip.AddrPortFrom(netip.Addr{}, uint16(port))}, nil
	}
	addrs, err := h.hostAddrs(ctx, f, host)
	if err != nil {
		return nil, err
	}
	targets := make([]netip.AddrPort, len(addrs))
	for i, a := range addrs {
		targets[i] = netip.AddrPortFrom(a, uint16(port))
	}
	return targets, nil
}

// hostAddrs returns the addresses of a host, literal or named, that are of a family.
func (h *Host) hostAddrs(ctx context.Context, f family, host string) ([]netip.Addr, error) {
	a, err := netip.ParseAddr(host)
	if err != nil {
		return h.lookup(ctx, f, host)
	}
	a = a.Unmap()
	switch {
	case f == both && a == netip.IPv6Unspecified():
		return []netip.Addr{a, netip.IPv4Unspecified()}, nil // this host, by what it has
	case f.takes(a):
		return []netip.Addr{a}, nil
	case a == netip.IPv6Unspecified():
		return []netip.Addr{netip.IPv4Unspecified()}, nil
	}
	return nil, &net.AddrError{Err: "no suitable address found", Addr: host}
}

// preferV4 returns the first IPv4 address, or else the first: who listens has to choose one.
func preferV4(all []netip.AddrPort) netip.AddrPort {
	for _, a := range all {
		if a.Addr().Is4() {
			return a
		}
	}
	return all[0]
}

// addrPort returns what a *net.UDPAddr means. No IP is the zero Addr.
func addrPort(a *net.UDPAddr) netip.AddrPort {
	if a == nil {
		return netip.AddrPort{}
	}
	ap := a.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
