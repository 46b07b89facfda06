package ip

import (
	"container/heap"
	"net/netip"
	"time"
)

// add makes an entry, without state, for an address that has none. If there are too many, one
// that nothing was sent to for the longest time goes first. Those that wait for an answer have a
// limit of their own, so that somebody who makes us ask for every address of a network
// does not push out the neighbors that are there (RFC 6583): among them the oldest goes,
// which have had the most time to answer.
func (n *neighbors) add(now time.Time, ip netip.Addr) (*neighbor, error) {
	if n.incomplete.len >= n.limits.Incomplete {
		n.discard(n.incomplete.first(), DropNeighborTable)
	}
	if len(n.table) >= n.limits.Neighbors {
		switch {
		case n.stale.len != 0:
			n.remove(n.stale.first())
		case n.incomplete.len != 0:
			n.discard(n.incomplete.first(), DropNeighborTable)
		default:
			return nil, DropNeighborTable
		}
	}
	e := &neighbor{Neighbor: Neighbor{Addr: ip, Updated: now}, index: -1}
	n.table[ip] = e
	return e, nil
}

// remove forgets e.
func (n *neighbors) remove(e *neighbor) {
	e.unlink()
	n.timers.remove(e)
	delete(n.table, e.Addr)
}

// discard forgets e and drops what waits for it.
func (n *neighbors) discard(e *neighbor, why Drop) {
	if frames := n.unhold(e); len(frames) != 0 {
		n.dropped(e.Addr, why, len(frames))
		n.recycle(frames)
	}
	n.remove(e)
}

// A neighborList is a ring of entries in the order in which they came into it.
type neighborList struct {
	root neighbor
	len  int
}

func (l *neighborList) init() { l.root.prev, l.root.next = &l.root, &l.root }

func (l *neighborList) first() *neighbor { return l.root.next }

func (l *neighborList) append(e *neighbor) {
	last := l.root.prev
	e.prev, e.next = last, &l.root
	last.next, l.root.prev = e, e
	e.list = l
	l.len++
}

// unlink takes e out of its list, if it is in one.
func (e *neighbor) unlink() {
	if e.list == nil {
		return
	}
	e.prev.next, e.next.prev = e.next, e.prev
	e.list.len--
	e.list, e.prev, e.next = nil, nil, nil
}

// A neighborHeap holds the entries with a timer, the earliest first.
type neighborHeap []*neighbor

func (h neighborHeap) Len() int           { return len(h) }
func (h neighborHeap) Less(i, j int) bool { return h[i].when.Before(h[j].when) }
func (h neighborHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push is for container/heap.
func (h *neighborHeap) Push(x any) {
	e := x.(*neighbor)
	e.index = len(*h)
	*h = append(*h, e)
}

// Pop is for container/heap.
func (h *neighborHeap) Pop() any {
	last := len(*h) - 1
	e := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	e.index = -1
	return e
}

// set sets e's timer, whether it had one or not.
func (h *neighborHeap) set(e *neighbor, when time.Time) {
	e.when = when
	if e.index < 0 {
		heap.Push(h, e)
	} else {
		heap.Fix(h, e.index)
	}
}

func (h *neighborHeap) remove(e *neighbor) {
	if e.index >= 0 {
		heap.Remove(h, e.index)
	}
}
