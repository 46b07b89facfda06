package wire

import (
	"encoding/binary"
	"net/netip"
)

// A Quote is the beginning of a packet that an ICMP error is about. It was sent
// from Src, so that host gets the error. Nothing in it is to be believed before
// it is compared with what was really sent (RFC 5927).
type Quote struct {
	Src, Dst netip.Addr
	Protocol Protocol // of the transport header
	Len      int      // of the whole packet, as its header says, in bytes
	Head     []byte   // the first bytes of the transport header, at least quoteLen
}

// quoteLen is how much of a transport header an error quotes at least (RFC 792,
// and less than RFC 4443 has): both ports and a TCP sequence number, or the
// identifier of an echo.
const quoteLen = 8

// Ports returns the ports of a TCP or UDP header.
func (q *Quote) Ports() (src, dst uint16) {
	return binary.BigEndian.Uint16(q.Head), binary.BigEndian.Uint16(q.Head[2:])
}

// Seq returns the sequence number of a TCP header.
func (q *Quote) Seq() Seq { return Seq{binary.BigEndian.Uint32(q.Head[4:])} }

// EchoID returns the identifier and the sequence number of an ICMP echo
// message.
func (q *Quote) EchoID() (id, seq uint16) {
	return binary.BigEndian.Uint16(q.Head[4:]), binary.BigEndian.Uint16(q.Head[6:])
}

// parseQuote4 reads a packet that may be cut off anywhere after the first
// quoteLen bytes of its transport header.
func parseQuote4(b []byte) (Quote, error) {
	h, err := parseIPv4Header(b)
	if err != nil {
		return Quote{}, ErrQuoteShort
	}
	q := Quote{h.Src(), h.Dst(), h.Protocol(), h.TotalLen(), h.Payload()}
	if len(q.Head) < quoteLen || h.FragmentOffset() != 0 {
		return Quote{}, ErrQuoteShort
	}
	return q, nil
}

// parseQuote6 is parseQuote4 for IPv6, behind extension headers.
func parseQuote6(b []byte) (Quote, error) {
	h, err := parseIPv6Header(b)
	if err != nil {
		return Quote{}, ErrQuoteShort
	}
	e := h.Extensions()
	for e.Next() {
		if f, ok := e.Fragment(); ok && f.Offset() != 0 {
			return Quote{}, ErrQuoteShort
		}
	}
	q := Quote{h.Src(), h.Dst(), e.Protocol(), IPv6Len + h.PayloadLen(), e.Payload()}
	if e.fault != 0 || len(q.Head) < quoteLen {
		return Quote{}, ErrQuoteShort
	}
	return q, nil
}

// appendQuote describes what an error is about: " about 10.0.0.1 > 10.0.0.2 udp
// 5 > 6".
func appendQuote(b []byte, q Quote, err error) []byte {
	if err != nil {
		return append(b, " about an unknown packet"...)
	}
	b = appendAddrs(b, " about ", q.Src, q.Dst)
	b = append(append(b, ' '), q.Protocol.String()...)
	switch q.Protocol {
	case ProtoTCP, ProtoUDP:
		src, dst := q.Ports()
		b = appendPorts(b, "", src, dst)
	}
	if q.Protocol == ProtoTCP {
		b = appendField(b, "seq", q.Seq().n)
	}
	return b
}
