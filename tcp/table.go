package tcp

import (
	"sync"
	"time"

	"landline/ip"
	"landline/wire"
)

// shardCount is how many tables there are, each with a lock of its own.
const shardCount = 16

// A shard is a part of what is known of the pairs of ends: the connections, and records of
// those in TIME-WAIT.
type shard struct {
	layer *Layer

	mu      sync.RWMutex
	buckets []*Conn // chained by next; their number is a power of two
	count   int
	waits   map[tuple]*waitRecord
	ends    fifo[waitEnd] // of waits, in the order in which they end
	timer   *time.Timer   // for the first of ends
	stopped bool
}

// A waitRecord is a connection in TIME-WAIT.
type waitRecord struct {
	waiter
	began instant
	bound bool          // the user chose its port, which is held for it
	via   *ip.Interface // as in Conn
}

func (s *shard) init(l *Layer) {
	s.layer = l
	s.waits = map[tuple]*waitRecord{}
	s.buckets = make([]*Conn, 8)
}

// shardOf returns the part of the table that a pair of ends belongs to, and its hash.
func (l *Layer) shardOf(t *tuple) (*shard, uint64) {
	h := t.hash(l.key)
	return &l.shards[h>>60%shardCount], h
}

// lookup returns the connection between two ends, or nil.
func (s *shard) lookup(t *tuple, hash uint64) *Conn {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.findLocked(t, hash)
}

func (s *shard) findLocked(t *tuple, hash uint64) *Conn {
	for c := s.buckets[hash&uint64(len(s.buckets)-1)]; c != nil; c = c.next {
		if c.tuple == *t {
			return c
		}
	}
	return nil
}

// add adds a connection, unless there is one between the same ends, or a record of one that
// may not be replaced. mayReplace is asked about that; if it is nil, none may be.
func (s *shard) add(c *Conn, hash uint64, mayReplace func(*waitRecord) bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped || s.findLocked(&c.tuple, hash) != nil {
		return false
	}
	if w := s.waits[c.tuple]; w != nil {
		if mayReplace == nil || !mayReplace(w) {
			return false
		}
		delete(s.waits, c.tuple)
	}
	if s.count >= len(s.buckets) {
		s.growLocked()
	}
	head := &s.buckets[hash&uint64(len(s.buckets)-1)]
	c.next, *head = *head, c
	s.count++
	return true
}

func (s *shard) growLocked() {
	old := s.buckets
	s.buckets = make([]*Conn, 2*len(old))
	for _, c := range old {
		for c != nil {
			next := c.next
			head := &s.buckets[c.tuple.hash(s.layer.key)&uint64(len(s.buckets)-1)]
			c.next, *head = *head, c
			c = next
		}
	}
}

// remove removes a connection, and reports whether it was there. If w is not nil, that
// record takes its place.
func (s *shard) remove(c *Conn, hash uint64, w *waitRecord) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for p := &s.buckets[hash&uint64(len(s.buckets)-1)]; *p != nil; p = &(*p).next {
		if *p == c {
			*p, c.next = c.next, nil
			s.count--
			if w != nil && !s.stopped {
				s.waitLocked(&c.tuple, w)
			}
			return true
		}
	}
	return false
}

// all returns the connections.
func (s *shard) all() (all []*Conn) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.allLocked()
}

func (s *shard) allLocked() (all []*Conn) {
	for _, c := range s.buckets {
		for ; c != nil; c = c.next {
			all = append(all, c)
		}
	}
	return all
}

// maxWaits is how many connections may be in TIME-WAIT in a shard. Beyond it, the oldest is
// forgotten early: better than to have no room for a live one.
const maxWaits = 4096

// A waitEnd says when a record ends, unless it is prolonged.
type waitEnd struct {
	t     tuple
	w     *waitRecord
	until instant // what w said when it was queued
}

// A fifo is a queue.
type fifo[T any] struct {
	all  []T
	head int
}

func (q *fifo[T]) empty() bool { return q.head == len(q.all) }
func (q *fifo[T]) first() *T   { return &q.all[q.head] }

func (q *fifo[T]) push(e T) {
	if q.head > 64 && q.head > len(q.all)/2 {
		n := copy(q.all, q.all[q.head:])
		clear(q.all[n:])
		q.all, q.head = q.all[:n], 0
	}
	q.all = append(q.all, e)
}

func (q *fifo[T]) pop() T {
	e := q.all[q.head]
	clear(q.all[q.head : q.head+1])
	q.head++
	if q.empty() {
		*q = fifo[T]{}
	}
	return e
}

// keep removes all for which good is false.
func (q *fifo[T]) keep(good func(T) bool) {
	var kept []T
	for _, e := range q.all[q.head:] {
		if good(e) {
			kept = append(kept, e)
		}
	}
	*q = fifo[T]{all: kept}
}

func (s *shard) waitLocked(t *tuple, w *waitRecord) {
	for len(s.waits) >= maxWaits {
		s.forgetLocked()
	}
	if len(s.ends.all)-s.ends.head > 2*len(s.waits)+64 {
		s.ends.keep(func(e waitEnd) bool { return s.waits[e.t] == e.w })
	}
	s.waits[*t] = w
	s.ends.push(waitEnd{*t, w, w.until})
	s.armLocked()
}

// forgetLocked forgets the first of the records.
func (s *shard) forgetLocked() {
	e := s.ends.pop()
	if s.waits[e.t] == e.w {
		delete(s.waits, e.t)
		s.layer.releasePort(&e.t, e.w.bound)
	}
}

func (s *shard) armLocked() {
	if s.timer != nil || s.ends.empty() || s.stopped {
		return
	}
	d := time.Until(s.layer.plain.time(s.ends.first().until))
	s.timer = time.AfterFunc(d, s.expire)
}

// expire forgets the records whose time is over.
func (s *shard) expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.timer = nil
	now := s.layer.plain.at(time.Now())
	for !s.ends.empty() && s.ends.first().until <= now {
		if e := *s.ends.first(); e.w.until > now && s.waits[e.t] == e.w {
			s.ends.pop()
			s.ends.push(waitEnd{e.t, e.w, e.w.until}) // it was prolonged
			continue
		}
		s.forgetLocked()
	}
	s.armLocked()
}

// stop ends the timer, forgets all that is in TIME-WAIT, and takes no more. It returns the connections.
func (s *shard) stop() []*Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
	if s.timer != nil {
		s.timer.Stop()
	}
	s.waits, s.ends = map[tuple]*waitRecord{}, fifo[waitEnd]{}
	return s.allLocked()
}

// succeed forgets a connection in TIME-WAIT that a new one follows, so that it takes none of the new one's
// segments, and returns the number that it would have sent next.
func (s *shard) succeed(t *tuple) (wire.Seq, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.waits[*t]
	if w == nil {
		return wire.Seq{}, false
	}
	delete(s.waits, *t)
	s.layer.releasePort(t, w.bound)
	return w.sndNxt, true
}

// usesPort reports whether a connection, or one in TIME-WAIT, has this port here.
func (s *shard) usesPort(port uint16) bool {
	for _, c := range s.all() {
		if c.local.Port() == port {
			return true
		}
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	for t := range s.waits {
		if t.local.Port() == port {
			return true
		}
	}
	return false
}
