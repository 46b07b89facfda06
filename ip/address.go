package ip

import (
	"encoding/binary"
	"net/netip"
	"time"
)

// An address is one that an interface has, or is about to have.
type address struct {
	addr   netip.Addr   // without zone
	prefix netip.Prefix // addr itself, host bits and all, with the length of its prefix
	index  int          // of the interface
	state  addrState
	origin addrOrigin

	preferredUntil time.Time // zero: for ever
	validUntil     time.Time // zero: for ever
}

// An addrState is how far an address may be used (RFC 4862, Section 2).
type addrState uint8

const (
	addrTentative  addrState = iota // not proved to be ours alone: no packet leaves from it or comes to it
	addrPreferred                   // without restriction
	addrDeprecated                  // by what uses it already, and by others for want of another
	addrDuplicated                  // somebody else has it: never
)

func (s addrState) String() string {
	switch s {
	case addrTentative:
		return "tentative"
	case addrPreferred:
		return "preferred"
	case addrDeprecated:
		return "deprecated"
	}
	return "duplicated"
}

// An addrOrigin is where an address was learnt.
type addrOrigin uint8

const (
	originStatic addrOrigin = iota
	originDHCP
	originSLAAC     // from a prefix that a router advertised
	originLinkLocal // made by the interface for itself
)

func (o addrOrigin) String() string {
	switch o {
	case originStatic:
		return "static"
	case originDHCP:
		return "dhcp"
	case originSLAAC:
		return "slaac"
	}
	return "link local"
}

// String returns a's prefix, origin and state: "10.0.0.1/24 dhcp preferred".
func (a *address) String() string {
	return a.prefix.String() + " " + a.origin.String() + " " + a.state.String()
}

// usable reports whether packets may come from a and go to it.
func (a *address) usable() bool {
	return a.state == addrPreferred || a.state == addrDeprecated
}

// age deprecates a when its time has come and reports whether it is still valid. If it is
// not, the interface has lost it.
func (a *address) age(now time.Time) (valid bool) {
	if passed(now, a.validUntil) {
		return false
	}
	if a.state == addrPreferred && passed(now, a.preferredUntil) {
		a.state = addrDeprecated
	}
	return true
}

// prefer makes a deprecated address preferred again, if its lifetime was extended.
func (a *address) prefer(now time.Time) {
	if a.state == addrDeprecated && !passed(now, a.preferredUntil) {
		a.state = addrPreferred
	}
}

// next returns when age has something to do, or the zero time if never.
func (a *address) next() time.Time {
	if a.state != addrPreferred {
		return a.validUntil
	}
	return earlier(a.preferredUntil, a.validUntil)
}

// broadcast returns the address of all hosts in a's IPv4 subnet. A subnet of
// one or two addresses has none (RFC 3021).
func (a *address) broadcast() (netip.Addr, bool) {
	if !a.addr.Is4() || a.prefix.Bits() > 30 {
		return netip.Addr{}, false
	}
	b := a.addr.As4()
	hosts := uint32(1)<<(32-a.prefix.Bits()) - 1
	binary.BigEndian.PutUint32(b[:], binary.BigEndian.Uint32(b[:])|hosts)
	return netip.AddrFrom4(b), true
}

// passed reports whether t, if it is a time at all, is not after now.
func passed(now, t time.Time) bool { return !t.IsZero() && !t.After(now) }

// earlier returns the earlier of two times, of which the zero time stands for never.
func earlier(t, u time.Time) time.Time {
	if t.IsZero() || !u.IsZero() && u.Before(t) {
		return u
	}
	return t
}
