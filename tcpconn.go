package landline

import (
	"context"
	"io"
	"net"
	"time"

	"landline/tcp"
)

// A TCPConn is a TCP connection of a Host. It is a net.Conn and has most methods of net.TCPConn, with the same
// errors. Its methods may be called by several goroutines at once.
//
// Read and Write do not allocate. There is no File and no SyscallConn, as there is no file of
// the system.
type TCPConn struct {
	conn    *tcp.Conn
	network string
}

// LocalAddr returns the address at this end, a *net.TCPAddr.
func (c *TCPConn) LocalAddr() net.Addr {
	return net.TCPAddrFromAddrPort(c.conn.Via().Zoned(c.conn.Local()))
}

// RemoteAddr returns the address at the other end, a *net.TCPAddr.
func (c *TCPConn) RemoteAddr() net.Addr {
	return net.TCPAddrFromAddrPort(c.conn.Via().Zoned(c.conn.Remote()))
}

// fail makes an error what net would return. The system call is the one that it would have made.
func (c *TCPConn) fail(op, call string, err error) error { return c.wrap(op, inCall(call, err)) }

func (c *TCPConn) wrap(op string, err error) error {
	return &net.OpError{Op: op, Net: c.network, Source: c.LocalAddr(), Addr: c.RemoteAddr(), Err: err}
}

// Read reads what has arrived, and waits if nothing has. After the other end has closed, it returns io.EOF.
func (c *TCPConn) Read(b []byte) (int, error) {
	n, err := c.conn.Read(b)
	if err != nil && err != io.EOF {
		err = c.fail("read", "read", err)
	}
	return n, err
}

// Write sends b, and waits while there is no room for it.
func (c *TCPConn) Write(b []byte) (int, error) {
	n, err := c.conn.Write(b)
	if err != nil {
		err = c.fail("write", "write", err)
	}
	return n, err
}

// Close closes the connection. What was written is still sent, in the background. If something has arrived that
// nobody has read, the other end gets a reset.
func (c *TCPConn) Close() error {
	if err := c.conn.Close(); err != nil {
		return c.fail("close", "close", err)
	}
	return nil
}

// CloseRead says that nothing more will be read than what is there: what arrives is dropped.
func (c *TCPConn) CloseRead() error {
	if err := c.conn.CloseRead(); err != nil {
		return c.fail("close", "shutdown", err)
	}
	return nil
}

// CloseWrite says that nothing more will be written: the other end reads io.EOF after all that was.
func (c *TCPConn) CloseWrite() error {
	if err := c.conn.CloseWrite(); err != nil {
		return c.fail("close", "shutdown", err)
	}
	return nil
}

// SetDeadline sets when reads and writes fail with os.ErrDeadlineExceeded, those that wait now too. The
// zero Time is never.
func (c *TCPConn) SetDeadline(t time.Time) error {
	return c.setHere(func() error {
		c.conn.SetReadDeadline(t)
		c.conn.SetWriteDeadline(t)
		return nil
	})
}

// SetReadDeadline is SetDeadline for reads.
func (c *TCPConn) SetReadDeadline(t time.Time) error {
	return c.setHere(func() error { c.conn.SetReadDeadline(t); return nil })
}

// SetWriteDeadline is SetDeadline for writes.
func (c *TCPConn) SetWriteDeadline(t time.Time) error {
	return c.setHere(func() error { c.conn.SetWriteDeadline(t); return nil })
}

// SetLinger says what Close does with what has not been sent. If sec is 0, it is dropped and the other end gets a
// reset; otherwise it is sent in the background, for as long as that takes.
func (c *TCPConn) SetLinger(sec int) error {
	return c.set(func() error { return c.conn.SetLinger(sec) })
}

// SetNoDelay says whether small writes are sent at once, as they are at first, or gathered while others are on
// their way.
func (c *TCPConn) SetNoDelay(noDelay bool) error {
	return c.set(func() error { return c.conn.SetNoDelay(noDelay) })
}

// SetKeepAlive says whether a silent peer is asked if it is still there, as at first it is.
func (c *TCPConn) SetKeepAlive(keepalive bool) error {
	return c.SetKeepAliveConfig(net.KeepAliveConfig{Enable: keepalive})
}

// SetKeepAlivePeriod sets after how long a silent peer is asked, and then how often.
func (c *TCPConn) SetKeepAlivePeriod(d time.Duration) error {
	return c.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: d, Interval: d})
}

// SetKeepAliveConfig says when a silent peer is asked if it is still there: 15 seconds, 15 seconds and 9
// times are what stands for a zero. A negative value is one too: what package net leaves as it is has no
// other value here.
func (c *TCPConn) SetKeepAliveConfig(k net.KeepAliveConfig) error {
	if !k.Enable {
		return c.set(func() error { return c.conn.SetKeepAlive(0, 0, 0) })
	}
	if k.Idle <= 0 {
		k.Idle = defaultKeepAlive
	}
	if k.Interval <= 0 {
		k.Interval = defaultKeepAlive
	}
	if k.Count <= 0 {
		k.Count = defaultKeepAliveCount
	}
	return c.set(func() error { return c.conn.SetKeepAlive(k.Idle, k.Interval, k.Count) })
}

// SetReadBuffer fixes how much may wait to be read, in bytes: a power of two that is no less, and at least 4
// KiB and at most 512 MiB; 0 and less leave it as it is. At first it grows as the connection needs it.
func (c *TCPConn) SetReadBuffer(bytes int) error {
	return c.setHere(func() error { return c.conn.SetBuffers(0, bytes) })
}

// SetWriteBuffer is SetReadBuffer for what has been written and is not acknowledged.
func (c *TCPConn) SetWriteBuffer(bytes int) error {
	return c.setHere(func() error { return c.conn.SetBuffers(bytes, 0) })
}

// SetUserTimeout limits how long what was written may stay without acknowledgment before the connection is given
// up; 0 is 15 minutes. Its error is then syscall.ETIMEDOUT, or what was last heard of the way, from a router or as the
// neighbor does not answer: syscall.EHOSTUNREACH and others. A negative d is syscall.EINVAL, as on Linux.
func (c *TCPConn) SetUserTimeout(d time.Duration) error {
	return c.set(func() error { return c.conn.SetUserTimeout(d) })
}

// SetTTL sets how many routers what is sent may pass, up to 255: the Time to Live of IPv4 and the Hop Limit of
// IPv6. 0 is what the link's routers advise, or 64.
func (c *TCPConn) SetTTL(ttl int) error {
	return c.set(func() error { return c.conn.SetTTL(ttl) })
}

// SetTOS sets the Diffserv field of what is sent, which says how urgent it is: the upper six bits of IPv4's Type of
// Service and IPv6's Traffic Class. The lower two are taken for 0.
func (c *TCPConn) SetTOS(tos int) error {
	return c.set(func() error { return c.conn.SetTOS(tos) })
}

// Info returns how the connection is doing.
func (c *TCPConn) Info() tcp.Info { return c.conn.Info() }

// set changes something about the connection.
func (c *TCPConn) set(do func() error) error {
	if err := c.unlessClosed(do); err != nil {
		return c.fail("set", "setsockopt", err)
	}
	return nil
}

// setHere is set for what package net takes for a matter of this end alone.
func (c *TCPConn) setHere(do func() error) error {
	if err := c.unlessClosed(do); err != nil {
		return &net.OpError{Op: "set", Net: c.network, Addr: c.LocalAddr(), Err: inCall("setsockopt", err)}
	}
	return nil
}

func (c *TCPConn) unlessClosed(do func() error) error {
	if c.conn.Closed() {
		return net.ErrClosed
	}
	return do()
}

// A TCPListener takes connections to a Host. It is a net.Listener and has most methods of net.TCPListener, with
// the same errors. Its methods may be called by several goroutines at once.
type TCPListener struct {
	host     *Host
	listener *tcp.Listener
	network  string
	addr     net.Addr
}

func (l *TCPListener) fail(op, call string, err error) error {
	return &net.OpError{Op: op, Net: l.network, Addr: l.addr, Err: inCall(call, err)}
}

// Accept waits for a connection, a *TCPConn.
func (l *TCPListener) Accept() (net.Conn, error) {
	c, err := l.AcceptTCP()
	if err != nil {
		return nil, err
	}
	return c, nil
}

// AcceptTCP is Accept with a type.
func (l *TCPListener) AcceptTCP() (*TCPConn, error) {
	c, err := l.listener.Accept(context.Background())
	if err != nil {
		return nil, l.fail("accept", "accept", err)
	}
	return l.host.newTCPConn(l.network, c), nil
}

// Addr returns the address that is listened at, a *net.TCPAddr.
func (l *TCPListener) Addr() net.Addr { return l.addr }

// SetDeadline sets when Accept fails with os.ErrDeadlineExceeded. The zero Time is never.
func (l *TCPListener) SetDeadline(t time.Time) error {
	if l.listener.Closed() {
		return net.ErrClosed // bare, as from package net
	}
	l.listener.SetDeadline(t)
	return nil
}

// Close ends the listener. Connections that nobody has accepted are reset.
func (l *TCPListener) Close() error {
	if err := l.listener.Close(); err != nil {
		return l.fail("close", "close", err)
	}
	return nil
}
