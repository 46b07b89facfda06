//go:build unix

package lan

import (
	"net"
	"syscall"
)

// readDatagram waits for a datagram and gives it to hear. The buffer, which is large enough for any, is taken only when something
// is there: thousands of flows wait.
func (g *Gateway) readDatagram(c net.Conn, hear func([]byte)) error {
	s, ok := c.(syscall.Conn)
	if !ok {
		return g.readInto(c, hear)
	}
	raw, err := s.SyscallConn()
	if err != nil {
		return err
	}
	var fault error
	err = raw.Read(func(fd uintptr) bool {
		b := g.nat.buffers.Get().(*[bufferSize]byte)
		defer g.nat.buffers.Put(b)
		n, err := syscall.Read(int(fd), b[:])
		for err == syscall.EINTR {
			n, err = syscall.Read(int(fd), b[:])
		}
		if err == syscall.EAGAIN {
			return false
		}
		if fault = err; err != nil {
			dropErrors(int(fd))
			return true
		}
		hear(b[:n])
		return true
	})
	if err != nil {
		return err
	}
	return fault
}
