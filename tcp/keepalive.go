package tcp

import "time"

// A keepAlive is how a quiet connection is asked whether it is still there (RFC 9293,
// Section 3.8.4). Nobody asks unless the user wants it: "keep-alives ... MUST default
// to off" (MUST-25). Connections may share one.
type keepAlive struct {
	idle     time.Duration // "MUST be configurable" (MUST-27)
	interval time.Duration
	count    uint8
}

// setKeepAlive turns keepalive on, or with nil off.
func (t *tcb) setKeepAlive(k *keepAlive) { t.keep, t.probes = k, 0 }

// keepAliveAt is when the next question is due: "keep-alive packets MUST only be sent when
// no sent data is outstanding, and no data or acknowledgment packets have been
// received for the connection within an interval" (MUST-26).
func (t *tcb) keepAliveAt() instant {
	if t.keep == nil || t.state < established || t.state == timeWait || !t.flight.empty() || t.unsent() > 0 {
		return 0
	}
	return t.heard.add(t.keep.idle + time.Duration(t.probes)*t.keep.interval)
}

// expireKeepAlive asks, or gives up: "If keep-alives are included ... a lack of
// response to any specific probe MUST NOT be interpreted as a dead connection"
// (MUST-29), but to all of them it is.
func (t *tcb) expireKeepAlive(now instant) {
	quiet := now.since(t.heard)
	if t.probes >= t.keep.count || t.userTimeout > 0 && t.probes > 0 && quiet >= t.userTimeout {
		t.resetDue, t.resetSeq = resetUs, t.ackSeq()
		t.giveUp()
		return
	}
	t.probes++
	t.keepDue = true
}

// emitKeepAlive asks with a number that the peer has had: SEG.SEQ = SND.NXT-1. "The
// implementation SHOULD send a keep-alive segment with no data" (SHLD-12).
func (t *tcb) emitKeepAlive(now instant, o *outgoing) bool {
	if !t.keepDue {
		return false
	}
	t.keepDue = false
	t.putOptions(now, o)
	o.seq = t.snd.nxt.Add(-1)
	t.fillHeader(o)
	return true
}

// resendsToDoubt is R1: "at least 3 retransmissions" (RFC 9293, Section 3.8.3, SHLD-10).
const resendsToDoubt = 3

// orphanLimit is how long a connection that its user has closed tries to get rid of
// what he wrote, while the peer takes nothing: the least that R2 should be.
const orphanLimit = 100 * time.Second

// givesUp decides whether it is enough: "When the number of transmissions of the same
// segment reaches a threshold R2 greater than R1, close the connection" (Section 3.8.3,
// MUST-20). R2 is a time here: "at least 100 seconds" (SHLD-11), for SYN "at least 3
// minutes" (MUST-23), or what the user wants (MUST-21).
//
// A peer that answers while its window is shut is not given up: "the sending TCP peer
// MUST allow the connection to stay open" (Section 3.8.6.1, MUST-37).
func (t *tcb) givesUp(now instant) bool {
	limit := t.cfg.giveUp
	if t.state < established {
		limit = t.cfg.giveUpSYN
	}
	if t.userTimeout > 0 {
		limit = t.userTimeout
	}
	since := t.moved
	switch {
	case t.orphan:
		limit = min(limit, orphanLimit)
	case t.state >= established && t.snd.wnd == 0 && t.userTimeout == 0:
		since = max(since, t.heard)
	}
	if now.since(since) < limit {
		t.doubtful = t.rtt.backoff+1 >= resendsToDoubt
		return false
	}
	t.giveUp()
	return true
}

// giveUp ends a connection whose peer does not answer. If ICMP has said why, that
// is the reason.
func (t *tcb) giveUp() {
	if t.soft != 0 {
		t.end(t.soft)
		return
	}
	t.end(errTimeout)
}

// takeDoubt reports, once, that R1 has been reached: "pass negative advice to the IP
// layer, to trigger dead-gateway diagnosis" (MUST-20).
func (t *tcb) takeDoubt() bool {
	d := t.doubtful
	t.doubtful = false
	return d
}

// setUserTimeout limits how long data may stay unacknowledged; 0 is the default (RFC
// 9293, Section 3.8.3; RFC 5482 without its option).
func (t *tcb) setUserTimeout(d time.Duration) { t.userTimeout = d }
