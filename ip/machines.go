package ip

import (
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"landline/link"
	"landline/wire"
)

// machines are what an interface has of states and times. They are under one lock. What they want done is
// done after it is given back, for it leads to packets, and these lead anywhere.
type machines struct {
	i          *Interface
	probes4    int
	probes6    int
	probesDHCP int

	mu         sync.Mutex
	stopped    bool
	timer      *time.Timer
	armed      time.Time // when timer is due; zero if it is not set
	neighbors  *neighbors
	detector   *detector
	groups     *groups
	autoconf   *autoconf   // nil if no router is listened to
	advertiser *advertiser // nil if this is no router
	aging      time.Time   // when an address is to change or go

	pending    []effects // taken, and not done yet
	performing bool      // somebody does them
}

// effects are what the machines want done.
type effects struct {
	neighbors []neighborEffect
	detect    []detectEffect
	groups    []groupReport
	autoconf  []autoconfEffect
	advertise []netip.Addr
	age       bool
}

func (m *machines) init(i *Interface, cfg InterfaceConfig, now time.Time) error {
	s := i.stack
	m.i = i
	m.probes4, m.probes6 = max(0, cfg.Probes), max(0, cfg.Probes)
	if cfg.Probes == 0 {
		m.probes6 = 1
	}
	if cfg.Probes >= 0 {
		m.probesDHCP = 3 // PROBE_NUM of RFC 5227, Section 1.1
	}
	m.neighbors = newNeighbors(s.random.source(), neighborLimits{})
	m.detector = newDetector(s.random.source())
	m.groups = newGroups(s.random.source())
	if !cfg.NoAutoconf && !s.cfg.Forwarding && !i.noIPv6 && !i.loopback {
		m.autoconf = newAutoconf(s.random.source(), s.cfg.Seed, i.mac)
	}
	if cfg.Advertise != nil && !i.noIPv6 {
		a := *cfg.Advertise
		if err := a.check(); err != nil {
			return err
		}
		m.advertiser = newAdvertiser(now, a, s.random.source())
	}
	return nil
}

// start begins what an interface does of its own.
func (i *Interface) start(cfg InterfaceConfig) error {
	if !i.loopback {
		i.Join(allSystems)
	}
	if !i.noIPv6 && !i.loopback {
		i.Join(allNodes)
		if i.stack.cfg.Forwarding {
			i.Join(allRouters)
		}
		id := i.mac.InterfaceID()
		b := netip.MustParseAddr("fe80::").As16()
		copy(b[8:], id[:])
		local := netip.PrefixFrom(netip.AddrFrom16(b), 64)
		if err := i.addAddress(address{prefix: local, origin: originLinkLocal}); err != nil {
			return fmt.Errorf("link-local address %v: %w", local, err)
		}
	}
	for _, p := range cfg.Addresses {
		if err := i.addAddress(address{prefix: p}); err != nil {
			return fmt.Errorf("address %v: %w", p, err)
		}
	}
	i.with(func(now time.Time) {
		if i.autoconf != nil {
			i.autoconf.start(now)
		}
	})
	return nil
}

func (m *machines) stop() {
	m.mu.Lock()
	m.stopped = true
	if m.timer != nil {
		m.timer.Stop()
	}
	m.neighbors.clear(DropClosed)
	m.mu.Unlock()
}

// farewell tells the link that this router is none any more (RFC 4861, Section 6.2.5).
func (i *Interface) farewell() {
	if i.advertiser != nil {
		i.sendAdvert(allNodes, true)
	}
}

// with runs f on the machines, and then does what they want done, unless somebody is doing so, who then
// goes on with that: what is wanted first is done first.
func (m *machines) with(f func(now time.Time)) {
	m.mu.Lock()
	if m.stopped {
		m.mu.Unlock()
		return
	}
	f(time.Now())
	m.pending = append(m.pending, m.takeLocked())
	m.armLocked()
	if m.performing {
		m.mu.Unlock()
		return
	}
	m.performing = true
	for len(m.pending) > 0 {
		all := m.pending
		m.pending = nil
		m.mu.Unlock()
		for k := range all {
			m.i.perform(&all[k])
		}
		m.mu.Lock()
	}
	m.performing = false
	m.mu.Unlock()
}

func (m *machines) takeLocked() (e effects) {
	e.neighbors, e.detect, e.groups = m.neighbors.take(), m.detector.take(), m.groups.take()
	for k := range e.neighbors {
		switch n := &e.neighbors[k]; {
		case m.autoconf == nil:
		case n.kind == neighborNotRouter:
			m.autoconf.forgetRouter(n.ip)
		case n.kind == neighborFailed:
			m.autoconf.routerFailed(n.ip)
		}
	}
	if m.autoconf != nil {
		e.autoconf = m.autoconf.take()
	}
	if m.advertiser != nil {
		e.advertise = m.advertiser.take()
	}
	if e.age = passed(time.Now(), m.aging); e.age {
		m.aging = time.Time{}
	}
	return e
}

// armLocked sets the timer to the next time that something is due.
func (m *machines) armLocked() {
	next := earlier(earlier(m.neighbors.next(), m.aging), earlier(m.detector.next(), m.groups.next()))
	if m.autoconf != nil {
		next = earlier(next, m.autoconf.next())
	}
	if m.advertiser != nil {
		next = earlier(next, m.advertiser.next())
	}
	m.setLocked(next)
}

// setLocked sets the timer, unless it is due earlier: it looks again then.
func (m *machines) setLocked(next time.Time) {
	if m.stopped || next.IsZero() || !m.armed.IsZero() && !next.Before(m.armed) {
		return
	}
	m.armed = next
	if m.timer == nil {
		m.timer = time.AfterFunc(time.Until(next), m.tick)
		return
	}
	m.timer.Reset(time.Until(next))
}

// tick is called by the timer.
func (m *machines) tick() {
	m.with(func(now time.Time) {
		m.armed = time.Time{}
		m.neighbors.expire(now)
		m.detector.expire(now)
		m.groups.expire(now)
		if m.autoconf != nil {
			m.autoconf.expire(now)
		}
		if m.advertiser != nil {
			m.advertiser.expire(now)
		}
	})
}

// perform does what machines want done.
func (i *Interface) perform(e *effects) {
	for k := range e.detect {
		i.detected(&e.detect[k])
	}
	for k := range e.neighbors {
		i.performNeighbor(&e.neighbors[k])
	}
	for _, r := range e.groups {
		i.sendGroupReport(r)
	}
	for k := range e.autoconf {
		i.configure(&e.autoconf[k])
	}
	for _, to := range e.advertise {
		i.sendAdvert(to, false)
	}
	if e.age {
		i.ageAddresses()
	}
}

func (i *Interface) performNeighbor(e *neighborEffect) {
	switch e.kind {
	case neighborSolicit:
		i.solicit(e.ip, e.mac, e.src)
	case neighborRelease:
		i.queue.write(e.frames, nil)
		i.neighbors.recycle(e.frames)
	case neighborFailed:
		i.stack.firstHopFailed(i, e.ip)
		i.failed(e.frames)
		i.neighbors.recycle(e.frames)
	case neighborDropped:
		i.stack.dropN(e.reason, e.n)
	}
}

// ageAddresses lets addresses grow old, and looks again when the next one does.
func (i *Interface) ageAddresses() {
	next := i.age(time.Now())
	i.mu.Lock()
	defer i.mu.Unlock()
	i.aging = earlier(i.aging, next) // another goroutine may know of an earlier time
	i.setLocked(next)
}

// neighbor returns a neighbor's hardware address, if it is known.
func (i *Interface) neighbor(ip netip.Addr) (wire.MAC, bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	mac, ok := i.neighbors.lookup(time.Now(), ip)
	i.setLocked(i.neighbors.next())
	return mac, ok
}

// hold keeps frames until their neighbor is known.
func (i *Interface) hold(p *Path, frames []link.Frame) {
	i.with(func(now time.Time) {
		for k := range frames {
			if err := i.neighbors.hold(now, p.next, p.src, &frames[k]); err != nil {
				i.stack.Drop(DropOf(err))
			}
		}
	})
}

// Neighbors returns what is known of the machines on the link.
func (i *Interface) Neighbors() []Neighbor {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.neighbors.list()
}

// Servers returns the name servers that routers have told of.
func (i *Interface) Servers() []netip.Addr {
	i.mu.Lock()
	defer i.mu.Unlock()
	var all []netip.Addr
	if i.autoconf != nil {
		for a := range i.autoconf.servers {
			all = append(all, a)
		}
	}
	slices.SortFunc(all, netip.Addr.Compare)
	return all
}

// Confirm says that the first hop of a path gets what is sent to it, as a transport knows that hears
// answers (RFC 4861, Section 7.3.1).
func (p *Path) Confirm() {
	if p.kind != pathUnicast {
		return
	}
	p.i.mu.Lock()
	defer p.i.mu.Unlock()
	p.i.neighbors.confirm(time.Now(), p.next)
}

// Doubt says that the first hop of a path may not get what is sent to it, as a transport thinks that hears no
// answers: "negative advice" (RFC 9293, Section 3.8.3). The neighbor is asked.
func (p *Path) Doubt() {
	if p.kind == pathUnicast {
		p.i.with(func(now time.Time) { p.i.neighbors.doubt(now, p.next) })
	}
}

// Join makes the interface take packets to a group, as often as it is called. The error is
// DropGroupLimit if there are too many groups.
func (i *Interface) Join(group netip.Addr) (err error) {
	i.with(func(now time.Time) {
		err = i.groups.join(now, group)
		i.joinedLocked()
	})
	return err
}

// Leave ends what one Join began.
func (i *Interface) Leave(group netip.Addr) {
	i.with(func(now time.Time) {
		i.groups.leave(now, group)
		i.joinedLocked()
	})
}

func (i *Interface) joinedLocked() {
	all := i.groups.joined()
	i.joined.Store(&all)
}

// Groups returns the groups that the interface takes packets for.
func (i *Interface) Groups() []netip.Addr {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.groups.list()
}
