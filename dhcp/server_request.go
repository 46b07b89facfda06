package dhcp

import (
	"net/netip"
	"time"
)

const (
	// offerTime is how long an address that is offered is kept for the client. Clients
	// take at most some seconds to choose.
	offerTime = 30 * time.Second
	// maxOffers is how many offers are kept, however many clients there seem to be. If
	// there are more, the oldest ones are forgotten.
	maxOffers = 1024
	// badTime is how long an address is not given that a client found in use.
	badTime = 10 * time.Minute
	// minLease is the shortest lease that a client can ask for.
	minLease = 2 * time.Minute
)

// discover offers an address (RFC 2131, Section 4.3.1). What the client has already it
// keeps, whether or not it takes the offer.
func (s *Server) discover(q *query) Reply {
	e, err := s.choose(q)
	if err == nil {
		err = s.allow(q, e)
	}
	if err != nil {
		return ignored(q, q.m.RequestedAddr(), err)
	}
	if !e.isLeasedTo(q) {
		if e.condition != isOffered && s.offers.n >= maxOffers {
			s.vacate(s.offers.first)
		}
		s.assign(e, q.client, q.mac)
		s.put(e, isOffered, q.now.Add(offerTime))
	}
	return s.reply(q, Offer, e)
}

// request answers a DHCPREQUEST: the four kinds of Table 4 of RFC 2131 are told apart
// as Section 4.3.2 says.
func (s *Server) request(q *query) Reply {
	wanted, uses := q.m.RequestedAddr(), q.m.CIAddr()
	switch hasServer := q.m.Option(OptServerID) != nil; {
	case hasServer && q.m.ServerID() != s.config.ID:
		return s.notChosen(q)
	case hasServer && wanted.IsValid(): // SELECTING
		return s.answer(q, wanted, true)
	case !uses.IsUnspecified(): // RENEWING if it came to us alone, REBINDING if not
		return s.answer(q, uses, q.unicast)
	case wanted.IsValid(): // INIT-REBOOT
		return s.answer(q, wanted, false)
	}
	return ignored(q, wanted, ErrNoAddress)
}

// notChosen takes an offer back, as the client has chosen another.
func (s *Server) notChosen(q *query) Reply {
	if e := s.own(q); e != nil && e.condition == isOffered {
		s.vacate(e)
	}
	return ignored(q, q.m.RequestedAddr(), ErrOtherServer)
}

// answer gives the client the address that it asks for, or denies it. The question is
// ours if it is put to this server alone.
//
// Unlike RFC 2131, Section 4.3.2, which wants silence about a client that is not known,
// a server that is authoritative gives it the address if it is free: the records may
// have been lost, and the client may go on.
func (s *Server) answer(q *query, a netip.Addr, ours bool) Reply {
	if !q.pool.Prefix.Contains(a) {
		return s.deny(q, a, ErrWrongNetwork)
	}
	e := s.own(q)
	if e != nil && e.addr != a {
		if e.condition != isFree || e.static != nil {
			return s.deny(q, a, ErrOtherAddress)
		}
		e = nil // it is known by what it had long ago
	}
	if e == nil && !ours && s.config.NotAuthoritative {
		return ignored(q, a, ErrUnknown)
	}
	if e == nil {
		e = s.claim(q, a)
	}
	if e == nil {
		return s.deny(q, a, ErrTaken)
	}
	if err := s.allow(q, e); err != nil {
		return s.takeAway(q, e, err)
	}
	return s.grant(q, e)
}

// grant gives an address, or more time.
func (s *Server) grant(q *query, e *entry) Reply {
	d := Granted
	if e.isLeasedTo(q) {
		d = Extended
	}
	s.assign(e, q.client, q.mac)
	expiry := time.Time{}
	if t := q.leaseTime(); t != Forever {
		expiry = q.now.Add(t)
	}
	s.put(e, isLeased, expiry)
	s.giveName(e, q.m.HostName())
	r := s.reply(q, ACK, e)
	r.Decision, r.Record = d, s.writeRecord(e)
	return r
}

// leaseTime is how long the client's lease lasts: what it asks for, if that is not more
// than there is.
func (q *query) leaseTime() time.Duration {
	most := q.pool.LeaseTime
	if d, ok := q.m.LeaseTime(); ok && d < most {
		return min(max(d, minLease), most)
	}
	return most
}

// takeAway denies an address, and ends the client's lease of it if there is one.
func (s *Server) takeAway(q *query, e *entry, err error) Reply {
	leased := e.isLeasedTo(q)
	if e.client == q.client && e.condition != isFree {
		s.vacate(e)
	}
	r := s.deny(q, e.addr, err)
	if leased {
		r.Record = s.writeRecord(e)
	}
	return r
}

// decline keeps an address from everybody for a while (RFC 2131, Section 4.3.3).
func (s *Server) decline(q *query) Reply {
	a := q.m.RequestedAddr()
	e, err := s.held(q, a)
	if err != nil {
		return ignored(q, a, err)
	}
	b := e.binding()
	s.put(e, isBad, q.now.Add(badTime))
	return Reply{Decision: Withdrawn, Binding: b, Record: s.writeRecord(e)}
}

// release ends a lease, and remembers it (RFC 2131, Section 4.3.4).
func (s *Server) release(q *query) Reply {
	a := q.m.CIAddr()
	e, err := s.held(q, a)
	if err != nil {
		return ignored(q, a, err)
	}
	b := e.binding()
	s.vacate(e)
	r := Reply{Decision: Freed, Binding: b}
	if e.client != "" { // an offer that was never a lease stands in no record
		r.Record = s.writeRecord(e)
	}
	return r
}

// held returns the client's entry of an address, if it is offered or leased.
func (s *Server) held(q *query, a netip.Addr) (*entry, error) {
	if q.m.ServerID() != s.config.ID {
		return nil, ErrOtherServer
	}
	e := q.pool.entries[a]
	if e == nil || e.client != q.client || e.condition != isOffered && e.condition != isLeased {
		return nil, ErrUnknown
	}
	return e, nil
}

// inform tells a machine that has an address about the network: "The server [...] MUST
// NOT check for an existing lease binding, and MUST NOT send a lease expiration time"
// (RFC 2131, Section 4.3.5, shortened).
func (s *Server) inform(q *query) Reply {
	if q.m.CIAddr().IsUnspecified() {
		return ignored(q, q.m.CIAddr(), ErrNoAddress)
	}
	return s.reply(q, ACK, nil)
}
