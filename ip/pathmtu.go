package ip

import (
	"net/netip"
	"time"
)

// pathMTUs remembers how large packets may be on the way to a destination, where
// routers have said that it is less than on our own link (RFC 1191, RFC 8201).
type pathMTUs struct {
	floor int // what no claim lowers an IPv4 path below
	limit int // of entries

	index   map[netip.Addr]int
	entries []pathMTU // those of index, in a ring once there are limit of them
	oldest  int
}

type pathMTU struct {
	dst    netip.Addr
	mtu    int
	until  time.Time
	locked bool
}

const (
	// pathMTULife is how long a path MTU is believed before a larger one is tried. It must
	// be at least 5 minutes, and should be 10 (RFC 1191, Section 6.3; RFC 8201, Section 4).
	pathMTULife = 10 * time.Minute

	// minPathMTU4 is the default floor for IPv4. The least MTU is 68, but a forged
	// message that says so would make us send ten times as many packets. Linux
	// has the same floor (min_pmtu: 512 bytes of payload and 40 of headers). Where the
	// path is really narrower, packets go without "don't fragment": see locked.
	minPathMTU4 = 552
	// minPathMTU6 is the floor for IPv6: what every link carries.
	minPathMTU6 = 1280

	// maxPathMTUs is the default for how many paths are remembered. It takes 100 KiB.
	maxPathMTUs = 1024
)

// plateaus are MTUs of links that there are or were (RFC 1191, Section 7), for routers
// that do not tell the MTU of theirs.
var plateaus = [...]int{32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68}

// newPathMTUs returns an empty memory. If floor or limit is zero, minPathMTU4 or maxPathMTUs.
func newPathMTUs(floor, limit int) *pathMTUs {
	return &pathMTUs{
		floor: orDefault(floor, minPathMTU4),
		limit: orDefault(limit, maxPathMTUs),
		index: make(map[netip.Addr]int),
	}
}

// lookup returns the largest packet to try on the way to dst, of at most linkMTU.
func (p *pathMTUs) lookup(now time.Time, dst netip.Addr, linkMTU int) int {
	if e := p.find(now, dst); e != nil {
		return min(e.mtu, linkMTU)
	}
	return linkMTU
}

// locked reports whether packets to dst have to leave without "don't fragment", as the
// path is narrower than the floor, below which we do not go ourselves. It is never so
// for IPv6.
func (p *pathMTUs) locked(now time.Time, dst netip.Addr) bool {
	e := p.find(now, dst)
	return e != nil && e.locked
}

func (p *pathMTUs) find(now time.Time, dst netip.Addr) *pathMTU {
	if len(p.index) == 0 {
		return nil
	}
	i, ok := p.index[dst]
	if !ok || passed(now, p.entries[i].until) {
		return nil
	}
	return &p.entries[i]
}

// tooBig learns from an ICMP error about a packet of ours, which had size bytes and went to
// dst, that the path carries mtu, or less than size if mtu is 0. The caller has checked
// that the packet was ours (RFC 5927). It returns the new path MTU, and false if nothing
// is new.
func (p *pathMTUs) tooBig(now time.Time, dst netip.Addr, mtu, size, linkMTU int) (int, bool) {
	if mtu == 0 && dst.Is4() {
		mtu = plateauBelow(size)
	}
	if mtu >= size {
		return 0, false // the packet would have passed
	}
	// "If a node receives a Packet Too Big message reporting a next-hop MTU that is less than the
	// IPv6 minimum link MTU, it must discard it" (RFC 8201, Section 4).
	if !dst.Is4() && mtu < minPathMTU6 {
		return 0, false
	}
	locked := dst.Is4() && mtu < p.floor
	if locked {
		mtu = min(p.floor, linkMTU)
	}
	if known := p.lookup(now, dst, linkMTU); mtu > known || mtu == known && locked == p.locked(now, dst) {
		return 0, false
	}
	p.set(pathMTU{dst: dst, mtu: mtu, until: now.Add(pathMTULife), locked: locked})
	return mtu, true
}

// plateauBelow returns the greatest plateau that is less than a packet of size bytes (RFC
// 1191, Section 5).
func plateauBelow(size int) int {
	for _, mtu := range plateaus {
		if mtu < size {
			return mtu
		}
	}
	return plateaus[len(plateaus)-1]
}

// set puts e in place of what is known of its destination, or else of the oldest entry if
// there are as many as there may be.
func (p *pathMTUs) set(e pathMTU) {
	i, ok := p.index[e.dst]
	switch {
	case ok:
	case len(p.entries) < p.limit:
		i = len(p.entries)
		p.entries = append(p.entries, pathMTU{})
	default:
		i = p.oldest
		p.oldest = (p.oldest + 1) % p.limit
		delete(p.index, p.entries[i].dst)
	}
	p.entries[i] = e
	p.index[e.dst] = i
}
