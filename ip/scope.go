package ip

import (
	"net/netip"
)

// A scope is how far an address means the same machine. A greater one reaches
// farther; the numbers are those of IPv6 multicast (RFC 4291, Section 2.7; RFC 7346).
type scope uint8

const (
	scopeInterface    scope = 0x1
	scopeLink         scope = 0x2
	scopeRealm        scope = 0x3
	scopeSite         scope = 0x5
	scopeOrganization scope = 0x8
	scopeGlobal       scope = 0xe
)

// scopeOf returns a's scope, by RFC 6724, Sections 3.1 to 3.3, and for IPv4 multicast by
// the table of RFC 2365, Section 8. Private and unique local addresses are global: they
// cross routers.
func scopeOf(a netip.Addr) scope {
	if a.Is4() {
		return scopeOf4(a.As4())
	}
	b := a.As16()
	switch {
	case b[0] == 0xff:
		return scope(b[1] & 0xf)
	case b[0] == 0xfe && b[1]&0xc0 == 0x80, a.IsLoopback():
		return scopeLink
	case b[0] == 0xfe && b[1]&0xc0 == 0xc0:
		return scopeSite
	}
	return scopeGlobal
}

func scopeOf4(b [4]byte) scope {
	switch {
	case b[0] == 127, b[0] == 169 && b[1] == 254:
		return scopeLink
	case b[0] == 224 && b[1] == 0 && b[2] == 0:
		return scopeLink
	case b[0] == 239 && b[1] == 255:
		return scopeRealm
	case b[0] == 239 && b[1]&0xfc == 192:
		return scopeOrganization
	}
	return scopeGlobal
}

// A policy is what the default policy table says about an address (RFC 6724, Section 2.1).
type policy struct{ precedence, label uint8 }

func policyOf(a netip.Addr) policy {
	if a.Is4() {
		return policy{35, 4}
	}
	b := a.As16()
	switch {
	case a.IsLoopback(): // ::1
		return policy{50, 0}
	case a.Is4In6(): // ::ffff:0:0/96
		return policy{35, 4}
	case b[0] == 0x20 && b[1] == 0x02: // 2002::/16, 6to4
		return policy{30, 2}
	case [4]byte(b[:4]) == [4]byte{0x20, 0x01}: // 2001::/32, Teredo
		return policy{5, 5}
	case b[0]&0xfe == 0xfc: // fc00::/7, unique local
		return policy{3, 13}
	case [12]byte(b[:12]) == [12]byte{}: // ::/96
		return policy{1, 3}
	case b[0] == 0xfe && b[1]&0xc0 == 0xc0: // fec0::/10
		return policy{1, 11}
	case b[0] == 0x3f && b[1] == 0xfe: // 3ffe::/16
		return policy{1, 12}
	}
	return policy{40, 1}
}
