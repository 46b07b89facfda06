package tcp

import "time"

const (
	// initialRTO holds until the first measurement: "the sender SHOULD set RTO <- 1
	// second" (RFC 6298, Section 2).
	initialRTO = time.Second
	// retriedRTO follows a handshake whose SYN was sent again: "the RTO MUST be
	// re-initialized to 3 seconds when data transmission begins" (Section 5.7).
	retriedRTO = 3 * time.Second
	// granularity is G of the formulas: that of the timers, not of the clock.
	granularity = time.Millisecond
	// minRTTWindow is for how long a smallest round trip is believed.
	minRTTWindow = 10 * time.Second
)

// A roundTrip is what is known of how long an answer takes (RFC 6298).
type roundTrip struct {
	srtt, rttvar time.Duration // 0 until measured
	min          time.Duration // the least of late
	minAt        instant       // when it was measured
	backoff      uint8         // how often the timer has been doubled
	retried      bool          // SYN was sent again, and nothing has been measured
}

// sample takes a measurement, which came in now.
func (r *roundTrip) sample(rtt time.Duration, now instant) {
	rtt = max(rtt, time.Microsecond)
	if r.min == 0 || rtt <= r.min || now.since(r.minAt) > minRTTWindow {
		r.min, r.minAt = rtt, now
	}
	r.retried = false
	if r.srtt == 0 {
		// "the host MUST set SRTT <- R, RTTVAR <- R/2" (Section 2.2).
		r.srtt, r.rttvar = rtt, rtt/2
		return
	}
	// Section 2.3: alpha is 1/8 and beta 1/4, and RTTVAR comes first.
	r.rttvar += ((r.srtt - rtt).Abs() - r.rttvar) / 4
	r.srtt += (rtt - r.srtt) / 8
}

// rto is how long the retransmission timer runs.
//
// Unlike RFC 6298, Section 2.4, which rounds up to a whole second, the least is a
// margin over the round trip, as the systems do it that we talk to: it covers a
// peer's delayed acknowledgment, and a lost tail does not cost a second.
func (t *tcb) rto() time.Duration {
	d := initialRTO
	switch {
	case t.rtt.srtt != 0:
		d = t.rtt.srtt + max(4*t.rtt.rttvar, granularity, t.cfg.rtoMin)
	case t.rtt.retried && t.state >= established:
		d = retriedRTO
	}
	// "the host MUST set RTO <- RTO * 2 (back off the timer)"; a maximum "MAY be
	// placed", of 60 seconds at least (Sections 5.5 and 2.5).
	return min(d<<min(t.rtt.backoff, 16), t.cfg.rtoMax)
}

// takeRTT measures with an acknowledgment that came in now, if it allows that.
func (t *tcb) takeRTT(now instant, s *segment, d *delivery) {
	switch {
	case d.once != 0:
		// "RTT samples MUST NOT be made using segments that were retransmitted"
		// (RFC 6298, Section 3): these were not.
		t.rtt.sample(now.since(d.once), now)
		t.cc.hystart.sample(now.since(d.once))
	case d.acked > 0 && t.has(useTimestamps) && s.opt.HasTimestamps && s.opt.TSEcr != 0:
		// With timestamps the answer says what it answers. It MUST advance the left
		// edge of the window to count (RFC 7323, Section 4.1).
		if ms := int32(t.stamp(now) - s.opt.TSEcr); ms >= 0 && ms < maxStampRTT {
			t.rtt.sample(max(time.Duration(ms)*stampTick, granularity), now)
		}
	default:
		return
	}
	t.rtt.backoff = 0
}

// maxStampRTT is the longest round trip that an echoed timestamp is believed, in
// ticks of a millisecond.
const maxStampRTT = 10 * 60 * 1000
