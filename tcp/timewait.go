package tcp

import (
	"time"

	"landline/wire"
)

// A waiter is a connection in TIME-WAIT, in as few bytes as that takes. The shell keeps
// it in place of the tcb, for two maximum segment lifetimes.
type waiter struct {
	until       instant
	challenged  instant // when something out of place was last answered
	sndNxt      wire.Seq
	rcvNxt      wire.Seq
	stampRecent uint32
	stampOffset uint32
	window      uint16 // as it was last told
	stamps      bool
}

// waiter returns the record of a connection in TIME-WAIT.
func (t *tcb) waiter() waiter {
	return waiter{
		until: t.lingerAt, challenged: t.challenged, sndNxt: t.snd.nxt, rcvNxt: t.rcv.nxt,
		stampRecent: t.stampRecent, stampOffset: t.stampOffset,
		window: uint16(min(t.rcv.wnd()>>t.rcv.shift, 65535)), stamps: t.has(useTimestamps),
	}
}

// A waitVerdict is what a segment means to a connection in TIME-WAIT.
type waitVerdict uint8

const (
	waitIgnore waitVerdict = iota
	waitAnswer             // send what answer makes
	waitReuse              // it is the SYN of a new connection, which may take its place
)

// arrive handles a segment. "The only thing that can arrive in this state is a
// retransmission of the remote FIN. Acknowledge it, and restart the 2 MSL timeout" (RFC
// 9293, Section 3.10.7.4).
func (w *waiter) arrive(cfg *config, now instant, s *segment) waitVerdict {
	switch {
	case s.has(wire.FlagRST):
		// Unlike RFC 9293, a reset does not end TIME-WAIT: "ignore RST segments in
		// TIME-WAIT state" (RFC 1337, Section 3, Fix F1).
		return waitIgnore
	case s.has(wire.FlagSYN) && !s.has(wire.FlagACK) && w.isLater(s):
		return waitReuse
	case !s.has(wire.FlagACK) && !s.has(wire.FlagSYN):
		return waitIgnore
	}
	switch {
	case s.has(wire.FlagFIN) && s.end() == w.rcvNxt:
		w.until = now.add(2 * cfg.msl)
	case s.len() == 0 && s.seq == w.rcvNxt:
		return waitIgnore // an acknowledgment, as there may be any number of
	case w.challenged != 0 && now.since(w.challenged) < challengeInterval:
		return waitIgnore // RFC 5961, Section 7
	default:
		w.challenged = now
	}
	return waitAnswer
}

// isLater reports whether a SYN can only be of a new connection: its timestamp is
// later than the last one heard, or, where there is none, its number is (RFC 6191,
// Section 2; RFC 9293, Section 3.6.1, MAY-2).
func (w *waiter) isLater(s *segment) bool {
	if w.stamps && s.opt.HasTimestamps {
		return int32(s.opt.TSVal-w.stampRecent) > 0 || s.opt.TSVal == w.stampRecent && s.seq.After(w.rcvNxt)
	}
	return s.seq.After(w.rcvNxt)
}

// answer sets o to the acknowledgment that a waiter gives.
func (w *waiter) answer(now instant, o *outgoing) {
	*o = outgoing{seq: w.sndNxt, ack: w.rcvNxt, flags: wire.FlagACK, window: w.window}
	if w.stamps {
		b := wire.AppendNOP(wire.AppendNOP(o.opt[:0]))
		stamp := uint32(time.Duration(now)/stampTick) + w.stampOffset
		o.optLen = uint8(len(wire.AppendTimestamps(b, stamp, w.stampRecent)))
	}
}
