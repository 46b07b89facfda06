package link

import (
	"encoding/binary"

	"landline/wire"
)

// tcpChecksumAt is where the checksum is in a TCP header.
const tcpChecksumAt = 16

// receive cuts units, for faults hit packets, and the others are not to know that there are
// units on this wire.
func (d *Impaired) receive(frames []Frame) {
	for i := range frames {
		if frames[i].SegSize != 0 {
			d.in.take(d.cutter.cut(frames))
			d.cutter.forget()
			return
		}
	}
	d.in.take(frames)
}

// A cutter cuts units into their segments. It holds the segments' headers; their
// payload stays where it is.
type cutter struct {
	frames  []Frame
	headers []byte
}

// cut returns frames with segments in the place of units. A unit that is none is left as it is, but
// for its SegSize. The result is good until forget.
func (c *cutter) cut(frames []Frame) []Frame {
	for i := range frames {
		f := frames[i]
		if n := unitHeaderLen(&f); f.SegSize != 0 && n != 0 {
			c.cutUnit(&f, n)
			continue
		}
		f.SegSize = 0
		c.frames = append(c.frames, f)
	}
	return c.frames
}

func (c *cutter) forget() {
	clear(c.frames)
	c.frames, c.headers = c.frames[:0], c.headers[:0]
}

// unitHeaderLen returns the length of the headers of a unit, or 0 if it is none.
func unitHeaderLen(f *Frame) int {
	start := int(f.SumStart)
	if f.Sum != SumPartial || int(f.SumField) != start+tcpChecksumAt || start > len(f.Head) {
		return 0
	}
	tcp, err := wire.ParseTCP(f.Head[start:])
	if err != nil || !isPacketTo(f, start) {
		return 0
	}
	return start + tcp.HeaderLen()
}

// isPacketTo reports whether the headers of a packet reach from the Ethernet header to
// a TCP header.
func isPacketTo(f *Frame, tcp int) bool {
	e, err := wire.ParseEthernet(f.Head)
	if err != nil {
		return false
	}
	at := len(e.Header())
	switch e.Type() {
	case wire.TypeIPv4:
		h, err := wire.ParseIPv4Head(e.Payload(), len(f.Body))
		return err == nil && at+h.HeaderLen() == tcp
	case wire.TypeIPv6:
		_, err := wire.ParseIPv6Head(e.Payload(), len(f.Body))
		return err == nil && at+wire.IPv6Len <= tcp
	}
	return false
}

// cutUnit cuts a unit whose headers are n bytes long.
func (c *cutter) cutUnit(f *Frame, n int) {
	inHead, size := len(f.Head)-n, int(f.SegSize) // bytes of payload
	total := f.Len() - n
	for at := 0; at == 0 || at < total; at += size {
		start, end := len(c.headers), min(total, at+size)
		c.headers = append(c.headers, f.Head[:n]...)
		if at < inHead {
			c.headers = append(c.headers, f.Head[n+at:n+min(end, inHead)]...)
		}
		s := *f
		s.SegSize = 0
		s.Head = c.headers[start:len(c.headers):len(c.headers)]
		s.Body = f.Body[max(0, at-inHead):max(0, end-inHead)]
		mendTCP(&s, at, end == total)
		mendIP(&s, at/size)
		c.frames = append(c.frames, s)
	}
}

// mendTCP makes the TCP header of a unit into that of a segment, which begins at some
// byte of the payload.
func mendTCP(s *Frame, at int, last bool) {
	tcp := wire.TCP(s.Head[s.SumStart:])
	flags := tcp.Flags()
	if !last {
		flags &^= wire.FlagFIN | wire.FlagPSH
	}
	if at > 0 {
		flags &^= wire.FlagCWR // which the first one has said
	}
	tcp.SetFlags(flags)
	tcp.SetSeq(tcp.Seq().Add(at))
}

// mendIP makes the IP header of a unit into that of a segment, and the checksum of the segment
// into one that is open.
func mendIP(s *Frame, number int) {
	e := wire.Ethernet(s.Head)
	n := s.Len() - len(e.Header())
	var pseudo wire.Sum
	if e.Type() == wire.TypeIPv4 {
		h := wire.IPv4(e.Payload())
		h.SetTotalLen(n)
		h.SetID(h.ID() + uint16(number))
		h.FillChecksum()
		pseudo = h.PseudoSum()
	} else {
		h := wire.IPv6(e.Payload())
		h.SetPayloadLen(n - wire.IPv6Len)
		pseudo = h.PseudoSum(wire.ProtoTCP, s.Len()-int(s.SumStart))
	}
	wire.TCP(s.Head[s.SumStart:]).SetPartialChecksum(pseudo)
}

// complete fills in a checksum that was left open. The frame is all in Head, and ours.
func complete(f *Frame) {
	if f.Sum != SumPartial {
		return
	}
	f.Sum = SumUnchecked
	if checkPartial(f) != nil {
		return
	}
	c := wire.Checksum(f.Head[f.SumStart:])
	if c == 0 {
		c = 0xffff // which UDP needs, and TCP may have
	}
	binary.BigEndian.PutUint16(f.Head[f.SumField:], c)
}
