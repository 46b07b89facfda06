package ip

import (
	"math/rand/v2"
	"net/netip"
	"time"

	"landline/wire"
)

// Times of RFC 5227, Section 1.1, and RFC 4862, Section 5.1.
const (
	probeGap         = time.Second // RetransTimer of IPv6; about what IPv4 has on average
	announceGap      = 2 * time.Second
	announceTimes    = 2
	defendInterval   = 10 * time.Second
	probeFirstDelay4 = time.Second
)

// A detector finds out whether another machine has an address that this one wants, and defends those
// that it has: RFC 5227 for IPv4, Duplicate Address Detection (RFC 4862, Section 5.4) for IPv6.
type detector struct {
	random  *rand.Rand
	claims  map[netip.Addr]*claim
	effects []detectEffect
}

// A claim is an address that is wanted or held.
type claim struct {
	addr     netip.Addr
	mac      wire.MAC // of the other machine, once there is one
	probes   int      // still to send
	announce int      // still to send
	held     bool     // nobody has objected
	when     time.Time
	defended time.Time // when it was defended last
}

// A detectEffect is something that a detector wants done.
type detectEffect struct {
	kind detectKind
	addr netip.Addr
	mac  wire.MAC // who has it
}

type detectKind uint8

const (
	detectProbe    detectKind = iota // ask whether anybody has addr
	detectAnnounce                   // tell all that it is ours
	detectHeld                       // nobody else has it
	detectLost                       // mac has it
)

func newDetector(random *rand.Rand) *detector {
	return &detector{random: random, claims: map[netip.Addr]*claim{}}
}

func (d *detector) take() []detectEffect {
	e := d.effects
	d.effects = nil
	return e
}

func (d *detector) want(kind detectKind, c *claim) {
	d.effects = append(d.effects, detectEffect{kind, c.addr, c.mac})
}

// claim begins to ask for an address, so often. With no probes it is held at once.
func (d *detector) claim(now time.Time, a netip.Addr, probes int) {
	c := &claim{addr: a, probes: probes, when: now}
	d.claims[a] = c
	if probes > 0 && a.Is4() {
		c.when = now.Add(randomTime(d.random, 0, probeFirstDelay4)) // PROBE_WAIT: not all at once after a power cut
	}
	d.expire(now)
}

// release forgets an address.
func (d *detector) release(a netip.Addr) { delete(d.claims, a) }

// next returns when expire has something to do, or the zero time if never.
func (d *detector) next() (first time.Time) {
	for _, c := range d.claims {
		first = earlier(first, c.when)
	}
	return first
}

// expire does what is due.
func (d *detector) expire(now time.Time) {
	for _, c := range d.claims {
		for passed(now, c.when) {
			d.step(now, c)
		}
	}
}

// step sends the next probe or announcement, or decides that the address is held.
func (d *detector) step(now time.Time, c *claim) {
	switch {
	case c.probes > 0:
		c.probes--
		d.want(detectProbe, c)
		c.when = now.Add(d.gap(c))
	case !c.held:
		c.held, c.announce = true, announceTimes
		d.want(detectHeld, c)
	case c.announce > 0:
		c.announce--
		d.want(detectAnnounce, c)
		c.when = now.Add(announceGap)
	default:
		c.when = time.Time{}
	}
}

// gap is how long to wait for an objection: PROBE_MIN to PROBE_MAX, and ANNOUNCE_WAIT after the last
// probe, for IPv4; RetransTimer for IPv6.
func (d *detector) gap(c *claim) time.Duration {
	switch {
	case c.addr.Is6():
		return probeGap
	case c.probes == 0:
		return announceGap
	}
	return randomTime(d.random, time.Second, 2*time.Second)
}

// conflict says that mac has, or wants, an address of ours. While we ask for it, it is lost. An
// IPv4 address that is held is defended once: who hears of another conflict within 10 s "MUST
// immediately cease using this address" (RFC 5227, Section 2.4 b). An IPv6 address that is held stays:
// the other host's own detection tells it. It reports whether the address is known.
func (d *detector) conflict(now time.Time, a netip.Addr, mac wire.MAC, probe bool) bool {
	c := d.claims[a]
	if c == nil {
		return false
	}
	c.mac = mac
	switch {
	case !c.held:
		d.lose(c)
	case a.Is6() || probe:
		// The answer to its question is all it needs.
	case c.defended.IsZero() || now.Sub(c.defended) > defendInterval:
		c.defended = now
		d.want(detectAnnounce, c)
	default:
		d.lose(c)
	}
	return true
}

func (d *detector) lose(c *claim) {
	delete(d.claims, c.addr)
	d.want(detectLost, c)
}
