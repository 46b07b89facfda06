package ip

import (
	"encoding/binary"
	"math/bits"
	"net/netip"
	"slices"
)

// selectSource returns the address among from that packets to dst, which leave by the
// interface with the index out, come from, or nil if none will do (RFC 6724, Section 5).
//
// Rules 4 (mobility), 5.5 (which router advertised the prefix) and 7 (temporary addresses)
// are left out: there are no such addresses here, and a router is not remembered
// with an address. IPv4 addresses are chosen by the same rules.
func selectSource(dst netip.Addr, out int, from []address) *address {
	dst = dst.WithZone("")
	choice := sourceChoice{dst: dst, scope: scopeOf(dst), out: out}
	for i := range from {
		if a := &from[i]; choice.candidate(a) && choice.better(a) {
			choice.best = a
		}
	}
	return choice.best
}

// A sourceChoice is the best source so far for packets to a destination.
type sourceChoice struct {
	dst   netip.Addr
	scope scope // of dst
	out   int
	best  *address
}

// candidate reports whether a may be the source at all. "The loopback address must not be
// used as the source address in IPv6 packets that are sent outside of a single node" (RFC 4291,
// Section 2.5.3); RFC 1122, Section 3.2.1.3 says so of IPv4.
func (c *sourceChoice) candidate(a *address) bool {
	return a.usable() && a.addr.Is4() == c.dst.Is4() &&
		(!a.addr.IsLoopback() || c.dst.IsLoopback())
}

// better reports whether a is better than the best, rule by rule.
func (c *sourceChoice) better(a *address) bool {
	b := c.best
	if b == nil {
		return true
	}
	if a.addr == c.dst || b.addr == c.dst { // 1: the destination itself
		return a.addr == c.dst
	}
	if sa, sb := scopeOf(a.addr), scopeOf(b.addr); sa != sb { // 2: far enough, but no farther
		if sa < sb {
			return sa >= c.scope
		}
		return sb < c.scope
	}
	if a.state != b.state { // 3: not deprecated
		return a.state == addrPreferred
	}
	if (a.index == c.out) != (b.index == c.out) { // 5: of the outgoing interface
		return a.index == c.out
	}
	if ma, mb := c.sameLabel(a), c.sameLabel(b); ma != mb { // 6: with the destination's label
		return ma
	}
	return commonBits(a, c.dst) > commonBits(b, c.dst) // 8: the longest common prefix
}

func (c *sourceChoice) sameLabel(a *address) bool {
	return policyOf(a.addr).label == policyOf(c.dst).label
}

// commonBits returns how many first bits a shares with dst, which is of the same family, up to
// the length of a's prefix (RFC 6724, Section 2.2).
func commonBits(a *address, dst netip.Addr) int {
	x, y := a.addr.As16(), dst.As16()
	be := binary.BigEndian
	n := bits.LeadingZeros64(be.Uint64(x[:]) ^ be.Uint64(y[:]))
	if n == 64 {
		n += bits.LeadingZeros64(be.Uint64(x[8:]) ^ be.Uint64(y[8:]))
	}
	if dst.Is4() {
		n -= 96 // what all IPv4 addresses share in 16 bytes
	}
	return min(n, a.prefix.Bits())
}

// sortDestinations puts the addresses of one machine into the order in which they
// should be tried (RFC 6724, Section 6). The function source says which of our
// addresses packets to one would come from, or nil if none.
//
// Rules 4 (mobility) and 7 (tunnels) are left out. Addresses that are equal to the rules
// keep their order.
func sortDestinations(dsts []netip.Addr, source func(netip.Addr) *address) {
	all := make([]destination, len(dsts))
	for i, a := range dsts {
		all[i] = newDestination(a, source(a))
	}
	slices.SortStableFunc(all, compareDestinations)
	for i := range all {
		dsts[i] = all[i].addr
	}
}

// A destination is what the order of destinations depends on.
type destination struct {
	addr       netip.Addr
	scope      scope
	precedence uint8
	common     int // bits that it shares with its source

	unusable, otherScope, deprecated, otherLabel bool
}

func newDestination(a netip.Addr, source *address) destination {
	p := policyOf(a)
	d := destination{addr: a, scope: scopeOf(a), precedence: p.precedence, unusable: source == nil}
	if source != nil {
		d.otherScope = scopeOf(source.addr) != d.scope
		d.deprecated = source.state == addrDeprecated
		d.otherLabel = policyOf(source.addr).label != p.label
		d.common = commonBits(source, a)
	}
	return d
}

// compareDestinations is negative if a comes before b, rule by rule.
func compareDestinations(a, b destination) int {
	for _, flags := range [...][2]bool{
		{a.unusable, b.unusable},     // 1
		{a.otherScope, b.otherScope}, // 2
		{a.deprecated, b.deprecated}, // 3
		{a.otherLabel, b.otherLabel}, // 5
	} {
		if flags[0] != flags[1] {
			return order(flags[1])
		}
	}
	if a.precedence != b.precedence { // 6
		return order(a.precedence > b.precedence)
	}
	if a.scope != b.scope { // 8
		return order(a.scope < b.scope)
	}
	// 9: unlike RFC 6724, not for IPv4, because where prefixes say nothing about
	// distance, all hosts would choose the same of the machine's addresses, against
	// the order in which its name server gives them out to share the load.
	if a.addr.Is6() && b.addr.Is6() && a.common != b.common {
		return order(a.common > b.common)
	}
	return 0 // 10
}

// order is what a comparison returns if the first of two comes first, or not.
func order(first bool) int {
	if first {
		return -1
	}
	return 1
}
