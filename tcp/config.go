package tcp

import "time"

// A config is what all connections of a host have in common. It is not changed
// once a connection uses it. Its zero value works but for the epoch.
type config struct {
	epoch time.Time // from where instants count: when the host began

	sendMax    int // the most a connection may have in its send ring; if zero, 4 MiB
	recvMax    int // and in its receive ring; if zero, 4 MiB
	bufferInit int // where both limits begin; if zero, 128 KiB

	budget *budget // of memory; if nil, there is no end of it

	maxUnit int // the largest payload handed out as a unit of several segments; if zero, none is

	msl        time.Duration // maximum segment lifetime; if zero, 30 s
	finWait2   time.Duration // how long FIN-WAIT-2 lasts when nobody will read; if zero, 60 s
	giveUp     time.Duration // R2: how long data is sent again; if zero, 15 min
	giveUpSYN  time.Duration // the same for SYN; if zero, 3 min
	rtoMin     time.Duration // the least margin of the retransmission timer; if zero, 200 ms
	rtoMax     time.Duration // its greatest value; if zero, 120 s
	delayedACK time.Duration // if zero, 40 ms
	reclaim    time.Duration // how long empty rings stay; if zero, 2 s
	initCwnd   int           // initial window in segments; if zero, 10

	// What is on can be switched off, so that the two can be compared.
	noTimestamps, noSACK, noScale bool
	scaleFirst                    bool // the order of a SYN's options is that of the BSDs
	noQuickACKs                   bool // acknowledgments are delayed from the first
	noRACK                        bool // loss is found by RFC 6675 then
	prr                           bool // PRR is off unless this is set: see docs/goodput.md
	noUndo                        bool
	noHyStart                     bool
	reno                          bool // in place of CUBIC
}

// The least and greatest of what a config may say.
const (
	minBuffer = 4 << 10
	firstRing = 512     // what a ring begins with: most connections carry little
	maxBuffer = 1 << 29 // twice that is less than 2³¹, within which sequence numbers compare
	maxUnit   = 65535 - 60 - 60
)

// filled returns c with the defaults in place of zeros.
func (c config) filled() *config {
	c.sendMax = bounded(c.sendMax, 4<<20)
	c.recvMax = bounded(c.recvMax, 4<<20)
	c.bufferInit = min(bounded(c.bufferInit, 128<<10), c.sendMax, c.recvMax)
	c.maxUnit = min(c.maxUnit, maxUnit)
	or(&c.msl, 30*time.Second)
	or(&c.finWait2, time.Minute)
	or(&c.giveUp, 15*time.Minute)
	or(&c.giveUpSYN, 3*time.Minute)
	or(&c.rtoMin, 200*time.Millisecond)
	or(&c.rtoMax, 2*time.Minute)
	or(&c.delayedACK, 40*time.Millisecond)
	or(&c.reclaim, 2*time.Second)
	// RFC 9293, Section 3.8.6.3: "the delay MUST be less than 0.5 seconds" (MUST-40).
	c.delayedACK = min(c.delayedACK, 499*time.Millisecond)
	if c.initCwnd == 0 {
		c.initCwnd = 10
	}
	return &c
}

func or(d *time.Duration, otherwise time.Duration) {
	if *d == 0 {
		*d = otherwise
	}
}

// bounded returns a buffer's size as a power of two in the range that is allowed.
func bounded(n, otherwise int) int {
	if n == 0 {
		n = otherwise
	}
	size := minBuffer
	for size < n && size < maxBuffer {
		size *= 2
	}
	return size
}

// An instant is a time as the core keeps it: nanoseconds since the epoch of the
// config, in a third of the room that a time.Time takes. Zero is no time at all.
type instant int64

// at turns a time into an instant, which is never zero.
func (c *config) at(now time.Time) instant { return max(instant(now.Sub(c.epoch)), 1) }

// time turns an instant back. No time at all becomes the zero Time.
func (c *config) time(i instant) time.Time {
	if i == 0 {
		return time.Time{}
	}
	return c.epoch.Add(time.Duration(i))
}

func (i instant) add(d time.Duration) instant         { return i + instant(d) }
func (i instant) since(earlier instant) time.Duration { return time.Duration(i - earlier) }

// due reports whether i is a time, and not later than now.
func (i instant) due(now instant) bool { return i != 0 && i <= now }

// sooner returns the earlier of two times, either of which may be none.
func sooner(a, b instant) instant {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}
