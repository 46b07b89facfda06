//go:build unix

package lan

import (
	"errors"
	"syscall"

	"golang.org/x/sys/unix"
)

// sharesPorts says that several sockets can have one port, each for another peer.
const sharesPorts = true

// sharePort lets other sockets of this user have the same port.
func sharePort(network, _ string, c syscall.RawConn) error {
	var fault error
	err := c.Control(func(fd uintptr) {
		fault = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
		wantErrors(int(fd), network == "udp4")
	})
	return errors.Join(err, fault)
}
