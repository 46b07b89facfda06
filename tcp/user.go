package tcp

import (
	"time"
	"unsafe"
)

// write appends what there is room for of p to what is sent, and returns how much
// that is: 0 if the connection cannot send any more, or not now.
func (t *tcb) write(p []byte) int {
	return t.snd.text.ring.Write(p[:t.makeRoom(len(p))])
}

// hasSendRoom reports whether something could be written.
func (t *tcb) hasSendRoom() bool {
	t.tuneSend()
	return t.writable() > 0 && t.mayHold(&t.snd.text.ring) > 0
}

// makeRoom makes the send ring as large as n more bytes want, if it may be, and returns for how many of them there is
// room now.
func (t *tcb) makeRoom(n int) int {
	if n = t.mayWrite(n); n > 0 {
		t.growSendRing(n)
	}
	return n
}

// mayWrite returns how many of n bytes may be written now.
func (t *tcb) mayWrite(n int) int {
	if !t.maySend() {
		return 0
	}
	t.tuneSend()
	return max(min(n, t.writable(), t.mayHold(&t.snd.text.ring)), 0)
}

// growSendRing makes the send ring as large as n more bytes want.
func (t *tcb) growSendRing(n int) {
	r := &t.snd.text.ring
	if need := r.Len() + n; need > r.Cap() {
		t.resize(r, min(max(2*r.Cap(), need, firstRing), max(int(t.snd.limit), need)), r.Len())
	}
}

// lendRoom returns room in the send ring, to be filled without a lock: at most n bytes, and none if there is no
// room. Until takeRoom is called nothing may be written otherwise.
func (t *tcb) lendRoom(n int) []byte {
	b := t.snd.text.ring.Room(t.makeRoom(n))
	t.filling = len(b) > 0
	return b
}

// takeRoom ends lendRoom: n bytes have been put there. If more follow at once, what is less than a segment waits for
// them.
func (t *tcb) takeRoom(n int, more bool) {
	t.filling = false
	if t.maySend() {
		t.snd.text.ring.Extend(n)
	}
	t.more = more
}

// maySend reports whether the user may write: he has not closed, and the connection is
// or will be open.
func (t *tcb) maySend() bool {
	return !t.snd.fin && (t.state == synSent || t.state == synReceived || t.state == established || t.state == closeWait)
}

// writable is how many bytes there is room for.
func (t *tcb) writable() int { return max(int(t.snd.limit)-t.snd.text.Len(), 0) }

// tuneSend lets the send ring hold two congestion windows: one on its way and one that waits. More than four of the peer's windows
// are of no use, and only fill caches. (Two should do; docs/goodput.md says they do not where way and window are long.)
func (t *tcb) tuneSend() {
	if want := 2 * int(min(t.cc.cwnd, 2*t.snd.maxWnd)); want > int(t.snd.limit) && !t.snd.fixed &&
		int(t.snd.limit) < t.cfg.sendMax && !t.cfg.budget.pressed() {
		t.snd.limit = int32(min(bounded(want, 0), t.cfg.sendMax))
	}
}

// setNoDelay turns the Nagle algorithm off: "An application MUST be able to disable it"
// (RFC 9293, Section 3.7.4, MUST-17).
func (t *tcb) setNoDelay(on bool) { t.noDelay = on }

// setBuffers fixes how much the rings hold, in bytes; 0 leaves one as it is. A window that
// has been offered is not taken back.
func (t *tcb) setBuffers(send, receive int) {
	if send > 0 {
		t.snd.limit, t.snd.fixed = int32(bounded(send, 0)), true
	}
	if receive > 0 {
		least := 4 << scaleFor(t.cfg.recvMax)
		t.rcv.limit, t.rcv.fixed = int32(bounded(max(receive, least), 0)), true
	}
}

// memory is how many bytes the rings and the flight take, and what is borrowed, which may have to go to a ring.
func (t *tcb) memory() int {
	return t.snd.text.ring.Cap() + len(t.snd.text.borrowed()) + t.rcv.ring.Cap() + cap(t.flight.all)*int(unsafe.Sizeof(run{}))
}

// reclaimAt is when rings that have become empty are let go. What waits for a gap to be filled is dropped too, after
// a time: "the data receiver is permitted to discard data in its queue that has not been acknowledged to the
// data sender" (RFC 2018, Section 8).
func (t *tcb) reclaimAt() instant {
	if t.memory() == 0 || t.holding || t.filling || t.snd.text.Len() > 0 || t.rcv.ring.Len() > 0 || !t.flight.empty() {
		return 0
	}
	after := t.cfg.reclaim
	if t.early != nil && t.early.set.Len() > 0 {
		after = earlyLife
	}
	return max(t.heard, t.cc.lastSent).add(after)
}

// earlyLife is how long text that is not next in turn is kept on a connection where nothing else happens.
const earlyLife = 2 * time.Minute
