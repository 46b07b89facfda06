package udp

import (
	"net"
	"net/netip"
	"syscall"

	"landline/ip"
	"landline/wire"
)

// An AnySocket gets what is sent to any address and port, of this host or of other machines, at which no other
// socket listens, and can send in the name of any. It is for gateways. Its methods may be called by several goroutines
// at once.
type AnySocket struct{ s *Socket }

// ListenAny opens such a socket, of which there is one at most: EADDRINUSE.
func (l *Layer) ListenAny() (*AnySocket, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return nil, net.ErrClosed
	case l.any.Load() != nil:
		return nil, syscall.EADDRINUSE
	}
	s := &Socket{layer: l, any: true}
	s.init()
	s.limit = anyBuffer
	l.any.Store(s)
	l.stack.TakeForeign(wire.ProtoUDP, true)
	return &AnySocket{s}, nil
}

// anyBuffer is how much waits for the reader: the datagrams of a whole network.
const anyBuffer = 4 << 20

// ReadFrom waits for a datagram and copies it to b, or as much of it as there is room for. It returns who sent it to
// whom. The error is net.ErrClosed.
func (a *AnySocket) ReadFrom(b []byte) (n int, from, to netip.AddrPort, err error) {
	for {
		done := a.s.readBy.Done()
		n, e, ok, err := a.s.tryRead(b)
		if ok || err != nil {
			return n, e.sender(), netip.AddrPortFrom(e.to, e.port), err
		}
		select {
		case <-a.s.readable:
		case <-done:
			return 0, netip.AddrPort{}, netip.AddrPort{}, a.s.expired()
		}
	}
}

// WriteTo sends a datagram in the name of from. The error is net.ErrClosed or a syscall.Errno, as that of
// Socket.WriteTo.
func (a *AnySocket) WriteTo(b []byte, from, to netip.AddrPort) error {
	if a.s.writeBy.Passed() {
		return net.ErrClosed
	}
	n := wire.UDPLen + len(b)
	if n > 65535-wire.IPv4Len && (from.Addr().Is4() || n > 65535) {
		return syscall.EMSGSIZE
	}
	path, err := a.s.layer.stack.PathAs(from.Addr(), to.Addr(), nil)
	if err != nil {
		return err
	}
	return a.s.send(&path, &ip.Header{Protocol: wire.ProtoUDP}, from.Port(), to.Port(), b)
}

// Refuse tells who sent a datagram of n bytes that it went nowhere, and why: its error is ECONNREFUSED or EHOSTUNREACH, as
// err is. If it is another, it hears nothing.
func (a *AnySocket) Refuse(from, to netip.AddrPort, n int, err syscall.Errno) {
	stack := a.s.layer.stack
	head := wire.AppendUDP(nil, from.Port(), to.Port(), n)
	p := ip.Quoted(from.Addr().WithZone(""), to.Addr(), wire.ProtoUDP, head, n)
	switch err {
	case syscall.ECONNREFUSED:
		stack.PortUnreachable(p)
	case syscall.EHOSTUNREACH:
		stack.HostUnreachable(p)
	}
}

// Close ends the socket. The second time it returns net.ErrClosed.
func (a *AnySocket) Close() error { return a.s.Close() }
