package dhcp

import (
	"encoding/binary"
	"net/netip"
	"strconv"

	"landline/wire"
)

// The UDP ports of RFC 2131, Section 4.1.
const (
	ServerPort = 67
	ClientPort = 68
)

// Where things lie (RFC 2131, Section 2).
const (
	snameAt   = 44
	fileAt    = 108
	cookieAt  = 236
	optionsAt = 240

	maxHardwareLen = 16
	cookie         = "\x63\x82\x53\x63"

	// minLen is how short a message may be. It is what BOOTP had, and some relays and
	// clients still drop less (RFC 1542, Section 2.1).
	minLen = 300
)

// Message is a DHCP message, as checked by ParseMessage (RFC 2131, Section 2). Its
// methods allocate nothing, but for those that return strings, and where an option
// comes in several pieces.
type Message []byte

// An Op tells a client's message from a server's.
type Op uint8

// The operations.
const (
	OpRequest Op = 1 // from a client
	OpReply   Op = 2 // from a server
)

// A Type is what a message is for (RFC 2132, Section 9.6).
type Type uint8

// The types.
const (
	Discover Type = 1 + iota
	Offer
	Request
	Decline
	ACK
	NAK
	Release
	Inform
)

var typeText = [...]string{"bootp", "discover", "offer", "request", "decline", "ack", "nak", "release", "inform"}

// String returns the type in lower case: "discover", "ack".
func (t Type) String() string {
	if int(t) < len(typeText) {
		return typeText[t]
	}
	return "type " + strconv.Itoa(int(t))
}

// ParseMessage checks the lengths of b and of all options in it, wherever they are.
// After it no method panics. The error is a Fault. An option of an impossible value
// does no harm to the others: its own method says that it is not there.
func ParseMessage(b []byte) (Message, error) {
	if len(b) < optionsAt {
		return nil, ErrShort
	}
	m := Message(b)
	if m.Op() != OpRequest && m.Op() != OpReply {
		return nil, ErrOp
	}
	if b[2] > maxHardwareLen {
		return nil, ErrHardwareLen
	}
	if string(b[cookieAt:optionsAt]) != cookie {
		return nil, ErrCookie
	}
	o := m.options()
	for o.next() {
	}
	if o.fault != 0 {
		return nil, o.fault
	}
	return m, nil
}

// Op tells who sent the message: a client or a server.
func (m Message) Op() Op { return Op(m[0]) }

// XID returns the number by which a client tells its exchanges apart.
func (m Message) XID() uint32 { return binary.BigEndian.Uint32(m[4:]) }

// Secs returns for how many seconds the client has been trying.
func (m Message) Secs() uint16 { return binary.BigEndian.Uint16(m[8:]) }

// broadcastFlag is the one flag there is (RFC 2131, Figure 2).
const broadcastFlag = 0x80

// Broadcast reports whether the client cannot be sent anything but broadcasts
// before it has an address.
func (m Message) Broadcast() bool { return m[10]&broadcastFlag != 0 }

// CIAddr returns the address that the client uses, or 0.0.0.0.
func (m Message) CIAddr() netip.Addr { return addr4(m[12:]) }

// YIAddr returns the address that the client is given, or 0.0.0.0.
func (m Message) YIAddr() netip.Addr { return addr4(m[16:]) }

// GIAddr returns the address of the relay that the message came through, or
// 0.0.0.0.
func (m Message) GIAddr() netip.Addr { return addr4(m[24:]) }

// hardwareEthernet is Ethernet in the list of hardware types.
const hardwareEthernet = 1

// CHAddr returns the client's hardware address. It reports false if that is not
// Ethernet's.
func (m Message) CHAddr() (wire.MAC, bool) {
	return wire.MAC(m[28:34]), m[1] == hardwareEthernet && m[2] == 6
}

// Header is what a message has before its options. An address that is the zero Addr
// is 0.0.0.0.
type Header struct {
	Op        Op
	XID       uint32
	Secs      uint16
	Broadcast bool
	CIAddr    netip.Addr // the client's address, as the client says
	YIAddr    netip.Addr // the client's address, as the server says
	GIAddr    netip.Addr // the relay's address
	CHAddr    wire.MAC
}

// AppendHeader appends a header, behind which options are to be appended, and then
// AppendEnd.
func AppendHeader(b []byte, h *Header) []byte {
	be := binary.BigEndian
	b = append(b, byte(h.Op), hardwareEthernet, byte(len(h.CHAddr)), 0)
	b = be.AppendUint32(b, h.XID)
	b = be.AppendUint16(b, h.Secs)
	var flags byte
	if h.Broadcast {
		flags = broadcastFlag
	}
	b = append(b, flags, 0)
	b = append4(b, h.CIAddr)
	b = append4(b, h.YIAddr)
	b = append4(b, netip.Addr{}) // of a server with boot files
	b = append4(b, h.GIAddr)
	b = append(b, h.CHAddr[:]...)
	b = appendZeros(b, cookieAt-28-len(h.CHAddr))
	return append(b, cookie...)
}

// AppendEnd ends the options of the message that begins at b[start], and fills it up
// to 300 bytes.
func AppendEnd(b []byte, start int) []byte {
	b = append(b, optEnd)
	return appendZeros(b, start+minLen-len(b))
}

// appendZeros appends n zeros, or none if n is negative.
func appendZeros(b []byte, n int) []byte {
	for ; n > 0; n-- {
		b = append(b, 0)
	}
	return b
}

// addr4 reads four bytes.
func addr4(b []byte) netip.Addr { return netip.AddrFrom4([4]byte(b[:4])) }

// append4 appends four bytes: zeros for what is no IPv4 address.
func append4(b []byte, a netip.Addr) []byte {
	if !a.Is4() {
		return append(b, 0, 0, 0, 0)
	}
	x := a.As4()
	return append(b, x[:]...)
}

// isUnicast reports whether a machine may have the address a, outside of any
// particular network.
func isUnicast(a netip.Addr) bool {
	return a.Is4() && a.As4()[0] != 0 && a.As4()[0] < 224 && !a.IsLoopback()
}
