package link

import (
	"encoding/binary"

	"landline/wire"
)

// A Segmenter does for a wire what it does not do itself: it cuts units into their
// segments, and completes checksums that were left open. What it takes belongs to
// somebody else, so it copies headers and leaves payload where it is.
//
// The zero value is for a bare wire. Not to be used by several goroutines at once. Once it
// has seen the largest batch it allocates nothing.
type Segmenter struct {
	// Offloads are those of the device behind: what is not to be done.
	Offloads Offloads

	frames  []Frame
	headers []byte // under frames
}

// Add takes a frame, or all the segments of a unit. The frame's bytes must stay as they are
// until Reset. The error is ErrFrame, and nothing is taken, if it is a unit
// that is not TCP, or one whose headers contradict each other or are not in Head.
//
// The segments of a unit have its headers, with their own lengths and sequence numbers, and,
// over IPv4, identifications that count up from its. FIN and PSH are in the last alone, and
// CWR in the first (RFC 3168, Section 6.1.2, wants it in one segment). That they fit the wire is
// up to who chose SegSize; Device.Write checks it.
func (s *Segmenter) Add(f *Frame) error {
	open := f.Sum == SumPartial && s.Offloads&(OffloadChecksum|OffloadTSO) == 0
	switch {
	case f.SegSize != 0 && s.Offloads&OffloadTSO == 0:
		return s.cut(f, open)
	case open:
		return s.complete(f)
	}
	s.frames = append(s.frames, *f)
	return nil
}

// Frames returns what has been taken since Reset, in its order, ready for the device.
func (s *Segmenter) Frames() []Frame { return s.frames }

// Reset forgets all frames.
func (s *Segmenter) Reset() {
	clear(s.frames)
	s.frames, s.headers = s.frames[:0], s.headers[:0]
}

// complete takes a copy of f with its checksum.
func (s *Segmenter) complete(f *Frame) error {
	if err := checkPartial(f); err != nil {
		return err
	}
	const longest = wire.TCPLen + wire.MaxTCPOptions // of transport headers
	c, n := *f, len(f.Head)
	if len(f.Body) == 0 { // there may be much in Head that is no header
		n = min(n, int(f.SumStart)+longest)
		c.Body = f.Head[n:]
	}
	c.Head = s.copyHeader(f.Head[:n], nil)
	c.putSum()
	s.frames = append(s.frames, c)
	return nil
}

// copyHeader copies a, followed by b.
func (s *Segmenter) copyHeader(a, b []byte) []byte {
	start := len(s.headers)
	s.headers = append(append(s.headers, a...), b...)
	return s.headers[start:len(s.headers):len(s.headers)]
}

// cut takes the segments of f, with or without their checksums.
func (s *Segmenter) cut(f *Frame, complete bool) error {
	u, err := f.unit()
	if err != nil {
		return err
	}
	size := int(f.SegSize)
	for start, i := u.headers, 0; i == 0 || start < u.end; start, i = start+size, i+1 {
		end := min(start+size, u.end)
		segment := s.piece(f, u.headers, start, end)
		u.mendIP(segment.Head, end-start, i)
		u.mendTCP(segment.Head, start, end)
		if complete {
			segment.putSum()
		}
		s.frames = append(s.frames, segment)
	}
	return nil
}

// piece returns a frame of the headers of f, n bytes, and its bytes from start to end.
func (s *Segmenter) piece(f *Frame, n, start, end int) Frame {
	p, inHead := *f, len(f.Head)
	p.SegSize = 0
	switch {
	case end <= inHead:
		p.Head, p.Body = s.copyHeader(f.Head[:n], nil), f.Head[start:end]
	case start >= inHead:
		p.Head, p.Body = s.copyHeader(f.Head[:n], nil), f.Body[start-inHead:end-inHead]
	default:
		p.Head, p.Body = s.copyHeader(f.Head[:n], f.Head[start:]), f.Body[:end-inHead]
	}
	return p
}

// mendIP makes the IP header of the unit into that of its i-th segment, which has so many
// bytes of payload.
func (u *unit) mendIP(head []byte, payload, i int) {
	n := u.headers - u.ip + payload
	if u.v6 {
		wire.IPv6(head[u.ip:]).SetPayloadLen(n - wire.IPv6Len)
		return
	}
	h := wire.IPv4(head[u.ip:])
	h.SetTotalLen(n)
	h.SetID(h.ID() + uint16(i))
	h.FillChecksum()
}

// mendTCP makes the TCP header of the unit into that of the segment of its bytes from
// start to end, and the open checksum into that of the segment.
func (u *unit) mendTCP(head []byte, start, end int) {
	tcp := wire.TCP(head[u.tcp:])
	flags := tcp.Flags()
	if end != u.end {
		flags &^= wire.FlagFIN | wire.FlagPSH
	}
	if start != u.headers {
		flags &^= wire.FlagCWR
	}
	tcp.SetFlags(flags)
	tcp.SetSeq(tcp.Seq().Add(start - u.headers))
	// Only the length changes in the pseudo-header. Its destination may be another than
	// that of the IP header, if there is a routing header (RFC 8200, Section 8.1).
	was, is := wire.Sum(u.end-u.tcp), wire.Sum(u.headers-u.tcp+end-start)
	pseudo := wire.Sum(binary.BigEndian.Uint16(tcp[tcpChecksum:]))
	tcp.SetPartialChecksum(pseudo.Plus(^was).Plus(is))
}
