package tcp

import "time"

// A timerKind is what the one retransmission timer is waiting for.
type timerKind uint8

const (
	idle       timerKind = iota
	resending            // RTO: what is on its way should have been acknowledged
	probing              // the window is shut: RFC 9293, Section 3.8.6.1
	tailing              // PTO of RFC 8985: the last segment should have been
	reordering           // the reordering timer of RFC 8985
)

// settle starts and stops the retransmission timer after output (RFC 6298, Section 5):
//
//	"(5.1) Every time a packet containing data is sent (including a retransmission), if
//	the timer is not running, start it running"
//	"(5.2) When all outstanding data has been acknowledged, turn off the retransmission
//	timer."
//	"(5.3) When an ACK is received that acknowledges new data, restart the
//	retransmission timer"
//
// There is always one running while something is to be sent or acknowledged.
func (t *tcb) settle(now instant) {
	switch {
	case t.state == closed || t.state == timeWait:
		t.retransmit, t.kind = 0, idle
	case !t.flight.empty():
		if t.kind == idle || t.kind == probing && t.snd.wnd > 0 {
			t.startTimer(now)
		}
	case t.unsent() > 0 && t.state >= established:
		// Nothing is on its way and nothing goes: the peer's window is what holds it up.
		if t.kind != probing {
			t.kind, t.retransmit = probing, now.add(t.probeAfter())
			t.moved = now
		}
	default:
		t.retransmit, t.kind = 0, idle
	}
}

func (t *tcb) startTimer(now instant) {
	if t.mayProbeTail() {
		// Not later than the retransmission timer would end, which new data does not start again.
		t.kind, t.retransmit = tailing, min(now.add(t.probeTimeout()), max(t.moved.add(t.rto()), now.add(granularity)))
		return
	}
	t.startRTO(now)
}

// overrideTimeout is how long a small segment waits for a larger window: "0.1 - 1.0
// seconds" (RFC 9293, Section 3.8.6.2.1).
const overrideTimeout = 500 * time.Millisecond

// probeAfter is how long a shut window is left alone: "SHOULD increase exponentially
// the interval between successive probes" (SHLD-30).
func (t *tcb) probeAfter() time.Duration {
	if t.usable() > 0 {
		return overrideTimeout
	}
	return min(t.rto()<<min(t.tries, 16), t.cfg.rtoMax)
}

// nextTimeout returns when expire wants to be called, or the zero Time.
func (t *tcb) nextTimeout() time.Time { return t.cfg.time(t.next()) }

func (t *tcb) next() instant {
	at := sooner(sooner(t.retransmit, t.ackAt), sooner(t.lingerAt, t.keepAliveAt()))
	return sooner(at, t.reclaimAt())
}

// expire does what is due by now.
func (t *tcb) expire(now time.Time) {
	at := t.tick(now)
	if t.ackAt.due(at) {
		t.ackAt, t.ackNow = 0, true
	}
	if t.lingerAt.due(at) {
		t.end(0)
	}
	if t.retransmit.due(at) {
		t.expireRetransmit(at)
	}
	if t.keepAliveAt().due(at) {
		t.expireKeepAlive(at)
	}
	if t.reclaimAt().due(at) {
		t.reclaim()
	}
}

func (t *tcb) expireRetransmit(now instant) {
	kind := t.kind
	t.retransmit, t.kind = 0, idle
	if t.holding {
		// What is on its way has perhaps not left yet, so that nothing can be said of it.
		if !t.givesUp(now) {
			t.kind, t.retransmit = kind, now.add(t.rto()/4)
		}
		return
	}
	switch kind {
	case reordering:
		if t.rackDetect(now); t.flight.lost > 0 && t.mode() == steady {
			t.enterRecovery(now, 0)
		}
		if t.kind == idle {
			t.startRTO(now)
		}
	case tailing:
		if t.mayProbeTail() {
			t.probeTail()
		}
		t.startRTO(now)
	case probing, resending:
		t.expireRTO(now)
	}
}

// left notes that what output has handed out has left at last, after it had to wait for the device.
func (t *tcb) left(now instant) {
	if t.kind != idle && t.kind != probing {
		t.startRTO(now)
	}
}

// expireRTO handles the end of the retransmission timer (RFC 6298, Section 5):
//
//	"(5.4) Retransmit the earliest segment that has not been acknowledged"
//	"(5.5) The host MUST set RTO <- RTO * 2"
//	"(5.6) Start the retransmission timer"
func (t *tcb) expireRTO(now instant) {
	if t.givesUp(now) {
		return
	}
	switch {
	case t.state < established:
		t.rtt.backoff++
		t.synDue = true
	case t.snd.wnd == 0 || t.flight.empty():
		// What is on its way does not get lost, but thrown away: it says nothing of
		// congestion, and goes on as long as the peer answers.
		t.tries = min(t.tries+1, 30)
		t.probeDue = true
		t.kind, t.retransmit = probing, now.add(t.probeAfter())
		return
	default:
		t.rtt.backoff = min(t.rtt.backoff+1, 30)
		t.suspectPath(now)
		t.timedOut(now)
	}
	t.startRTO(now)
}

// startRTO starts the retransmission timer, which does not run beyond what the user
// wants to wait.
func (t *tcb) startRTO(now instant) {
	t.kind, t.retransmit = resending, now.add(t.rto())
	if t.userTimeout > 0 {
		t.retransmit = max(min(t.retransmit, t.moved.add(t.userTimeout)), now.add(granularity))
	}
}
