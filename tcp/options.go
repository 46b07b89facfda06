package tcp

import (
	"time"

	"landline/wire"
)

// features are what both ends have agreed to use.
type features uint8

const (
	useTimestamps features = 1 << iota
	useSACK
	useScale
)

func (t *tcb) has(f features) bool { return t.use&f != 0 }

const (
	// stampTick is the tick of the timestamps: "between 1 ms and 1 s" (RFC 7323,
	// Section 5.4).
	stampTick = time.Millisecond
	// stampsLen is what they take in each header, with two no-operations.
	stampsLen = 12
	// stampLife is how long a timestamp is worth comparing: at a tick of a
	// millisecond its sign changes in less than 25 days. "24 days" (RFC 7323, Section
	// 5.5).
	stampLife = 24 * 24 * time.Hour

	// defaultMSS4 and defaultMSS6 count if the peer does not say: "a default send MSS
	// of 536 (576 - 40) for IPv4 or 1220 (1280 - 60) for IPv6" (RFC 9293, Section
	// 3.7.1, MUST-15).
	defaultMSS4 = 536
	defaultMSS6 = 1220
	// minMSS is the least that is believed. Options take up to 40 bytes of it; a peer
	// that says 0 or 1 wants to have a header sent for each byte.
	minMSS = 88
)

// stamp returns the TSval of now. Each connection begins somewhere else: "a random
// offset may be added" (RFC 7323, Section 5.4), so that it tells nothing of
// when the host began.
func (t *tcb) stamp(now instant) uint32 {
	return uint32(time.Duration(now)/stampTick) + t.stampOffset
}

// agree takes what the SYN of the peer says of it. offered is what our SYN says, or
// would.
func (t *tcb) agree(now instant, o *wire.TCPOptions, offered features) {
	t.use = 0
	if o.HasTimestamps && offered&useTimestamps != 0 {
		t.use |= useTimestamps
		t.stampRecent, t.stampAt = o.TSVal, now
	}
	if o.SACKPermitted && offered&useSACK != 0 {
		t.use |= useSACK
	}
	// "Both sides MUST send Window Scale options in their <SYN> segments to enable
	// window scaling in either direction" (RFC 7323, Section 2.2).
	t.rcv.shift, t.snd.shift = 0, 0
	if o.HasWindowScale && offered&useScale != 0 {
		t.use |= useScale
		t.rcv.shift = scaleFor(t.cfg.recvMax)
		t.snd.shift = min(o.WindowScale, wire.MaxWindowScale)
	}
	t.snd.peerMSS = o.MSS
	if o.MSS == 0 {
		t.snd.peerMSS = t.defaultMSS()
	}
	t.setMSS(t.snd.pathMSS)
}

// offers are what our SYN asks for.
func (c *config) offers() (f features) {
	if !c.noTimestamps {
		f |= useTimestamps
	}
	if !c.noSACK {
		f |= useSACK
	}
	if !c.noScale {
		f |= useScale
	}
	return f
}

// scaleFor returns the least shift with which a window can be as large as a buffer.
func scaleFor(buffer int) (shift uint8) {
	for shift < wire.MaxWindowScale && buffer>>shift > 65535 {
		shift++
	}
	return shift
}

func (t *tcb) defaultMSS() uint16 {
	if t.ipv6 {
		return defaultMSS6
	}
	return defaultMSS4
}

// setMSS sets how long a segment may be, from what the path carries and what the
// peer takes (RFC 9293, Section 3.7.1, MUST-16):
//
//	Eff.snd.MSS = min(SendMSS+20, MMS_S) - TCPhdrsize - IPoptionsize
//
// TCPhdrsize is with options, which payloadMax takes off.
func (t *tcb) setMSS(path uint16) {
	t.snd.pathMSS = path
	t.snd.mss = max(min(t.snd.peerMSS, path), minMSS)
}

// payloadMax is how many bytes a segment of ours carries beside so many of options.
func (t *tcb) payloadMax(options int) int { return int(t.snd.mss) - options }

// mss is payloadMax for a segment that reports nothing special. It is SMSS of RFC
// 5681.
func (t *tcb) mss() int {
	if t.has(useTimestamps) {
		return int(t.snd.mss) - stampsLen
	}
	return int(t.snd.mss)
}

// putSYNOptions writes the options of a SYN: of ours if it is the first, of what has
// been agreed on if it answers one.
func (t *tcb) putSYNOptions(now instant, o *outgoing, use features) {
	b := wire.AppendMSS(o.opt[:0], t.rcv.announced)
	if t.cfg.scaleFirst {
		b = t.putScale(b, use)
		b = putSACKPermitted(b, use)
		b = t.putSYNStamps(now, b, use)
	} else {
		if use&(useSACK|useTimestamps) == useSACK {
			b = wire.AppendNOP(wire.AppendNOP(b))
		}
		b = putSACKPermitted(b, use)
		b = t.putSYNStamps(now, b, use)
		b = t.putScale(b, use)
	}
	for len(b)%4 != 0 {
		b = append(b, 0) // the end of the list
	}
	o.optLen = uint8(len(b))
}

func putSACKPermitted(b []byte, use features) []byte {
	if use&useSACK == 0 {
		return b
	}
	return wire.AppendSACKPermitted(b)
}

// putSYNStamps fills up the word that timestamps begin in, if SACK permitted does not.
func (t *tcb) putSYNStamps(now instant, b []byte, use features) []byte {
	if use&useTimestamps == 0 {
		return b
	}
	if use&useSACK == 0 {
		b = wire.AppendNOP(wire.AppendNOP(b))
	}
	return wire.AppendTimestamps(b, t.stamp(now), t.stampRecent)
}

func (t *tcb) putScale(b []byte, use features) []byte {
	if use&useScale == 0 {
		return b
	}
	return wire.AppendWindowScale(wire.AppendNOP(b), scaleFor(t.cfg.recvMax))
}

// putOptions writes the options of any other segment: timestamps, once agreed on, in
// every one (RFC 7323, Section 3.2), and what has arrived out of order.
func (t *tcb) putOptions(now instant, o *outgoing) {
	b := o.opt[:0]
	if t.has(useTimestamps) {
		b = t.appendStamps(b, now)
	}
	if t.has(useSACK) && t.early != nil && t.early.toReport() {
		b = t.early.putSACK(b)
	}
	o.optLen = uint8(len(b))
}

func (t *tcb) appendStamps(b []byte, now instant) []byte {
	return wire.AppendTimestamps(wire.AppendNOP(wire.AppendNOP(b)), t.stamp(now), t.stampRecent)
}

// checkStamp does what RFC 7323 wants before a segment is looked at: it reports
// whether the segment may be looked at.
func (t *tcb) checkStamp(now instant, s *segment) bool {
	if !t.has(useTimestamps) || s.has(wire.FlagRST) {
		// "Once TSopt has been successfully negotiated ... the TSopt MUST be sent in
		// every non-<RST> segment"; "RST segments ... MUST NOT be subjected to the
		// PAWS check" (Sections 3.2 and 5.2).
		return true
	}
	if !s.opt.HasTimestamps {
		// "If a non-<RST> segment is received without a TSopt, a TCP SHOULD silently
		// drop the segment" (Section 3.2).
		return false
	}
	if int32(s.opt.TSVal-t.stampRecent) >= 0 {
		return true
	}
	if now.since(t.stampAt) > stampLife {
		// What is remembered is too old to compare with (Section 5.5): "if the connection
		// has been idle more than 24 days ... TS.Recent will be updated".
		t.stampRecent, t.stampAt = s.opt.TSVal, now
		return true
	}
	// R1: "send an acknowledgment in reply ... and drop the segment" (Section 5.3).
	t.challengeEmpty(now, s)
	return false
}

// rememberStamp is R3 of RFC 7323, Section 5.3, by way of Section 4.3: "If SEG.TSval
// >= TS.Recent and SEG.SEQ <= Last.ACK.sent, then TS.Recent is set to SEG.TSval".
//
// Unlike RFC 7323, not of a segment whose acknowledgment cannot be true, and which is therefore thrown away
// (RFC 5961, Section 5.2): a stranger could set a timestamp so high that PAWS drops all that the peer sends.
func (t *tcb) rememberStamp(now instant, s *segment) {
	if t.has(useTimestamps) && s.opt.HasTimestamps && s.seq.AtOrBefore(t.rcv.acked) && t.mayAcknowledge(s.ack) &&
		int32(s.opt.TSVal-t.stampRecent) >= 0 {
		t.stampRecent, t.stampAt = s.opt.TSVal, now
	}
}
