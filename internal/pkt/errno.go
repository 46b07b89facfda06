package pkt

import (
	"errors"
	"io"
	"net"
	"os"
	"strconv"
	"syscall"
)

// errnos are the errors that scripts speak of.
var errnos = map[string]syscall.Errno{
	"EACCES": syscall.EACCES, "EADDRINUSE": syscall.EADDRINUSE, "EADDRNOTAVAIL": syscall.EADDRNOTAVAIL,
	"EAFNOSUPPORT": syscall.EAFNOSUPPORT, "EAGAIN": syscall.EAGAIN, "EALREADY": syscall.EALREADY, "EBADF": syscall.EBADF,
	"ECONNABORTED": syscall.ECONNABORTED, "ECONNREFUSED": syscall.ECONNREFUSED, "ECONNRESET": syscall.ECONNRESET,
	"EDESTADDRREQ": syscall.EDESTADDRREQ, "EFAULT": syscall.EFAULT, "EHOSTUNREACH": syscall.EHOSTUNREACH,
	"EINPROGRESS": syscall.EINPROGRESS, "EINVAL": syscall.EINVAL, "EISCONN": syscall.EISCONN, "EMSGSIZE": syscall.EMSGSIZE,
	"ENETUNREACH": syscall.ENETUNREACH, "ENOBUFS": syscall.ENOBUFS, "ENOMEM": syscall.ENOMEM,
	"ENOPROTOOPT": syscall.ENOPROTOOPT, "ENOTCONN": syscall.ENOTCONN, "EOPNOTSUPP": syscall.EOPNOTSUPP,
	"EPERM": syscall.EPERM, "EPIPE": syscall.EPIPE, "EPROTO": syscall.EPROTO, "EPROTONOSUPPORT": syscall.EPROTONOSUPPORT,
	"ETIMEDOUT": syscall.ETIMEDOUT,
}

// errnoNames are the names of numbers.
var errnoNames = func() map[syscall.Errno]string {
	names := make(map[syscall.Errno]string, len(errnos))
	for name, n := range errnos {
		names[n] = name
	}
	return names
}()

// errnoOf returns the error that a system call would have ended with. The end of the stream is none.
func errnoOf(err error) syscall.Errno {
	switch {
	case err == nil, err == io.EOF:
		return 0
	case errors.Is(err, net.ErrClosed):
		return syscall.EBADF
	case errors.Is(err, os.ErrDeadlineExceeded):
		return syscall.EAGAIN
	}
	if n, ok := errors.AsType[syscall.Errno](err); ok {
		return n
	}
	return syscall.EPROTO
}

// errnoName returns what scripts call an error.
func errnoName(n syscall.Errno) string {
	if name, ok := errnoNames[n]; ok {
		return name
	}
	return "errno " + strconv.Itoa(int(n))
}

// canonical returns the name of an error that has two.
func canonical(name string) string {
	switch name {
	case "EWOULDBLOCK":
		return "EAGAIN"
	case "ENOTSUP":
		return "EOPNOTSUPP"
	}
	return name
}
