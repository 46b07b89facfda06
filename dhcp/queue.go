package dhcp

import "container/heap"

// A queue is a list of entries. An entry is in one queue at most.
type queue struct {
	first, last *entry
	n           int
}

func (q *queue) pushBack(e *entry) {
	e.prev, e.next = q.last, nil
	if q.last == nil {
		q.first = e
	} else {
		q.last.next = e
	}
	q.last = e
	q.n++
}

func (q *queue) remove(e *entry) {
	if e.prev == nil {
		q.first = e.next
	} else {
		e.prev.next = e.next
	}
	if e.next == nil {
		q.last = e.prev
	} else {
		e.next.prev = e.prev
	}
	e.prev, e.next = nil, nil
	q.n--
}

// byTime is a heap of entries: that whose time is over first comes first.
type byTime []*entry

func (h *byTime) add(e *entry) { heap.Push(h, e) }

// remove removes an entry if it is there.
func (h *byTime) remove(e *entry) {
	if e.index > 0 {
		heap.Remove(h, e.index-1)
	}
}

// The methods of heap.Interface. Times are compared by the clock on the wall: those
// that were read from a disk have no other.

func (h byTime) Len() int           { return len(h) }
func (h byTime) Less(i, j int) bool { return h[i].expiry.Round(0).Before(h[j].expiry.Round(0)) }

func (h byTime) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i+1, j+1
}

// Push appends an entry.
func (h *byTime) Push(x any) {
	e := x.(*entry)
	*h = append(*h, e)
	e.index = len(*h)
}

// Pop removes the last entry.
func (h *byTime) Pop() any {
	e := (*h)[len(*h)-1]
	(*h)[len(*h)-1] = nil
	*h = (*h)[:len(*h)-1]
	e.index = 0
	return e
}
