package ip

import (
	"net/netip"
	"time"

	"landline/internal/siphash"
	"landline/wire"
)

// A fragmentMemory is what the fragments of a host lie in. All buffers and records count,
// whether they are in use or wait to be used again, and all together they stay within
// the limit: what waits goes first, then the oldest packets.
//
// No source holds more than one part of the memory. Who wants more loses the oldest
// packets of his own, and so cannot displace those of others. Sources share a
// fixed number of accounts by a secret hash.
type fragmentMemory struct {
	limit int // in bytes
	total int // in bytes, of all that was allocated
	last  time.Time

	key      siphash.Key
	sources  *[fragmentSources]fragmentSource // nil until there is a packet
	buffers  [len(fragmentSizes)][][]byte     // unused
	partials *partial                         // unused, linked by newer
}

// A fragmentSource is the account of the sources of one hash.
type fragmentSource struct {
	bytes   int
	packets partialList
}

const fragmentSources = 256

// fragmentSizes are the lengths of buffers. The last is enough for any packet with the room
// before it: 65,535 bytes, an IPv6 header, and either partialRoom or a fragment header.
var fragmentSizes = [...]int{2 << 10, 8 << 10, 32 << 10, 72 << 10}

// partialCost is what a packet counts beside its buffer: a partial, its place in a
// map, and what the allocator rounds up.
const partialCost = 1536

// fragmentClass returns the index of the least size that holds n bytes.
func fragmentClass(n int) int {
	class := 0
	for fragmentSizes[class] < n {
		class++
	}
	return class
}

// source returns the account of a source. All of an IPv6 network of 64 bits have one, as
// whoever has an address there has as many as he likes. On the link there is only one
// such network, so its hosts are told apart.
func (m *fragmentMemory) source(a netip.Addr) *fragmentSource {
	if m.sources == nil {
		m.sources = new([fragmentSources]fragmentSource)
	}
	if a.Is6() && scopeOf(a) != scopeLink {
		b := a.As16()
		clear(b[8:])
		a = netip.AddrFrom16(b)
	}
	return &m.sources[m.key.Addr(a)%fragmentSources]
}

// newPartial returns a record of the packet with key. Its source may have too much by that
// until reserve, which is called next.
func (r *reassembler) newPartial(key fragmentKey) *partial {
	m := &r.memory
	for m.partials == nil && !m.allocate(partialCost) {
		r.makeRoom(nil)
	}
	p := m.takePartial()
	p.reset(key, m.source(key.src))
	p.source.bytes += partialCost
	p.source.packets.push(p)
	return p
}

// reset makes p, whose spans may hold anything, a record of a packet of which nothing has come.
func (p *partial) reset(key fragmentKey, source *fragmentSource) {
	p.key, p.source = key, source
	p.buf, p.room, p.headerLen = nil, partialRoom, 0
	p.count, p.have, p.total = 0, 0, -1
	p.ecn, p.dead = 0, false
	p.links = [2]partialLinks{}
}

// reserve makes room in p for f, and for a header before it that is longer than usual.
func (r *reassembler) reserve(p *partial, f *fragment) {
	room, end := p.room, p.end()
	if f.offset == 0 {
		room = max(room, len(f.header)+wire.IPv6FragmentLen)
	}
	need := room + max(end, f.end())
	if room == p.room && need <= len(p.buf) {
		return
	}
	class := fragmentClass(need)
	r.displace(p.source, p, fragmentSizes[class])
	b := r.buffer(class, p)
	if p.buf != nil {
		copy(b[room-p.headerLen:], p.buf[p.room-p.headerLen:p.room+end])
		r.memory.release(p)
	}
	p.buf, p.room = b, room
	p.source.bytes += len(b)
}

// buffer returns a buffer of a class. It evicts packets other than keep if memory is short.
func (r *reassembler) buffer(class int, keep *partial) []byte {
	m := &r.memory
	for len(m.buffers[class]) == 0 && !m.allocate(fragmentSizes[class]) {
		r.makeRoom(keep)
	}
	return m.take(class)
}

// displace evicts the oldest packets of a source, other than keep, until it may have n bytes more.
// One packet alone is within any share.
func (r *reassembler) displace(s *fragmentSource, keep *partial, n int) {
	for s.bytes+n > r.memory.limit/fragmentShares {
		p := s.packets.oldest(keep)
		if p == nil {
			return
		}
		r.evict(p)
	}
}

// makeRoom frees something that is unused, or else evicts the oldest packet other than keep. It
// is called only while there is one: the limit is more than keep can take.
func (r *reassembler) makeRoom(keep *partial) {
	if !r.memory.dropUnused() {
		r.evictOldest(keep)
	}
}

func (r *reassembler) evictOldest(keep *partial) {
	p, q := r.byAge[0].oldest(keep), r.byAge[1].oldest(keep)
	if p == nil || q != nil && q.since.Before(p.since) {
		p = q
	}
	r.evict(p)
}

func (r *reassembler) evict(p *partial) {
	r.lost[DropFragmentMemory] += uint64(p.count)
	r.remove(p)
}

// release takes p's buffer from it, to be used again.
func (m *fragmentMemory) release(p *partial) { m.put(m.takeBuffer(p)) }

// takeBuffer takes p's buffer from it.
func (m *fragmentMemory) takeBuffer(p *partial) []byte {
	b := p.buf
	p.source.bytes -= len(b)
	p.buf = nil
	return b
}

// allocate counts n bytes that are about to be allocated, if they are within the limit.
func (m *fragmentMemory) allocate(n int) bool {
	if m.total+n > m.limit {
		return false
	}
	m.total += n
	return true
}

// take returns an unused buffer of a class, or a new one, which has been counted.
func (m *fragmentMemory) take(class int) []byte {
	free := &m.buffers[class]
	n := len(*free)
	if n == 0 {
		return make([]byte, fragmentSizes[class])
	}
	b := (*free)[n-1]
	*free = (*free)[:n-1]
	return b
}

// takePartial returns an unused partial, or a new one, which has been counted.
func (m *fragmentMemory) takePartial() *partial {
	p := m.partials
	if p == nil {
		return new(partial)
	}
	m.partials = p.links[0].newer
	return p
}

// put keeps b, if it is not nil, to be used again.
func (m *fragmentMemory) put(b []byte) {
	if b != nil {
		free := &m.buffers[fragmentClass(len(b))]
		*free = append(*free, b)
	}
}

// putPartial keeps p, which has no buffer, to be used again.
func (m *fragmentMemory) putPartial(p *partial) {
	p.source.packets.remove(p)
	p.source.bytes -= partialCost
	p.source = nil
	p.links = [2]partialLinks{{newer: m.partials}}
	m.partials = p
}

// forget gives b, which may be nil, away.
func (m *fragmentMemory) forget(b []byte) { m.total -= len(b) }

// giveBack takes b, which forget gave away, if there is room for it.
func (m *fragmentMemory) giveBack(b []byte) {
	if m.total+len(b) <= m.limit {
		m.total += len(b)
		m.put(b)
	}
}

// dropUnused frees something that waits to be used again, and reports whether there was anything.
func (m *fragmentMemory) dropUnused() bool {
	for class := len(m.buffers) - 1; class >= 0; class-- {
		if n := len(m.buffers[class]); n != 0 {
			m.buffers[class][n-1] = nil
			m.buffers[class] = m.buffers[class][:n-1]
			m.total -= fragmentSizes[class]
			return true
		}
	}
	if p := m.partials; p != nil {
		m.partials = p.links[0].newer
		m.total -= partialCost
		return true
	}
	return false
}

// idleAt returns when memory will have been unused for long if no fragment comes before, or
// the zero time if there is none.
func (m *fragmentMemory) idleAt() time.Time {
	if m.total == 0 {
		return time.Time{}
	}
	return m.last.Add(fragmentIdle)
}

// isIdle reports whether it is that time.
func (m *fragmentMemory) isIdle(now time.Time) bool { return passed(now, m.idleAt()) }

// clear frees all memory. There must be no packet.
func (m *fragmentMemory) clear() {
	m.total, m.sources, m.partials = 0, nil, nil
	m.buffers = [len(fragmentSizes)][][]byte{}
}
