//go:build unix && !linux

package link

import "golang.org/x/sys/unix"

// receiveFrom receives a datagram and its sender.
func receiveFrom(fd int, b []byte, from *sender) (int, error) {
	n, addr, err := unix.Recvfrom(fd, b, 0)
	if err != nil {
		return 0, err
	}
	from.n = 0
	if a, ok := addr.(*unix.SockaddrUnix); ok {
		from.set([]byte(a.Name))
	}
	return n, nil
}
