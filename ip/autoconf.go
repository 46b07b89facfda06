package ip

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"time"

	"landline/wire"
)

// What a host believes of routers at most, so that a flood of advertisements costs no memory.
const (
	maxRouters  = 16
	maxPrefixes = 64
	maxServers  = 8
)

// Times and counts of RFC 4861, Section 10, and RFC 4862, Section 5.5.3.
const (
	maxRouterSolicits  = 3
	routerSolicitGap   = 4 * time.Second
	routerSolicitDelay = time.Second
	twoHours           = 2 * time.Hour
	forEver            = wire.InfiniteLifetime
)

// autoconf is what a host makes of its routers' advertisements: default routes, networks that are on the link,
// addresses of its own (RFC 4861, Section 6.3; RFC 4862, Section 5.5) and name servers (RFC 8106).
type autoconf struct {
	random   *rand.Rand
	secret   uint64
	mac      wire.MAC
	solicits int // still to send
	when     time.Time

	routers  map[netip.Addr]time.Time // until when each is a default router
	failed   map[netip.Addr]bool      // those of routers that did not answer, and have not been heard of since
	prefixes map[netip.Prefix]*advertisedPrefix
	servers  map[netip.Addr]time.Time
	effects  []autoconfEffect
}

// An advertisedPrefix is a network that routers have told of.
type advertisedPrefix struct {
	onLink    time.Time // until when it is on the link; the zero time if it is not
	addr      netip.Addr
	preferred time.Time
	valid     time.Time
}

// never is later than any lifetime that is counted: an infinite one.
var never = time.Unix(1<<40, 0)

// An autoconfEffect is something that autoconf wants done.
type autoconfEffect struct {
	kind             autoconfKind
	router           netip.Addr
	prefix           netip.Prefix // a network, or an address with its length
	preferred, valid time.Time    // zero is for ever
	n                int
}

type autoconfKind uint8

const (
	autoconfSolicit     autoconfKind = iota // ask for routers
	autoconfAddRouter                       // router is a default router
	autoconfRemoveRoute                     // the route to prefix, by router if it is valid, is gone
	autoconfAddOnLink                       // prefix is on the link
	autoconfAddress                         // prefix is an address to have until valid
	autoconfMTU                             // n bytes
	autoconfHops                            // n
)

func newAutoconf(random *rand.Rand, secret uint64, mac wire.MAC) *autoconf {
	return &autoconf{
		random: random, secret: secret, mac: mac,
		routers: map[netip.Addr]time.Time{}, failed: map[netip.Addr]bool{}, prefixes: map[netip.Prefix]*advertisedPrefix{},
		servers: map[netip.Addr]time.Time{},
	}
}

func (c *autoconf) take() []autoconfEffect {
	e := c.effects
	c.effects = nil
	return e
}

func (c *autoconf) want(e autoconfEffect) { c.effects = append(c.effects, e) }

// start asks for routers, not all hosts at once (RFC 4861, Section 6.3.7).
func (c *autoconf) start(now time.Time) {
	c.solicits = maxRouterSolicits
	c.when = now.Add(randomTime(c.random, 0, routerSolicitDelay))
}

// until turns a lifetime in seconds into a time.
func until(now time.Time, seconds uint32) time.Time {
	if seconds == forEver {
		return never
	}
	return now.Add(time.Duration(seconds) * time.Second)
}

// orForEver is what the rest of the package calls for ever.
func orForEver(t time.Time) time.Time {
	if t.Equal(never) {
		return time.Time{}
	}
	return t
}

// advert takes a router's advertisement, which has been checked.
func (c *autoconf) advert(now time.Time, from netip.Addr, a wire.RouterAdvert) {
	c.solicits, c.when = 0, time.Time{}
	c.router(now, from, a.Lifetime())
	if n := a.HopLimit(); n != 0 {
		c.want(autoconfEffect{kind: autoconfHops, n: int(n)})
	}
	for o := a.Options(); o.Next(); {
		if p, ok := o.Prefix(); ok {
			c.prefix(now, p)
		} else if mtu, ok := o.MTU(); ok && mtu >= minMTU6 && mtu <= maxPacket {
			c.want(autoconfEffect{kind: autoconfMTU, n: int(mtu)})
		} else if o.Type() == wire.NDPRDNSS {
			c.dns(now, &o)
		}
	}
}

// router adds, renews or removes a default router.
func (c *autoconf) router(now time.Time, from netip.Addr, lifetime uint16) {
	_, known := c.routers[from]
	switch {
	case lifetime == 0 && known:
		c.forgetRouter(from)
	case lifetime != 0 && (known || len(c.routers) < maxRouters):
		c.routers[from] = now.Add(time.Duration(lifetime) * time.Second)
		if !known || c.failed[from] {
			delete(c.failed, from)
			c.want(autoconfEffect{kind: autoconfAddRouter, router: from})
		}
	}
}

var defaultRoute6 = netip.PrefixFrom(netip.IPv6Unspecified(), 0)

// forgetRouter removes a default router: it says so, or has become a host.
func (c *autoconf) forgetRouter(from netip.Addr) {
	if _, known := c.routers[from]; known {
		delete(c.routers, from)
		delete(c.failed, from)
		c.want(autoconfEffect{kind: autoconfRemoveRoute, prefix: defaultRoute6, router: from})
	}
}

// routerFailed says that a neighbor does not answer.
func (c *autoconf) routerFailed(a netip.Addr) {
	if _, known := c.routers[a]; known {
		c.failed[a] = true
	}
}

// prefix takes a prefix information option. One for link-local addresses says nothing.
func (c *autoconf) prefix(now time.Time, o wire.PrefixInfo) {
	if o.Prefix.Addr().IsLinkLocalUnicast() || o.Prefix.Addr().IsMulticast() {
		return
	}
	p := c.prefixes[o.Prefix]
	if p == nil {
		if o.Valid == 0 || len(c.prefixes) >= maxPrefixes {
			return
		}
		p = &advertisedPrefix{}
		c.prefixes[o.Prefix] = p
	}
	if o.OnLink {
		c.setOnLink(now, o, p)
	}
	// "If the preferred lifetime is greater than the valid lifetime, silently ignore" (RFC 4862,
	// Section 5.5.3 c); an identifier has 64 bits, so other lengths make no address (d).
	if o.Autonomous && o.Preferred <= o.Valid && o.Prefix.Bits() == 64 {
		c.setAddress(now, o, p)
	}
	if p.onLink.IsZero() && !p.addr.IsValid() {
		delete(c.prefixes, o.Prefix)
	}
}

func (c *autoconf) setOnLink(now time.Time, o wire.PrefixInfo, p *advertisedPrefix) {
	had := !p.onLink.IsZero()
	if o.Valid == 0 {
		p.onLink = time.Time{}
		if had {
			c.want(autoconfEffect{kind: autoconfRemoveRoute, prefix: o.Prefix})
		}
		return
	}
	p.onLink = until(now, o.Valid)
	if !had {
		c.want(autoconfEffect{kind: autoconfAddOnLink, prefix: o.Prefix})
	}
}

// setAddress makes an address, or extends its life. An advertisement, which anybody can forge, cannot end it in
// less than two hours (RFC 4862, Section 5.5.3 e).
func (c *autoconf) setAddress(now time.Time, o wire.PrefixInfo, p *advertisedPrefix) {
	valid := until(now, o.Valid)
	switch {
	case !p.addr.IsValid() && o.Valid == 0:
		return
	case !p.addr.IsValid():
		p.addr, p.valid = c.address(o.Prefix), valid
	case valid.After(now.Add(twoHours)) || valid.After(p.valid):
		p.valid = valid
	case p.valid.After(now.Add(twoHours)):
		p.valid = now.Add(twoHours)
	}
	p.preferred = until(now, o.Preferred)
	c.want(autoconfEffect{
		kind: autoconfAddress, prefix: netip.PrefixFrom(p.addr, 64),
		preferred: orForEver(p.preferred), valid: orForEver(p.valid),
	})
}

// address makes the address of a network: stable there, and without likeness to that of
// another (RFC 7217).
func (c *autoconf) address(network netip.Prefix) netip.Addr {
	b := network.Addr().As16()
	seed := append(append(b[:8:8], c.mac[:]...), "landline"...)
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(seed, c.secret))
	copy(b[8:], sum[:8])
	return netip.AddrFrom16(b)
}

// dns takes an option with name servers.
func (c *autoconf) dns(now time.Time, o *wire.NDPOptions) {
	lifetime, ok := o.DNSLifetime()
	servers, good := o.AppendServers(nil)
	if !ok || !good {
		return
	}
	for _, a := range servers {
		_, known := c.servers[a]
		switch {
		case lifetime == 0:
			delete(c.servers, a)
		case known || len(c.servers) < maxServers:
			c.servers[a] = until(now, lifetime)
		}
	}
}

// next returns when expire has something to do, or the zero time if never.
func (c *autoconf) next() time.Time {
	first := c.when
	for _, t := range c.routers {
		first = earlier(first, t)
	}
	for _, p := range c.prefixes {
		first = earlier(earlier(first, p.onLink), p.valid)
	}
	for _, t := range c.servers {
		first = earlier(first, t)
	}
	if first.Equal(never) {
		return time.Time{}
	}
	return first
}

// expire does what is due.
func (c *autoconf) expire(now time.Time) {
	if passed(now, c.when) {
		c.solicit(now)
	}
	for a, t := range c.routers {
		if passed(now, t) {
			c.forgetRouter(a)
		}
	}
	for network, p := range c.prefixes {
		if passed(now, p.onLink) {
			p.onLink = time.Time{}
			c.want(autoconfEffect{kind: autoconfRemoveRoute, prefix: network})
		}
		if passed(now, p.valid) {
			p.addr, p.valid = netip.Addr{}, time.Time{} // the interface lets it age away
		}
		if p.onLink.IsZero() && !p.addr.IsValid() {
			delete(c.prefixes, network)
		}
	}
	for a, t := range c.servers {
		if passed(now, t) {
			delete(c.servers, a)
		}
	}
}

func (c *autoconf) solicit(now time.Time) {
	c.when = time.Time{}
	if c.solicits == 0 {
		return
	}
	c.want(autoconfEffect{kind: autoconfSolicit})
	if c.solicits--; c.solicits > 0 {
		c.when = now.Add(routerSolicitGap)
	}
}
