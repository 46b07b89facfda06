package tcp

import "landline/wire"

// The first, second and fourth steps for a segment that arrives (RFC 9293, Section
// 3.10.7.4). The third, security, is not here. See acked.go for the fifth, text.go for the
// seventh and close.go for the eighth.

// checkSequence is the first step: is the segment in the window? What of it is not
// is cut off.
func (t *tcb) checkSequence(now instant, s *segment) bool {
	if t.state == synReceived && !t.checkHandshake(s) || !t.checkStamp(now, s) {
		return false
	}
	if !t.acceptable(s) {
		t.rejectOutside(now, s)
		return false
	}
	t.heard, t.probes = now, 0
	if s.flags&(wire.FlagRST|wire.FlagSYN) == 0 {
		t.rememberStamp(now, s)
		t.trim(s)
	}
	return true
}

// acceptable is the test of RFC 9293, Section 3.4, for each of its four cases:
//
//	SEG.LEN  RCV.WND
//	   0        0     SEG.SEQ = RCV.NXT
//	   0       >0     RCV.NXT =< SEG.SEQ < RCV.NXT+RCV.WND
//	  >0        0     not acceptable
//	  >0       >0     the first or the last number lies in the window
//
// "a valid ACK, URG or RST" must be taken even if the window is zero (MUST-66), and so
// a segment with text that begins at RCV.NXT goes on, and loses its text in trim.
//
// Unlike RFC 9293, a segment without text may begin at the right edge: who has
// filled the window sends his acknowledgments from there.
func (t *tcb) acceptable(s *segment) bool {
	n, wnd := s.len(), t.rcv.wnd()
	at := s.seq.Since(t.rcv.nxt)
	switch {
	case s.has(wire.FlagRST):
		return at == 0 || at > 0 && at < wnd
	case n == 0 || at == 0:
		return at >= 0 && at <= wnd
	case at > 0:
		return at < wnd
	default:
		return at+n > 0
	}
}

// rejectOutside answers what lies outside the window: "If an incoming segment is not
// acceptable, an acknowledgment should be sent in reply (unless the RST bit is
// set...)": <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>.
func (t *tcb) rejectOutside(now instant, s *segment) {
	switch {
	case s.has(wire.FlagRST):
		// "If the RST bit is set and the sequence number is outside the current receive
		// window, silently drop the segment" (RFC 5961, Section 3.2).
	case s.len() == 0 || s.has(wire.FlagSYN):
		t.challengeEmpty(now, s)
	default:
		t.noteDuplicate(s.seq, s.end())
		t.ackNow = true
	}
}

// trim cuts s to the window: "segments are processed in sequence", and what was there
// before, or goes beyond, is "trimmed off".
func (t *tcb) trim(s *segment) {
	if old := t.rcv.nxt.Since(s.seq); old > 0 && s.len() > 0 {
		t.noteDuplicate(s.seq, t.rcv.nxt)
		t.ackNow = true
		s.data = s.data[min(old, len(s.data)):]
		s.seq = t.rcv.nxt
	}
	room := t.rcv.wnd() - s.seq.Since(t.rcv.nxt)
	if over := len(s.data) - room; over > 0 && len(s.data) > 0 {
		s.data = s.data[:max(room, 0)]
		s.flags &^= wire.FlagFIN
		t.ackNow = true
	}
}

// checkReset is the second step. Against blind attacks a reset must hit RCV.NXT (RFC
// 5961, Section 3.2):
//
//  1. "If the RST bit is set and the sequence number is outside the current receive
//     window, silently drop the segment" — done in the first step.
//  2. "If the RST bit is set and the sequence number exactly matches the next
//     expected sequence number (RCV.NXT), then TCP MUST reset the connection."
//  3. "If the RST bit is set and the sequence number does not exactly match [but is]
//     within the current receive window, TCP MUST send an acknowledgment (challenge
//     ACK)."
func (t *tcb) checkReset(now instant, s *segment) bool {
	if !s.has(wire.FlagRST) {
		return true
	}
	if s.seq != t.rcv.nxt {
		t.challenge(now)
		return false
	}
	switch t.state {
	case synReceived:
		// "If this connection was initiated with an active OPEN (i.e., came from
		// SYN-SENT state), then the connection was refused." Otherwise it is as if it
		// had never been.
		t.end(errRefused)
	case closing, lastAck:
		t.end(0)
	default:
		t.end(errReset)
	}
	return false
}

// checkSYN is the fourth step. "If the SYN bit is set, irrespective of the sequence
// number, TCP endpoints MUST send a 'challenge ACK'" (RFC 5961, Section 4.2); if the
// peer really began anew, its answer is a reset that hits.
func (t *tcb) checkSYN(now instant, s *segment) bool {
	if !s.has(wire.FlagSYN) {
		return true
	}
	t.challenge(now)
	return false
}
