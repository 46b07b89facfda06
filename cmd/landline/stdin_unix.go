//go:build unix

package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// A stdin is standard input until it is left: what is typed after that is for whoever
// reads the terminal next.
type stdin struct {
	left, leaving *os.File // the ends of a pipe, which is closed at one when it is left
}

func openStdin() (in *stdin, err error) {
	in = new(stdin)
	in.left, in.leaving, err = os.Pipe()
	return in, err
}

func (in *stdin) leave() { in.leaving.Close() }

// Read is io.Reader's. Once stdin has been left it does not return: an end would be
// the command's.
func (in *stdin) Read(p []byte) (int, error) {
	for {
		fds := []unix.PollFd{{Fd: int32(os.Stdin.Fd()), Events: unix.POLLIN}, {Fd: int32(in.left.Fd()), Events: unix.POLLIN}}
		_, err := unix.Poll(fds, -1)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return 0, os.NewSyscallError("poll", err)
		case fds[1].Revents != 0:
			select {}
		default:
			return os.Stdin.Read(p)
		}
	}
}
