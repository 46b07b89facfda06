package ip

import (
	"cmp"
	"encoding/binary"
	"net/netip"
	"slices"
	"time"
)

// A Route says where packets for a network go.
type Route struct {
	// Dst is the network. Bits behind its length are ignored.
	Dst netip.Prefix
	// Gateway is the router that knows the way. The zero Addr says that the
	// network is on the link.
	Gateway netip.Addr
	// Interface is the index of the interface that leads there, from 1.
	Interface int
	// Metric chooses between routes to the same network: the least is taken, and among
	// equals the one that was added first.
	Metric int
	// Source is the address that packets come from if the program has not chosen one. The
	// zero Addr leaves that to the rules of RFC 6724.
	Source netip.Addr
	// Expires is when the route is forgotten; the zero time is never.
	Expires time.Time

	owner routeOwner
}

// A routeOwner is who has added a route. What one has added no other takes away, but for the
// administrator.
type routeOwner uint8

const (
	ownerAdmin    routeOwner = iota
	ownerAddress             // an address of ours, of whose network it is
	ownerRouter              // an advertisement
	ownerRedirect            // a redirect
)

// leadsAs reports whether r and s lead to one network, by one gateway and interface.
func (r *Route) leadsAs(s *Route) bool {
	return r.Dst == s.Dst && r.Gateway == s.Gateway && r.Interface == s.Interface
}

// same reports whether r and s are one route: they lead alike, and have one owner.
func (r *Route) same(s *Route) bool { return r.owner == s.owner && r.leadsAs(s) }

// A routeTable finds the route of a destination: the one with the longest prefix, among
// these the least metric, among these the first that was added. The zero value is empty.
//
// Routes lie in levels, one for each length of prefix that there is. A
// lookup masks the destination once a level and searches the level in halves, so it takes
// time with the number of lengths (commonly 2 to 4, at most 33 or 129) and the
// logarithm of the number of routes. Adding and removing moves up to all routes of a level.
type routeTable struct {
	v4, v6 []routeLevel // longest prefix first
}

// A routeLevel holds the routes whose prefixes have one length.
type routeLevel struct {
	bits   int
	mask   routeKey
	keys   []routeKey // in order; what is searched lies close together
	routes []Route    // of the same indices; routes of one key in the order of their metrics
}

// A routeKey is an address as two numbers; an IPv4 address is in the upper half of the first.
type routeKey struct{ hi, lo uint64 }

func routeKeyOf(a netip.Addr) routeKey {
	if a.Is4() {
		b := a.As4()
		return routeKey{hi: uint64(binary.BigEndian.Uint32(b[:])) << 32}
	}
	b := a.As16()
	return routeKey{binary.BigEndian.Uint64(b[:]), binary.BigEndian.Uint64(b[8:])}
}

// routeMask returns a key whose first n bits are set.
func routeMask(n int) routeKey {
	return routeKey{^(^uint64(0) >> min(n, 64)), ^(^uint64(0) >> max(n-64, 0))}
}

func (k routeKey) and(m routeKey) routeKey { return routeKey{k.hi & m.hi, k.lo & m.lo} }

func (k routeKey) compare(o routeKey) int {
	if c := cmp.Compare(k.hi, o.hi); c != 0 {
		return c
	}
	return cmp.Compare(k.lo, o.lo)
}

// levels returns the levels of a's family.
func (t *routeTable) levels(a netip.Addr) *[]routeLevel {
	if a.Is4() {
		return &t.v4
	}
	return &t.v6
}

// lookup returns the best route to dst, which has no zone. If index is not 0, only routes
// of that interface count, as for link-local and multicast addresses.
func (t *routeTable) lookup(dst netip.Addr, index int) (Route, bool) {
	key := routeKeyOf(dst)
	levels := *t.levels(dst)
	for i := range levels {
		l := &levels[i]
		k := key.and(l.mask)
		for at := l.search(k); at < len(l.keys) && l.keys[at] == k; at++ {
			if index == 0 || l.routes[at].Interface == index {
				return l.routes[at], true
			}
		}
	}
	return Route{}, false
}

// search returns the place of the first key that is not less than k.
func (l *routeLevel) search(k routeKey) int {
	low, high := 0, len(l.keys)
	for low < high {
		mid := int(uint(low+high) / 2)
		if l.keys[mid].compare(k) < 0 {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low
}

// add adds r, whose prefix must be valid. A route to the same network by the same gateway
// and interface is replaced; it keeps its place if its metric is the same.
func (t *routeTable) add(r Route) {
	r.Dst = r.Dst.Masked()
	if old := t.find(&r); old != nil {
		if old.Metric == r.Metric {
			*old = r
			return
		}
		t.remove(r)
	}
	l := t.level(r.Dst)
	k := routeKeyOf(r.Dst.Addr())
	at := l.search(k)
	for at < len(l.keys) && l.keys[at] == k && l.routes[at].Metric <= r.Metric {
		at++
	}
	l.keys = slices.Insert(l.keys, at, k)
	l.routes = slices.Insert(l.routes, at, r)
}

// level returns the level of p, which is made if it is not there.
func (t *routeTable) level(p netip.Prefix) *routeLevel {
	levels := t.levels(p.Addr())
	at, ok := slices.BinarySearchFunc(*levels, p.Bits(), func(l routeLevel, n int) int { return n - l.bits })
	if !ok {
		*levels = slices.Insert(*levels, at, routeLevel{bits: p.Bits(), mask: routeMask(p.Bits())})
	}
	return &(*levels)[at]
}

// find returns the route in the table that is the same as r, whose prefix is masked, or nil.
func (t *routeTable) find(r *Route) *Route {
	k := routeKeyOf(r.Dst.Addr())
	for _, l := range *t.levels(r.Dst.Addr()) {
		if l.bits != r.Dst.Bits() {
			continue
		}
		for at := l.search(k); at < len(l.keys) && l.keys[at] == k; at++ {
			if l.routes[at].same(r) {
				return &l.routes[at]
			}
		}
	}
	return nil
}

// remove removes the route to the same network by the same gateway and interface, and reports
// whether there was one. The other fields do not matter.
func (t *routeTable) remove(r Route) bool {
	r.Dst = r.Dst.Masked()
	return t.removeFunc(func(s *Route) bool { return s.same(&r) }) != 0
}

// expire removes the routes whose time has come and returns their number.
func (t *routeTable) expire(now time.Time) int {
	return t.removeFunc(func(r *Route) bool { return passed(now, r.Expires) })
}

// removeFunc removes the routes for which del is true, such as all of an interface, and
// returns their number.
func (t *routeTable) removeFunc(del func(*Route) bool) (n int) {
	for _, levels := range []*[]routeLevel{&t.v4, &t.v6} {
		for i := range *levels {
			n += (*levels)[i].removeFunc(del)
		}
		*levels = slices.DeleteFunc(*levels, func(l routeLevel) bool { return len(l.keys) == 0 })
	}
	return n
}

func (l *routeLevel) removeFunc(del func(*Route) bool) int {
	kept := 0
	for i := range l.routes {
		if !del(&l.routes[i]) {
			l.keys[kept], l.routes[kept] = l.keys[i], l.routes[i]
			kept++
		}
	}
	n := len(l.keys) - kept
	clear(l.routes[kept:])
	l.keys, l.routes = l.keys[:kept], l.routes[:kept]
	return n
}

// next returns when expire has something to do, or the zero time if never.
func (t *routeTable) next() (first time.Time) {
	for _, levels := range [...][]routeLevel{t.v4, t.v6} {
		for i := range levels {
			for j := range levels[i].routes {
				first = earlier(first, levels[i].routes[j].Expires)
			}
		}
	}
	return first
}

// appendTo appends all routes: IPv4 before IPv6, longest prefixes first.
func (t *routeTable) appendTo(b []Route) []Route {
	for _, levels := range [...][]routeLevel{t.v4, t.v6} {
		for i := range levels {
			b = append(b, levels[i].routes...)
		}
	}
	return b
}

// clone returns a copy that changes to t do not reach.
func (t *routeTable) clone() routeTable {
	return routeTable{cloneLevels(t.v4), cloneLevels(t.v6)}
}

func cloneLevels(levels []routeLevel) []routeLevel {
	levels = slices.Clone(levels)
	for i := range levels {
		l := &levels[i]
		l.keys, l.routes = slices.Clone(l.keys), slices.Clone(l.routes)
	}
	return levels
}
