package wire

import "encoding/binary"

// ICMPLen is the length of an ICMP header of either version, in bytes: type,
// code, checksum and four bytes that depend on the type.
const ICMPLen = 8

// ICMPv4 is an ICMP message, as checked by ParseICMPv4 (RFC 792).
type ICMPv4 []byte

// An ICMPv4Type is a kind of ICMP message.
type ICMPv4Type uint8

// The kinds that a host knows. It ignores others.
const (
	ICMPv4EchoReply    ICMPv4Type = 0
	ICMPv4Unreachable  ICMPv4Type = 3
	ICMPv4Redirect     ICMPv4Type = 5
	ICMPv4Echo         ICMPv4Type = 8
	ICMPv4TimeExceeded ICMPv4Type = 11
	ICMPv4ParamProblem ICMPv4Type = 12
)

// Codes of ICMPv4Unreachable.
const (
	ICMPv4NetUnreachable      = 0
	ICMPv4HostUnreachable     = 1
	ICMPv4ProtocolUnreachable = 2
	ICMPv4PortUnreachable     = 3
	ICMPv4FragmentationNeeded = 4
	ICMPv4SourceRouteFailed   = 5
	ICMPv4NetUnknown          = 6
	ICMPv4HostUnknown         = 7
	ICMPv4NetProhibited       = 9
	ICMPv4HostProhibited      = 10
	ICMPv4AdminProhibited     = 13 // RFC 1812
)

// Codes of ICMPv4TimeExceeded.
const (
	ICMPv4TTLExceeded        = 0
	ICMPv4ReassemblyExceeded = 1
)

// ParseICMPv4 checks that b holds a header. After it no accessor panics. The
// checksum is not checked: see Verify.
func ParseICMPv4(b []byte) (ICMPv4, error) {
	if len(b) < ICMPLen {
		return nil, ErrICMPShort
	}
	return b, nil
}

// AppendICMPv4 appends a message with its checksum. For an echo rest is
// EchoRest and body what comes back; for an error rest is the MTU of the next
// link in bytes, or the pointer shifted left by 24, or 0, and body the
// beginning of the packet that it is about.
func AppendICMPv4(b []byte, t ICMPv4Type, code uint8, rest uint32, body []byte) []byte {
	start := len(b)
	b = append(b, byte(t), code, 0, 0)
	b = binary.BigEndian.AppendUint32(b, rest)
	b = append(b, body...)
	ICMPv4(b[start:]).FillChecksum()
	return b
}

// EchoRest returns identifier and sequence number of an echo, as the four bytes
// that they are in the header.
func EchoRest(id, seq uint16) uint32 { return uint32(id)<<16 | uint32(seq) }

// Type returns the kind of message.
func (m ICMPv4) Type() ICMPv4Type { return ICMPv4Type(m[0]) }

// Code divides the kind further.
func (m ICMPv4) Code() uint8 { return m[1] }

// Checksum returns the checksum field.
func (m ICMPv4) Checksum() uint16 { return binary.BigEndian.Uint16(m[2:]) }

// ID returns the identifier of an echo.
func (m ICMPv4) ID() uint16 { return binary.BigEndian.Uint16(m[4:]) }

// Seq returns the sequence number of an echo.
func (m ICMPv4) Seq() uint16 { return binary.BigEndian.Uint16(m[6:]) }

// MTU returns the next link's MTU in bytes if m says that fragmentation is
// needed, or 0 if its router does not say (RFC 1191, Section 4).
func (m ICMPv4) MTU() int { return int(binary.BigEndian.Uint16(m[6:])) }

// Pointer returns where in the packet a parameter problem is.
func (m ICMPv4) Pointer() int { return int(m[4]) }

// Payload returns what follows the header.
func (m ICMPv4) Payload() []byte { return m[ICMPLen:] }

// IsError reports whether m is about another packet. No ICMP error is sent
// about an ICMP error (RFC 1122, Section 3.2.2).
func (m ICMPv4) IsError() bool {
	switch m.Type() {
	case ICMPv4Unreachable, 4, ICMPv4Redirect, ICMPv4TimeExceeded, ICMPv4ParamProblem: // 4 was source quench
		return true
	}
	return false
}

// Quote returns the packet that an error is about. Its error is ErrQuoteShort.
func (m ICMPv4) Quote() (Quote, error) { return parseQuote4(m.Payload()) }

// Verify checks the checksum.
func (m ICMPv4) Verify() error {
	if Checksum(m) != 0 {
		return ErrICMPChecksum
	}
	return nil
}

// FillChecksum computes and sets the checksum, over whatever the field held.
func (m ICMPv4) FillChecksum() {
	m[2], m[3] = 0, 0
	binary.BigEndian.PutUint16(m[2:], Checksum(m))
}

// String returns the name that the describers use: "echo request".
func (t ICMPv4Type) String() string {
	switch t {
	case ICMPv4EchoReply:
		return "echo reply"
	case ICMPv4Unreachable:
		return "unreachable"
	case ICMPv4Redirect:
		return "redirect"
	case ICMPv4Echo:
		return "echo request"
	case ICMPv4TimeExceeded:
		return "time exceeded"
	case ICMPv4ParamProblem:
		return "parameter problem"
	}
	return "type " + string(appendNumber(nil, uint8(t)))
}

var icmpv4Unreachables = [...]string{
	ICMPv4NetUnreachable: "net", ICMPv4HostUnreachable: "host", ICMPv4ProtocolUnreachable: "protocol",
	ICMPv4PortUnreachable: "port", ICMPv4FragmentationNeeded: "fragmentation needed",
	ICMPv4SourceRouteFailed: "source route", ICMPv4NetUnknown: "net unknown",
	ICMPv4HostUnknown: "host unknown", ICMPv4NetProhibited: "net prohibited",
	ICMPv4HostProhibited: "host prohibited", ICMPv4AdminProhibited: "prohibited",
}

// append describes the message: "icmp echo request id 7 seq 1 len 56", "icmp
// unreachable port about 10.0.0.1 > 10.0.0.2 udp 5 > 6".
func (m ICMPv4) append(b []byte) []byte {
	t := m.Type()
	b = append(append(b, "icmp "...), t.String()...)
	switch {
	case t == ICMPv4Echo || t == ICMPv4EchoReply:
		return appendEcho(b, m.ID(), m.Seq(), len(m.Payload()))
	case !m.IsError():
		return appendLen(b, len(m.Payload()))
	case t == ICMPv4Unreachable:
		b = appendCode(b, m.Code(), icmpv4Unreachables[:])
	case t == ICMPv4TimeExceeded:
		b = appendCode(b, m.Code(), []string{"ttl", "reassembly"})
	case t == ICMPv4ParamProblem:
		b = appendField(b, "at", m.Pointer())
	}
	if t == ICMPv4Unreachable && m.Code() == ICMPv4FragmentationNeeded {
		b = appendField(b, "mtu", m.MTU())
	}
	q, err := m.Quote()
	return appendQuote(b, q, err)
}

func appendEcho(b []byte, id, seq uint16, n int) []byte {
	b = appendField(b, "id", id)
	b = appendField(b, "seq", seq)
	return appendLen(b, n)
}

// appendCode appends the name of a code, or its number if it has none.
func appendCode(b []byte, code uint8, names []string) []byte {
	if int(code) < len(names) && names[code] != "" {
		return append(append(b, ' '), names[code]...)
	}
	return appendField(b, "code", code)
}
