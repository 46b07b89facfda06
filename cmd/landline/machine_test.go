package main

import (
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"landline/link"
)

// Whether root has to open the way to all TAPs, or make one, are different things.
func TestTAPThatIsNotAllowedIsExplained(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string
	}{
		{&os.PathError{Op: "open", Path: "/dev/net/tun", Err: syscall.EACCES}, "chmod 666 /dev/net/tun"},
		{os.NewSyscallError("TUNSETIFF", syscall.EPERM), "ip tuntap add tap7 mode tap user "},
		{&os.PathError{Op: "open", Path: "/dev/net/tun", Err: syscall.ENOENT}, "there is no /dev/net/tun"},
	} {
		if got := hintTAP("tap7", c.err); !strings.Contains(got, c.want) {
			t.Errorf("for %v: %q", c.err, got)
		}
	}
}

func TestHangingUpHasOneName(t *testing.T) {
	system := func(op string, err error) error {
		return &net.OpError{Op: op, Net: "unix", Err: os.NewSyscallError(op, err)}
	}
	for _, err := range []error{
		io.EOF, io.ErrUnexpectedEOF, system("read", syscall.ECONNRESET), system("write", syscall.EPIPE),
	} {
		if got := hungUp(err); got != errHungUp {
			t.Errorf("%v is named %v", err, got)
		}
	}
	for _, err := range []error{link.ErrStreamFrame, system("read", syscall.EIO), net.ErrClosed} {
		if got := hungUp(err); got != err {
			t.Errorf("%v is named %v", err, got)
		}
	}
}
