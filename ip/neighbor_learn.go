package ip

import (
	"net/netip"
	"time"

	"landline/wire"
)

// A heard is what a message says about a neighbor's hardware address.
type heard struct {
	ip   netip.Addr // the zero Addr: nothing
	mac  wire.MAC   // zero: the message does not say
	kind heardKind

	// Of an advertisement.
	solicited, override bool
	// Of an advertisement, that we are a router, which learns from it who is new.
	toRouter bool
	// Of an advertisement, what it says; of others, that the neighbor is certainly a router.
	router bool
	// Of others, that the neighbor is certainly not a router.
	host bool
}

// A heardKind is what a neighbor that is not known may be learnt from.
type heardKind uint8

const (
	// heardMerge is an ARP message that was not for us: it changes what is known and no more
	// (RFC 826: the merge flag).
	heardMerge heardKind = iota
	// heardSource is a message that wants an answer or announces a router: an ARP request
	// for us, or a solicitation, router advertisement or redirect with a hardware
	// address. The neighbor is learnt, and may be asked for in turn.
	heardSource
	// heardReply is an ARP reply to us.
	heardReply
	// heardAdvert is a neighbor advertisement.
	heardAdvert
)

// learn takes what was heard of a neighbor: RFC 4861, Section 7.2.3 to 7.2.5, and the
// table of Appendix C; RFC 826. Its error is a Drop.
//
// An ARP reply is an advertisement that overrides. It is taken as solicited only if it was
// asked for, since it does not say so itself: a reply that nobody asked for shows nothing about
// the way from us to its sender.
func (n *neighbors) learn(now time.Time, h heard) error {
	if h.mac.IsGroup() {
		return DropNDP
	}
	e := n.table[h.ip]
	switch h.kind {
	case heardAdvert:
		if e == nil && h.toRouter {
			return n.create(now, h)
		}
		n.advert(now, e, h)
	case heardReply:
		h.override, h.solicited = true, e != nil && e.solicits != 0
		n.advert(now, e, h)
	case heardMerge:
		if e != nil {
			n.source(now, e, h)
		}
	case heardSource:
		if e == nil {
			return n.create(now, h)
		}
		n.source(now, e, h)
	}
	return nil
}

// create makes a neighbor that has spoken first. "If an entry does not already exist, the
// node SHOULD create a new one and set its reachability state to STALE" (Section 7.2.3). Of an advertisement,
// "Routers SHOULD create a new entry for the target address" and hosts should not (RFC 9131, Section 6.1.1).
func (n *neighbors) create(now time.Time, h heard) error {
	if h.mac == (wire.MAC{}) {
		return nil
	}
	e, err := n.add(now, h.ip)
	if err != nil {
		return err
	}
	e.MAC, e.Router = h.mac, h.router
	n.enter(now, e, NeighborStale)
	return nil
}

// source takes a hardware address from a message that is no answer.
func (n *neighbors) source(now time.Time, e *neighbor, h heard) {
	if h.mac != (wire.MAC{}) && h.mac != e.MAC {
		e.MAC = h.mac
		n.enter(now, e, NeighborStale)
		n.release(now, e)
	}
	if h.router || h.host {
		n.setRouter(e, h.router)
	}
}

// advert takes an advertisement (Section 7.2.5). "There is no need to create an entry if none
// exists, since the recipient has apparently not initiated any communication with the
// target."
func (n *neighbors) advert(now time.Time, e *neighbor, h heard) {
	if e == nil {
		return
	}
	if e.State == NeighborIncomplete {
		n.resolve(now, e, h)
		return
	}
	changed := h.mac != (wire.MAC{}) && h.mac != e.MAC
	if changed && !h.override {
		// "If the state of the entry is REACHABLE, set it to STALE, but do not update the
		// entry in any other way."
		if e.State == NeighborReachable {
			n.enter(now, e, NeighborStale)
		}
		return
	}
	if changed {
		e.MAC, e.Updated = h.mac, now
	}
	switch {
	case h.solicited:
		n.reach(now, e)
	case changed:
		n.enter(now, e, NeighborStale)
	}
	if h.kind == heardAdvert {
		n.setRouter(e, h.router)
	}
}

// resolve takes the answer to an entry that waits for one.
func (n *neighbors) resolve(now time.Time, e *neighbor, h heard) {
	e.Router = h.router
	if h.mac == (wire.MAC{}) {
		return
	}
	e.MAC = h.mac
	if h.solicited {
		n.reach(now, e)
	} else {
		n.enter(now, e, NeighborStale)
	}
	n.release(now, e)
}

// setRouter sets the IsRouter flag. If it falls, "the node MUST remove that router from
// the Default Router List" (Section 7.2.5).
func (n *neighbors) setRouter(e *neighbor, router bool) {
	if e.Router && !router {
		n.effects = append(n.effects, neighborEffect{kind: neighborNotRouter, ip: e.Addr})
	}
	e.Router = router
}

// forget removes a neighbor, whose frames are dropped for the reason.
func (n *neighbors) forget(ip netip.Addr, why Drop) {
	if e := n.table[ip]; e != nil {
		n.discard(e, why)
	}
}

// clear removes all neighbors, as when the link went down.
func (n *neighbors) clear(why Drop) {
	for _, e := range n.table {
		n.discard(e, why)
	}
}
