package tcp

import (
	"syscall"

	"landline/internal/ring"
	"landline/wire"
)

// takeFIN is the eighth step of RFC 9293, Section 3.10.7.4: "If the FIN bit is set,
// signal the user 'connection closing' ... advance RCV.NXT over the FIN, and send an
// acknowledgment for the FIN."
func (t *tcb) takeFIN(now instant, s *segment) {
	here := s.has(wire.FlagFIN) && s.seq.Add(len(s.data)) == t.rcv.nxt
	if t.rcv.fin || t.state < established || !here && !t.early.endsAt(t.rcv.nxt) {
		return
	}
	t.rcv.fin = true
	t.rcv.nxt = t.rcv.nxt.Add(1)
	t.rcv.edge = t.rcv.edge.Add(1) // FIN takes a number, but no room
	t.ackNow = true
	if t.early != nil {
		t.early.clear() // beyond FIN there is nothing
	}
	switch t.state {
	case established:
		t.state = closeWait
	case finWait1:
		// "If our FIN has been ACKed (perhaps in this segment), then enter TIME-WAIT ...
		// otherwise, enter the CLOSING state": afterFIN has made it FIN-WAIT-2.
		t.state = closing
	case finWait2:
		t.enterTimeWait(now)
	}
}

// afterFIN is what the fifth step does in the closing states: "if the FIN segment is
// now acknowledged". It reports whether there is a connection left.
func (t *tcb) afterFIN(now instant) bool {
	if !t.finAcked() {
		return true
	}
	switch t.state {
	case finWait1:
		t.state = finWait2
		if t.orphan {
			t.lingerAt = now.add(t.cfg.finWait2)
		}
	case closing:
		t.enterTimeWait(now)
	case lastAck:
		t.end(0)
		return false
	}
	return true
}

// finAcked reports whether the peer has our FIN: not only all the data before it.
func (t *tcb) finAcked() bool { return t.snd.fin && t.snd.una == t.finSeq().Add(1) }

// closeWrite sends FIN behind what has been written: the user has no more to send
// (RFC 9293, Section 3.10.4).
func (t *tcb) closeWrite() {
	switch t.state {
	case synSent:
		t.end(0) // "Delete the TCB"
	case synReceived:
		t.snd.fin = true // "queue for processing after entering ESTABLISHED state"
	case established:
		t.snd.fin, t.state = true, finWait1
	case closeWait:
		t.snd.fin, t.state = true, lastAck
	}
}

// closeRead says that the user reads no more than what is there. What arrives is
// acknowledged and dropped, so that the peer is not held up.
func (t *tcb) closeRead() {
	t.rcv.shut = true
	if t.rcv.ring.Len() == 0 {
		t.rcv.ring = ring.Ring{}
	}
	t.offerWindow()
}

// closeBoth says that the user is done with the connection: it closes in good order
// while nobody looks. "If such a host issues a CLOSE call while received data is
// still pending in the TCP connection, or if new data is received after CLOSE is called,
// its TCP implementation SHOULD send a RST to show that data was lost" (RFC 9293, Section
// 3.6.1, SHLD-3).
func (t *tcb) closeBoth(now instant) {
	if t.rcv.ring.Len() > 0 && t.state >= established {
		t.abort()
		return
	}
	t.orphan = true
	t.closeWrite()
	if t.state == finWait2 && t.lingerAt == 0 {
		t.lingerAt = now.add(t.cfg.finWait2)
	}
}

// abort ends the connection at once and tells the peer by a reset (RFC 9293, Section
// 3.10.5). What was not sent or read is lost.
func (t *tcb) abort() { t.reset(errAborted) }

// reset ends the connection with a reset, where there is a peer that knows of it. While the shell is sending,
// that waits: what the user has written before would have gone before, and still does as far as it may.
func (t *tcb) reset(err syscall.Errno) {
	if t.holding && (t.unsent() > 0 || !t.flight.empty()) {
		t.orphan, t.dying = true, true
		return
	}
	switch t.state {
	case closed, synSent, closing, lastAck, timeWait: // "respond OK and delete the TCB"
	default:
		t.resetDue, t.resetSeq = resetUs, t.ackSeq()
	}
	t.rcv.ring = ring.Ring{}
	if t.state != closed {
		t.end(err)
	}
}

// enterTimeWait waits for what may still be in the network: "start the time-wait timer,
// turn off the other timers".
func (t *tcb) enterTimeWait(now instant) {
	t.state = timeWait
	t.retransmit, t.kind = 0, idle
	t.lingerAt = now.add(2 * t.cfg.msl)
	t.keep = nil
}

// arriveTimeWait handles a segment in TIME-WAIT, as a record would that
// the shell keeps in place of the connection.
func (t *tcb) arriveTimeWait(now instant, s *segment) {
	w := t.waiter()
	if w.arrive(t.cfg, now, s) == waitAnswer {
		t.ackNow = true
	}
	t.lingerAt, t.challenged = w.until, w.challenged
}
