package ip

import (
	"errors"
	"syscall"
	"testing"

	"landline/wire"
)

func TestErrorsOfICMP(t *testing.T) {
	for _, c := range []struct {
		t    wire.ICMPv4Type
		code uint8
		rest uint32
		want Error
	}{
		{wire.ICMPv4Unreachable, wire.ICMPv4NetUnreachable, 0, Error{Errno: syscall.ENETUNREACH}},
		{wire.ICMPv4Unreachable, wire.ICMPv4HostUnreachable, 0, Error{Errno: syscall.EHOSTUNREACH}},
		{wire.ICMPv4Unreachable, wire.ICMPv4ProtocolUnreachable, 0, Error{Errno: syscall.ENOPROTOOPT, Hard: true}},
		{wire.ICMPv4Unreachable, wire.ICMPv4PortUnreachable, 0, Error{Errno: syscall.ECONNREFUSED, Hard: true}},
		{wire.ICMPv4Unreachable, wire.ICMPv4FragmentationNeeded, 1400, Error{Errno: syscall.EMSGSIZE, MTU: 1400}},
		{wire.ICMPv4Unreachable, wire.ICMPv4SourceRouteFailed, 0, Error{Errno: syscall.EOPNOTSUPP}},
		{wire.ICMPv4Unreachable, wire.ICMPv4NetUnknown, 0, Error{Errno: syscall.ENETUNREACH, Hard: true}},
		{wire.ICMPv4Unreachable, wire.ICMPv4HostUnknown, 0, Error{Errno: syscall.EHOSTDOWN, Hard: true}},
		{wire.ICMPv4Unreachable, 8, 0, Error{Errno: syscall.EHOSTUNREACH, Hard: true}},
		{wire.ICMPv4Unreachable, wire.ICMPv4NetProhibited, 0, Error{Errno: syscall.ENETUNREACH, Hard: true}},
		{wire.ICMPv4Unreachable, wire.ICMPv4HostProhibited, 0, Error{Errno: syscall.EHOSTUNREACH, Hard: true}},
		{wire.ICMPv4Unreachable, 11, 0, Error{Errno: syscall.ENETUNREACH}},
		{wire.ICMPv4Unreachable, 12, 0, Error{Errno: syscall.EHOSTUNREACH}},
		{wire.ICMPv4Unreachable, wire.ICMPv4AdminProhibited, 0, Error{Errno: syscall.EHOSTUNREACH, Hard: true}},
		{wire.ICMPv4Unreachable, 14, 0, Error{Errno: syscall.EHOSTUNREACH, Hard: true}},
		{wire.ICMPv4Unreachable, 15, 0, Error{Errno: syscall.EHOSTUNREACH, Hard: true}},
		{wire.ICMPv4Unreachable, 16, 0, Error{}},
		{wire.ICMPv4TimeExceeded, wire.ICMPv4TTLExceeded, 0, Error{Errno: syscall.EHOSTUNREACH}},
		{wire.ICMPv4TimeExceeded, wire.ICMPv4ReassemblyExceeded, 0, Error{Errno: syscall.EHOSTUNREACH}},
		{wire.ICMPv4ParamProblem, 0, 9 << 24, Error{Errno: syscall.EPROTO}},
		{wire.ICMPv4Redirect, 0, 0, Error{}},
		{4, 0, 0, Error{}}, // source quench
		{wire.ICMPv4Echo, 0, 0, Error{}},
	} {
		got, ok := errorOf4(wire.AppendICMPv4(nil, c.t, c.code, c.rest, nil))
		if got != c.want || ok != (c.want != Error{}) {
			t.Errorf("%v, code %d: %+v, want %+v", c.t, c.code, got, c.want)
		}
	}
}

func TestErrorsOfICMPv6(t *testing.T) {
	for _, c := range []struct {
		t    wire.ICMPv6Type
		code uint8
		rest uint32
		want Error
	}{
		{wire.ICMPv6Unreachable, wire.ICMPv6NoRoute, 0, Error{Errno: syscall.ENETUNREACH}},
		{wire.ICMPv6Unreachable, wire.ICMPv6Prohibited, 0, Error{Errno: syscall.EACCES, Hard: true}},
		{wire.ICMPv6Unreachable, wire.ICMPv6BeyondScope, 0, Error{Errno: syscall.EHOSTUNREACH}},
		{wire.ICMPv6Unreachable, wire.ICMPv6AddressUnreachable, 0, Error{Errno: syscall.EHOSTUNREACH}},
		{wire.ICMPv6Unreachable, wire.ICMPv6PortUnreachable, 0, Error{Errno: syscall.ECONNREFUSED, Hard: true}},
		{wire.ICMPv6Unreachable, wire.ICMPv6PolicyFailed, 0, Error{Errno: syscall.EACCES, Hard: true}},
		{wire.ICMPv6Unreachable, wire.ICMPv6RejectRoute, 0, Error{Errno: syscall.EACCES, Hard: true}},
		{wire.ICMPv6Unreachable, 7, 0, Error{Errno: syscall.EPROTO}},
		{wire.ICMPv6TooBig, 0, 1400, Error{Errno: syscall.EMSGSIZE, MTU: 1400}},
		{wire.ICMPv6TooBig, 0, 0xffffffff, Error{Errno: syscall.EMSGSIZE, MTU: 65535}},
		{wire.ICMPv6TimeExceeded, wire.ICMPv6HopLimitExceeded, 0, Error{Errno: syscall.EHOSTUNREACH}},
		{wire.ICMPv6TimeExceeded, wire.ICMPv6ReassemblyExceeded, 0, Error{Errno: syscall.EHOSTUNREACH}},
		{wire.ICMPv6ParamProblem, wire.ICMPv6UnknownHeader, 40, Error{Errno: syscall.EPROTO}},
		{100, 0, 0, Error{Errno: syscall.EPROTO}}, // an error that is not known
		{wire.ICMPv6Echo, 0, 0, Error{}},
		{wire.ICMPv6Redirect, 0, 0, Error{}},
	} {
		got, ok := errorOf6(wire.AppendICMPv6(nil, c.t, c.code, c.rest, nil))
		if got != c.want || ok != (c.want != Error{}) {
			t.Errorf("%v, code %d: %+v, want %+v", c.t, c.code, got, c.want)
		}
	}
}

func TestErrorsAreFoundByErrno(t *testing.T) {
	var err error = hard(syscall.ECONNREFUSED)
	errno, ok := errors.AsType[syscall.Errno](err)
	if !errors.Is(err, syscall.ECONNREFUSED) || !ok || errno != syscall.ECONNREFUSED {
		t.Errorf("%v", err)
	}
	if err.Error() != syscall.ECONNREFUSED.Error() {
		t.Errorf("%q", err)
	}
}
