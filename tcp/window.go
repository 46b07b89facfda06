package tcp

import (
	"time"

	"landline/wire"
)

// updateWindow takes the send window that a segment tells, unless it is older than
// one that told before (RFC 9293, Section 3.10.7.4):
//
//	"If SND.WL1 < SEG.SEQ or (SND.WL1 = SEG.SEQ and SND.WL2 =< SEG.ACK), set SND.WND
//	<- SEG.WND, set SND.WL1 <- SEG.SEQ, and set SND.WL2 <- SEG.ACK."
//
// It reports whether the window changed. It may have shrunk, so that more is on its
// way than it lets in: that is not an error (MUST-34), and not taken back.
func (t *tcb) updateWindow(s *segment) (changed bool) {
	old := s.seq.Before(t.snd.wl1) || s.seq == t.snd.wl1 && s.ack.Before(t.snd.wl2)
	if old && !t.speaksFromTheEdge(s) {
		return false
	}
	wnd := uint32(s.wnd) << t.snd.shift
	changed = wnd != t.snd.wnd
	if t.snd.wnd == 0 && wnd > 0 && t.state >= established {
		t.reopened()
	}
	t.snd.wnd, t.snd.wl1, t.snd.wl2 = wnd, s.seq, s.ack
	t.snd.maxWnd = max(t.snd.maxWnd, wnd)
	return changed
}

// speaksFromTheEdge reports whether a segment is not as old as its number says. A peer that we have told that our
// window is shut, though it has sent into it, numbers its acknowledgments as if it had not (see ackSeq). If
// such a one shuts a window or opens it, that is better believed: nobody probes a window that he takes for open.
func (t *tcb) speaksFromTheEdge(s *segment) bool {
	return s.seq == t.rcv.nxt && s.ack == t.snd.una && (s.wnd == 0) != (t.snd.wnd == 0)
}

// reopened goes on after a zero window. If that was probed, what was on its way the peer has
// thrown away, most likely, and it is not for congestion. Otherwise it may be there yet, and nothing is
// sent again: a stranger could have us do that as often as he likes.
func (t *tcb) reopened() {
	t.tries, t.rtt.backoff = 0, 0
	if t.kind != probing {
		return
	}
	t.retransmit, t.kind = 0, idle
	t.flight.loseAll()
}

// usable is how many bytes behind snd.nxt the peer has room for, which is negative
// after the window has shrunk (MUST-34).
func (t *tcb) usable() int { return int(t.snd.wnd) - t.snd.nxt.Since(t.snd.una) }

// unsent is how many numbers wait to be sent for the first time, FIN included.
func (t *tcb) unsent() int { return t.sendEnd().Since(t.snd.nxt) }

// sendEnd is the number behind all that the user has written, and FIN if he closed.
func (t *tcb) sendEnd() wire.Seq {
	end := t.finSeq()
	if t.snd.fin {
		end = end.Add(1)
	}
	return end
}

// finSeq is the number that our FIN has, or would have.
func (t *tcb) finSeq() wire.Seq { return t.snd.base.Add(t.snd.text.Len()) }

// full returns n cut to what may be sent of it now, so that neither end is
// silly: "a TCP MUST include a SWS avoidance algorithm in the sender" (RFC 9293,
// Section 3.8.6.2.1, MUST-38). Send
//
//  1. "if a maximum-sized segment can be sent, i.e., if min(D,U) >= Eff.snd.MSS;"
//  2. "or if the data is pushed and all queued data can be sent now, i.e., if
//     [SND.NXT = SND.UNA and] PUSHed and D <= U (the bracketed condition is imposed
//     by the Nagle algorithm);"
//  3. "or if at least a fraction Fs of the maximum window can be sent, i.e., if
//     [SND.NXT = SND.UNA and] min(D,U) >= Fs * Max(SND.WND);" with Fs = 1/2
//  4. "or if the override timeout occurs": probeDue.
//
// D is waiting, U the room in the window.
func (t *tcb) full(waiting, room, mss int) int {
	n := min(waiting, room)
	whole := n - n%mss
	switch {
	case n <= 0:
		return 0
	case n == whole, n == waiting && t.mayBeSmall(), n == room && whole == 0 && t.roomEnough(n):
		return n
	}
	return whole
}

// roomEnough reports whether n bytes are at least half of the largest window that the
// peer has offered, and nothing else is on its way.
func (t *tcb) roomEnough(n int) bool {
	return n >= int(t.snd.maxWnd+1)/2 && (t.noDelay || t.snd.nxt == t.snd.una)
}

// mayBeSmall is the Nagle algorithm: "If there is unacknowledged data (i.e., SND.NXT >
// SND.UNA), then the sending TCP endpoint buffers all user data (regardless of the
// PSH bit) until the outstanding data has been acknowledged or until the TCP
// endpoint can send a full-sized segment" (RFC 9293, Section 3.7.4, MUST-17).
//
// Unlike RFC 9293, only a segment that was small itself holds back another, because
// the full ones before it are acknowledged without delay. What is last before FIN
// never waits, and what the user is about to add to always does.
func (t *tcb) mayBeSmall() bool {
	return t.snd.fin || !t.more && (t.noDelay || !t.snd.small.After(t.snd.una))
}

// The receive window.

// window returns the window to tell in a segment that goes now, and moves rcv.edge
// there. "A TCP receiver SHOULD NOT shrink the window" (RFC 9293, Section 3.8.6,
// SHLD-14): it never goes back.
func (t *tcb) window() uint16 {
	if t.starved || t.rcv.withheld && !t.hasRoom() {
		// What has been promised is not taken back, but the peer should wait, and a window that is
		// shut keeps it from giving up (RFC 9293, Section 3.8.6.1, MUST-37).
		t.starved, t.rcv.withheld = false, true
		return 0
	}
	edge := t.rcv.edge
	if e := t.openEdge(); t.worthTelling(e) {
		edge = e
	}
	t.rcv.withheld = false
	field := t.scaled(max(edge.Since(t.rcv.nxt), 0))
	t.rcv.edge = later(t.rcv.edge, t.rcv.nxt.Add(int(field)<<t.rcv.shift))
	return field
}

// scaled returns a window of n bytes as it lies on the wire, rounded up if there is room for that, for what has been promised
// should not become less. Rounded up again and again it would grow with every small segment that nobody reads. Then it is
// rounded down, which takes back less than a unit: a receiver "MUST honor, as in window, any segment that would have been in
// window for any <ACK> sent" (RFC 7323, Section 2.4), and so rcv.edge stays.
func (t *tcb) scaled(n int) uint16 {
	up := (n + 1<<t.rcv.shift - 1) >> t.rcv.shift
	if t.rcv.ring.Len()+up<<t.rcv.shift > int(t.rcv.limit) {
		up = n >> t.rcv.shift
	}
	return uint16(min(up, 65535))
}

// openEdge is how far the window would reach if all that is free were offered, and as far as a
// header can say it.
func (t *tcb) openEdge() wire.Seq {
	rounding := 1<<t.rcv.shift - 1
	free := t.rcvBuff() - rounding - t.rcv.ring.Len()
	return t.rcv.nxt.Add(min(free, 65535<<t.rcv.shift))
}

// worthTelling is the receiver's half of SWS avoidance: "keep RCV.NXT+RCV.WND fixed
// until: RCV.BUFF - RCV.USER - RCV.WND >= min( Fr * RCV.BUFF, Eff.snd.MSS )", Fr being
// 1/2 (RFC 9293, Section 3.8.6.2.2, MUST-39).
func (t *tcb) worthTelling(edge wire.Seq) bool {
	more := edge.Since(t.rcv.edge)
	return more > 0 && more >= min(t.rcvBuff()/2, int(t.rcv.mss))
}

// rcvBuff is RCV.BUFF: how much the receive ring may hold, as memory is now.
func (t *tcb) rcvBuff() int {
	return min(int(t.rcv.limit), t.rcv.ring.Len()+t.mayHold(&t.rcv.ring))
}

// offerWindow decides, after the user has read, whether the peer is to be told: when
// he has room for twice as much as he knows, or for a segment if he was told that there is none. To a peer that is not
// near the edge the next acknowledgment is early enough.
func (t *tcb) offerWindow() {
	if t.state < established || t.rcv.fin {
		return
	}
	edge := t.openEdge()
	if t.rcv.withheld && t.hasRoom() || t.worthTelling(edge) && edge.Since(t.rcv.nxt) >= 2*t.rcv.wnd() {
		t.windowDue = true
	}
}

// hasRoom reports whether there is memory for so much that it is worth telling somebody who knows of none.
func (t *tcb) hasRoom() bool {
	return t.openEdge().Since(t.rcv.nxt) >= min(t.rcvBuff()/2, int(t.rcv.mss))
}

func later(a, b wire.Seq) wire.Seq {
	if a.Before(b) {
		return b
	}
	return a
}

// A tuner finds how large a receive ring must be: twice what the user reads in a
// round trip, so that the window is not what holds the sender up.
type tuner struct {
	since  instant       // when this round trip began
	copied int32         // what has been read in it
	mark   wire.Seq      // when this has arrived, a round trip is over
	rtt    time.Duration // as seen by a receiver; 0 if not known
	timed  instant       // since when mark is waited for
}

// timeArrival measures the round trip of one who only receives: by the timestamp that
// comes back, or by how long a whole window takes to come, which is too long at worst.
func (t *tcb) timeArrival(now instant, s *segment) {
	u := &t.rcv.tune
	if t.has(useTimestamps) && s.opt.HasTimestamps && s.opt.TSEcr != 0 {
		if ticks := int32(t.stamp(now) - s.opt.TSEcr); ticks >= 0 && ticks < maxStampRTT {
			t.rcv.noteTicks(ticks)
		}
		return
	}
	if u.timed != 0 && t.rcv.nxt.Before(u.mark) {
		return
	}
	if u.timed != 0 {
		u.note(max(now.since(u.timed), stampTick))
	}
	u.timed, u.mark = now, t.rcv.edge
}

// note keeps the smallest of late: a large one slowly, a small one at once.
func (u *tuner) note(rtt time.Duration) {
	if u.rtt == 0 || rtt < u.rtt {
		u.rtt = rtt
	} else {
		u.rtt += (rtt - u.rtt) / 8
	}
}

// noteTicks takes a round trip in ticks of the timestamps.
func (r *recvSpace) noteTicks(n int32) {
	r.tune.note(max(time.Duration(n), 1) * stampTick)
	switch {
	case n == 0:
		r.near = 255
	case r.near > 0:
		r.near--
	}
}

// nearLimit is enough for a receive ring whose peer is less than a tick of the timestamps away: 4 Gbit/s at that distance, and ten
// times as much at a tenth of it. How near he is cannot be told, and a ring that grew by what comes in a tick would be larger
// than the processor's caches, and the slower for it.
const nearLimit = 512 << 10

// tuneReceive makes the receive ring's limit larger if the user has read so much
// within a round trip that the window may have been what limited it.
func (t *tcb) tuneReceive(now instant) {
	u := &t.rcv.tune
	switch past := now.since(u.since); {
	case u.rtt == 0 || past < u.rtt:
		return
	case past < 2*u.rtt && !t.rcv.fixed && !t.cfg.budget.pressed():
		most := t.cfg.recvMax
		if t.rcv.near > 0 {
			most = min(most, nearLimit)
		}
		t.rcv.limit = max(t.rcv.limit, int32(min(bounded(2*int(u.copied)+16*int(t.rcv.mss), 0), most)))
	}
	u.since, u.copied = now, 0
}
