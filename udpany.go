package landline

import (
	"net"
	"net/netip"
	"syscall"

	"landline/ip"
	"landline/udp"
)

// A UDPAnyConn gets the datagrams to any address and port at which no socket of this host listens: also to those of other
// machines, for which it is a gateway. It can send in the name of any. Its methods may be called by several
// goroutines at once.
type UDPAnyConn struct{ socket *udp.AnySocket }

// ListenUDPAny begins to take datagrams to any address, of IPv4 and IPv6. The error is that of another such socket,
// syscall.EADDRINUSE, or net.ErrClosed, in a *net.OpError.
func (h *Host) ListenUDPAny() (*UDPAnyConn, error) {
	s, err := h.udp.ListenAny()
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: "udp", Err: inCall("bind", err)}
	}
	return &UDPAnyConn{s}, nil
}

// ReadFromTo waits for a datagram and returns who sent it to whom. What b has no room for is lost.
func (c *UDPAnyConn) ReadFromTo(b []byte) (n int, from, to netip.AddrPort, err error) {
	n, from, to, err = c.socket.ReadFrom(b)
	if err != nil {
		err = &net.OpError{Op: "read", Net: "udp", Err: inCall("recvmsg", err)}
	}
	return n, from, to, err
}

// WriteFromTo sends a datagram to a machine, in the name of from.
func (c *UDPAnyConn) WriteFromTo(b []byte, from, to netip.AddrPort) error {
	if err := c.socket.WriteTo(b, from, to); err != nil {
		return &net.OpError{Op: "write", Net: "udp", Source: udpAddr(from), Addr: udpAddr(to), Err: inCall("sendmsg", err)}
	}
	return nil
}

// Refuse tells who sent a datagram of n bytes that it came to nothing: ECONNREFUSED says that nobody is at that port,
// EHOSTUNREACH that there is no way to the machine. If err is another, nothing is said.
func (c *UDPAnyConn) Refuse(from, to netip.AddrPort, n int, err syscall.Errno) {
	c.socket.Refuse(from, to, n, err)
}

// Close ends the socket. What waits to be read is lost.
func (c *UDPAnyConn) Close() error {
	if err := c.socket.Close(); err != nil {
		return &net.OpError{Op: "close", Net: "udp", Err: err}
	}
	return nil
}

// TakeEchoes makes take get the pings to other machines, for which this host is a gateway. It must neither block
// nor keep what it gets; nil ends it. AnswerEcho and RefuseEcho answer.
func (h *Host) TakeEchoes(take func(ip.ForeignEcho)) { h.stack.TakeForeignEchoes(take) }

// AnswerEcho answers a ping in the name of who was asked.
func (h *Host) AnswerEcho(e ip.ForeignEcho) error { return h.stack.Answer(e) }

// RefuseEcho tells who sent a ping that there is no way to who was asked.
func (h *Host) RefuseEcho(e ip.ForeignEcho) { h.stack.UnreachableEcho(e) }
