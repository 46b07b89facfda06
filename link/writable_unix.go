//go:build unix

package link

import "golang.org/x/sys/unix"

// isWritable asks the kernel, since the poller knows only of changes.
func isWritable(fd uintptr) bool {
	for {
		polled := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLOUT}}
		n, err := unix.Poll(polled, 0)
		if err != unix.EINTR {
			return n > 0
		}
	}
}
