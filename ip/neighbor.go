package ip

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"landline/link"
	"landline/wire"
)

// Times and counts of RFC 4861, Section 10.
const (
	maxMulticastSolicit = 3
	maxUnicastSolicit   = 3
	retransTimer        = time.Second
	reachableTime       = 30 * time.Second
	delayFirstProbeTime = 5 * time.Second

	// reachableRedraw is how long a random ReachableTime is used: a new one is drawn "at
	// least every few hours" (Section 6.3.2).
	reachableRedraw = 2 * time.Hour
	// staleTime is how long a neighbor is remembered that nothing is sent to.
	staleTime = 10 * time.Minute
)

// A NeighborState is how much is known of a neighbor (RFC 4861, Section 7.3.2).
type NeighborState uint8

const (
	// NeighborIncomplete: its hardware address has been asked for.
	NeighborIncomplete NeighborState = iota
	// NeighborReachable: it has shown not long ago that it gets what we send.
	NeighborReachable
	// NeighborStale: it has not, but nothing has been sent to it since.
	NeighborStale
	// NeighborDelay: something has been sent, and the answer may show it.
	NeighborDelay
	// NeighborProbe: it is being asked.
	NeighborProbe
)

var neighborStateText = [...]string{"incomplete", "reachable", "stale", "delay", "probe"}

// String returns the state's name in lower case.
func (s NeighborState) String() string {
	if int(s) < len(neighborStateText) {
		return neighborStateText[s]
	}
	return "unknown"
}

// A Neighbor is a machine on the same link, as far as it is known.
type Neighbor struct {
	Addr    netip.Addr
	MAC     wire.MAC // zero in NeighborIncomplete
	State   NeighborState
	Router  bool      // it says that it is a router; IPv6 only
	Updated time.Time // when State or MAC last changed
}

// A neighbor is an entry of neighbors.
type neighbor struct {
	Neighbor
	src       netip.Addr // of the packet that asked for it last, if one did
	solicits  int        // sent in this state
	reachable time.Time  // in NeighborReachable, until when it is
	held      []link.Frame
	heldBytes int

	when       time.Time     // the timer
	index      int           // in the heap of timers
	list       *neighborList // of its state, if that has one
	prev, next *neighbor     // in the list
}

// neighbors finds the hardware addresses of an interface's neighbors, and whether they are still
// there: Neighbor Discovery's cache and states (RFC 4861, Section 7). For
// IPv4 it does the same, which ARP leaves open: a unicast poll finds addresses that have become
// wrong (RFC 1122, Section 2.3.2.1).
//
// A neighbor that does not answer is forgotten, as Section 7.3.3 has it, and what
// waited for it is given back at once. There is no memory of failure: who sends again asks again, at
// most once a second, which is also the rate that RFC 1122 asks for.
type neighbors struct {
	random *rand.Rand
	limits neighborLimits
	pool   framePool

	table      map[netip.Addr]*neighbor
	timers     neighborHeap
	incomplete neighborList // first asked for first
	stale      neighborList // longest unused first
	heldBytes  int          // of all

	retrans   time.Duration // RetransTimer
	base      time.Duration // BaseReachableTime
	reachable time.Duration // ReachableTime: about base
	redraw    time.Time     // when to draw reachable again

	effects []neighborEffect
}

// A neighborEffect is something that neighbors wants done.
type neighborEffect struct {
	kind   neighborEffectKind
	ip     netip.Addr
	mac    wire.MAC
	src    netip.Addr
	frames []link.Frame
	reason Drop
	n      int
}

type neighborEffectKind uint8

const (
	// neighborSolicit: ask for ip, at the address mac, or at all if that is zero; from src if
	// that is an address of the interface.
	neighborSolicit neighborEffectKind = iota
	// neighborRelease: send frames, which are whole, then recycle them.
	neighborRelease
	// neighborFailed: ip does not answer. Tell so to whoever sent frames, if any, then
	// recycle them.
	neighborFailed
	// neighborNotRouter: ip was a router and is none any more.
	neighborNotRouter
	// neighborDropped: n frames were dropped for reason.
	neighborDropped
)

func newNeighbors(random *rand.Rand, limits neighborLimits) *neighbors {
	n := &neighbors{
		random: random, limits: limits.orDefault(), table: map[netip.Addr]*neighbor{},
		retrans: retransTimer, base: reachableTime,
	}
	n.incomplete.init()
	n.stale.init()
	return n
}

// take returns the effects since it was last called.
func (n *neighbors) take() []neighborEffect {
	e := n.effects
	n.effects = nil
	return e
}

// setTimers sets RetransTimer and BaseReachableTime, unless they are zero: a router
// may advise others.
func (n *neighbors) setTimers(retrans, base time.Duration) {
	if retrans != 0 {
		n.retrans = retrans
	}
	if base != 0 && base != n.base {
		n.base, n.redraw = base, time.Time{}
	}
}

// lookup returns the hardware address of ip, if it is known, to send a packet there.
// It allocates nothing.
func (n *neighbors) lookup(now time.Time, ip netip.Addr) (wire.MAC, bool) {
	e := n.table[ip]
	if e == nil || e.State == NeighborIncomplete {
		return wire.MAC{}, false
	}
	if e.State == NeighborReachable && !now.Before(e.reachable) {
		n.enter(now, e, NeighborStale)
	}
	if e.State == NeighborStale {
		n.enter(now, e, NeighborDelay)
	}
	return e.MAC, true
}

// confirm says that ip has got what we sent it: a connection to it, or through it, goes
// forward (Section 7.3.1). It allocates nothing.
func (n *neighbors) confirm(now time.Time, ip netip.Addr) {
	if e := n.table[ip]; e != nil && e.State != NeighborIncomplete {
		n.reach(now, e)
	}
}

// doubt asks ip whether it is still there, unless that is being done.
func (n *neighbors) doubt(now time.Time, ip netip.Addr) {
	if e := n.table[ip]; e != nil && e.State != NeighborIncomplete && e.State != NeighborProbe {
		n.enter(now, e, NeighborProbe)
	}
}

// reach makes e reachable from now on. The timer of one that is reachable already is left
// alone: when it expires, it is set again.
func (n *neighbors) reach(now time.Time, e *neighbor) {
	if !now.Before(n.redraw) {
		n.reachable = randomTime(n.random, n.base/2, n.base+n.base/2)
		n.redraw = now.Add(reachableRedraw)
	}
	e.reachable = now.Add(n.reachable)
	if e.State != NeighborReachable {
		n.enter(now, e, NeighborReachable)
	}
}

// enter brings e into a state: its list, its timer and what is sent on entry.
func (n *neighbors) enter(now time.Time, e *neighbor, s NeighborState) {
	e.unlink()
	e.State, e.Updated, e.solicits = s, now, 0
	switch s {
	case NeighborIncomplete:
		n.incomplete.append(e)
		n.solicit(now, e)
	case NeighborReachable:
		n.timers.set(e, e.reachable)
	case NeighborStale:
		n.stale.append(e)
		n.timers.set(e, now.Add(staleTime))
	case NeighborDelay:
		n.timers.set(e, now.Add(delayFirstProbeTime))
	case NeighborProbe:
		n.solicit(now, e)
	}
}

// solicit asks for e: all while its address is not known, then itself.
func (n *neighbors) solicit(now time.Time, e *neighbor) {
	e.solicits++
	n.timers.set(e, now.Add(n.retrans))
	n.effects = append(n.effects, neighborEffect{kind: neighborSolicit, ip: e.Addr, mac: e.MAC, src: e.src})
}

// next returns when expire has something to do, or the zero time if never.
func (n *neighbors) next() time.Time {
	if len(n.timers) == 0 {
		return time.Time{}
	}
	return n.timers[0].when
}

// expire does what is due.
func (n *neighbors) expire(now time.Time) {
	for len(n.timers) != 0 && !n.timers[0].when.After(now) {
		n.timeout(now, n.timers[0])
	}
}

// timeout follows the table of RFC 4861, Appendix C, for an entry whose timer is due.
func (n *neighbors) timeout(now time.Time, e *neighbor) {
	switch e.State {
	case NeighborIncomplete:
		n.retry(now, e, maxMulticastSolicit)
	case NeighborReachable:
		if now.Before(e.reachable) { // it was confirmed in the meantime
			n.timers.set(e, e.reachable)
		} else {
			n.enter(now, e, NeighborStale)
		}
	case NeighborStale:
		n.remove(e)
	case NeighborDelay:
		n.enter(now, e, NeighborProbe)
	case NeighborProbe:
		n.retry(now, e, maxUnicastSolicit)
	}
}

// retry asks again, or gives up. "If the neighbor fails to answer" all, "address resolution has
// failed. The sender MUST return ICMP destination unreachable indications with code
// 3 (Address Unreachable) for each packet queued" (Section 7.2.2).
func (n *neighbors) retry(now time.Time, e *neighbor, limit int) {
	if e.solicits < limit {
		n.solicit(now, e)
		return
	}
	n.effects = append(n.effects, neighborEffect{kind: neighborFailed, ip: e.Addr, frames: n.unhold(e), reason: DropNeighborFailed})
	n.remove(e)
}

// list returns all neighbors, by address.
func (n *neighbors) list() []Neighbor {
	all := make([]Neighbor, 0, len(n.table))
	for _, e := range n.table {
		all = append(all, e.Neighbor)
	}
	slices.SortFunc(all, func(a, b Neighbor) int { return a.Addr.Compare(b.Addr) })
	return all
}

// known reports whether ip may be reachable: its hardware address is known. Routers that are
// not come last (RFC 4861, Section 6.3.6).
func (n *neighbors) known(ip netip.Addr) bool {
	e := n.table[ip]
	return e != nil && e.State != NeighborIncomplete
}
