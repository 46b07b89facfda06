package wire

import (
	"encoding/binary"
	"net/netip"
)

// IPv6Len is the length of an IPv6 header without extension headers, in bytes.
const IPv6Len = 40

// IPv6 is an IPv6 header, its extension headers and its payload, as checked by
// ParseIPv6 (RFC 8200).
type IPv6 []byte

// ParseIPv6 checks b's version and lengths and cuts link padding. After it no
// accessor panics. Extension headers are checked as they are walked: see
// Extensions and Upper. There are no jumbograms.
func ParseIPv6(b []byte) (IPv6, error) { return ParseIPv6Head(b, 0) }

// ParseIPv6Head is ParseIPv6 for the beginning of a packet, of which rest more
// bytes lie elsewhere. The view ends with b, and so do Payload and String.
func ParseIPv6Head(b []byte, rest int) (IPv6, error) {
	h, err := parseIPv6Header(b)
	if err != nil {
		return nil, err
	}
	n := IPv6Len + h.PayloadLen()
	if n > len(b)+rest {
		return nil, ErrIPv6PayloadLen
	}
	return h[:min(n, len(b))], nil
}

// parseIPv6Header checks all but the payload's length.
func parseIPv6Header(b []byte) (IPv6, error) {
	if len(b) < IPv6Len {
		return nil, ErrIPv6Short
	}
	if b[0]>>4 != 6 {
		return nil, ErrIPv6Version
	}
	return b, nil
}

// IPv6Header is what AppendIPv6 writes.
type IPv6Header struct {
	TrafficClass uint8    // differentiated services and, in the low two bits, ECN
	FlowLabel    uint32   // 20 bits
	NextHeader   Protocol // of the first extension header, or of the payload
	HopLimit     uint8
	Src, Dst     netip.Addr
}

// AppendIPv6 appends a header for n bytes of extension headers and payload,
// which have to follow. It panics if an address is the zero Addr.
func AppendIPv6(b []byte, h *IPv6Header, n int) []byte {
	be := binary.BigEndian
	b = be.AppendUint32(b, 6<<28|uint32(h.TrafficClass)<<20|h.FlowLabel&0xfffff)
	b = be.AppendUint16(b, uint16(n))
	b = append(b, byte(h.NextHeader), h.HopLimit)
	b = append16(b, h.Src)
	return append16(b, h.Dst)
}

// TrafficClass returns differentiated services above ECN.
func (h IPv6) TrafficClass() uint8 { return uint8(binary.BigEndian.Uint16(h) >> 4) }

// FlowLabel returns the 20 bits that packets of one flow share.
func (h IPv6) FlowLabel() uint32 { return binary.BigEndian.Uint32(h) & 0xfffff }

// PayloadLen returns the length of extension headers and payload, in bytes.
func (h IPv6) PayloadLen() int { return int(binary.BigEndian.Uint16(h[4:])) }

// NextHeader says what follows this header: see Upper for what follows them
// all.
func (h IPv6) NextHeader() Protocol { return Protocol(h[6]) }

// HopLimit returns how many more routers may pass the packet on.
func (h IPv6) HopLimit() uint8 { return h[7] }

// Src returns the address that the packet says it comes from.
func (h IPv6) Src() netip.Addr { return addr16(h[8:]) }

// Dst returns the address that the packet goes to.
func (h IPv6) Dst() netip.Addr { return addr16(h[24:]) }

// Payload returns what follows this header, with extension headers.
func (h IPv6) Payload() []byte { return h[IPv6Len:] }

// Header returns this header alone.
func (h IPv6) Header() []byte { return h[:IPv6Len] }

// PseudoSum returns the sum of the pseudo-header for n bytes of protocol p,
// which the extension headers, if any, are followed by.
func (h IPv6) PseudoSum(p Protocol, n int) Sum {
	return pseudoSum(Sum(0).Add(h[8:IPv6Len]), p, n)
}

// SetPayloadLen sets the length of what follows this header. It does not change
// len(h).
func (h IPv6) SetPayloadLen(n int) { binary.BigEndian.PutUint16(h[4:], uint16(n)) }

// DecrementHopLimit takes one from the hop limit, which must not be 0.
func (h IPv6) DecrementHopLimit() { h[7]-- }

// append describes the packet: "ip6 fe80::1 > ff02::1 hop 255 | icmp6 …".
func (h IPv6) append(b []byte) []byte {
	b = appendAddrs(b, "ip6 ", h.Src(), h.Dst())
	b = appendField(b, "hop", h.HopLimit())
	if h.TrafficClass() != 0 {
		b = appendField(b, "class", h.TrafficClass())
	}
	if h.FlowLabel() != 0 {
		b = appendField(b, "flow", h.FlowLabel())
	}
	e := h.Extensions()
	for e.Next() {
		if f, ok := e.Fragment(); ok && !f.IsAtomic() {
			b = appendField(b, "id", f.ID())
			return appendFragment(b, f.Offset(), f.MoreFragments(), e.Protocol(), e.Payload())
		}
		b = append(append(b, " | "...), e.Kind().String()...)
		b = appendLen(b, len(e.Bytes()))
	}
	if e.fault != 0 {
		return appendBad(append(b, " | "...), e.fault, len(e.Payload()))
	}
	return appendUpper(b, e.Protocol(), e.Payload())
}

// SolicitedNode returns the multicast address that a's owner is asked at (RFC
// 4291, Section 2.7.1). It panics if a is the zero Addr.
func SolicitedNode(a netip.Addr) netip.Addr {
	x := a.As16()
	return netip.AddrFrom16([16]byte{0: 0xff, 1: 0x02, 11: 1, 12: 0xff, 13: x[13], 14: x[14], 15: x[15]})
}
