package ip

import (
	"net/netip"
)

// What is refused here can be on no wire, whoever sends it. What depends on our own
// addresses (a packet that claims to come from us, or from the broadcast address of our
// subnet) is for the input to refuse.
//
// Documentation networks (192.0.2.0/24, 2001:db8::/32) and others of RFC 6890 that are not to be
// seen on the Internet are ordinary: laboratories use them, and this host may be in one.

// martianSource reports whether no packet to dst can come from src.
func martianSource(src, dst netip.Addr) bool {
	if src.Is4() {
		return martianSource4(src.As4(), dst)
	}
	b := src.As16()
	switch {
	case b[0] == 0xff:
		return true // "Multicast addresses must not be used as source addresses" (RFC 4291, Section 2.7)
	case b[0] != 0:
		return false
	case src.IsUnspecified():
		// A host without an address asks whether it may have one and joins groups
		// (RFC 4862, Section 5.4.2; RFC 3590), and says nothing to one machine.
		return !dst.IsMulticast()
	}
	return src.IsLoopback() || src.Is4In6()
}

// martianSource4 follows RFC 1122, Section 3.2.1.3, RFC 1812, Section 5.3.7 and the table of
// RFC 6890 for 240.0.0.0/4. (Linux takes that network for an ordinary one.)
func martianSource4(b [4]byte, dst netip.Addr) bool {
	switch {
	case b == [4]byte{}:
		// A host without an address asks for one by broadcast, and tells routers on the
		// link of its groups (RFC 3376, Section 4.2.13).
		return !isBroadcast(dst) && !(dst.IsMulticast() && scopeOf(dst) == scopeLink)
	case b[0] == 0, b[0] == 127, b[0] >= 224:
		return true
	}
	return false
}

// martianDestination reports whether no packet can go to dst.
func martianDestination(dst netip.Addr) bool {
	if dst.Is4() {
		b := dst.As4()
		return b[0] == 0 || b[0] == 127 || b[0] >= 240 && !isBroadcast(dst)
	}
	b := dst.As16()
	switch b[0] {
	case 0xff:
		// Scope 0 is reserved: such packets "must be silently dropped"; those of scope 1
		// stay within an interface (RFC 4291, Section 2.7).
		return b[1]&0xf <= byte(scopeInterface)
	case 0:
		return dst.IsUnspecified() || dst.IsLoopback() || dst.Is4In6()
	}
	return false
}

// staysOnLink reports whether packets from or to a never pass a router (RFC 4291, Section 2.5.6; RFC
// 3927, Section 7; RFC 1812, Section 5.3.4).
func staysOnLink(a netip.Addr) bool {
	return scopeOf(a) <= scopeLink || a.IsUnspecified() || isBroadcast(a)
}

// isBroadcast reports whether a is the address of all IPv4 hosts on the link.
func isBroadcast(a netip.Addr) bool { return a == netip.AddrFrom4([4]byte{255, 255, 255, 255}) }
