package wire

import "encoding/binary"

const (
	// TCPLen is the length of a TCP header without options, in bytes.
	TCPLen = 20
	// MaxTCPOptions is how long the options can be, in bytes.
	MaxTCPOptions = 40
)

// TCP is a TCP header and its payload, as checked by ParseTCP (RFC 9293).
type TCP []byte

// ParseTCP checks b's length and the data offset. After it no accessor panics.
// Neither the checksum nor the options are checked: see Verify and Options.
func ParseTCP(b []byte) (TCP, error) {
	if len(b) < TCPLen {
		return nil, ErrTCPShort
	}
	if n := TCP(b).HeaderLen(); n < TCPLen || n > len(b) {
		return nil, ErrTCPDataOffset
	}
	return b, nil
}

// TCPHeader is what AppendTCP writes.
type TCPHeader struct {
	SrcPort, DstPort uint16
	Seq, Ack         Seq
	Flags            TCPFlags
	Window           uint16 // as it lies on the wire, already scaled
	Urgent           uint16
}

// AppendTCP appends a header with options of up to 40 bytes, which are padded
// to a multiple of 4. Its checksum field is zero until SetChecksum or
// FillChecksum.
func AppendTCP(b []byte, h *TCPHeader, options []byte) []byte {
	start, be := len(b), binary.BigEndian
	b = be.AppendUint16(b, h.SrcPort)
	b = be.AppendUint16(b, h.DstPort)
	b = be.AppendUint32(b, h.Seq.n)
	b = be.AppendUint32(b, h.Ack.n)
	b = append(b, 0, byte(h.Flags))
	b = be.AppendUint16(b, h.Window)
	b = append(b, 0, 0)
	b = be.AppendUint16(b, h.Urgent)
	b = pad4(append(b, options...), start)
	b[start+12] = byte((len(b) - start) / 4 << 4)
	return b
}

// SrcPort returns the port that the segment comes from.
func (t TCP) SrcPort() uint16 { return binary.BigEndian.Uint16(t[0:]) }

// DstPort returns the port that the segment goes to.
func (t TCP) DstPort() uint16 { return binary.BigEndian.Uint16(t[2:]) }

// Seq returns the number of the first byte of payload, or of SYN if there is
// one.
func (t TCP) Seq() Seq { return Seq{binary.BigEndian.Uint32(t[4:])} }

// Ack returns the number that the sender expects next. It means something only
// with FlagACK.
func (t TCP) Ack() Seq { return Seq{binary.BigEndian.Uint32(t[8:])} }

// HeaderLen returns the header's length with options, from 20 to 60 bytes.
func (t TCP) HeaderLen() int { return int(t[12]>>4) * 4 }

// Flags returns the control bits.
func (t TCP) Flags() TCPFlags { return TCPFlags(t[13]) }

// Window returns the receive window, not scaled: shift it left by the scale
// agreed on, except in a SYN (RFC 7323, Section 2.2).
func (t TCP) Window() uint16 { return binary.BigEndian.Uint16(t[14:]) }

// Checksum returns the checksum field.
func (t TCP) Checksum() uint16 { return binary.BigEndian.Uint16(t[16:]) }

// Urgent returns the urgent pointer. It means something only with FlagURG.
func (t TCP) Urgent() uint16 { return binary.BigEndian.Uint16(t[18:]) }

// Options walks the options.
func (t TCP) Options() Options {
	return Options{all: t[TCPLen:t.HeaderLen()], fault: ErrTCPOption}
}

// Payload returns what follows the header.
func (t TCP) Payload() []byte { return t[t.HeaderLen():] }

// Header returns the header alone, with its options.
func (t TCP) Header() []byte { return t[:t.HeaderLen()] }

// Len returns how many sequence numbers the segment takes: its payload, SYN and
// FIN (SEG.LEN in RFC 9293, Section 3.4).
func (t TCP) Len() int {
	f := t.Flags()
	return len(t) - t.HeaderLen() + int(f&FlagFIN) + int(f&FlagSYN)>>1
}

// Verify checks the checksum.
func (t TCP) Verify(pseudo Sum) error { return t.VerifyWith(nil, pseudo) }

// VerifyWith is Verify for a segment whose payload goes on in rest.
func (t TCP) VerifyWith(rest []byte, pseudo Sum) error {
	if pseudo.Add(t).PlusAt(Sum(0).Add(rest), len(t)).Checksum() != 0 {
		return ErrTCPChecksum
	}
	return nil
}

// FillChecksum computes and sets the checksum, over whatever the field held.
func (t TCP) FillChecksum(pseudo Sum) {
	t.putChecksum(0)
	t.SetChecksum(pseudo.Add(t))
}

// SetChecksum sets the checksum to the complement of s, the sum of the
// pseudo-header, the header with a zero in the checksum field, and the payload.
func (t TCP) SetChecksum(s Sum) { t.putChecksum(s.Checksum()) }

// SetPartialChecksum leaves the rest of the checksum to the device.
func (t TCP) SetPartialChecksum(pseudo Sum) { t.putChecksum(uint16(pseudo)) }

func (t TCP) putChecksum(c uint16) { binary.BigEndian.PutUint16(t[16:], c) }

// SetSeq sets the sequence number. It does not change the checksum.
func (t TCP) SetSeq(s Seq) { binary.BigEndian.PutUint32(t[4:], s.n) }

// SetFlags sets the control bits. It does not change the checksum.
func (t TCP) SetFlags(f TCPFlags) { t[13] = byte(f) }

// TCPFlags are the control bits of a segment.
type TCPFlags uint8

// The control bits (RFC 9293, Section 3.1; the last two, RFC 3168).
const (
	FlagFIN TCPFlags = 1 << iota
	FlagSYN
	FlagRST
	FlagPSH
	FlagACK
	FlagURG
	FlagECE
	FlagCWR
)

// Has reports whether all of want are set.
func (f TCPFlags) Has(want TCPFlags) bool { return f&want == want }

// tcpFlagLetters are the bits' letters, from the lowest bit up.
const tcpFlagLetters = "FSRP.UEW"

// String returns a letter for each bit that is set, a point for ACK: "S", "S.",
// "P.", "F.", "R", or "none".
func (f TCPFlags) String() string { return string(f.append(nil)) }

func (f TCPFlags) append(b []byte) []byte {
	if f == 0 {
		return append(b, "none"...)
	}
	for i := range len(tcpFlagLetters) {
		if bit := TCPFlags(1) << i; bit != FlagACK && f.Has(bit) {
			b = append(b, tcpFlagLetters[i])
		}
	}
	if f.Has(FlagACK) {
		b = append(b, '.')
	}
	return b
}

// append describes the segment: "tcp 40000 > 80 [S.] seq 1 ack 2 win 65535 <mss
// 1460, wscale 7> len 0".
func (t TCP) append(b []byte) []byte {
	f := t.Flags()
	b = appendPorts(b, "tcp", t.SrcPort(), t.DstPort())
	b = append(f.append(append(b, " ["...)), ']')
	b = appendField(b, "seq", t.Seq().n)
	if f.Has(FlagACK) {
		b = appendField(b, "ack", t.Ack().n)
	}
	b = appendField(b, "win", t.Window())
	if f.Has(FlagURG) {
		b = appendField(b, "urg", t.Urgent())
	}
	b = t.appendOptions(b)
	return appendLen(b, len(t.Payload()))
}
