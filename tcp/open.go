package tcp

import (
	"time"

	"landline/internal/ring"
	"landline/wire"
)

// An endpoint is what the shell knows of a connection before it exists.
type endpoint struct {
	iss         wire.Seq // RFC 6528, MUST-8: for the shell to choose
	stampOffset uint32   // where the timestamps begin
	pathMSS     uint16   // what the path carries: its MTU less the IP header and 20
	linkMSS     uint16   // the same of the link here, which our SYN announces
	ipv6        bool
}

func newTCB(cfg *config, e endpoint) *tcb {
	t := new(tcb)
	t.init(cfg, e)
	return t
}

func (t *tcb) init(cfg *config, e endpoint) {
	*t = tcb{cfg: cfg, ipv6: e.ipv6, stampOffset: e.stampOffset, flight: flight{all: t.flight.all[:0]}}
	t.snd.iss, t.snd.una, t.snd.nxt = e.iss, e.iss, e.iss
	t.snd.base, t.snd.small = e.iss.Add(1), e.iss
	t.snd.limit, t.rcv.limit = int32(cfg.bufferInit), int32(cfg.bufferInit)
	t.snd.peerMSS, t.rcv.announced = t.defaultMSS(), e.linkMSS
	t.setMSS(e.pathMSS)
	t.rcv.mss = min(defaultMSS4, e.linkMSS)
	if !cfg.noQuickACKs {
		t.quick = quickACKs
	}
}

// connect opens actively (RFC 9293, Section 3.10.1): a SYN is sent, and the state is
// SYN-SENT.
func connect(cfg *config, now time.Time, e endpoint) *tcb {
	t := newTCB(cfg, e)
	t.state, t.synDue = synSent, true
	t.moved = cfg.at(now)
	t.heard = t.moved
	return t
}

// accept opens passively, for a listener that a SYN came to: the state is
// SYN-RECEIVED, and SYN,ACK is sent (RFC 9293, Section 3.10.7.2). What else the SYN
// carries is left for the peer to send again.
func accept(cfg *config, now time.Time, e endpoint, syn *segment) *tcb {
	t := new(tcb)
	t.accept(cfg, cfg.at(now), e, syn)
	return t
}

func (t *tcb) accept(cfg *config, now instant, e endpoint, syn *segment) {
	t.init(cfg, e)
	t.state, t.synDue, t.passive = synReceived, true, true
	t.moved, t.heard = now, now
	t.takeSYN(now, syn)
}

// answered tells a connection that was just made by accept that the shell has sent
// SYN,ACK for it already, so many times, and last at sent.
func (t *tcb) answered(sent instant, times uint8) {
	t.synDue = false
	t.snd.nxt = t.snd.iss.Add(1)
	t.flight.add(t.snd.iss, t.snd.nxt, sent)
	if t.rtt.backoff = times - 1; times > 1 {
		t.flight.all[0].fate = twice
	}
}

// takeSYN takes the peer's SYN: "RCV.NXT is set to SEG.SEQ+1, IRS is set to SEG.SEQ".
func (t *tcb) takeSYN(now instant, s *segment) {
	t.rcv.irs, t.rcv.nxt = s.seq, s.seq.Add(1)
	t.rcv.edge, t.rcv.acked = t.rcv.nxt.Add(int(t.synWindow())), t.rcv.nxt
	t.agree(now, &s.opt, t.cfg.offers())
	// "The window field in a segment where the SYN bit is set MUST NOT be scaled" (RFC
	// 7323, Section 2.2).
	t.snd.wnd, t.snd.maxWnd = uint32(s.wnd), uint32(s.wnd)
	t.snd.wl1, t.snd.wl2 = s.seq, t.snd.iss
	if s.has(wire.FlagACK) {
		t.snd.wl2 = s.ack
	}
}

// arriveSYNSent handles a segment in the order of RFC 9293, Section 3.10.7.3.
func (t *tcb) arriveSYNSent(now instant, s *segment) {
	acked := s.has(wire.FlagACK)
	// "First, check the ACK bit": "If SEG.ACK =< ISS or SEG.ACK > SND.NXT, send a
	// reset (unless the RST bit is set...) <SEQ=SEG.ACK><CTL=RST> and discard the
	// segment."
	if acked && (s.ack.AtOrBefore(t.snd.iss) || s.ack.After(t.snd.nxt)) {
		if !s.has(wire.FlagRST) {
			t.resetDue, t.resetSeq = resetAt, s.ack
		}
		return
	}
	// "Second, check the RST bit": one that does not acknowledge our SYN may be
	// anybody's (RFC 5961, Section 3.2).
	if s.has(wire.FlagRST) {
		if acked {
			t.end(errRefused)
		}
		return
	}
	// "Fourth, check the SYN bit".
	if !s.has(wire.FlagSYN) {
		return
	}
	t.heard = now
	t.takeSYN(now, s)
	if !acked {
		// Simultaneous open (MUST-10): "enter SYN-RECEIVED, form a SYN,ACK segment".
		// What else this SYN carries the peer will send again.
		t.state, t.synDue = synReceived, true
		return
	}
	t.takeSYNACK(now, s)
}

// takeSYNACK goes on with what follows SYN in the segment that answers ours.
func (t *tcb) takeSYNACK(now instant, s *segment) {
	t.takeHandshakeACK(now, s)
	t.ackNow = true
	s.flags &^= wire.FlagSYN
	s.seq = s.seq.Add(1)
	if len(s.data) > 0 || s.has(wire.FlagFIN) {
		t.trim(s)
		t.takeText(now, s)
		t.takeFIN(now, s)
	}
}

// checkHandshake looks, in SYN-RECEIVED, for the peer's SYN that is known already, and
// reports whether something is left of the segment.
//
// Alone, it says that our SYN,ACK was lost. With an acknowledgment it is the second
// half of a simultaneous open (RFC 9293, Figure 8): the numbers of its SYN are
// before the window, so that the steps would refuse it.
func (t *tcb) checkHandshake(s *segment) bool {
	if !s.has(wire.FlagSYN) || s.has(wire.FlagRST) || s.seq != t.rcv.irs {
		return true
	}
	if !s.has(wire.FlagACK) {
		t.synDue = true
		return false
	}
	s.flags &^= wire.FlagSYN
	s.seq = s.seq.Add(1)
	// The window of a SYN is not scaled.
	s.wnd >>= t.snd.shift
	return true
}

// takeHandshakeACK takes the acknowledgment of our SYN: "SND.UNA is advanced", and the
// state is ESTABLISHED.
func (t *tcb) takeHandshakeACK(now instant, s *segment) {
	var d delivery
	tries := t.rtt.backoff
	t.rtt.retried = tries > 0
	t.flight.ack(s.ack, &d)
	t.snd.una = s.ack
	t.takeRTT(now, s, &d)
	t.rtt.backoff = 0
	t.retransmit, t.kind = 0, idle
	t.moved = now
	t.cc.start(t, tries > 0)
	t.state = established
	if t.snd.fin {
		t.state = finWait1
	}
}

// synWindow is the window that our SYN announces, which is never scaled.
func (t *tcb) synWindow() uint16 { return uint16(min(t.rcv.limit, 65535)) }

// emitSYN sends SYN, or SYN,ACK.
func (t *tcb) emitSYN(now instant, o *outgoing) bool {
	if !t.synDue {
		return false
	}
	t.synDue = false
	o.seq, o.ack, o.flags, o.window = t.snd.iss, wire.Seq{}, wire.FlagSYN, t.synWindow()
	use := t.cfg.offers()
	if t.state == synReceived {
		o.ack, o.flags = t.rcv.nxt, wire.FlagSYN|wire.FlagACK
		use = t.use
		t.ackNow = false
	}
	t.putSYNOptions(now, o, use)
	if t.snd.nxt == t.snd.iss {
		t.snd.nxt = t.snd.iss.Add(1)
		t.flight.add(t.snd.iss, t.snd.nxt, now)
		return true
	}
	t.flight.loseAll()
	t.flight.send(int(t.flight.head), 1, now)
	return true
}

// reclaim lets go of rings, when they are empty, and of what belongs to them.
func (t *tcb) reclaim() {
	t.snd.text, t.rcv.ring, t.flight, t.early = sendText{}, ring.Ring{}, flight{}, nil
	if t.in != nil && t.in.b == nil {
		t.in = nil
	}
	if t.loss != nil && t.mode() == steady {
		t.trustPath()
		t.loss = nil
	}
}
