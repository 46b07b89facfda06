package dhcp

import (
	"net/netip"
	"slices"
	"time"

	"landline/wire"
)

// A Binding is an address and the client that it is given to.
type Binding struct {
	Addr     netip.Addr
	MAC      wire.MAC
	ClientID []byte    // nil if the client has none, or one that says no more than MAC
	Name     string    // the host's name, which no other has, or ""
	Expiry   time.Time // zero if the lease does not end
	Static   bool      // the address is kept for the client
}

func (e *entry) binding() Binding {
	b := Binding{Addr: e.addr, MAC: e.mac, Name: e.name, Expiry: e.expiry, Static: e.static != nil}
	if len(e.client) > 0 && e.client[0] == keyID {
		b.ClientID = []byte(e.client[1:])
	}
	return b
}

// Leases returns the leases that are not over, in the order of their addresses.
func (s *Server) Leases(now time.Time) []Binding {
	var all []Binding
	for _, p := range s.pools {
		for _, e := range p.entries {
			if b, ok := found(now, e); ok {
				all = append(all, b)
			}
		}
	}
	slices.SortFunc(all, func(a, b Binding) int { return a.Addr.Compare(b.Addr) })
	return all
}

// Next returns when Expire has something to do, or the zero time. No answer depends on
// it, only what Expire reports.
func (s *Server) Next() time.Time {
	var next time.Time
	if s.offers.first != nil {
		next = s.offers.first.expiry
	}
	if len(s.timed) > 0 && (next.IsZero() || s.timed[0].expiry.Before(next)) {
		next = s.timed[0].expiry
	}
	if !next.IsZero() && next.Before(s.awake) {
		return s.awake
	}
	return next
}

// napTime is how long Expire waits for a clock that is late.
const napTime = time.Minute

// Expire ends offers and leases whose time is over, and returns the leases, which are valid until the server's next
// call. It may be called too early. Where Arrive needs an address it does the same.
func (s *Server) Expire(now time.Time) []Binding {
	s.ended = s.ended[:0]
	s.expire(now)
	s.awake = time.Time{}
	if next := s.Next(); !next.IsZero() && !now.Before(next) {
		s.awake = now.Add(napTime) // by one clock it is over, and by the other not
	}
	return s.ended
}

func (s *Server) expire(now time.Time) {
	for s.offers.first != nil && s.offers.first.isOver(now) {
		s.vacate(s.offers.first)
	}
	for len(s.timed) > 0 && s.timed[0].isOver(now) {
		s.vacate(s.timed[0])
	}
}

// finish notes that what is leased no longer is.
func (s *Server) finish(e *entry) {
	if e.condition == isLeased {
		s.ended = append(s.ended, e.binding())
	}
}
