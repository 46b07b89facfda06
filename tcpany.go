package landline

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"

	"landline/tcp"
)

// A TCPAnyListener takes connections to any address and port at which nobody else listens on this host: also to
// those of other machines, for which it is a gateway. Its methods may be called by several goroutines at
// once.
type TCPAnyListener struct {
	host     *Host
	listener *tcp.AnyListener
}

// ListenAny begins to take TCP connections to any address, of IPv4 and IPv6. The error is that of another such
// listener, syscall.EADDRINUSE, or net.ErrClosed, in a *net.OpError.
func (h *Host) ListenAny() (*TCPAnyListener, error) {
	l, err := h.tcp.ListenAny()
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: "tcp", Err: inCall("bind", err)}
	}
	return &TCPAnyListener{h, l}, nil
}

// Accept waits for somebody who wants a connection.
func (l *TCPAnyListener) Accept(ctx context.Context) (*TCPPending, error) {
	p, err := l.listener.Accept(ctx)
	if err != nil {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: mapContext(err)}
	}
	return &TCPPending{l.host, p}, nil
}

// Close ends the listener. Connections that were accepted go on.
func (l *TCPAnyListener) Close() error {
	if err := l.listener.Close(); err != nil {
		return &net.OpError{Op: "close", Net: "tcp", Err: err}
	}
	return nil
}

// A TCPPending is a connection that somebody wants to open. Until Accept or Reject is called the peer
// hears nothing and asks again, so there is time to find out whether the far side answers.
type TCPPending struct {
	host    *Host
	pending *tcp.Pending
}

// Src returns who wants the connection.
func (p *TCPPending) Src() netip.AddrPort { return p.pending.Src() }

// Dst returns the address and port that it is wanted with.
func (p *TCPPending) Dst() netip.AddrPort { return p.pending.Dst() }

// Gone returns a channel that is closed if the peer no longer wants the connection, or the listener is closed.
func (p *TCPPending) Gone() <-chan struct{} { return p.pending.Gone() }

// Accept opens the connection; its local address is Dst. The error is syscall.ECONNABORTED, in a *net.OpError, if
// it has been decided before or the peer is gone.
func (p *TCPPending) Accept() (*TCPConn, error) {
	c, err := p.pending.Accept()
	if err != nil {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: tcpAddr(p.Dst()), Err: inCall("accept", err)}
	}
	return p.host.newTCPConn("tcp", c), nil
}

// Reject says that there will be no connection, and why: the peer's error is ECONNREFUSED or EHOSTUNREACH, as
// err is. If it is another, the peer hears nothing and gives up at last.
func (p *TCPPending) Reject(err syscall.Errno) { p.pending.Reject(err) }

// DialTCPAs opens a connection to a machine in the name of another one, for which this host is a gateway: from
// is an address that is not this host's, and a port. What the machine answers has to come by this host. The error is as that of
// DialTCP; syscall.EADDRINUSE says that there is such a connection.
func (h *Host) DialTCPAs(ctx context.Context, from, to netip.AddrPort) (*TCPConn, error) {
	c, err := h.tcp.Dial(ctx, tcp.DialConfig{Local: from, Foreign: true, Remote: to})
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		err = errDialTimeout
	case err != nil:
		err = inCall(connectCall(from, err), mapContext(err))
	default:
		return h.newTCPConn("tcp", c), nil
	}
	return nil, &net.OpError{Op: "dial", Net: "tcp", Source: tcpAddr(from), Addr: tcpAddr(to), Err: err}
}
