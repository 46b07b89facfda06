package ip

import (
	"math/rand/v2"
	"net/netip"
	"time"

	"landline/internal/siphash"
)

// A limiter says how many ICMP errors are sent. A router "SHOULD also be able to limit
// the rate at which it sends" them (RFC 1812, Section 4.3.2.8), and "an IPv6 node MUST limit the
// rate of ICMPv6 error messages it originates" (RFC 4443, Section 2.4(f)).
//
// There are two buckets for each message: one that all share, and one of its
// destination, so that a stranger who provokes errors uses up its own and not
// everybody's. Destinations share a fixed number of buckets by a secret hash, so
// memory does not grow.
//
// What a message takes from a bucket is random around the average. Who may send from the
// address of another could otherwise count, by the errors that he still gets
// himself, how many went to the other, and so find its open ports.
type limiter struct {
	key    siphash.Key
	random *rand.Rand
	start  time.Time // of all times below

	interval, share time.Duration // between messages: of all, to one destination
	burst, perDst   time.Duration // how far a bucket may run ahead

	all     time.Duration // when the shared bucket would be full again
	buckets [limitBuckets]time.Duration
}

const limitBuckets = 512

// limits are how many ICMP errors a host sends.
type limits struct {
	Rate        int // a second, in all; if zero, 1,000
	Burst       int // at once, in all; if zero, 100
	RatePerDst  int // a second to one destination; if zero, 10
	BurstPerDst int // at once to one destination; if zero, 10
}

// newLimiter returns a limiter with full buckets. It draws from random only now.
func newLimiter(now time.Time, l limits, random *rand.Rand) *limiter {
	var seed [32]byte
	for i := range seed {
		seed[i] = byte(random.Uint32())
	}
	m := &limiter{key: siphash.New(random), random: rand.New(rand.NewChaCha8(seed)), start: now}
	m.interval = time.Second / time.Duration(orDefault(l.Rate, 1000))
	m.share = time.Second / time.Duration(orDefault(l.RatePerDst, 10))
	m.burst = m.interval * time.Duration(orDefault(l.Burst, 100))
	m.perDst = m.share * time.Duration(orDefault(l.BurstPerDst, 10))
	return m
}

func orDefault(n, ifZero int) int {
	if n <= 0 {
		return ifZero
	}
	return n
}

// allow reports whether an error may be sent to dst now, and takes it from the buckets if so. A
// message that one bucket refuses costs nothing in the other.
func (m *limiter) allow(now time.Time, dst netip.Addr) bool {
	t := now.Sub(m.start)
	own := &m.buckets[m.key.Addr(dst)%limitBuckets]
	if !hasToken(t, *own, m.share, m.perDst) || !hasToken(t, m.all, m.interval, m.burst) {
		return false
	}
	*own = max(*own, t) + m.cost(m.share)
	m.all = max(m.all, t) + m.cost(m.interval)
	return true
}

// hasToken reports whether a bucket that would be full at the time full has something
// left for a message at t.
func hasToken(t, full, interval, burst time.Duration) bool { return full-t <= burst-interval }

// cost returns what a message takes: between half and one and a half intervals.
func (m *limiter) cost(interval time.Duration) time.Duration {
	return interval/2 + time.Duration(m.random.Int64N(int64(interval)+1))
}
