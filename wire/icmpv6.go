package wire

import "encoding/binary"

// ICMPv6 is an ICMPv6 message, as checked by ParseICMPv6 (RFC 4443): an echo,
// an error, or one of Neighbor Discovery or Multicast Listener Discovery.
type ICMPv6 []byte

// An ICMPv6Type is a kind of ICMPv6 message. Those below 128 are errors.
type ICMPv6Type uint8

// The kinds that a host knows. It ignores others, but reports errors that it
// does not know to the socket (RFC 4443, Section 2.4).
const (
	ICMPv6Unreachable     ICMPv6Type = 1
	ICMPv6TooBig          ICMPv6Type = 2
	ICMPv6TimeExceeded    ICMPv6Type = 3
	ICMPv6ParamProblem    ICMPv6Type = 4
	ICMPv6Echo            ICMPv6Type = 128
	ICMPv6EchoReply       ICMPv6Type = 129
	ICMPv6MLDQuery        ICMPv6Type = 130 // RFC 2710, RFC 3810
	ICMPv6MLDReport       ICMPv6Type = 131 // RFC 2710
	ICMPv6MLDDone         ICMPv6Type = 132 // RFC 2710
	ICMPv6RouterSolicit   ICMPv6Type = 133 // RFC 4861, as those up to Redirect
	ICMPv6RouterAdvert    ICMPv6Type = 134
	ICMPv6NeighborSolicit ICMPv6Type = 135
	ICMPv6NeighborAdvert  ICMPv6Type = 136
	ICMPv6Redirect        ICMPv6Type = 137
	ICMPv6MLDv2Report     ICMPv6Type = 143 // RFC 3810
)

// Codes of ICMPv6Unreachable.
const (
	ICMPv6NoRoute            = 0
	ICMPv6Prohibited         = 1
	ICMPv6BeyondScope        = 2
	ICMPv6AddressUnreachable = 3
	ICMPv6PortUnreachable    = 4
	ICMPv6PolicyFailed       = 5
	ICMPv6RejectRoute        = 6
)

// Codes of ICMPv6TimeExceeded.
const (
	ICMPv6HopLimitExceeded   = 0
	ICMPv6ReassemblyExceeded = 1
)

// Codes of ICMPv6ParamProblem.
const (
	ICMPv6BadHeader     = 0
	ICMPv6UnknownHeader = 1
	ICMPv6UnknownOption = 2
)

// ParseICMPv6 checks that b holds a header. After it no accessor panics. The
// checksum is not checked: see Verify.
func ParseICMPv6(b []byte) (ICMPv6, error) {
	if len(b) < ICMPLen {
		return nil, ErrICMPv6Short
	}
	return b, nil
}

// AppendICMPv6 appends a message. For an echo rest is EchoRest and body what
// comes back; for an error rest is the MTU of the next link in bytes, or the
// pointer, or 0, and body the beginning of the packet that it is about. The
// checksum field is zero until FillChecksum.
func AppendICMPv6(b []byte, t ICMPv6Type, code uint8, rest uint32, body []byte) []byte {
	b = append(b, byte(t), code, 0, 0)
	b = binary.BigEndian.AppendUint32(b, rest)
	return append(b, body...)
}

// Type returns the kind of message.
func (m ICMPv6) Type() ICMPv6Type { return ICMPv6Type(m[0]) }

// Code divides the kind further.
func (m ICMPv6) Code() uint8 { return m[1] }

// Checksum returns the checksum field.
func (m ICMPv6) Checksum() uint16 { return binary.BigEndian.Uint16(m[2:]) }

// ID returns the identifier of an echo.
func (m ICMPv6) ID() uint16 { return binary.BigEndian.Uint16(m[4:]) }

// Seq returns the sequence number of an echo.
func (m ICMPv6) Seq() uint16 { return binary.BigEndian.Uint16(m[6:]) }

// MTU returns the next link's MTU, in bytes, if m says that a packet was too
// big.
func (m ICMPv6) MTU() uint32 { return m.rest() }

// Pointer returns where in the packet a parameter problem is. That may be
// behind what is quoted.
func (m ICMPv6) Pointer() uint32 { return m.rest() }

func (m ICMPv6) rest() uint32 { return binary.BigEndian.Uint32(m[4:]) }

// Payload returns what follows the header.
func (m ICMPv6) Payload() []byte { return m[ICMPLen:] }

// IsError reports whether m is about another packet. No ICMPv6 error is sent
// about one, nor about a redirect (RFC 4443, Section 2.4).
func (m ICMPv6) IsError() bool { return m.Type() < 128 }

// Quote returns the packet that an error is about. Its error is ErrQuoteShort.
func (m ICMPv6) Quote() (Quote, error) { return parseQuote6(m.Payload()) }

// Verify checks the checksum.
func (m ICMPv6) Verify(pseudo Sum) error {
	if pseudo.Add(m).Checksum() != 0 {
		return ErrICMPv6Checksum
	}
	return nil
}

// FillChecksum computes and sets the checksum, over whatever the field held.
func (m ICMPv6) FillChecksum(pseudo Sum) {
	m[2], m[3] = 0, 0
	binary.BigEndian.PutUint16(m[2:], pseudo.Add(m).Checksum())
}

var icmpv6Names = [...]string{
	ICMPv6Unreachable: "unreachable", ICMPv6TooBig: "too big", ICMPv6TimeExceeded: "time exceeded",
	ICMPv6ParamProblem: "parameter problem", ICMPv6Echo: "echo request", ICMPv6EchoReply: "echo reply",
	ICMPv6MLDQuery: "mld query", ICMPv6MLDReport: "mld report", ICMPv6MLDDone: "mld done",
	ICMPv6RouterSolicit: "router solicit", ICMPv6RouterAdvert: "router advert",
	ICMPv6NeighborSolicit: "neighbor solicit", ICMPv6NeighborAdvert: "neighbor advert",
	ICMPv6Redirect: "redirect", ICMPv6MLDv2Report: "mld report v2",
}

// String returns the name that the describers use: "neighbor solicit".
func (t ICMPv6Type) String() string {
	if int(t) < len(icmpv6Names) && icmpv6Names[t] != "" {
		return icmpv6Names[t]
	}
	return "type " + string(appendNumber(nil, uint8(t)))
}

// append describes the message: "icmp6 echo request id 7 seq 1 len 56", "icmp6
// neighbor solicit fe80::1 <source 02:00:00:00:00:01>".
func (m ICMPv6) append(b []byte) []byte {
	b = append(append(b, "icmp6 "...), m.Type().String()...)
	switch m.Type() {
	case ICMPv6Echo, ICMPv6EchoReply:
		return appendEcho(b, m.ID(), m.Seq(), len(m.Payload()))
	case ICMPv6RouterSolicit:
		return appendBody(b, m, ParseRouterSolicit)
	case ICMPv6RouterAdvert:
		return appendBody(b, m, ParseRouterAdvert)
	case ICMPv6NeighborSolicit:
		return appendBody(b, m, ParseNeighborSolicit)
	case ICMPv6NeighborAdvert:
		return appendBody(b, m, ParseNeighborAdvert)
	case ICMPv6Redirect:
		return appendBody(b, m, ParseRedirect)
	case ICMPv6MLDQuery, ICMPv6MLDReport, ICMPv6MLDDone, ICMPv6MLDv2Report:
		return appendBody(b, m, ParseMLD)
	}
	if m.IsError() {
		return m.appendError(b)
	}
	return appendLen(b, len(m.Payload()))
}

// appendBody goes on with what the message's own kind adds, or says why it
// cannot be read.
func appendBody[V describer](b []byte, m ICMPv6, parse func(ICMPv6) (V, error)) []byte {
	v, err := parse(m)
	if f, bad := err.(Fault); bad {
		return appendBad(append(b, ' '), f, len(m))
	}
	return v.append(b)
}

func (m ICMPv6) appendError(b []byte) []byte {
	switch m.Type() {
	case ICMPv6Unreachable:
		b = appendCode(b, m.Code(), []string{"no route", "prohibited", "scope", "address", "port", "policy", "reject route"})
	case ICMPv6TooBig:
		b = appendField(b, "mtu", m.MTU())
	case ICMPv6TimeExceeded:
		b = appendCode(b, m.Code(), []string{"hop limit", "reassembly"})
	case ICMPv6ParamProblem:
		b = appendCode(b, m.Code(), []string{"header", "next header", "option"})
		b = appendField(b, "at", m.Pointer())
	}
	q, err := m.Quote()
	return appendQuote(b, q, err)
}
