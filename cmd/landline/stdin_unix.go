//go:build unix

package main

import (
	"os"

	"golang.org/x/sys/unix"
)

// A stdin is standard input until it is left: what is typed after that is for whoever
// reads the terminal next. Where poll does not know terminals (macOS has such), a Read that
// has begun is not called off.
type stdin struct {
	in            *os.File
	left, leaving *os.File // the ends of a pipe, which is closed at one when it is left
}

func openStdin() (*stdin, error) { return openInput(os.Stdin) }

func openInput(in *os.File) (*stdin, error) {
	left, leaving, err := os.Pipe()
	return &stdin{in, left, leaving}, err
}

func (s *stdin) leave() { s.leaving.Close() }

// Read is io.Reader's. Once stdin has been left it does not return: an end would be
// the command's.
func (s *stdin) Read(p []byte) (int, error) {
	for {
		fds := []unix.PollFd{{Fd: int32(s.in.Fd()), Events: unix.POLLIN}, {Fd: int32(s.left.Fd()), Events: unix.POLLIN}}
		_, err := unix.Poll(fds, -1)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return 0, os.NewSyscallError("poll", err)
		case fds[1].Revents != 0:
			select {}
		default:
			return s.in.Read(p)
		}
	}
}
