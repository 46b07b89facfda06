package wire

import "encoding/binary"

// UDPLen is the length of a UDP header in bytes.
const UDPLen = 8

// UDP is a UDP header and its payload, as checked by ParseUDP (RFC 768).
type UDP []byte

// ParseUDP checks b's lengths and cuts what follows the datagram. After it no
// accessor panics. The checksum is not checked: see Verify.
func ParseUDP(b []byte) (UDP, error) { return ParseUDPHead(b, 0) }

// ParseUDPHead is ParseUDP for the beginning of a datagram, of which rest more
// bytes lie elsewhere. The view ends with b, and so do Payload and String.
func ParseUDPHead(b []byte, rest int) (UDP, error) {
	if len(b) < UDPLen {
		return nil, ErrUDPShort
	}
	n := int(binary.BigEndian.Uint16(b[4:]))
	if n < UDPLen || n > len(b)+rest {
		return nil, ErrUDPLen
	}
	return b[:min(n, len(b))], nil
}

// AppendUDP appends a header for a payload of n bytes, at most 65,527, which
// has to follow. Its checksum field is zero until SetChecksum or FillChecksum.
func AppendUDP(b []byte, src, dst uint16, n int) []byte {
	be := binary.BigEndian
	b = be.AppendUint16(b, src)
	b = be.AppendUint16(b, dst)
	b = be.AppendUint16(b, uint16(UDPLen+n))
	return append(b, 0, 0)
}

// SrcPort returns the port that the datagram comes from, 0 if it wants no
// answer.
func (u UDP) SrcPort() uint16 { return binary.BigEndian.Uint16(u[0:]) }

// DstPort returns the port that the datagram goes to.
func (u UDP) DstPort() uint16 { return binary.BigEndian.Uint16(u[2:]) }

// Len returns the length field: header and payload, in bytes.
func (u UDP) Len() int { return int(binary.BigEndian.Uint16(u[4:])) }

// Checksum returns the checksum field. Zero says that there is none.
func (u UDP) Checksum() uint16 { return binary.BigEndian.Uint16(u[6:]) }

// Payload returns what follows the header.
func (u UDP) Payload() []byte { return u[UDPLen:] }

// Header returns the header alone.
func (u UDP) Header() []byte { return u[:UDPLen] }

// Verify checks the checksum. It returns ErrUDPNoChecksum if there is none,
// which is no fault over IPv4 (RFC 1122, Section 4.1.3.4) but one over IPv6
// (RFC 8200, Section 8.1).
func (u UDP) Verify(pseudo Sum) error { return u.VerifyWith(nil, pseudo) }

// VerifyWith is Verify for a view made by ParseUDPHead, and the rest of the
// datagram.
func (u UDP) VerifyWith(rest []byte, pseudo Sum) error {
	if u.Checksum() == 0 {
		return ErrUDPNoChecksum
	}
	if pseudo.Add(u).PlusAt(Sum(0).Add(rest), len(u)).Checksum() != 0 {
		return ErrUDPChecksum
	}
	return nil
}

// FillChecksum computes and sets the checksum, over whatever the field held.
func (u UDP) FillChecksum(pseudo Sum) {
	u.putChecksum(0)
	u.SetChecksum(pseudo.Add(u))
}

// SetChecksum sets the checksum to the complement of s, the sum of the
// pseudo-header, the header with a zero in the checksum field, and the payload.
// "If the computed checksum is zero, it is transmitted as all ones" (RFC 768).
func (u UDP) SetChecksum(s Sum) {
	c := s.Checksum()
	if c == 0 {
		c = 0xffff
	}
	u.putChecksum(c)
}

// SetPartialChecksum leaves the rest of the checksum to the device.
func (u UDP) SetPartialChecksum(pseudo Sum) { u.putChecksum(uint16(pseudo)) }

func (u UDP) putChecksum(c uint16) { binary.BigEndian.PutUint16(u[6:], c) }

// append describes the datagram: "udp 5353 > 53 len 32".
func (u UDP) append(b []byte) []byte {
	b = appendPorts(b, "udp", u.SrcPort(), u.DstPort())
	return appendLen(b, len(u.Payload()))
}
