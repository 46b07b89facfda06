package tcp

import "landline/wire"

// dupThresh is how much evidence makes a segment lost: three duplicate
// acknowledgments (RFC 5681), or that many segments reported above it (RFC 6675).
const dupThresh = 3

// A mode is what the sender is busy with.
type mode uint8

const (
	steady       mode = iota
	fastRecovery      // a loss was found by acknowledgments
	slowRecovery      // the retransmission timer has expired
)

// A recovery is what a connection that has lost something remembers.
type recovery struct {
	mode  mode
	point wire.Seq // RecoveryPoint: when all before it has arrived, it is over
	force bool     // one segment goes whatever the congestion window is

	longMSS uint16  // what segments were, before the path was suspected
	longAt  instant // when to try that again

	rack rack
	tail tailProbe
	prr  prr
	undo undo
}

// mode returns what the sender is busy with.
func (t *tcb) mode() mode {
	if t.loss == nil {
		return steady
	}
	return t.loss.mode
}

// recovery returns what is remembered of losses, from now on.
func (t *tcb) recovery() *recovery {
	if t.loss == nil {
		t.loss = &recovery{point: t.snd.iss, rack: rack{fack: t.snd.una, factor: 1}}
	}
	return t.loss
}

// flown is FlightSize: how many numbers have been sent and not been acknowledged.
func (t *tcb) flown() int { return t.snd.nxt.Since(t.snd.una) }

// pipe is how many bytes are in the network, as far as is known (SetPipe of RFC 6675,
// Section 4, kept up to date instead of counted). Without SACK, each duplicate
// acknowledgment says that a segment has left it, which is what RFC 6582 inflates the
// window for.
func (t *tcb) pipe() int {
	f := &t.flight
	n := t.flown() - int(f.sacked) - int(f.lost) + int(f.resent)
	return max(n-int(t.cc.doubles)*t.mss(), 0)
}

// judge decides what an acknowledgment means for what is on its way: nothing, a
// loss, the end of one, or an alarm that was false.
func (t *tcb) judge(now instant, s *segment, d *delivery, double bool) {
	t.countDoubles(d, double)
	t.checkTailProbe(now, s, d, double)
	found := t.findLoss(now, s, d)
	if t.loss != nil && t.wasFalse(s, d) {
		t.takeBack()
		found = false
	}
	switch t.mode() {
	case steady:
		if found {
			t.enterRecovery(now, d.bytes)
		} else if d.acked > 0 {
			t.cc.grow(t, now, d.acked)
		}
	case fastRecovery:
		t.goOn(now, d, found)
	case slowRecovery:
		t.goOnSlowly(now, d)
	}
}

// countDoubles keeps count of duplicate acknowledgments, where there is no SACK to
// tell what has arrived.
func (t *tcb) countDoubles(d *delivery, double bool) {
	switch {
	case t.has(useSACK):
	case double && int(t.cc.doubles+1)*t.mss() < t.flown():
		t.cc.doubles++
		d.bytes += t.mss() // as good as delivered
	case d.acked > 0 && t.mode() == fastRecovery:
		// The first segment was the hole; the others had been counted.
		counted := max(d.acked/t.mss()-1, 0)
		counted = min(counted, int(t.cc.doubles))
		t.cc.doubles -= uint16(counted)
		d.bytes -= counted * t.mss()
	case d.acked > 0:
		t.cc.doubles = 0
	}
}

// findLoss marks what must be lost, if something did arrive, and reports whether that
// is news.
func (t *tcb) findLoss(now instant, s *segment, d *delivery) bool {
	before := t.flight.lost
	switch {
	case !t.has(useSACK):
		return t.findByDoubles()
	case !t.cfg.noRACK:
		t.rackArrived(now, s, d)
	case d.sacked > 0:
		t.flight.loseBelowSACKed(t.mss())
	}
	return t.flight.lost > before
}

// findByDoubles is RFC 6582, Section 3.2, Step 2: "When the third duplicate ACK is
// received", and "the Cumulative Acknowledgment field covers more than recover":
// after a recovery, what was sent twice must not look like a new loss.
func (t *tcb) findByDoubles() bool {
	if t.cc.doubles != dupThresh || t.mode() != steady {
		return false
	}
	if t.loss != nil && !t.snd.una.After(t.loss.point) {
		return false
	}
	t.flight.loseFirst(t.mss())
	return true
}

// loseBelowSACKed is IsLost of RFC 6675, Section 4, for all that is on its way: "The
// routine returns true when either DupThresh discontiguous SACKed sequences have
// arrived above 'SeqNum' or more than (DupThresh - 1) * SMSS bytes with sequence
// numbers greater than 'SeqNum' have been SACKed."
func (f *flight) loseBelowSACKed(mss int) {
	pieces, bytes := 0, 0
	for i := len(f.all) - 1; i >= int(f.head); i-- {
		r := &f.all[i]
		switch {
		case r.has(sacked):
			pieces++
			bytes += r.len()
		case pieces < dupThresh && bytes <= (dupThresh-1)*mss:
		case r.has(lost):
			return // and all below it, since it was found
		default:
			f.decide(r, r.fate|lost)
		}
	}
}

// enterRecovery begins fast recovery (RFC 6675, Section 5; RFC 6582, Section 3.2).
func (t *tcb) enterRecovery(now instant, delivered int) {
	l := t.recovery()
	t.remember(now)
	// "(1) RecoveryPoint = HighData"; "(2) ssthresh = cwnd = (FlightSize / 2)" or what
	// the congestion control has in place of a half; "(3) Retransmit the first data
	// segment presumed dropped".
	l.mode, l.point, l.force = fastRecovery, t.snd.nxt, true
	flown := t.flown()
	t.cc.ssthresh = t.cc.reduce(t, now)
	t.cc.limited = false
	if !t.cfg.prr {
		t.cc.cwnd = t.cc.ssthresh
		return
	}
	l.prr = prr{start: uint32(flown)}
	t.proportion(delivered, false)
}

// goOn handles an acknowledgment in fast recovery.
func (t *tcb) goOn(now instant, d *delivery, found bool) {
	l := t.loss
	if t.snd.una.AtOrAfter(l.point) {
		// "when ... an ACK arrives that acknowledges all data outstanding" at its
		// beginning: a full acknowledgment ends it.
		t.leaveRecovery(now)
		return
	}
	if d.acked > 0 && !t.has(useSACK) {
		// "If this ACK does not acknowledge all of the data up to and including
		// recover, then this is a partial ACK. In this case, retransmit the first
		// unacknowledged segment."
		t.flight.unsend(int(t.flight.head))
		t.flight.loseFirst(t.mss())
		l.force = true
	}
	if t.cfg.prr {
		t.proportion(d.bytes, d.acked > 0 && !found)
	}
}

// unsend forgets that run i was sent again, as it was not that which got lost.
func (f *flight) unsend(i int) {
	if r := &f.all[i]; r.has(resent) && !r.has(lost) {
		f.decide(r, r.fate&^resent)
	}
}

func (t *tcb) leaveRecovery(now instant) {
	t.cc.cwnd = max(t.cc.ssthresh, uint32(t.mss()))
	t.recovered(now)
}

// recovered ends a recovery. What has been found lost in the meantime was sent after
// it began, and makes another.
func (t *tcb) recovered(now instant) {
	t.loss.mode, t.loss.force, t.cc.doubles = steady, false, 0
	t.rackRecovered()
	if t.flight.lost > 0 {
		t.enterRecovery(now, 0)
	}
}

// timedOut takes it that all on its way is lost, and begins again with one segment.
func (t *tcb) timedOut(now instant) {
	l := t.recovery()
	if l.mode == steady {
		t.remember(now)
	}
	if l.mode != slowRecovery {
		// "When a TCP sender detects segment loss using the retransmission timer and
		// the given segment has not yet been resent by way of the retransmission
		// timer, the value of ssthresh MUST be set to no more than ... max (FlightSize
		// / 2, 2*SMSS)" (RFC 5681, Section 3.1, Equation 4), or CUBIC's value.
		t.cc.ssthresh = t.cc.reduce(t, now)
	}
	if t.flight.all[t.flight.head].has(sacked) {
		// The first byte was reported to have arrived, and yet is not acknowledged:
		// the peer has dropped what it had (RFC 2018, Section 8). Unlike that
		// section, what else was reported is believed while this does not show.
		t.flight.renege()
	}
	t.flight.loseAll()
	// "cwnd MUST be set to no more than the loss window, LW, which equals 1 full-sized
	// segment" (RFC 5681, Section 3.1); "RecoveryPoint MUST be set to HighData" (RFC
	// 6675, Section 5.1).
	t.cc.cwnd, t.cc.doubles, t.cc.limited = uint32(t.mss()), 0, false
	l.mode, l.point, l.force = slowRecovery, t.snd.nxt, true
	l.tail = tailProbe{}
}

// goOnSlowly handles an acknowledgment after a timeout: slow start, until all that had
// been sent is acknowledged.
func (t *tcb) goOnSlowly(now instant, d *delivery) {
	n := d.bytes
	if !t.has(useSACK) {
		n = min(n, t.mss()) // the rest may have arrived before the timeout
	}
	if n > 0 {
		t.cc.limited = true
		t.cc.grow(t, now, n)
	}
	if t.snd.una.AtOrAfter(t.loss.point) {
		t.recovered(now)
	}
}

// takeSACK takes what the peer says has arrived. "the data sender ... SHOULD record the
// acknowledgment for future reference" (RFC 2018, Section 5). A block that makes no
// sense is passed over.
func (t *tcb) takeSACK(s *segment, d *delivery) {
	blocks := s.opt.SACKBlocks()
	if isDuplicate(s.ack, blocks) {
		t.heardDuplicate(blocks[0])
		blocks = blocks[1:]
	}
	for _, b := range blocks {
		if b.Start.Before(t.snd.una) {
			b.Start = t.snd.una
		}
		if b.Start.Before(b.End) && b.End.AtOrBefore(t.snd.nxt) {
			t.flight.sack(b.Start, b.End, d)
		}
	}
}

// takeOldSACK takes from an acknowledgment that was overtaken only what came twice.
func (t *tcb) takeOldSACK(s *segment) {
	blocks := s.opt.SACKBlocks()
	if !t.has(useSACK) || !isDuplicate(s.ack, blocks) {
		return
	}
	t.heardDuplicate(blocks[0])
	if t.loss != nil && t.wasFalse(s, new(delivery)) {
		t.takeBack()
	}
}

// isDuplicate reports whether the first block tells of something that arrived twice:
// if "the sequence space ... is less than the cumulative ACK" or it "is contained in"
// the second block (RFC 2883, Section 4).
func isDuplicate(ack wire.Seq, blocks []wire.SACKBlock) bool {
	if len(blocks) == 0 || !blocks[0].Start.Before(blocks[0].End) {
		return false
	}
	b := blocks[0]
	return b.End.AtOrBefore(ack) ||
		len(blocks) > 1 && blocks[1].Start.AtOrBefore(b.Start) && b.End.AtOrBefore(blocks[1].End)
}

// heardDuplicate notes that bytes were sent again for nothing.
func (t *tcb) heardDuplicate(b wire.SACKBlock) {
	if t.loss == nil || b.End.After(t.snd.nxt) {
		return
	}
	t.loss.undo.duplicate(b)
	t.loss.tail.duplicate(b)
	t.rackDuplicate()
}
