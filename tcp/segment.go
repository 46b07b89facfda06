package tcp

import "landline/wire"

// A segment is what has arrived: SEG.SEQ, SEG.ACK and so on of RFC 9293, Section
// 3.3.1, with the options read. Handling it changes it, as what does not
// belong to the window is cut off.
type segment struct {
	seq, ack wire.Seq
	flags    wire.TCPFlags
	wnd      uint16 // as it lay on the wire
	unit     uint16 // if it is several segments in one, how long each is
	opt      wire.TCPOptions
	data     []byte // belongs to the caller
}

// read sets s to a segment as it came from the wire. Options that cannot be read are
// left out.
func (s *segment) read(t wire.TCP, unit uint16) {
	s.seq, s.ack, s.flags, s.wnd, s.unit = t.Seq(), t.Ack(), t.Flags(), t.Window(), unit
	// "MUST be prepared to handle an illegal option length": what came before it
	// counts (RFC 9293, Section 3.1, MUST-7).
	_ = t.ReadOptions(&s.opt)
	s.data = t.Payload()
}

func (s *segment) has(f wire.TCPFlags) bool { return s.flags.Has(f) }

// len is SEG.LEN: the numbers that s takes, SYN and FIN included.
func (s *segment) len() int {
	return len(s.data) + int(s.flags&wire.FlagFIN) + int(s.flags&wire.FlagSYN)>>1
}

// end is the number behind the last one of s.
func (s *segment) end() wire.Seq { return s.seq.Add(s.len()) }

// mss is the length of the segments on the wire of which s is made.
func (s *segment) mss() int {
	if s.unit != 0 {
		return min(int(s.unit), len(s.data))
	}
	return len(s.data)
}

// segments is how many there were on the wire, or would have been.
func (s *segment) segments() int {
	if s.unit == 0 {
		return 1
	}
	return (len(s.data) + int(s.unit) - 1) / int(s.unit)
}

// An outgoing segment is what the core wants to have sent. Ports and addresses are
// for the shell to add.
type outgoing struct {
	seq, ack wire.Seq
	flags    wire.TCPFlags
	window   uint16 // as it lies on the wire
	unit     uint16 // if not zero, it is to be cut into segments of this many bytes
	optLen   uint8
	opt      [wire.MaxTCPOptions]byte

	// The payload lies in the send ring or in the memory of a user who writes, in one piece or two. That of a unit is made in
	// one. It stays as it is until the next call of the core, or until release after a hold; after giveBack, repoint finds it.
	payload [2][]byte
}

func (o *outgoing) options() []byte { return o.opt[:o.optLen] }

// segments is how many there are on the wire.
func (o *outgoing) segments() int {
	if o.unit == 0 {
		return 1
	}
	return (o.size() + int(o.unit) - 1) / int(o.unit)
}

func (o *outgoing) size() int { return len(o.payload[0]) + len(o.payload[1]) }

// header returns what o has in common with what wire builds.
func (o *outgoing) header(src, dst uint16) wire.TCPHeader {
	return wire.TCPHeader{SrcPort: src, DstPort: dst, Seq: o.seq, Ack: o.ack, Flags: o.flags, Window: o.window}
}

// answerClosed sets o to the answer to a segment that belongs to no connection, and
// reports whether there is one (RFC 9293, Section 3.10.7.1).
//
//	If the ACK bit is off, sequence number zero is used,
//	    <SEQ=0><ACK=SEG.SEQ+SEG.LEN><CTL=RST,ACK>
//	If the ACK bit is on,
//	    <SEQ=SEG.ACK><CTL=RST>
func answerClosed(s *segment, o *outgoing) bool {
	*o = outgoing{}
	switch {
	case s.has(wire.FlagRST):
		return false
	case s.has(wire.FlagACK):
		o.seq, o.flags = s.ack, wire.FlagRST
	default:
		o.ack, o.flags = s.end(), wire.FlagRST|wire.FlagACK
	}
	return true
}
