package tcp

import (
	"fmt"

	"landline/wire"
)

// invariants returns what is wrong with t, which must hold after every output that
// left room in its list.
func (t *tcb) invariants() error {
	for _, check := range []func() error{t.checkSendSpace, t.checkFlight, t.checkRecvSpace, t.checkTimers} {
		if err := check(); err != nil {
			return fmt.Errorf("%v: %w", t.state, err)
		}
	}
	return nil
}

func (t *tcb) checkSendSpace() error {
	s := &t.snd
	switch {
	case t.state == closed:
		if s.text.ring.Cap() != 0 || s.text.Len() != 0 || t.retransmit != 0 || t.ackAt != 0 || t.lingerAt != 0 {
			return fmt.Errorf("closed, and keeps something")
		}
	case s.nxt.Before(s.una):
		return fmt.Errorf("snd.nxt %v before snd.una %v", s.nxt, s.una)
	case t.sendEnd().Before(s.nxt):
		return fmt.Errorf("snd.nxt %v beyond what was written, %v", s.nxt, t.sendEnd())
	case t.state >= established && s.una.Before(s.base):
		return fmt.Errorf("snd.una %v before the ring's base %v", s.una, s.base)
	case t.state >= established && !t.holding && s.base != s.una && !t.finAcked():
		return fmt.Errorf("the ring's base is %v, and snd.una %v", s.base, s.una)
	case s.mss < minMSS || t.state >= established && t.cc.cwnd < 1:
		return fmt.Errorf("mss %d, cwnd %d", s.mss, t.cc.cwnd)
	case t.state >= established && t.flown() > 0 && t.pipe() > t.flown()+int(t.flight.resent):
		return fmt.Errorf("pipe %d is more than was sent", t.pipe())
	}
	return nil
}

func (t *tcb) checkFlight() error {
	f := &t.flight
	if t.state == closed && len(f.all) > 0 {
		return fmt.Errorf("closed, and %d runs", len(f.all))
	}
	var sum flight
	at := t.snd.una
	for i := range f.runs() {
		r := &f.runs()[i]
		if r.start != at || r.len() <= 0 {
			return fmt.Errorf("run %d is %v-%v, and %v is next", i, r.start, r.end, at)
		}
		if r.has(sacked) && r.has(lost|resent) {
			return fmt.Errorf("run %d has arrived and is lost", i)
		}
		if r.isDue() && r.start.Before(f.hint) {
			return fmt.Errorf("run %d is due, before the hint", i)
		}
		at = r.end
		sum.tally(r, 1)
	}
	if t.state != closed && at != t.snd.nxt {
		return fmt.Errorf("runs end at %v, and snd.nxt is %v", at, t.snd.nxt)
	}
	if sum.sacked != f.sacked || sum.lost != f.lost || sum.resent != f.resent || sum.due != f.due {
		return fmt.Errorf("sums are %d %d %d %d, and should be %d %d %d %d", f.sacked, f.lost, f.resent, f.due,
			sum.sacked, sum.lost, sum.resent, sum.due)
	}
	if n := len(f.runs()); n > maxRuns+int(sum.lost)/minMSS+8 {
		return fmt.Errorf("%d runs", n)
	}
	return nil
}

func (t *tcb) checkRecvSpace() error {
	r := &t.rcv
	if t.state < synReceived {
		return nil
	}
	if r.edge.Before(r.nxt) {
		return fmt.Errorf("rcv.nxt %v beyond the edge %v", r.nxt, r.edge)
	}
	if r.nxt.Before(r.acked) {
		return fmt.Errorf("acknowledged %v, and rcv.nxt is %v", r.acked, r.nxt)
	}
	// A limit that was lowered leaves a window that has been offered, and so the ring, until it is empty.
	if r.ring.Cap() > 2*max(int(r.limit), t.cfg.bufferInit, t.cfg.recvMax) {
		return fmt.Errorf("receive ring of %d, and the limit is %d", r.ring.Cap(), r.limit)
	}
	if t.early == nil {
		return nil
	}
	if n := t.early.set.Len(); n > maxPieces {
		return fmt.Errorf("%d pieces", n)
	}
	for _, piece := range t.early.set.Ranges() {
		if !wire.SeqOf(piece.Start).After(r.nxt) || wire.SeqOf(piece.End).After(r.edge.Add(1)) {
			return fmt.Errorf("piece %d-%d, rcv.nxt %v, edge %v", piece.Start, piece.End, r.nxt, r.edge)
		}
		if off := wire.SeqOf(piece.End).Since(r.nxt) - 1 + r.ring.Len(); !r.shut && off > r.ring.Cap() {
			return fmt.Errorf("piece beyond the ring")
		}
	}
	return nil
}

// Leaving something on its way, or to be sent, with no timer running stalls a
// connection for ever.
func (t *tcb) checkTimers() error {
	switch {
	case t.state == closed || t.state == timeWait:
		return nil
	case (!t.flight.empty() || t.state >= established && t.unsent() > 0) && t.retransmit == 0:
		return fmt.Errorf("%d on its way, %d unsent, and no timer", t.flown(), t.unsent())
	case (t.retransmit == 0) != (t.kind == idle):
		return fmt.Errorf("timer %d of kind %d", t.retransmit, t.kind)
	case t.state >= established && t.rcv.nxt.After(t.rcv.acked) && t.ackAt == 0:
		return fmt.Errorf("%d to acknowledge, and no timer", t.rcv.nxt.Since(t.rcv.acked))
	}
	return nil
}
