package landline

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"time"

	"landline/tcp"
)

// Listen listens at an address of this host on a network, "tcp", "tcp4" or "tcp6". A port of 0 is one that is
// free; no host, as in ":8080", means all addresses, of both families if the network is "tcp". The
// listener is a *TCPListener. Errors are those of net.ListenConfig.
//
// Up to 4,097 connections wait to be accepted. Connections of an earlier listener at the same
// port, closed or not, are not in the way.
func (h *Host) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	f, err := parseNetwork(network, "tcp")
	targets := []netip.AddrPort{{}}
	if err == nil && address != "" {
		targets, err = h.resolve(ctx, network, f, address)
	}
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Err: err}
	}
	l, err := h.listenTCP(network, preferV4(targets))
	if err != nil {
		return nil, err // and not a *TCPListener that is nil
	}
	return l, nil
}

// ListenTCP listens at laddr, or anywhere if that is nil. It is as net.ListenTCP.
func (h *Host) ListenTCP(network string, laddr *net.TCPAddr) (*TCPListener, error) {
	if _, err := parseNetwork(network, "tcp"); err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Addr: opTCPAddr(laddr), Err: err}
	}
	return h.listenTCP(network, tcpAddrPort(laddr))
}

// DialTCP connects to raddr, from laddr if that is not nil. It is as net.DialTCP.
func (h *Host) DialTCP(ctx context.Context, network string, laddr, raddr *net.TCPAddr) (*TCPConn, error) {
	_, err := parseNetwork(network, "tcp")
	if err == nil && raddr == nil {
		err = errMissingAddress
	}
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Source: opTCPAddr(laddr), Addr: opTCPAddr(raddr), Err: err}
	}
	return h.connect(ctx, network, tcpAddrPort(laddr), tcpAddrPort(raddr))
}

func (h *Host) listenTCP(network string, local netip.AddrPort) (*TCPListener, error) {
	f, _ := parseNetwork(network, "tcp")
	cfg := tcp.ListenConfig{Local: local}
	err := error(nil)
	if a := local.Addr(); !a.IsValid() || a.IsUnspecified() {
		w := f.wildcard(local.Port())
		cfg.Local, cfg.Dual = w.Local, w.Dual
	} else if err = f.check(a); err == nil {
		cfg.Interface, err = h.zone(a)
	}
	var l *tcp.Listener
	if err == nil {
		l, err = h.tcp.Listen(cfg)
	}
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: network, Addr: net.TCPAddrFromAddrPort(local), Err: inCall("bind", err)}
	}
	return &TCPListener{host: h, listener: l, network: network, addr: net.TCPAddrFromAddrPort(cfg.Interface.Zoned(l.Local()))}, nil
}

// connect opens a connection to an address. One that is not valid, or unspecified, is this host's.
func (h *Host) connect(ctx context.Context, network string, local, remote netip.AddrPort) (*TCPConn, error) {
	c, err := h.tryConnect(ctx, network, local, remote)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Source: tcpAddr(local), Addr: net.TCPAddrFromAddrPort(remote), Err: err}
	}
	return c, nil
}

func (h *Host) tryConnect(ctx context.Context, network string, local, remote netip.AddrPort) (*TCPConn, error) {
	if ctx.Err() != nil {
		return nil, mapContext(ctx.Err())
	}
	f, _ := parseNetwork(network, "tcp")
	remote, err := f.ends(local.Addr(), remote)
	if err != nil {
		return nil, err
	}
	via, err := h.zone(remote.Addr())
	if err != nil {
		return nil, inCall("connect", err)
	}
	c, err := h.tcp.Dial(ctx, tcp.DialConfig{Local: local, Remote: remote, Interface: via})
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return nil, errDialTimeout
	case err != nil:
		return nil, inCall(connectCall(local, err), mapContext(err))
	}
	return h.newTCPConn(network, c), nil
}

// connectCall says at which call dialing failed: binding, if somebody chose an address for it that cannot be had.
func connectCall(local netip.AddrPort, err error) string {
	chosen := local.Port() != 0 || local.Addr().IsValid() && !local.Addr().IsUnspecified()
	if chosen && (err == syscall.EADDRINUSE || err == syscall.EACCES || err == syscall.EADDRNOTAVAIL) {
		return "bind"
	}
	return "connect"
}

// newTCPConn makes a connection what package net makes of one: small segments go at once, and a silent peer
// is asked after 15 seconds whether it is still there.
func (h *Host) newTCPConn(network string, c *tcp.Conn) *TCPConn {
	t := &TCPConn{conn: c, network: network}
	c.SetNoDelay(true)
	c.SetKeepAlive(defaultKeepAlive, defaultKeepAlive, defaultKeepAliveCount)
	return t
}

const (
	defaultKeepAlive      = 15 * time.Second
	defaultKeepAliveCount = 9
)

// tcpAddr returns what net calls an address, or nil if it is not there at all.
func tcpAddr(a netip.AddrPort) net.Addr {
	if a == (netip.AddrPort{}) {
		return nil
	}
	return net.TCPAddrFromAddrPort(a)
}

// opTCPAddr returns a as an Addr that is nil if a is.
func opTCPAddr(a *net.TCPAddr) net.Addr {
	if a == nil {
		return nil
	}
	return a
}

// tcpAddrPort returns what a *net.TCPAddr means. No IP is the zero Addr.
func tcpAddrPort(a *net.TCPAddr) netip.AddrPort {
	if a == nil {
		return netip.AddrPort{}
	}
	ap := a.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}
