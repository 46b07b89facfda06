//go:build !unix

package link

import (
	"errors"
	"fmt"
	"net"
	"runtime"
)

// A Datagram is a Device whose wire is a socket on which each datagram is a frame. There are none on
// this system.
type Datagram struct{ Device }

// NewDatagram returns an error: this system has no such sockets. It is errors.ErrUnsupported.
func NewDatagram(net.Conn, Info) (*Datagram, error) { return nil, errDatagram() }

// A DatagramListener makes a Datagram for each machine that sends to a socket.
type DatagramListener struct{}

// ListenDatagram returns an error: this system has no such sockets. It is errors.ErrUnsupported.
func ListenDatagram(*net.UnixConn, Info, func(*Datagram)) (*DatagramListener, error) {
	return nil, errDatagram()
}

func errDatagram() error {
	return fmt.Errorf("datagram socket: %w on %s", errors.ErrUnsupported, runtime.GOOS)
}

// Stats returns nothing.
func (*DatagramListener) Stats() DatagramStats { return DatagramStats{} }

// Close does nothing.
func (*DatagramListener) Close() error { return nil }
