package tcp

import "landline/wire"

// checkACK is the fifth step of RFC 9293, Section 3.10.7.4.
func (t *tcb) checkACK(now instant, s *segment) bool {
	// "If the ACK bit is off, drop the segment and return."
	if !s.has(wire.FlagACK) {
		return false
	}
	if t.state == synReceived {
		// "If SND.UNA < SEG.ACK =< SND.NXT, then enter ESTABLISHED state"; otherwise
		// "<SEQ=SEG.ACK><CTL=RST>".
		if !s.ack.After(t.snd.una) || s.ack.After(t.snd.nxt) {
			t.resetDue, t.resetSeq = resetAt, s.ack
			return false
		}
		t.takeHandshakeACK(now, s)
		t.snd.wl1, t.snd.wl2 = s.seq.Add(-1), s.ack
		t.updateWindow(s)
		return true
	}
	if !t.plausible(now, s) {
		return false
	}
	t.takeACK(now, s)
	return t.afterFIN(now)
}

// plausible holds an acknowledgment against what has been sent: "The ACK value is
// considered acceptable only if it is in the range of ((SND.UNA - MAX.SND.WND) =<
// SEG.ACK =< SND.NXT). All incoming segments whose ACK value doesn't satisfy the
// above condition MUST be discarded and an ACK sent back" (RFC 5961, Section 5.2).
func (t *tcb) plausible(now instant, s *segment) bool {
	if !t.mayAcknowledge(s.ack) {
		t.challenge(now)
		return false
	}
	return true
}

func (t *tcb) mayAcknowledge(ack wire.Seq) bool {
	return ack.AtOrBefore(t.snd.nxt) && ack.AtOrAfter(t.snd.una.Add(-int(t.snd.maxWnd)))
}

// takeACK takes what an acknowledgment says of what was sent.
func (t *tcb) takeACK(now instant, s *segment) {
	if s.ack.Before(t.snd.una) {
		// "If the ACK is a duplicate (SEG.ACK =< SND.UNA), it can be ignored." What it
		// reports of bytes that came twice counts all the same.
		t.takeOldSACK(s)
		return
	}
	var d delivery
	widened := t.updateWindow(s)
	if s.ack != t.snd.una {
		t.takeNewACK(now, s, &d)
	}
	if s.opt.SACKCount > 0 && t.has(useSACK) {
		t.takeSACK(s, &d)
	}
	t.takeRTT(now, s, &d)
	if t.flight.empty() && d.acked == 0 {
		return // there was nothing to acknowledge
	}
	// "An acknowledgment is considered a 'duplicate' when (a) the receiver of the ACK
	// has outstanding data, (b) the incoming acknowledgment carries no data, (c) the
	// SYN and FIN bits are both off, (d) the acknowledgment number is equal to the
	// greatest acknowledgment received on the given connection and (e) the advertised
	// window ... equals the advertised window in the last incoming acknowledgment"
	// (RFC 5681, Section 2).
	double := d.acked == 0 && len(s.data) == 0 && !s.has(wire.FlagFIN) && !widened
	t.judge(now, s, &d, double)
}

// takeNewACK moves the left edge: "If SND.UNA < SEG.ACK =< SND.NXT, then set SND.UNA
// <- SEG.ACK. Any segments on the retransmission queue that are thereby entirely
// acknowledged are removed."
func (t *tcb) takeNewACK(now instant, s *segment, d *delivery) {
	t.flight.ack(s.ack, d)
	t.snd.una = s.ack
	t.moved = now
	t.tries, t.doubtful, t.soft = 0, false, 0
	if t.loss != nil && t.loss.longMSS != 0 && t.loss.longAt <= now {
		t.trustPath()
	}
	if t.snd.small.Before(t.snd.una) {
		t.snd.small = t.snd.una
	}
	if !t.holding {
		t.discardACKed()
	}
	// "When an ACK is received that acknowledges new data, restart the retransmission
	// timer" (RFC 6298, Section 5.3): settle does it.
	t.retransmit, t.kind = 0, idle
	t.rtt.backoff = 0
}

// discardACKed frees what is held from before snd.una.
func (t *tcb) discardACKed() {
	n := min(t.snd.una.Since(t.snd.base), t.snd.text.Len())
	if n <= 0 {
		return
	}
	t.snd.text.Discard(n)
	t.snd.base = t.snd.base.Add(n)
	if !t.filling {
		t.snd.text.ring.Rewind()
	}
}

// hold keeps what output has handed out where it lies, whatever is acknowledged in the
// meantime, until release. So the shell can send it without a lock.
func (t *tcb) hold() { t.holding = true }

// release ends hold.
func (t *tcb) release() {
	t.holding = false
	t.discardACKed()
}

// The ACK policy: "a TCP SHOULD implement a delayed ACK" (RFC 9293, Section 3.8.6.3,
// SHLD-18), but "in a stream of full-sized segments, there SHOULD be an ACK for at
// least every second segment" (SHLD-19).

// quickACKs is how many acknowledgments go at once when a connection begins, as the
// peer is in slow start and every one of them lets it send more.
const quickACKs = 16

// scheduleACK decides about the acknowledgment of n bytes that arrived in order.
func (t *tcb) scheduleACK(now instant, n int) {
	switch {
	case t.rcv.nxt.Since(t.rcv.acked) >= 2*int(t.rcv.mss):
		t.ackNow = true
	case t.quick > 0:
		t.quick--
		t.ackNow = true
	case t.ackAt == 0:
		t.ackAt = now.add(t.cfg.delayedACK)
	}
}

// acknowledged notes that a segment is going which acknowledges all.
func (t *tcb) acknowledged() {
	t.rcv.acked = t.rcv.nxt
	t.ackNow, t.windowDue, t.ackAt = false, false, 0
	if t.early != nil {
		t.early.reported()
	}
}
