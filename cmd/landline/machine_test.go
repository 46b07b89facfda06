package main

import (
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"landline/link"
)

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
