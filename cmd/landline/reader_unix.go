//go:build unix

package main

import (
	"context"
	"os"

	"golang.org/x/sys/unix"
)

// whenReaderLeaves calls do once nobody reads any more what is written to a pipe or a socket, unless ctx ends first. Without
// that, who has nothing to write does not notice.
func whenReaderLeaves(ctx context.Context, f *os.File, do func()) {
	const patience = 250 // ms; how late the end of ctx may be noticed
	for ctx.Err() == nil {
		fds := []unix.PollFd{{Fd: int32(f.Fd())}}
		if n, err := unix.Poll(fds, patience); n > 0 && fds[0].Revents&(unix.POLLERR|unix.POLLHUP) != 0 {
			do()
			return
		} else if n > 0 || err != nil && err != unix.EINTR {
			return // it cannot be told
		}
	}
}
