package landline

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"syscall"
)

// Errors get the shapes of package net here, at the border, and nowhere below: a *net.OpError
// around an *os.SyscallError for what a system call would have said, and around the bare error
// otherwise.

var (
	errMissingAddress = errors.New("missing address")

	errCanceled = &contextError{"operation was canceled", context.Canceled, nil, false}
	errTimeout  = &contextError{"i/o timeout", context.DeadlineExceeded, nil, true}
	// While a connection is being opened, package net has two timers for the same time, each with an error of its
	// own.
	errDialTimeout = &contextError{"i/o timeout", context.DeadlineExceeded, os.ErrDeadlineExceeded, true}
)

// A contextError is what net makes of a context's error: with a text of its own, but found by
// errors.Is.
type contextError struct {
	text    string
	context error
	other   error // that it is too, or nil
	timeout bool
}

func (e *contextError) Error() string        { return e.text }
func (e *contextError) Is(target error) bool { return target == e.context || target == e.other }
func (e *contextError) Timeout() bool        { return e.timeout }
func (e *contextError) Temporary() bool      { return e.timeout }

// mapContext returns what net says of an error of a context.
func mapContext(err error) error {
	switch {
	case errors.Is(err, context.Canceled):
		return errCanceled
	case errors.Is(err, context.DeadlineExceeded):
		return errTimeout
	}
	return err
}

// inCall says which system call would have returned an errno. Other errors remain what they
// are.
func inCall(call string, err error) error {
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return os.NewSyscallError(call, errno)
	}
	return err
}

// udpAddr returns what net calls an address, or nil if it is not valid. An address that is not
// valid but has a port is all of this host's.
func udpAddr(a netip.AddrPort) net.Addr {
	if a == (netip.AddrPort{}) {
		return nil
	}
	return net.UDPAddrFromAddrPort(a)
}

// opAddr returns a as an Addr that is nil if a is.
func opAddr(a *net.UDPAddr) net.Addr {
	if a == nil {
		return nil
	}
	return a
}
