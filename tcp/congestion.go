package tcp

import (
	"time"

	"landline/wire"
)

// A congestion is the sender's idea of what the network bears, in bytes (RFC 5681). How
// it grows and shrinks is CUBIC's (cubic.go) or Reno's (reno.go), and HyStart++
// (hystart.go) ends the first slow start.
type congestion struct {
	cwnd     uint32
	ssthresh uint32
	acked    uint32 // by Reno, since cwnd last grew
	doubles  uint16 // duplicate acknowledgments, without SACK
	limited  bool   // the window is what held output back
	hystart  hystart
	cubic    *cubic
	lastSent instant // when data last went out

	used    uint32   // the most that was on its way in this round trip
	usedEnd wire.Seq // when it is acknowledged, another begins
}

// maxCwnd is the greatest window, in bytes.
const maxCwnd = 1 << 30

// start sets the initial window (RFC 6928, Section 2):
//
//	min (10*MSS, max (2*MSS, 14600))
//
// "if the SYN or SYN/ACK is lost, the initial window used by a sender after a correctly
// transmitted SYN MUST be one segment" (RFC 5681, Section 3.1).
func (c *congestion) start(t *tcb, retried bool) {
	c.cwnd, c.ssthresh = c.initial(t), maxCwnd
	if retried {
		c.cwnd = uint32(t.mss())
	}
	c.hystart.begin(t)
}

func (c *congestion) initial(t *tcb) uint32 {
	n, mss := t.cfg.initCwnd, t.mss()
	return uint32(min(n*mss, max(2*mss, n*1460)))
}

func (c *congestion) slowStart() bool { return c.cwnd < c.ssthresh }

// use notes how much is on its way, when more has been sent.
func (c *congestion) use(t *tcb) {
	if n := uint32(t.flown()); n > c.used || t.snd.una.AtOrAfter(c.usedEnd) {
		c.used, c.usedEnd = n, t.snd.nxt
	}
}

// grow takes n bytes that arrived.
//
// A window that is not used says nothing of what the network bears, and does not grow
// (RFC 7661, Section 4.3: not "in the Non-Validated Phase").
func (c *congestion) grow(t *tcb, now instant, n int) {
	if !c.limited && !(c.slowStart() && 2*c.used > c.cwnd) {
		return
	}
	if c.slowStart() {
		n = c.growFast(t, now, n)
	}
	if n <= 0 {
		return
	}
	if t.cfg.reno {
		c.growReno(t, n)
	} else {
		c.growCubic(t, now, n)
	}
}

// growFast is slow start: the window grows by what has arrived. It returns what of n
// is left when ssthresh is reached.
//
// Unlike RFC 5681, Section 3.1, the growth by one acknowledgment is not limited to a
// segment: one acknowledgment of ours and of the systems we talk to stands for a batch.
func (c *congestion) growFast(t *tcb, now instant, n int) (left int) {
	if !t.cfg.noHyStart && t.mode() == steady {
		n = c.hystart.grow(t, now, n)
	}
	grown := min(c.cwnd+uint32(n), c.ssthresh, maxCwnd)
	left = n - int(grown-c.cwnd)
	c.cwnd = grown
	return left
}

// reduce returns the ssthresh that a loss calls for.
func (c *congestion) reduce(t *tcb, now instant) uint32 {
	// "FlightSize", not cwnd: what was not used has not been shown to be borne.
	flown := uint32(t.flown())
	if c.limited {
		flown = max(flown, c.cwnd)
	}
	flown = min(flown, c.cwnd)
	least := uint32(2 * t.mss())
	if t.cfg.reno {
		return max(flown/2, least)
	}
	return max(c.reduceCubic(t, now, flown), least)
}

// rest is for one who has been quiet: "If the TCP has not sent data in an interval
// exceeding the retransmission timeout, cwnd SHOULD be set to no more than RW = min(IW,
// cwnd)" (RFC 5681, Section 4.1). What was known comes back by slow start: "ssthresh =
// max(ssthresh, 3*cwnd/4)" (RFC 7661, Section 4.4).
func (c *congestion) rest(t *tcb, now instant) {
	quiet := now.since(c.lastSent)
	if c.lastSent == 0 || quiet <= t.rto() {
		if c.cubic != nil && c.lastSent != 0 {
			c.cubic.skip(quiet)
		}
		return
	}
	if first := c.initial(t); first < c.cwnd {
		c.ssthresh = max(c.ssthresh, c.cwnd/4*3)
		c.cwnd = first
	}
	if c.cubic != nil {
		c.cubic.epoch = 0
	}
}

// room is how many more bytes the network bears.
func (t *tcb) room() int { return int(t.cc.cwnd) - t.pipe() }

func seconds(d time.Duration) float64 { return d.Seconds() }
