package tcp

import (
	"time"

	"landline/wire"
)

// output fills list with what is to be sent now, in this order, and returns how many
// segments that is. It is asked after every other call, until it returns fewer
// than there is room for; only then are the timers right. list belongs to the
// caller and may be used again, and so may its payloads: see outgoing.
func (t *tcb) output(now time.Time, list []outgoing) int {
	at := t.tick(now)
	n := 0
	for n < len(list) && t.emit(at, &list[n]) {
		n++
	}
	if n < len(list) && t.dying {
		t.dying = false
		if t.reset(errAborted); t.emit(at, &list[n]) {
			n++
		}
	}
	if n < len(list) {
		t.settle(at)
	}
	return n
}

// emit sets o to the next segment, and reports whether there is one.
func (t *tcb) emit(now instant, o *outgoing) bool {
	o.unit, o.optLen, o.payload = 0, 0, [2][]byte{}
	if t.resetDue != noReset {
		return t.emitReset(now, o)
	}
	switch t.state {
	case closed:
		return false
	case synSent, synReceived:
		return t.emitSYN(now, o) || t.state == synReceived && t.emitACK(now, o)
	}
	if t.windowDue {
		t.ackNow = true
	}
	if t.hasWork() {
		t.putOptions(now, o)
		if t.emitTail(now, o) || t.emitProbe(now, o) || t.emitLost(now, o) || t.emitNew(now, o) {
			return true
		}
	}
	return t.emitACK(now, o) || t.emitKeepAlive(now, o)
}

// hasWork reports whether something might be sent that takes numbers.
func (t *tcb) hasWork() bool {
	return t.tailDue || t.probeDue || t.flight.due > 0 || t.unsent() > 0
}

// emitLost sends something again that was lost. The window does not hold it back
// but where it has shrunk: "A TCP sender ... SHOULD retransmit normally the old
// unacknowledged data between SND.UNA and SND.UNA+SND.WND (SHLD-16), but ... SHOULD NOT
// time out the connection if data beyond the right window edge is not
// acknowledged" (RFC 9293, Section 3.8.6, SHLD-17).
func (t *tcb) emitLost(now instant, o *outgoing) bool {
	i := t.flight.nextDue()
	if i < 0 {
		return false
	}
	r := &t.flight.all[i]
	mss := t.payloadMax(int(o.optLen))
	n := min(r.len(), int(t.snd.wnd)-r.start.Since(t.snd.una))
	if n <= 0 {
		return false
	}
	if l := t.loss; l != nil && l.force {
		l.force = false
		n = min(n, mss)
	} else if room := t.room(); room < min(n, mss) {
		t.cc.limited = true
		return false
	} else {
		n = min(n, max(room-room%mss, min(room, mss)))
	}
	t.resend(now, o, i, n)
	return true
}

// resend sends at most n bytes of run i again.
func (t *tcb) resend(now instant, o *outgoing, i, n int) {
	start := t.flight.all[i].start
	n = t.fill(now, o, start, min(n, t.flight.all[i].len()))
	t.resends += uint32(o.segments())
	t.flight.send(i, n, now)
	t.sentInRecovery(n)
	if t.loss != nil {
		t.loss.undo.resending(n, t.stamp(now))
	}
	t.cc.lastSent = now
}

// emitNew sends what has not been sent, as far as the windows of the peer and of the
// network and the avoidance of silly segments let it.
func (t *tcb) emitNew(now instant, o *outgoing) bool {
	waiting := t.unsent()
	if waiting <= 0 {
		t.cc.limited = false
		return false
	}
	if t.flight.empty() {
		t.cc.rest(t, now)
	}
	mss := t.payloadMax(int(o.optLen))
	n := t.full(waiting, t.usable(), mss)
	if n == 0 {
		t.cc.limited = false
		return false
	}
	// A segment goes whole or not at all: cutting it to what the network bears would
	// only make more of them.
	room := t.room()
	if room < min(n, mss) {
		t.cc.limited = true
		return false
	}
	if n > room {
		n = room - room%mss
		t.cc.limited = true
	}
	t.sendNew(now, o, n)
	return true
}

// sendNew sends at most n bytes that have not been sent before.
func (t *tcb) sendNew(now instant, o *outgoing, n int) {
	start := t.snd.nxt
	n = t.fill(now, o, start, n)
	if t.flight.empty() {
		t.moved = now
	}
	t.snd.nxt = start.Add(n)
	t.flight.add(start, t.snd.nxt, now)
	t.cc.use(t)
	if t.kind == tailing {
		// "The sender SHOULD start or restart a loss probe PTO timer after transmitting new data" (RFC 8985,
		// Section 7.2).
		t.retransmit, t.kind = 0, idle
	}
	t.sentInRecovery(n)
	t.cc.lastSent = now
	if o.size()%t.payloadMax(int(o.optLen)) != 0 {
		t.snd.small = t.snd.nxt
	}
}

// fill makes a segment of at most n numbers from start on, with options that o has
// already, and returns how many numbers it takes. A piece of more than a segment
// becomes a unit, if the shell takes units and it lies in one piece.
func (t *tcb) fill(now instant, o *outgoing, start wire.Seq, n int) int {
	mss := t.payloadMax(int(o.optLen))
	off := start.Since(t.snd.base)
	size := min(n, t.snd.text.Len()-off)
	if size > mss {
		size = t.unitSize(off, size, mss)
	}
	if size > mss {
		o.unit = uint16(mss)
	}
	if size > 0 {
		o.payload[0], o.payload[1] = t.snd.text.Peek(off, size)
		size = o.size()
	} else {
		size = 0
	}
	o.seq = start
	t.fillHeader(o)
	end := start.Add(size)
	// "a PSH bit is set in the last buffered segment (i.e., when there is no more queued
	// data to be sent)" (RFC 9293, Section 3.9.1.2, MUST-61).
	if size > 0 && end == t.finSeq() {
		o.flags |= wire.FlagPSH
	}
	if t.snd.fin && size < n && end == t.finSeq() {
		o.flags |= wire.FlagFIN
		return size + 1
	}
	return size
}

// unitSize cuts a payload of more than a segment to what one outgoing holds: whole
// segments that lie in one piece, or one segment.
func (t *tcb) unitSize(off, size, mss int) int {
	if t.cfg.maxUnit < 2*mss {
		return mss
	}
	limit := t.cfg.maxUnit - t.cfg.maxUnit%mss
	piece := t.snd.text.Contiguous(off)
	if size = min(size, limit); piece < size {
		size = max(piece-piece%mss, mss)
	}
	return size
}

// fillHeader sets what all segments of a synchronized state have, and counts the
// acknowledgment as given.
func (t *tcb) fillHeader(o *outgoing) {
	o.ack, o.flags, o.window = t.rcv.nxt, wire.FlagACK, t.window()
	t.acknowledged()
}

// emitACK sends an acknowledgment alone, if one must go: <SEQ=SND.NXT><ACK=RCV.NXT>
// <CTL=ACK>.
func (t *tcb) emitACK(now instant, o *outgoing) bool {
	if !t.ackNow {
		return false
	}
	t.putOptions(now, o)
	o.seq = t.ackSeq()
	t.fillHeader(o)
	return true
}

// ackSeq is the number of a segment without text: SND.NXT, unless the window
// has shrunk so that the peer would refuse that.
func (t *tcb) ackSeq() wire.Seq {
	if t.usable() < 0 {
		return t.snd.una.Add(int(t.snd.wnd))
	}
	return t.snd.nxt
}

// emitProbe sends at least one number into a window that is shut: "A TCP ... MUST
// support probing of zero windows (MUST-36)... the transmitting host SHOULD send the
// first zero-window probe when a zero window has existed for the retransmission
// timeout period" (RFC 9293, Section 3.8.6.1). It carries a byte, for only that must be
// answered: "The sending TCP peer must regularly transmit at least one octet of new
// data (if available), or retransmit".
func (t *tcb) emitProbe(now instant, o *outgoing) bool {
	if !t.probeDue {
		return false
	}
	t.probeDue = false
	if !t.flight.empty() {
		t.flight.loseFirst(1)
		i := int(t.flight.head)
		if t.flight.all[i].has(sacked) {
			t.fill(now, o, t.snd.una, 1) // it has arrived, and the acknowledgment got lost: it comes again
			return true
		}
		t.resend(now, o, i, 1)
		return true
	}
	if n := min(t.unsent(), max(t.usable(), 1), t.payloadMax(int(o.optLen))); n > 0 {
		small := t.snd.small
		t.sendNew(now, o, n)
		t.snd.small = small // it was not the user who made it small, and it must not hold back what he wrote
		return true
	}
	return false
}

// A resetKind is what kind of reset is to be sent.
type resetKind uint8

const (
	noReset resetKind = iota
	resetAt           // <SEQ=resetSeq><CTL=RST>, in answer to something that cannot be
	resetUs           // <SEQ=resetSeq><ACK=RCV.NXT><CTL=RST,ACK>, the connection is over
)

// emitReset sends a reset. Timestamps "SHOULD be sent in an <RST> segment" (RFC 7323, Section 3.2); without ACK nothing could be
// echoed.
func (t *tcb) emitReset(now instant, o *outgoing) bool {
	o.seq, o.ack, o.flags, o.window = t.resetSeq, wire.Seq{}, wire.FlagRST, 0
	if t.resetDue == resetUs {
		o.ack, o.flags = t.rcv.nxt, wire.FlagRST|wire.FlagACK
		if t.has(useTimestamps) {
			o.optLen = uint8(len(t.appendStamps(o.opt[:0], now)))
		}
	}
	t.resetDue = noReset
	return true
}
