package ip

import (
	"syscall"

	"landline/wire"
)

// An Error is what an ICMP error about a packet of ours means to the socket that sent it. It
// is comparable. errors.Is and errors.As find Errno in it.
type Error struct {
	// Errno is what the socket reports: on Linux, the same as there.
	Errno syscall.Errno
	// Hard says that trying again is of no use. TCP gives up a connection for it only
	// while that is being opened: later it may be forged (RFC 5927, Section 5.2). A soft error
	// MUST NOT abort a connection (RFC 9293, Section 3.9.2.2, MUST-56); it is the reason to be given
	// if the connection fails anyhow (RFC 5461).
	Hard bool
	// MTU, if it is not zero, is the largest packet that the path carries, in bytes. Errno is
	// EMSGSIZE.
	MTU int
}

// Error returns the text of Errno.
func (e Error) Error() string { return e.Errno.Error() }

// Unwrap returns Errno.
func (e Error) Unwrap() error { return e.Errno }

func soft(n syscall.Errno) Error { return Error{Errno: n} }
func hard(n syscall.Errno) Error { return Error{Errno: n, Hard: true} }

// errorOf4 returns what a message means, and false if it means nothing to a socket: it is
// no error, or a redirect. MTU is what the router said: pathMTUs has to judge it.
func errorOf4(m wire.ICMPv4) (Error, bool) {
	switch m.Type() {
	case wire.ICMPv4Unreachable:
		return unreachable4(m)
	case wire.ICMPv4TimeExceeded:
		return soft(syscall.EHOSTUNREACH), true
	case wire.ICMPv4ParamProblem:
		return soft(syscall.EPROTO), true // not hard: RFC 1122, Section 4.2.3.9
	}
	return Error{}, false
}

// unreachable4 follows RFC 1122, Sections 3.2.2.1 and 4.2.3.9.
func unreachable4(m wire.ICMPv4) (Error, bool) {
	const (
		isolated      = 8
		netForTOS     = 11
		hostForTOS    = 12
		precedence    = 14
		precedenceCut = 15
	)
	switch m.Code() {
	case wire.ICMPv4NetUnreachable, netForTOS:
		return soft(syscall.ENETUNREACH), true
	case wire.ICMPv4HostUnreachable, hostForTOS:
		return soft(syscall.EHOSTUNREACH), true
	case wire.ICMPv4ProtocolUnreachable:
		return hard(syscall.ENOPROTOOPT), true
	case wire.ICMPv4PortUnreachable:
		return hard(syscall.ECONNREFUSED), true
	case wire.ICMPv4FragmentationNeeded:
		return Error{Errno: syscall.EMSGSIZE, MTU: m.MTU()}, true
	case wire.ICMPv4SourceRouteFailed:
		return soft(syscall.EOPNOTSUPP), true
	case wire.ICMPv4NetUnknown, wire.ICMPv4NetProhibited:
		return hard(syscall.ENETUNREACH), true
	case wire.ICMPv4HostUnknown:
		return hard(syscall.EHOSTDOWN), true
	case wire.ICMPv4HostProhibited, wire.ICMPv4AdminProhibited, precedence, precedenceCut:
		return hard(syscall.EHOSTUNREACH), true
	case isolated: // Linux says ENONET, which other systems do not have
		return hard(syscall.EHOSTUNREACH), true
	}
	return Error{}, false
}

// errorOf6 is errorOf4 for ICMPv6. Errors of a kind that is not known "MUST be passed to the
// upper-layer process that originated the packet" (RFC 4443, Section 2.4(a)): they are
// soft EPROTO.
func errorOf6(m wire.ICMPv6) (Error, bool) {
	switch m.Type() {
	case wire.ICMPv6Unreachable:
		return unreachable6(m), true
	case wire.ICMPv6TooBig:
		return Error{Errno: syscall.EMSGSIZE, MTU: int(min(m.MTU(), maxPacket))}, true
	case wire.ICMPv6TimeExceeded:
		return soft(syscall.EHOSTUNREACH), true
	}
	if m.IsError() {
		return soft(syscall.EPROTO), true
	}
	return Error{}, false
}

// maxPacket is the longest packet without extension headers, in bytes: what an IPv4
// length can say.
const maxPacket = 65535

func unreachable6(m wire.ICMPv6) Error {
	switch m.Code() {
	case wire.ICMPv6NoRoute:
		return soft(syscall.ENETUNREACH)
	case wire.ICMPv6Prohibited, wire.ICMPv6PolicyFailed, wire.ICMPv6RejectRoute:
		return hard(syscall.EACCES)
	case wire.ICMPv6BeyondScope, wire.ICMPv6AddressUnreachable:
		return soft(syscall.EHOSTUNREACH)
	case wire.ICMPv6PortUnreachable:
		return hard(syscall.ECONNREFUSED)
	}
	return soft(syscall.EPROTO)
}
