package dhcp

import (
	"net/netip"
	"slices"
	"time"

	"landline/wire"
)

// A pool is a subnet and its addresses. Of an address that there was never a lease of,
// and that is not offered, there is no entry.
type pool struct {
	Subnet
	reserved []netip.Addr // addresses that are never given
	entries  map[netip.Addr]*entry
	clients  map[string]*entry // who uses an entry, is offered it or had it last
	static   map[string]*entry // the clients that always have the same one

	// next is where to look for an address without an entry: there is none before it. It
	// is the zero Addr if there is none at all.
	next netip.Addr
	// free holds the entries that are nobody's, but for static ones: first that which
	// has been free for the longest time.
	free queue
}

// A condition is what an address is used for.
type condition uint8

const (
	isNew condition = iota // the entry is not in its pool yet
	isFree
	isOffered
	isLeased
	isBad // somebody uses it whom the server does not know
)

// An entry is an address that is in use or was.
type entry struct {
	addr   netip.Addr
	pool   *pool
	static *Static // nil if the address is for anybody

	condition condition
	expiry    time.Time // of the offer, of the lease, of being bad; zero for never
	used      bool      // there was a lease of it

	// Who has it, or had it last. client is "" if that is forgotten.
	client string
	known  bool // the client had a lease of it
	mac    wire.MAC
	name   string // the host name of the client, or what it was

	prev, next *entry // in a queue
	index      int    // in byTime, from 1; 0 if it is not there
}

// isOver reports whether what the entry is used for has come to its end. It has not as
// long as one of the two clocks says so: a computer that sleeps takes its guests
// along, and they do not see that time has passed.
func (e *entry) isOver(now time.Time) bool {
	return !e.expiry.IsZero() && !now.Before(e.expiry) && !now.Round(0).Before(e.expiry.Round(0))
}

// isLeasedTo reports whether the client has a lease of the address that is not over.
func (e *entry) isLeasedTo(q *query) bool {
	return e.condition == isLeased && e.client == q.client && !e.isOver(q.now)
}

// own returns the entry that is the client's: its static one, or that which it uses,
// is offered or had. A static one that is bad, or still somebody else's, is passed
// over.
func (s *Server) own(q *query) *entry {
	if e := q.static(); e != nil {
		s.settle(q.now, e)
		if e.condition == isFree || e.condition != isBad && (e.client == q.client || e.mac == q.mac) {
			return e
		}
	}
	e := q.pool.clients[q.client]
	if e == nil {
		return nil
	}
	s.settle(q.now, e)
	if e.client != q.client || e.static != nil && e != q.static() {
		return nil // an offer that was not taken in time; or meant for others now
	}
	return e
}

// static returns the entry that is kept for the client, or nil.
func (q *query) static() *entry {
	if e := q.pool.static[q.client]; e != nil {
		return e
	}
	return q.pool.static[clientKey(nil, q.mac)]
}

// choose finds an address for a client in the order of RFC 2131, Section 4.3.1: that
// which it has, that which it had, that which it would like, a new one.
func (s *Server) choose(q *query) (*entry, error) {
	if e := s.own(q); e != nil {
		return e, nil
	}
	if e := s.claim(q, q.m.RequestedAddr()); e != nil {
		return e, nil
	}
	if e := s.pick(q); e != nil {
		return e, nil
	}
	return nil, ErrExhausted
}

// claim returns the entry of an address that anybody may have and nobody has, or nil.
func (s *Server) claim(q *query, a netip.Addr) *entry {
	p := q.pool
	if e := p.entries[a]; e != nil {
		s.settle(q.now, e)
	}
	e := p.entries[a]
	switch {
	case e == nil && p.gives(a):
		return &entry{addr: a, pool: p}
	case e == nil || e.static != nil || e.condition != isFree:
		return nil
	}
	return e
}

// pick returns the entry of the address that is the best one to be given away, or nil.
// Of more clients than addresses those that ask last are served: they are more likely
// to be still there.
func (s *Server) pick(q *query) *entry {
	e := q.pool.spare()
	if e == nil {
		s.expire(q.now)
		e = q.pool.spare()
	}
	if e == nil {
		s.withdrawOffer(q.pool)
		e = q.pool.spare()
	}
	return e
}

// spare returns an entry that nobody has: that of an address that was never used, or
// that which has been free for the longest time.
func (p *pool) spare() *entry {
	for p.next.IsValid() {
		if p.entries[p.next] == nil && p.gives(p.next) {
			return &entry{addr: p.next, pool: p}
		}
		p.advance()
	}
	return p.free.first
}

// withdrawOffer ends the oldest offer of a pool.
func (s *Server) withdrawOffer(p *pool) {
	for e := s.offers.first; e != nil; e = e.next {
		if e.pool == p && e.static == nil {
			s.vacate(e)
			return
		}
	}
}

// advance moves next through the ranges.
func (p *pool) advance() {
	for i, r := range p.Ranges {
		if p.next.Less(r.Last) {
			p.next = p.next.Next()
			return
		}
		if p.next == r.Last && i+1 < len(p.Ranges) {
			p.next = p.Ranges[i+1].First
			return
		}
	}
	p.next = netip.Addr{}
}

// gives reports whether an address may be given to anybody at all.
func (p *pool) gives(a netip.Addr) bool {
	return slices.ContainsFunc(p.Ranges, func(r Range) bool { return !a.Less(r.First) && !r.Last.Less(a) }) &&
		isHost(a, p.Prefix.Bits()) && !slices.Contains(p.reserved, a)
}

// settle makes an entry free whose time is over.
func (s *Server) settle(now time.Time, e *entry) {
	if e.condition != isFree && e.isOver(now) {
		s.vacate(e)
	}
}

// vacate makes an entry free. It is remembered whose it was, if there was a lease. An
// entry that led to none goes.
func (s *Server) vacate(e *entry) {
	s.finish(e)
	s.unlist(e)
	e.condition, e.expiry = isFree, time.Time{}
	if !e.known {
		e.forget()
	}
	switch p := e.pool; {
	case e.static != nil:
	case e.used:
		p.free.pushBack(e)
	default:
		delete(p.entries, e.addr)
		if !p.next.IsValid() || e.addr.Less(p.next) {
			p.next = e.addr
		}
	}
}

// unlist takes an entry from wherever it stands, and gives its name back.
func (s *Server) unlist(e *entry) {
	switch {
	case e.condition == isOffered:
		s.offers.remove(e)
	case e.condition == isFree && e.static == nil:
		e.pool.free.remove(e)
	}
	s.timed.remove(e)
	s.dropName(e)
}

// forget forgets whose the entry was.
func (e *entry) forget() {
	if e.pool.clients[e.client] == e {
		delete(e.pool.clients, e.client)
	}
	e.client, e.known, e.mac, e.name = "", false, wire.MAC{}, ""
}

// assign makes an entry a client's, and no other of the pool.
func (s *Server) assign(e *entry, client string, mac wire.MAC) {
	if old := e.pool.clients[client]; old != nil && old != e {
		if old.condition != isFree {
			s.vacate(old)
		}
		old.forget()
	}
	if e.client != client {
		if e.condition == isLeased {
			s.vacate(e)
		}
		s.dropName(e)
		e.forget()
	}
	e.pool.clients[client] = e
	e.client, e.mac = client, mac
}

// put makes an entry something other than free.
func (s *Server) put(e *entry, c condition, expiry time.Time) {
	if c != isLeased {
		s.finish(e)
	}
	s.unlist(e)
	e.condition, e.expiry = c, expiry
	e.pool.entries[e.addr] = e
	switch c {
	case isOffered:
		s.offers.pushBack(e)
	case isLeased:
		e.used, e.known = true, true
	case isBad:
		e.used = true
		e.forget()
	}
	if c != isOffered && !expiry.IsZero() {
		s.timed.add(e)
	}
}
