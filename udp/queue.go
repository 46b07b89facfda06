package udp

import (
	"net/netip"

	"landline/ip"
)

// A queue holds datagrams until they are read. Their bytes lie in one ring, so that a small
// datagram takes a small place and nothing is allocated while the ring is large
// enough.
type queue struct {
	ring    []byte // its length is a power of two
	at      int    // where the first datagram begins
	bytes   int    // of all datagrams
	entries []entry
	first   int // of entries, which is a ring too
	count   int
}

type entry struct {
	from netip.AddrPort
	to   netip.Addr
	port uint16        // that it was sent to
	via  *ip.Interface // that it came by
	n    int
}

// sender returns who sent the datagram. The zone of a link-local address says on which link.
func (e *entry) sender() netip.AddrPort {
	if a := e.from.Addr(); e.via != nil && a.Is6() && a.IsLinkLocalUnicast() {
		return netip.AddrPortFrom(a.WithZone(e.via.Name()), e.from.Port())
	}
	return e.from
}

// What is charged for a datagram beside its bytes.
const entryCost = 64

const minRing = 2048

// charge is how much the queue counts against the socket's buffer.
func (q *queue) charge() int { return q.bytes + q.count*entryCost }

// push appends a datagram.
func (q *queue) push(d *arrived) {
	q.reserve(d.len())
	at := (q.at + q.bytes) & (len(q.ring) - 1)
	q.put(q.put(at, d.head), d.body)
	q.entries[(q.first+q.count)&(len(q.entries)-1)] = entry{d.from(), d.packet.Dst, d.to, d.packet.Interface, d.len()}
	q.bytes += d.len()
	q.count++
}

// put copies b into the ring and returns where the next byte goes.
func (q *queue) put(at int, b []byte) int {
	n := copy(q.ring[at:], b)
	copy(q.ring, b[n:])
	return (at + len(b)) & (len(q.ring) - 1)
}

// reserve makes room for a datagram of n bytes.
func (q *queue) reserve(n int) {
	if q.bytes+n > len(q.ring) {
		size := max(minRing, len(q.ring))
		for size < q.bytes+n {
			size *= 2
		}
		ring := make([]byte, size)
		q.copyTo(ring, q.bytes)
		q.ring, q.at = ring, 0
	}
	if q.count == len(q.entries) {
		entries := make([]entry, max(16, 2*len(q.entries)))
		k := copy(entries, q.entries[q.first:])
		copy(entries[k:], q.entries[:q.first])
		q.entries, q.first = entries, 0
	}
}

// copyTo copies the first bytes to b, n at most.
func (q *queue) copyTo(b []byte, n int) int {
	n = min(n, len(b))
	k := copy(b[:n], q.ring[q.at:])
	copy(b[k:n], q.ring)
	return n
}

// pop copies the first datagram to b, as much as there is room for, and removes it.
func (q *queue) pop(b []byte) (n int, e entry) {
	e = q.entries[q.first]
	n = q.copyTo(b, e.n)
	q.entries[q.first] = entry{}
	q.first = (q.first + 1) & (len(q.entries) - 1)
	q.count--
	q.bytes -= e.n
	q.at = (q.at + e.n) & max(0, len(q.ring)-1)
	if q.count == 0 {
		q.rest()
	}
	return n, e
}

// rest gives large buffers back when the queue is empty: what a burst made is not kept
// for ever. Those of a steady flow are small enough to stay.
func (q *queue) rest() {
	if len(q.ring) > keepRing {
		*q = queue{}
	}
	q.at = 0
}

const keepRing = 512 << 10
