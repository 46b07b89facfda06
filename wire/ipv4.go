package wire

import (
	"encoding/binary"
	"net/netip"
)

const (
	// IPv4Len is the length of an IPv4 header without options, in bytes.
	IPv4Len = 20
	// MaxIPv4Options is how long the options can be, in bytes.
	MaxIPv4Options = 40
)

// Kinds of IPv4 option. Those of 0x80 and above are copied into every fragment.
const (
	IPv4OptRecordRoute = 7
	IPv4OptTimestamp   = 68
	IPv4OptLooseRoute  = 131
	IPv4OptStrictRoute = 137
	IPv4OptRouterAlert = 148 // RFC 2113
	IPv4OptCopied      = 0x80
)

// IPv4RouterAlert is the option that asks routers to look at a packet (RFC
// 2113), as every IGMP message has it.
const IPv4RouterAlert = "\x94\x04\x00\x00"

// IPv4 is an IPv4 header and its payload, as checked by ParseIPv4 (RFC 791).
type IPv4 []byte

// ParseIPv4 checks b's version and lengths and cuts link padding. After it no
// accessor panics. The header's checksum and its options are not checked: see
// Verify and Options.
func ParseIPv4(b []byte) (IPv4, error) { return ParseIPv4Head(b, 0) }

// ParseIPv4Head is ParseIPv4 for the beginning of a packet, of which rest more
// bytes lie elsewhere. The view ends with b, and so do Payload and String.
func ParseIPv4Head(b []byte, rest int) (IPv4, error) {
	h, err := parseIPv4Header(b)
	if err != nil {
		return nil, err
	}
	n := h.TotalLen()
	if n < h.HeaderLen() || n > len(b)+rest {
		return nil, ErrIPv4TotalLen
	}
	return h[:min(n, len(b))], nil
}

// parseIPv4Header checks all but the total length.
func parseIPv4Header(b []byte) (IPv4, error) {
	if len(b) < IPv4Len {
		return nil, ErrIPv4Short
	}
	if b[0]>>4 != 4 {
		return nil, ErrIPv4Version
	}
	if n := IPv4(b).HeaderLen(); n < IPv4Len || n > len(b) {
		return nil, ErrIPv4HeaderLen
	}
	return b, nil
}

// IPv4Header is what AppendIPv4 writes.
type IPv4Header struct {
	TOS            uint8 // differentiated services and, in the low two bits, ECN
	ID             uint16
	DontFragment   bool
	MoreFragments  bool
	FragmentOffset int // in bytes, a multiple of 8 up to 65,528
	TTL            uint8
	Protocol       Protocol
	Src, Dst       netip.Addr // IPv4
	Options        []byte     // up to 40 bytes; padded to a multiple of 4
}

// AppendIPv4 appends a header with its checksum for a payload of n bytes, which
// has to follow. It panics if an address is not IPv4.
func AppendIPv4(b []byte, h *IPv4Header, n int) []byte {
	start := len(b)
	b = append(b, 0x45, h.TOS, 0, 0, byte(h.ID>>8), byte(h.ID), 0, 0, h.TTL, byte(h.Protocol), 0, 0)
	b = append4(b, h.Src)
	b = append4(b, h.Dst)
	b = pad4(append(b, h.Options...), start)

	v := IPv4(b[start:])
	v[0] = 0x40 | byte(len(v)/4)
	v.SetTotalLen(len(v) + n)
	v.setFragment(h.DontFragment, h.MoreFragments, h.FragmentOffset)
	v.FillChecksum()
	return b
}

const (
	ipv4DF = 0x4000
	ipv4MF = 0x2000
)

func (h IPv4) setFragment(dont, more bool, offset int) {
	v := uint16(offset / 8)
	if dont {
		v |= ipv4DF
	}
	if more {
		v |= ipv4MF
	}
	binary.BigEndian.PutUint16(h[6:], v)
}

// HeaderLen returns the header's length with options, from 20 to 60 bytes.
func (h IPv4) HeaderLen() int { return int(h[0]&0xf) * 4 }

// TOS returns the type of service: differentiated services (RFC 2474) above ECN
// (RFC 3168).
func (h IPv4) TOS() uint8 { return h[1] }

// TotalLen returns the length of header and payload, in bytes.
func (h IPv4) TotalLen() int { return int(binary.BigEndian.Uint16(h[2:])) }

// ID returns the identification that fragments of one packet share.
func (h IPv4) ID() uint16 { return binary.BigEndian.Uint16(h[4:]) }

// DontFragment reports whether no router may cut the packet.
func (h IPv4) DontFragment() bool { return h.fragment()&ipv4DF != 0 }

// MoreFragments reports whether this is a fragment, and not the last.
func (h IPv4) MoreFragments() bool { return h.fragment()&ipv4MF != 0 }

// FragmentOffset returns where in the whole packet's payload this payload
// begins, in bytes.
func (h IPv4) FragmentOffset() int { return int(h.fragment()&0x1fff) * 8 }

// IsFragment reports whether h is less than a whole packet.
func (h IPv4) IsFragment() bool { return h.fragment()&^(ipv4DF|0x8000) != 0 }

func (h IPv4) fragment() uint16 { return binary.BigEndian.Uint16(h[6:]) }

// TTL returns how many more routers may pass the packet on.
func (h IPv4) TTL() uint8 { return h[8] }

// Protocol says what the payload is.
func (h IPv4) Protocol() Protocol { return Protocol(h[9]) }

// Checksum returns the header checksum field.
func (h IPv4) Checksum() uint16 { return binary.BigEndian.Uint16(h[10:]) }

// Src returns the address that the packet says it comes from.
func (h IPv4) Src() netip.Addr { return addr4(h[12:]) }

// Dst returns the address that the packet goes to.
func (h IPv4) Dst() netip.Addr { return addr4(h[16:]) }

// Options walks the options.
func (h IPv4) Options() Options {
	return Options{all: h[IPv4Len:h.HeaderLen()], fault: ErrIPv4Option}
}

// Payload returns what follows the header.
func (h IPv4) Payload() []byte { return h[h.HeaderLen():] }

// Header returns the header alone, with its options.
func (h IPv4) Header() []byte { return h[:h.HeaderLen()] }

// PseudoSum returns the sum of the pseudo-header for the payload.
func (h IPv4) PseudoSum() Sum {
	addrs := sumOf4(h[12:]).Plus(sumOf4(h[16:]))
	return pseudoSum(addrs, h.Protocol(), h.TotalLen()-h.HeaderLen())
}

// Verify checks the header checksum.
func (h IPv4) Verify() error {
	if Checksum(h.Header()) != 0 {
		return ErrIPv4Checksum
	}
	return nil
}

// FillChecksum computes and sets the header checksum, over whatever the field
// held.
func (h IPv4) FillChecksum() {
	h.putChecksum(0)
	h.putChecksum(Checksum(h.Header()))
}

func (h IPv4) putChecksum(c uint16) { binary.BigEndian.PutUint16(h[10:], c) }

// SetTotalLen sets the total length. It neither changes len(h) nor the
// checksum.
func (h IPv4) SetTotalLen(n int) { binary.BigEndian.PutUint16(h[2:], uint16(n)) }

// SetID sets the identification. It does not change the checksum.
func (h IPv4) SetID(id uint16) { binary.BigEndian.PutUint16(h[4:], id) }

// DecrementTTL takes one from the TTL, which must not be 0, and mends the
// checksum, so that a header that was damaged stays damaged.
func (h IPv4) DecrementTTL() {
	old := binary.BigEndian.Uint16(h[8:])
	h[8]--
	h.putChecksum(UpdateChecksum(h.Checksum(), old, old-0x100))
}

// append describes the packet: "ip4 10.0.0.1 > 10.0.0.2 ttl 64 id 7 df | udp
// …".
func (h IPv4) append(b []byte) []byte {
	b = appendAddrs(b, "ip4 ", h.Src(), h.Dst())
	b = appendField(b, "ttl", h.TTL())
	b = appendField(b, "id", h.ID())
	if h.TOS() != 0 {
		b = appendField(b, "tos", h.TOS())
	}
	b = appendFlag(b, "df", h.DontFragment())
	if n := h.HeaderLen() - IPv4Len; n != 0 {
		b = appendField(b, "options", n)
	}
	if h.IsFragment() {
		return appendFragment(b, h.FragmentOffset(), h.MoreFragments(), h.Protocol(), h.Payload())
	}
	return appendUpper(b, h.Protocol(), h.Payload())
}

// appendAddrs appends "name 10.0.0.1 > 10.0.0.2".
func appendAddrs(b []byte, name string, src, dst netip.Addr) []byte {
	b = src.AppendTo(append(b, name...))
	return dst.AppendTo(append(b, " > "...))
}

// appendFragment describes a fragment: " frag 1480 more | udp fragment len
// 1480".
func appendFragment(b []byte, offset int, more bool, p Protocol, data []byte) []byte {
	b = appendField(b, "frag", offset)
	b = appendFlag(b, "more", more)
	b = append(append(b, " | "...), p.String()...)
	return appendLen(append(b, " fragment"...), len(data))
}

// appendUpper describes what a packet carries: " | udp 5353 > 53 len 32".
func appendUpper(b []byte, p Protocol, payload []byte) []byte {
	switch p {
	case ProtoTCP:
		return appendParsed(b, payload, ParseTCP)
	case ProtoUDP:
		return appendParsed(b, payload, ParseUDP)
	case ProtoICMP:
		return appendParsed(b, payload, ParseICMPv4)
	case ProtoICMPv6:
		return appendParsed(b, payload, ParseICMPv6)
	case ProtoIGMP:
		return appendParsed(b, payload, ParseIGMP)
	}
	b = append(append(b, " | "...), p.String()...)
	return appendLen(b, len(payload))
}
