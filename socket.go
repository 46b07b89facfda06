package landline

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"syscall"

	"landline/ip"
	"landline/udp"
)

func (h *Host) dialUDP(ctx context.Context, network, address string) (net.Conn, error) {
	targets, err := h.targets(ctx, network, "udp", address)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	var first error
	for _, to := range targets {
		if ctx.Err() != nil {
			return nil, &net.OpError{Op: "dial", Net: network, Addr: udpAddr(to), Err: mapContext(ctx.Err())}
		}
		c, err := h.dial(network, netip.AddrPort{}, to)
		if err == nil {
			return c, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

// ListenPacket opens a socket at an address of this host on a network, "udp", "udp4" or "udp6". A
// port of 0 is one that is free; no host, as in ":53", means all addresses, of both families if
// the network is "udp". The socket is a *UDPConn. Errors are those of net.ListenConfig.
func (h *Host) ListenPacket(ctx context.Context, network, address string) (net.PacketConn, error) {
	f, err := parseNetwork(network, "udp")
	targets := []netip.AddrPort{{}}
	if err == nil && address != "" {
		targets, err = h.resolve(ctx, network, f, address)
	}
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Err: err}
	}
	c, err := h.listen(network, preferV4(targets))
	if err != nil {
		return nil, err // and not a *UDPConn that is nil
	}
	return c, nil
}

// DialUDP connects to raddr, from laddr if that is not nil. It is as net.DialUDP.
func (h *Host) DialUDP(network string, laddr, raddr *net.UDPAddr) (*UDPConn, error) {
	_, err := parseNetwork(network, "udp")
	if err == nil && raddr == nil {
		err = errMissingAddress
	}
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Source: opAddr(laddr), Addr: opAddr(raddr), Err: err}
	}
	return h.dial(network, addrPort(laddr), addrPort(raddr))
}

// ListenUDP opens a socket at laddr, or anywhere if that is nil. It is as net.ListenUDP.
func (h *Host) ListenUDP(network string, laddr *net.UDPAddr) (*UDPConn, error) {
	if _, err := parseNetwork(network, "udp"); err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Addr: opAddr(laddr), Err: err}
	}
	return h.listen(network, addrPort(laddr))
}

// ListenMulticastUDP opens a socket for a group, on the interface of a name or, if that is empty,
// the one by which datagrams to the group leave. Several sockets may listen to one group and
// port, and each gets everything.
func (h *Host) ListenMulticastUDP(network, name string, group *net.UDPAddr) (*UDPConn, error) {
	fail := func(err error) (*UDPConn, error) {
		return nil, &net.OpError{Op: "listen", Net: network, Addr: opAddr(group), Err: err}
	}
	f, err := parseNetwork(network, "udp")
	if err != nil {
		return fail(err)
	}
	local := addrPort(group)
	if !local.Addr().IsValid() {
		return fail(errMissingAddress)
	}
	if err := f.check(local.Addr()); err != nil {
		return fail(inCall("bind", err))
	}
	i, err := h.groupInterface(name, local.Addr())
	if err != nil {
		return fail(inCall("setsockopt", err))
	}
	c, err := h.open(network, udp.Config{Local: local, Interface: i, ReuseAddr: true})
	if err != nil {
		return fail(inCall("bind", err))
	}
	if err := c.socket.Join(i, local.Addr()); err != nil {
		c.Close()
		return fail(inCall("setsockopt", err))
	}
	return c, nil
}

// check is what the system says of an explicit address for a socket of a family.
func (f family) check(a netip.Addr) error {
	switch {
	case f == v4only && !a.Is4():
		return &net.AddrError{Err: "non-IPv4 address", Addr: a.String()}
	case f == v6only && !a.Is6():
		return syscall.EINVAL
	}
	return nil
}

// ends checks what is to be connected, and returns the remote end, which is this host's if it has no address.
func (f family) ends(local netip.Addr, remote netip.AddrPort) (netip.AddrPort, error) {
	if !remote.Addr().IsValid() {
		remote = netip.AddrPortFrom(f.loopback(local), remote.Port())
	}
	chosen := local.IsValid() && !local.IsUnspecified()
	if chosen {
		if err := f.check(local); err != nil {
			return remote, inCall("bind", err)
		}
	}
	switch a := remote.Addr(); {
	case f == v6only && a.Is4():
		return remote, inCall("connect", syscall.ENETUNREACH)
	case f.check(a) != nil:
		return remote, f.check(a)
	case chosen && local.Is4() && a.Is6():
		return remote, inCall("connect", syscall.EAFNOSUPPORT)
	}
	return remote, nil
}

// listen opens a socket that is not connected. An address that is not valid, or unspecified,
// stands for all.
func (h *Host) listen(network string, local netip.AddrPort) (*UDPConn, error) {
	f, _ := parseNetwork(network, "udp")
	cfg := udp.Config{Local: local}
	err := error(nil)
	if a := local.Addr(); !a.IsValid() || a.IsUnspecified() {
		cfg = f.wildcard(local.Port())
	} else if err = f.check(a); err == nil {
		cfg.Interface, err = h.zone(a)
	}
	var c *UDPConn
	if err == nil {
		c, err = h.open(network, cfg)
	}
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Addr: net.UDPAddrFromAddrPort(local), Err: inCall("bind", err)}
	}
	return c, nil
}

// wildcard is the socket for all addresses of a family.
func (f family) wildcard(port uint16) udp.Config {
	if f == v4only {
		return udp.Config{Local: netip.AddrPortFrom(netip.IPv4Unspecified(), port)}
	}
	return udp.Config{Local: netip.AddrPortFrom(netip.IPv6Unspecified(), port), Dual: f == both}
}

// dial opens a connected socket.
func (h *Host) dial(network string, local, remote netip.AddrPort) (*UDPConn, error) {
	c, err := h.tryDial(network, local, remote)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Source: udpAddr(local), Addr: net.UDPAddrFromAddrPort(remote), Err: err}
	}
	return c, nil
}

func (h *Host) tryDial(network string, local, remote netip.AddrPort) (*UDPConn, error) {
	f, _ := parseNetwork(network, "udp")
	remote, err := f.ends(local.Addr(), remote)
	if err != nil {
		return nil, err
	}
	via, err := h.zone(remote.Addr())
	if err != nil {
		return nil, inCall("connect", err)
	}
	if !local.Addr().IsValid() {
		local = netip.AddrPortFrom(unspecifiedOf(remote.Addr()), local.Port())
	}
	c, err := h.open(network, udp.Config{Local: local, Remote: remote, Interface: via})
	if err != nil {
		return nil, inCall(dialCall(local, err), err)
	}
	return c, nil
}

// dialCall says at which call dialing failed: binding, if somebody chose an address for it.
func dialCall(local netip.AddrPort, err error) string {
	chosen := local.Port() != 0 || !local.Addr().IsUnspecified()
	if chosen && err != syscall.ENETUNREACH {
		return "bind"
	}
	return "connect"
}

// loopback returns the address of this host that a socket of a family, with a local address or
// not, dials if it is told none.
func (f family) loopback(local netip.Addr) netip.Addr {
	if f == v6only || f == both && local.Is6() {
		return netip.IPv6Loopback()
	}
	return netip.AddrFrom4([4]byte{127, 0, 0, 1})
}

func unspecifiedOf(a netip.Addr) netip.Addr {
	if a.Is4() {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}

// open opens a socket. Its errors are not wrapped yet.
func (h *Host) open(network string, cfg udp.Config) (*UDPConn, error) {
	s, err := h.udp.Open(cfg)
	if err != nil {
		return nil, err
	}
	local, remote := s.Local(), s.Remote()
	c := &UDPConn{host: h, socket: s, network: network, v4: local.Addr().Is4(), dual: cfg.Dual}
	c.local = net.UDPAddrFromAddrPort(cfg.Interface.Zoned(local))
	if remote.IsValid() {
		c.remote = net.UDPAddrFromAddrPort(cfg.Interface.Zoned(remote))
	}
	return c, nil
}

// zone returns the interface that a link-local address names, or nil. The error is EINVAL if it
// names one that there is not, as on other systems.
func (h *Host) zone(a netip.Addr) (*ip.Interface, error) {
	if a.Zone() == "" {
		return nil, nil
	}
	if i := h.stack.Interface(a.Zone()); i != nil {
		return i, nil
	}
	return nil, syscall.EINVAL
}

// interfaceOf returns the interface of a name.
func (h *Host) interfaceOf(name string) (*ip.Interface, error) {
	if i := h.stack.Interface(name); i != nil {
		return i, nil
	}
	return nil, fmt.Errorf("interface %q: %w", strings.ToValidUTF8(name, "?"), syscall.ENODEV)
}

// groupInterface returns the interface on which a group is joined.
func (h *Host) groupInterface(name string, group netip.Addr) (*ip.Interface, error) {
	switch {
	case !group.IsMulticast():
		return nil, syscall.EINVAL
	case name != "":
		return h.interfaceOf(name)
	case group.Zone() != "":
		return h.interfaceOf(group.Zone())
	}
	path, err := h.stack.Path(netip.Addr{}, group, nil)
	if err != nil {
		return nil, err
	}
	return path.Interface(), nil
}
