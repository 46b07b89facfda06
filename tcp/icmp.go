package tcp

import (
	"syscall"
	"time"

	"landline/wire"
)

// icmp takes an error that the network reports about a segment with number seq. A hard
// one ends a connection that is being opened. In a synchronized state all are
// remembered: "Since these Unreachable messages indicate soft error conditions, a TCP
// implementation MUST NOT abort the connection" (RFC 9293, Section 3.9.2.2, MUST-56), and a
// hard one may be forged (RFC 5927, Section 5.2).
//
// Unlike RFC 9293, a soft error ends SYN-SENT too, as on all systems that we talk to (RFC 5461, Section 4.1):
// a program that has other addresses to try must not wait for minutes.
func (t *tcb) icmp(seq wire.Seq, err syscall.Errno, hard bool) {
	if !t.onItsWay(seq) {
		return
	}
	if t.state == synSent || hard && t.state < established {
		t.end(err)
		return
	}
	t.soft = err
}

// onItsWay reports whether an error can be about something that we have sent: "check
// that the TCP sequence number contained in the payload of the ICMP error message is
// within the range SND.UNA =< SEG.SEQ < SND.NXT" (RFC 5927, Section 4.1).
func (t *tcb) onItsWay(seq wire.Seq) bool {
	return t.state != closed && t.state != timeWait && seq.AtOrAfter(t.snd.una) && seq.Before(t.snd.nxt)
}

// pathMTU takes what a path was found to carry, from an ICMP error about a segment with
// number seq: mss is the MTU less the IP header and 20. What was too long goes again
// at once, which is not a loss that the congestion window has to answer for.
func (t *tcb) pathMTU(seq wire.Seq, mss uint16) {
	if !t.onItsWay(seq) || max(mss, minMSS) >= t.snd.mss {
		return
	}
	if t.loss != nil {
		t.loss.longMSS = 0 // now it is known
	}
	t.shrink(mss)
}

// shrink makes segments shorter, and sends again what was longer.
func (t *tcb) shrink(mss uint16) {
	t.setMSS(mss)
	if t.flight.empty() || t.state < established {
		return
	}
	t.flight.loseAll()
	if t.mode() == steady {
		l := t.recovery()
		l.mode, l.point, l.force = slowRecovery, t.snd.nxt, true
	}
}

// Where a path drops long packets and does not say so, timeouts are all that one sees: a
// black hole (RFC 2923, Section 2.1). After so many in a row, segments become as short as
// every IPv6 path must carry, and then, on IPv4, as short as every host must take. It may
// have been another thing, so that after a time long ones are tried again.
const (
	shortAfter  = 3
	shorterAt   = 5
	shortMSS    = 1280 - 40 - 20
	shortestMSS = defaultMSS4
	longAgain   = 10 * time.Minute
)

// suspectPath shortens segments after a timeout, if they may be what does not get
// through.
func (t *tcb) suspectPath(now instant) {
	mss := t.snd.mss
	switch {
	case t.rtt.backoff >= shorterAt && mss > shortestMSS && !t.ipv6:
		mss = shortestMSS
	case t.rtt.backoff >= shortAfter && mss > shortMSS:
		mss = shortMSS
	default:
		return
	}
	l := t.recovery()
	l.longMSS, l.longAt = max(l.longMSS, t.snd.pathMSS), now.add(longAgain)
	t.setMSS(mss)
}

// trustPath tries long segments again.
func (t *tcb) trustPath() {
	t.setMSS(max(t.snd.pathMSS, t.loss.longMSS))
	t.loss.longMSS = 0
}
