package tcp

import "landline/wire"

// An undo is how things were before a loss, so that they can be put back if there was
// none: the packets were only late, or came in another order.
type undo struct {
	armed          bool
	cwnd, ssthresh uint32
	cubic          cubic
	sent           bool   // something has been sent again
	stamp          uint32 // the timestamp of what was sent again first
	again          int    // bytes sent again that are not known to have arrived twice
}

// remember notes how things are, when a loss is found.
func (t *tcb) remember(now instant) {
	u := undo{armed: !t.cfg.noUndo, cwnd: t.cc.cwnd, ssthresh: t.cc.ssthresh}
	if t.cc.cubic != nil {
		u.cubic = *t.cc.cubic
	}
	t.recovery().undo = u
}

// resending notes that n bytes go out again.
func (u *undo) resending(n int, stamp uint32) {
	if !u.armed {
		return
	}
	if !u.sent {
		u.stamp = stamp
	}
	u.sent = true
	u.again += n
}

// duplicate notes that bytes arrived twice.
func (u *undo) duplicate(b wire.SACKBlock) {
	if u.again > 0 {
		u.again -= b.End.Since(b.Start)
	}
}

// wasFalse reports whether an acknowledgment shows that nothing had
// been lost: it answers, by its timestamp, what was sent first and not what was sent
// again (the Eifel detection of RFC 3522, Section 3.2, Step 5); or all that was sent
// again arrived twice (RFC 3708, Section 3).
func (t *tcb) wasFalse(s *segment, d *delivery) bool {
	u := &t.loss.undo
	if !u.armed || !u.sent {
		return false
	}
	if t.loss.mode != steady && d.acked > 0 && t.has(useTimestamps) && s.opt.HasTimestamps &&
		s.opt.TSEcr != 0 && int32(s.opt.TSEcr-u.stamp) < 0 {
		return true
	}
	return t.has(useSACK) && u.again <= 0
}

// takeBack puts things as they were before the loss.
func (t *tcb) takeBack() {
	l := t.loss
	t.cc.cwnd, t.cc.ssthresh = max(t.cc.cwnd, l.undo.cwnd), l.undo.ssthresh
	if t.cc.cubic != nil {
		*t.cc.cubic = l.undo.cubic
	}
	l.undo = undo{}
	l.mode, l.force, t.cc.doubles = steady, false, 0
	t.flight.forgive()
	l.rack.reordered = true // for that is what made it look like a loss
}
