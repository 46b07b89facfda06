package link

import (
	"encoding/binary"

	"landline/wire"
)

// tcpChecksum is where the checksum is in a TCP header.
const tcpChecksum = 16

// A unit is where the parts of a frame are that is made of several TCP segments.
type unit struct {
	ip      int // offset of the IP header
	v6      bool
	tcp     int // offset of the TCP header
	headers int // length of all headers
	end     int // of the payload, from the beginning of the frame; only padding may follow
}

// unit reads the headers of a unit. The error is ErrFrame, if they are not all in Head, say
// more than there is, or are not those of TCP.
func (f *Frame) unit() (u unit, err error) {
	u.tcp = int(f.SumStart)
	if u.headers, err = f.unitHeaderLen(); err != nil || f.Sum != SumPartial {
		return u, ErrFrame
	}
	e, err := wire.ParseEthernet(f.Head)
	if err != nil {
		return u, ErrFrame
	}
	u.ip = len(e.Header())
	switch e.Type() {
	case wire.TypeIPv4:
		h, err := wire.ParseIPv4Head(e.Payload(), len(f.Body))
		if err != nil || h.Protocol() != wire.ProtoTCP || h.IsFragment() || u.ip+h.HeaderLen() != u.tcp {
			return u, ErrFrame
		}
		u.end = u.ip + h.TotalLen()
	case wire.TypeIPv6:
		h, err := wire.ParseIPv6Head(e.Payload(), len(f.Body))
		if err != nil || !endsInTCP(h, u.tcp-u.ip) {
			return u, ErrFrame
		}
		u.v6 = true
		u.end = u.ip + wire.IPv6Len + h.PayloadLen()
	default:
		return u, ErrFrame
	}
	if u.end < u.headers {
		return u, ErrFrame
	}
	return u, nil
}

// endsInTCP reports whether the extension headers lead to TCP at an offset.
func endsInTCP(h wire.IPv6, offset int) bool {
	e := h.Extensions()
	for e.Next() {
	}
	f, fragment := e.Fragment()
	return e.Err() == nil && e.Protocol() == wire.ProtoTCP && len(h)-len(e.Payload()) == offset &&
		(!fragment || f.IsAtomic())
}

// unitHeaderLen returns the length of all the headers of a unit. The error is ErrFrame, if
// they are not all in Head or its checksum is not that of a TCP header.
func (f *Frame) unitHeaderLen() (int, error) {
	start := int(f.SumStart)
	if int(f.SumField) != start+tcpChecksum || start+wire.TCPLen > len(f.Head) {
		return 0, ErrFrame
	}
	tcp, err := wire.ParseTCP(f.Head[start:])
	if err != nil {
		return 0, ErrFrame
	}
	return start + tcp.HeaderLen(), nil
}

// wholeSum returns what the checksum field of a frame has to hold that is SumPartial.
func (f *Frame) wholeSum() uint16 {
	head := f.Head[f.SumStart:]
	c := wire.Sum(0).Add(head).PlusAt(wire.Sum(0).Add(f.Body), len(head)).Checksum()
	if c == 0 && f.SumField != f.SumStart+tcpChecksum {
		return 0xffff // for UDP zero says that there is none (RFC 768)
	}
	return c
}

// putSum completes the checksum of a frame whose Head is ours.
func (f *Frame) putSum() {
	binary.BigEndian.PutUint16(f.Head[f.SumField:], f.wholeSum())
	f.Sum, f.SumStart, f.SumField = SumUnchecked, 0, 0
}
