package tcp

import (
	"time"

	"landline/wire"
)

// A tailProbe finds the loss of the last segments of a flight, behind which nothing is
// sent that could show it, before the retransmission timer does (TLP, RFC 8985,
// Section 7).
type tailProbe struct {
	end    wire.Seq // TLP.end_seq
	out    bool     // a probe is on its way: TLP.end_seq is not NULL
	resent bool     // TLP.is_retrans
	double bool     // what it carried arrived twice
}

// maxACKDelay is how long a peer may take to acknowledge one segment:
// TLP.max_ack_delay.
const maxACKDelay = 200 * time.Millisecond

// mayProbeTail reports whether a probe may be scheduled (RFC 8985, Section 7.2): SACK
// is used, there is nothing to recover from, and no probe is on its way.
func (t *tcb) mayProbeTail() bool {
	return !t.cfg.noRACK && t.has(useSACK) && t.state >= established && t.mode() == steady &&
		t.flight.sacked == 0 && t.flight.lost == 0 && t.snd.wnd > 0 && t.rtt.srtt != 0 &&
		(t.loss == nil || !t.loss.tail.out)
}

// minProbeTimeout is the least PTO. Where a round trip takes microseconds, the peer's next turn on its
// processor takes longer.
const minProbeTimeout = 10 * time.Millisecond

// probeTimeout is TLP_calc_PTO: "PTO = 2 * SRTT", and if there is one segment alone on
// its way, the time that its receiver may wait with the answer.
func (t *tcb) probeTimeout() time.Duration {
	pto := max(2*t.rtt.srtt, minProbeTimeout)
	if t.flown() <= t.mss() {
		pto += maxACKDelay
	}
	return min(pto, t.rto())
}

// probeTail is TLP_send_probe: "If there is unsent segment available and the window
// allows, transmit it; else retransmit the last segment".
func (t *tcb) probeTail() {
	l := t.recovery()
	l.tail = tailProbe{out: true, end: t.snd.nxt}
	t.tailDue = true
}

// emitTail sends the probe.
func (t *tcb) emitTail(now instant, o *outgoing) bool {
	if !t.tailDue {
		return false
	}
	t.tailDue = false
	p := &t.loss.tail
	mss := t.payloadMax(int(o.optLen))
	if n := t.full(t.unsent(), t.usable(), mss); n > 0 {
		t.sendNew(now, o, min(n, mss))
		p.end = t.snd.nxt
		return true
	}
	last := len(t.flight.all) - 1
	if t.flight.empty() || t.flight.all[last].has(sacked|lost) {
		p.out = false
		return false
	}
	if r := &t.flight.all[last]; r.len() > mss {
		t.flight.split(last, r.end.Add(-mss))
		last++
	}
	p.resent = true
	t.resend(now, o, last, mss)
	return true
}

// checkTailProbe is TLP_process_ack (RFC 8985, Section 7.4.2): a probe that filled a
// hole repaired a loss, for which the congestion window has not been reduced.
func (t *tcb) checkTailProbe(now instant, s *segment, d *delivery, double bool) {
	if t.loss == nil || !t.loss.tail.out {
		return
	}
	p := &t.loss.tail
	if s.ack.Before(p.end) {
		return
	}
	switch {
	case !p.resent, p.double:
		*p = tailProbe{}
	case s.ack.After(p.end):
		*p = tailProbe{}
		if t.loss.mode == steady {
			t.cc.ssthresh = t.cc.reduce(t, now)
			t.cc.cwnd = t.cc.ssthresh
		}
	case double:
		*p = tailProbe{}
	}
}

// duplicate notes that bytes arrived twice, which may be those of the probe.
func (p *tailProbe) duplicate(b wire.SACKBlock) {
	if p.out && p.resent && b.End == p.end {
		p.double = true
	}
}
