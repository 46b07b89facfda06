package landline

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"time"
)

// DialContext connects to an address on a network: "tcp", "tcp4", "tcp6", "udp", "udp4" or "udp6", and
// "desk.lan:8080", "[fe80::1%eth0]:domain", ":53" for this host. Names are those of LookupNetIP. If a
// name has several addresses, they are tried one after the other until a connection is open.
//
// It is for http.Transport, net.Resolver and others that want to dial. The connection is a *TCPConn or a
// *UDPConn. Errors are those of net.Dialer.
func (h *Host) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if strings.HasPrefix(network, "tcp") {
		return h.dialTCP(ctx, network, address)
	}
	return h.dialUDP(ctx, network, address)
}

// targets returns the addresses to dial, in the order to try them.
func (h *Host) targets(ctx context.Context, network, transport, address string) ([]netip.AddrPort, error) {
	f, err := parseNetwork(network, transport)
	switch {
	case err != nil:
		return nil, err
	case address == "":
		return nil, errMissingAddress
	}
	return h.resolve(ctx, network, f, address)
}

func (h *Host) dialTCP(ctx context.Context, network, address string) (net.Conn, error) {
	targets, err := h.targets(ctx, network, "tcp", address)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	var first error
	for k, to := range targets {
		if err := ctx.Err(); err != nil { // asked once: it may end at any time
			if first == nil {
				first = &net.OpError{Op: "dial", Net: network, Addr: tcpAddr(to), Err: mapContext(err)}
			}
			break
		}
		part, cancel := partOf(ctx, len(targets)-k)
		c, err := h.connect(part, network, netip.AddrPort{}, to)
		cancel()
		if err == nil {
			return c, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

// partOf gives one of several attempts its share of the time that is left, and at least two seconds, if
// there are so many.
func partOf(ctx context.Context, attempts int) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok || attempts == 1 {
		return context.WithCancel(ctx)
	}
	const least = 2 * time.Second
	left := time.Until(deadline)
	return context.WithTimeout(ctx, min(left, max(left/time.Duration(attempts), least)))
}
