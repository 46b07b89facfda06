package landline

import (
	"net"
	"net/netip"
	"sync/atomic"
	"syscall"
	"time"

	"landline/ip"
	"landline/udp"
)

// A UDPConn is a UDP socket of a Host, a net.Conn and a net.PacketConn. It has most methods of
// net.UDPConn, with the same errors. Its methods may be called by several goroutines at once.
//
// What is not there: SyscallConn and File, as there is no file descriptor; SetWriteBuffer, as there
// is no such buffer, and a write waits while the device is full; ReadMsgUDP, WriteMsgUDP and their
// AddrPort forms, as control messages are in a system's own format. ReadFromTo and WriteToFrom do
// what those are mostly for: they tell and choose the address of this host.
//
// A datagram costs no allocation, unless it is read by ReadFrom or ReadFromUDP, which make a
// *net.UDPAddr.
type UDPConn struct {
	host          *Host
	socket        *udp.Socket
	network       string
	v4            bool // an IPv4 socket; the others may be dual
	dual          bool
	local, remote net.Addr // remote is nil if it is not connected
	closed        atomic.Bool
}

// LocalAddr returns the local address, a *net.UDPAddr.
func (c *UDPConn) LocalAddr() net.Addr { return c.local }

// RemoteAddr returns the address that c is connected to, a *net.UDPAddr, or nil.
func (c *UDPConn) RemoteAddr() net.Addr { return c.remote }

// fail makes an error of c what net would return. The system call is the one that it would have
// made.
func (c *UDPConn) fail(op, call string, addr net.Addr, err error) error {
	return &net.OpError{Op: op, Net: c.network, Source: c.local, Addr: addr, Err: inCall(call, err)}
}

// Read reads a datagram, from the remote if c is connected. What b has no room for is lost.
func (c *UDPConn) Read(b []byte) (int, error) {
	n, _, _, _, err := c.socket.ReadFrom(b)
	if err != nil {
		return 0, c.fail("read", "read", c.remote, err)
	}
	return n, nil
}

// ReadFrom reads a datagram and returns who sent it, as a *net.UDPAddr.
func (c *UDPConn) ReadFrom(b []byte) (int, net.Addr, error) {
	n, from, err := c.ReadFromUDP(b)
	if err != nil {
		return n, nil, err
	}
	return n, from, nil
}

// ReadFromUDP is ReadFrom with a type.
func (c *UDPConn) ReadFromUDP(b []byte) (int, *net.UDPAddr, error) {
	n, from, err := c.ReadFromUDPAddrPort(b)
	if err != nil {
		return n, nil, err
	}
	return n, net.UDPAddrFromAddrPort(from), nil
}

// ReadFromUDPAddrPort reads a datagram and returns who sent it. An IPv4 address is never
// mapped to IPv6, and a link-local address has a zone.
func (c *UDPConn) ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error) {
	n, _, from, _, err := c.socket.ReadFrom(b)
	if err != nil {
		return 0, netip.AddrPort{}, c.fail("read", "recvfrom", c.remote, err)
	}
	return n, from, nil
}

// Write sends a datagram to the remote.
func (c *UDPConn) Write(b []byte) (int, error) {
	if err := c.socket.WriteTo(b, netip.AddrPort{}); err != nil {
		return 0, c.fail("write", "write", c.remote, err)
	}
	return len(b), nil
}

// WriteTo sends a datagram to a *net.UDPAddr.
func (c *UDPConn) WriteTo(b []byte, addr net.Addr) (int, error) {
	a, ok := addr.(*net.UDPAddr)
	if !ok {
		return 0, &net.OpError{Op: "write", Net: c.network, Source: c.local, Addr: addr, Err: syscall.EINVAL}
	}
	return c.WriteToUDP(b, a)
}

// WriteToUDP is WriteTo with a type.
func (c *UDPConn) WriteToUDP(b []byte, addr *net.UDPAddr) (int, error) {
	to := addrPort(addr)
	if addr != nil && len(addr.IP) == 0 {
		to = netip.AddrPortFrom(c.unspecified(), to.Port())
	}
	if err := c.writeTo(b, to); err != nil {
		return 0, c.fail("write", "sendto", opAddr(addr), err)
	}
	return len(b), nil
}

// unspecified is the address that no IP in a *net.UDPAddr stands for: this host.
func (c *UDPConn) unspecified() netip.Addr {
	if c.v4 {
		return netip.IPv4Unspecified()
	}
	return netip.IPv6Unspecified()
}

// WriteToUDPAddrPort sends a datagram to an address.
func (c *UDPConn) WriteToUDPAddrPort(b []byte, addr netip.AddrPort) (int, error) {
	if err := c.writeTo(b, netip.AddrPortFrom(addr.Addr().Unmap(), addr.Port())); err != nil {
		return 0, c.fail("write", "sendto", addrPortAddr{addr}, err)
	}
	return len(b), nil
}

// ReadFromTo is ReadFromUDPAddrPort, and returns also to which address of this host, or which group,
// the datagram was sent.
func (c *UDPConn) ReadFromTo(b []byte) (n int, from netip.AddrPort, to netip.Addr, err error) {
	n, _, from, to, err = c.socket.ReadFrom(b)
	if err != nil {
		return 0, netip.AddrPort{}, netip.Addr{}, c.fail("read", "recvmsg", c.remote, err)
	}
	return n, from, to, nil
}

// WriteToFrom is WriteToUDPAddrPort from a certain address of this host: a socket for all addresses
// should answer from the one that was asked. The zero Addr leaves the choice to the host.
func (c *UDPConn) WriteToFrom(b []byte, to netip.AddrPort, from netip.Addr) (int, error) {
	err := c.checkTo(netip.AddrPortFrom(to.Addr().Unmap(), to.Port()))
	if err == nil {
		err = c.socket.WriteFrom(b, from, to)
	}
	if err != nil {
		return 0, c.fail("write", "sendmsg", addrPortAddr{to}, err)
	}
	return len(b), nil
}

// addrPortAddr is an address that may be invalid, as a net.Addr.
type addrPortAddr struct{ netip.AddrPort }

func (addrPortAddr) Network() string { return "udp" }

func (c *UDPConn) writeTo(b []byte, to netip.AddrPort) error {
	if err := c.checkTo(to); err != nil {
		return err
	}
	return c.socket.WriteTo(b, to)
}

// checkTo says why nothing can be sent to an address.
func (c *UDPConn) checkTo(to netip.AddrPort) error {
	switch {
	case c.remote != nil:
		return net.ErrWriteToConnected
	case !to.IsValid():
		return errMissingAddress
	case c.v4 && !to.Addr().Is4():
		return &net.AddrError{Err: "non-IPv4 address", Addr: to.Addr().String()}
	case !c.v4 && !c.dual && to.Addr().Is4():
		return syscall.ENETUNREACH
	}
	return nil
}

// Close closes the socket. Calls that wait return net.ErrClosed, in a *net.OpError.
func (c *UDPConn) Close() error {
	c.closed.Store(true)
	if err := c.socket.Close(); err != nil {
		return c.fail("close", "close", c.remote, err)
	}
	return nil
}

// SetDeadline sets when reads and writes fail with os.ErrDeadlineExceeded, those that wait now
// too. The zero Time is never.
func (c *UDPConn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// SetReadDeadline is SetDeadline for reads.
func (c *UDPConn) SetReadDeadline(t time.Time) error {
	return c.set(func() error { c.socket.SetReadDeadline(t); return nil })
}

// SetWriteDeadline is SetDeadline for writes. A write waits only while the device is full.
func (c *UDPConn) SetWriteDeadline(t time.Time) error {
	return c.set(func() error { c.socket.SetWriteDeadline(t); return nil })
}

// SetReadBuffer bounds what waits for a reader, in bytes, each datagram counted with 64 more. At first it
// is 212,992; the least is one datagram of any length, the most 16 MiB.
func (c *UDPConn) SetReadBuffer(bytes int) error {
	return c.set(func() error { c.socket.SetReadBuffer(bytes); return nil })
}

// SetBroadcast allows to send to all machines of an IPv4 network. Otherwise
// that is syscall.EACCES. Package net allows it always.
func (c *UDPConn) SetBroadcast(on bool) error {
	return c.set(func() error { c.socket.SetBroadcast(on); return nil })
}

// JoinGroup makes c receive what is sent to a multicast group on the interface of a name. If
// that is empty, it is the one by which datagrams to the group leave.
func (c *UDPConn) JoinGroup(name string, group netip.Addr) error {
	return c.inGroup(name, group, c.socket.Join)
}

// LeaveGroup ends what JoinGroup with the same arguments began.
func (c *UDPConn) LeaveGroup(name string, group netip.Addr) error {
	return c.inGroup(name, group, c.socket.Leave)
}

func (c *UDPConn) inGroup(name string, group netip.Addr, do func(*ip.Interface, netip.Addr) error) error {
	return c.set(func() error {
		i, err := c.host.groupInterface(name, group)
		if err != nil {
			return err
		}
		return do(i, group)
	})
}

// set changes something about the socket.
func (c *UDPConn) set(do func() error) error {
	err := net.ErrClosed
	if !c.closed.Load() && !c.host.isClosed() {
		err = do()
	}
	if err != nil {
		return &net.OpError{Op: "set", Net: c.network, Addr: c.local, Err: inCall("setsockopt", err)}
	}
	return nil
}
