package ip

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"landline/wire"
)

// Advertise is what a router tells the hosts on a link (RFC 4861, Section 6.2.1). Its zero value says
// that there is a router, and no more.
type Advertise struct {
	// Prefixes are the networks on the link.
	Prefixes []AdvertisedPrefix
	// RouterLifetime is for how long hosts use the router as a default, up to 18 hours. If zero, three times
	// MaxInterval; negative: it is no default router.
	RouterLifetime time.Duration
	// MaxInterval is the longest time between advertisements, from 4 s to 30 minutes. If zero, 10
	// minutes. The shortest is a third of it.
	MaxInterval time.Duration
	// HopLimit is what hosts should put into packets. If zero, 64.
	HopLimit uint8
	// MTU is the largest packet that hosts should send, at least 1,280 bytes. If zero, nothing is said.
	MTU int
	// DNS are name servers, Search domains to look names up in. They hold as long as the router does.
	DNS    []netip.Addr
	Search []string
}

// An AdvertisedPrefix is a network on the link, of which hosts make addresses for themselves.
type AdvertisedPrefix struct {
	Prefix netip.Prefix
	// Valid and Preferred are lifetimes of addresses. If zero, 30 days and 7 days.
	Valid, Preferred time.Duration
	// NoAutonomous keeps hosts from making addresses.
	NoAutonomous bool
}

// ErrAdvertise says that an Advertise contradicts itself or the standard.
var ErrAdvertise = errors.New("router advertisement is impossible")

// Times and counts of RFC 4861, Section 10.
const (
	initialAdverts        = 3
	initialAdvertInterval = 16 * time.Second
	minDelayBetweenRAs    = 3 * time.Second
	maxRADelay            = 500 * time.Millisecond
	maxRouterLifetime     = 9000 * time.Second * 7 // RFC 8319 allows 65,535 s; this is 17.5 hours
)

// check fills in what is zero and refuses what cannot be.
func (a *Advertise) check() error {
	set := func(d *time.Duration, ifZero time.Duration) {
		if *d == 0 {
			*d = ifZero
		}
	}
	set(&a.MaxInterval, 10*time.Minute)
	set(&a.RouterLifetime, 3*a.MaxInterval)
	if a.HopLimit == 0 {
		a.HopLimit = defaultHops
	}
	a.Prefixes = append([]AdvertisedPrefix(nil), a.Prefixes...)
	for k := range a.Prefixes {
		p := &a.Prefixes[k]
		set(&p.Valid, 30*24*time.Hour)
		set(&p.Preferred, min(p.Valid, 7*24*time.Hour))
		if !p.Prefix.IsValid() || p.Prefix.Addr().Is4() || p.Preferred > p.Valid {
			return fmt.Errorf("%w: prefix %v", ErrAdvertise, p.Prefix)
		}
		p.Prefix = p.Prefix.Masked()
	}
	_, err := wire.AppendDNSSL(nil, 0, a.Search...)
	switch {
	case a.MaxInterval < 4*time.Second || a.MaxInterval > 30*time.Minute:
		return fmt.Errorf("%w: every %v", ErrAdvertise, a.MaxInterval)
	case a.RouterLifetime > maxRouterLifetime:
		return fmt.Errorf("%w: lifetime %v", ErrAdvertise, a.RouterLifetime)
	case a.MTU != 0 && (a.MTU < minMTU6 || a.MTU > maxPacket):
		return fmt.Errorf("%w: mtu %d", ErrAdvertise, a.MTU)
	case err != nil:
		return fmt.Errorf("%w: %w", ErrAdvertise, err)
	}
	return nil
}

// An advertiser says when a router advertises itself (RFC 4861, Section 6.2.4 to 6.2.6).
type advertiser struct {
	cfg     Advertise
	random  *rand.Rand
	initial int // of the first, fast ones, still to send
	last    time.Time
	when    time.Time
	due     []netip.Addr // who gets one now

	asked  []netip.Addr // hosts that get an answer of their own
	answer time.Time    // when they do
}

// maxAsked is how many hosts wait for an answer of their own. More get one together.
const maxAsked = 16

func newAdvertiser(now time.Time, cfg Advertise, random *rand.Rand) *advertiser {
	return &advertiser{cfg: cfg, random: random, initial: initialAdverts, when: now}
}

// take returns whom an advertisement is to be sent to.
func (a *advertiser) take() (to []netip.Addr) {
	to, a.due = a.due, nil
	return to
}

// solicited answers a host, soon. All hosts get the answer, but not oftener than every 3 s. In between it is for the host
// alone: "A router MAY choose to unicast the response directly to the soliciting host's address" (RFC 4861, Section 6.2.6).
func (a *advertiser) solicited(now time.Time, host netip.Addr) {
	at, first := now.Add(randomTime(a.random, 0, maxRADelay)), a.last.Add(minDelayBetweenRAs)
	switch {
	case !at.Before(first):
		a.when = earlier(a.when, at)
	case host.IsUnspecified() || len(a.asked) == maxAsked:
		a.when = earlier(a.when, first)
	case !slices.Contains(a.asked, host):
		a.asked, a.answer = append(a.asked, host), earlier(a.answer, at)
	}
}

func (a *advertiser) next() time.Time { return earlier(a.when, a.answer) }

func (a *advertiser) expire(now time.Time) {
	if passed(now, a.answer) {
		a.due = append(a.due, a.asked...)
		a.asked, a.answer = nil, time.Time{}
	}
	if !passed(now, a.when) {
		return
	}
	a.due, a.last = append(a.due, allNodes), now
	interval := randomTime(a.random, a.cfg.MaxInterval/3, a.cfg.MaxInterval)
	if a.initial > 0 {
		a.initial--
		interval = min(interval, initialAdvertInterval)
	}
	a.when = now.Add(interval)
}

// append appends the message. The last one says that the router is none any more.
func (a *advertiser) append(b []byte, mac wire.MAC, last bool) []byte {
	lifetime := uint32(max(0, a.cfg.RouterLifetime) / time.Second)
	if last {
		lifetime = 0
	}
	b = wire.AppendRouterAdvert(b, &wire.RouterAdvertHeader{HopLimit: a.cfg.HopLimit, Lifetime: uint16(lifetime)})
	b = wire.AppendLinkAddr(b, wire.NDPSourceLinkAddr, mac)
	if a.cfg.MTU != 0 {
		b = wire.AppendMTU(b, uint32(a.cfg.MTU))
	}
	for _, p := range a.cfg.Prefixes {
		b = wire.AppendPrefix(b, wire.PrefixInfo{
			Prefix: p.Prefix, OnLink: true, Autonomous: !p.NoAutonomous,
			Valid: uint32(p.Valid / time.Second), Preferred: uint32(p.Preferred / time.Second),
		})
	}
	if len(a.cfg.DNS) != 0 {
		b = wire.AppendRDNSS(b, lifetime, a.cfg.DNS...)
	}
	if len(a.cfg.Search) != 0 {
		b, _ = wire.AppendDNSSL(b, lifetime, a.cfg.Search...) // check has found them good
	}
	return b
}
