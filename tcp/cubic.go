package tcp

import (
	"math"
	"time"
)

// The constants of RFC 9438, Sections 4.1, 4.3 and 4.6.
const (
	cubicC    = 0.4
	cubicBeta = 0.7
	// cubicAlpha makes CUBIC fair to Reno where Reno is as good: 3*(1-beta)/(1+beta).
	cubicAlpha = 3 * (1 - cubicBeta) / (1 + cubicBeta)
)

// A cubic is a window that grows with the cube of the time since the last loss (RFC
// 9438). Its windows are counted in segments.
type cubic struct {
	epoch  instant // when this congestion avoidance began, or 0
	wMax   float64 // W_max: the window at the last loss
	k      float64 // K: the time to get back there, in seconds
	wEst   float64 // W_est: what Reno would have
	prior  float64 // cwnd_prior
	gained float64 // by how much less than a byte, in segments, cwnd has still to grow
}

// growCubic takes n bytes that arrived, in congestion avoidance.
func (c *congestion) growCubic(t *tcb, now instant, n int) {
	if c.cubic == nil {
		c.cubic = new(cubic)
	}
	u, mss := c.cubic, float64(t.mss())
	cwnd := float64(c.cwnd) / mss
	if u.epoch == 0 {
		u.begin(now, cwnd)
	}
	acked := float64(n) / mss
	// "W_est = W_est + alpha_cubic * (segments_acked / cwnd)"; "once W_est has grown to
	// reach the cwnd at the time of most recently setting ssthresh, that is, W_est >=
	// cwnd_prior, the sender SHOULD set alpha_cubic to 1" (Section 4.3).
	alpha := cubicAlpha
	if u.wEst >= u.prior {
		alpha = 1
	}
	u.wEst += alpha * acked / cwnd
	u.gained += u.step(now, t.rtt.srtt, cwnd, acked)
	if grow := math.Floor(u.gained * mss); grow > 0 {
		c.cwnd = uint32(min(float64(c.cwnd)+grow, maxCwnd))
		u.gained -= grow / mss
	}
}

// begin starts a congestion avoidance stage at a window (Section 4.2):
//
//	K = cubic root of ((W_max - cwnd_epoch) / C)
func (u *cubic) begin(now instant, cwnd float64) {
	u.epoch = now
	if u.wMax < cwnd {
		u.wMax, u.k = cwnd, 0
	} else {
		u.k = math.Cbrt((u.wMax - cwnd) / cubicC)
	}
	u.wEst, u.gained = cwnd, 0
}

// step returns by how many segments the window grows.
func (u *cubic) step(now instant, rtt time.Duration, cwnd, acked float64) float64 {
	at := seconds(now.since(u.epoch))
	if u.curve(at) < u.wEst {
		// Reno would have more: "cwnd SHOULD be set to W_est at each reception of a new
		// ACK" (Section 4.3).
		return max(u.wEst-cwnd-u.gained, 0)
	}
	// "cwnd MUST be incremented by (target - cwnd) / cwnd for each received new ACK",
	// where target is W_cubic(t+RTT), no less than cwnd and no more than 1.5 cwnd
	// (Sections 4.2, 4.4 and 4.5).
	target := min(max(u.curve(at+seconds(rtt)), cwnd), 1.5*cwnd)
	return (target - cwnd) / cwnd * acked
}

// curve is W_cubic(t) = C*(t-K)^3 + W_max.
func (u *cubic) curve(t float64) float64 {
	d := t - u.k
	return cubicC*d*d*d + u.wMax
}

// reduceCubic returns the ssthresh after a loss (Sections 4.6 and 4.7):
//
//	"ssthresh = flight_size * beta_cubic"
//	"if cwnd < W_max and fast convergence is enabled, further reduce W_max"
func (c *congestion) reduceCubic(t *tcb, now instant, flown uint32) uint32 {
	if c.cubic == nil {
		c.cubic = new(cubic)
	}
	u, cwnd := c.cubic, float64(c.cwnd)/float64(t.mss())
	if cwnd < u.wMax {
		u.wMax = cwnd * (1 + cubicBeta) / 2
	} else {
		u.wMax = cwnd
	}
	u.epoch, u.prior = 0, cwnd
	return uint32(float64(flown) * cubicBeta)
}

// skip takes a time in which nothing was sent out of the growth: "the time period in
// which it is application limited is not counted" (Section 5.8).
func (u *cubic) skip(quiet time.Duration) {
	if u.epoch != 0 {
		u.epoch = u.epoch.add(quiet)
	}
}
