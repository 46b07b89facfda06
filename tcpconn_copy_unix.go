//go:build unix

package landline

import (
	"io"
	"net"
	"os"
	"syscall"
)

// readFrom sends all that r has. From a socket it is read to where it is sent from, and room for it is taken only when there is
// something: thousands of connections wait.
func (c *TCPConn) readFrom(r io.Reader) (int64, error) {
	s := socketOf(r)
	if s == nil {
		return c.copyFrom(r)
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return 0, err
	}
	f := filler{to: c, size: idleSize}
	err = f.copy(raw)
	if errno, ok := err.(syscall.Errno); ok {
		err = &net.OpError{Op: "read", Net: s.LocalAddr().Network(), Source: s.LocalAddr(), Addr: s.RemoteAddr(),
			Err: os.NewSyscallError("read", errno)}
	}
	return f.total, err
}

// A socket is a connection of the system.
type socket interface {
	net.Conn
	syscall.Conn
}

// socketOf returns r if it is a stream of bytes of the system, and nil if it may be anything else on top of one.
func socketOf(r io.Reader) socket {
	switch s := r.(type) {
	case *net.TCPConn:
		return s
	case *net.UnixConn:
		if s.LocalAddr().Network() == "unix" {
			return s
		}
	}
	return nil
}

const (
	// copySize is for how much room is asked while much comes, and idleSize while little does.
	copySize = 64 << 10
	idleSize = 2 << 10
)

// A filler reads from a socket into the room that a connection has.
type filler struct {
	to    *TCPConn
	size  int // of the room that is asked for
	total int64

	// Of the last read.
	fd  int
	n   int
	err error
}

// copy sends all that comes. The error is a bare syscall.Errno if the socket has it.
func (f *filler) copy(raw syscall.RawConn) error {
	put := f.put // once, as each is an allocation
	try := func(fd uintptr) bool {
		f.fd = int(fd)
		f.n, f.err = f.to.conn.Fill(f.size, put)
		return f.err != syscall.EAGAIN
	}
	for {
		if err := f.to.conn.AwaitRoom(); err != nil {
			return f.to.fail("write", "write", err)
		}
		if err := raw.Read(try); err != nil {
			return err
		}
		f.total += int64(f.n)
		switch {
		case f.err == io.EOF:
			return nil
		case f.err != nil:
			return f.err
		case f.n == f.size:
			f.size = copySize
		case 0 < f.n && f.n < idleSize:
			f.size = idleSize
		}
	}
}

// put reads what there is.
func (f *filler) put(room []byte) (int, error) {
	for {
		n, err := syscall.Read(f.fd, room)
		switch {
		case err == syscall.EINTR:
		case err != nil:
			return 0, err
		case n == 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}
