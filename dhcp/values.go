package dhcp

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"net/netip"
	"time"
)

// Each method here reads one option. What is malformed or senseless is taken for
// not there.

// Type returns what the message is for, or 0 if it does not say: then it is no
// message of DHCP but one of BOOTP.
func (m Message) Type() Type {
	if b := m.fixed(OptType, 1); b != nil {
		return Type(b[0])
	}
	return 0
}

// RequestedAddr returns the address that the client would like, or the zero Addr.
func (m Message) RequestedAddr() netip.Addr { return m.Addr(OptRequestedAddr) }

// ServerID returns the address that a server is known by, or the zero Addr.
func (m Message) ServerID() netip.Addr { return m.Addr(OptServerID) }

// LeaseTime returns how long the address may be used, or is wanted.
func (m Message) LeaseTime() (time.Duration, bool) { return m.Seconds(OptLeaseTime) }

// T1 returns the time until the client asks its server to renew the lease.
func (m Message) T1() (time.Duration, bool) { return m.Seconds(OptT1) }

// T2 returns the time until the client asks all servers.
func (m Message) T2() (time.Duration, bool) { return m.Seconds(OptT2) }

// MaskBits returns the number of ones in the subnet mask, 1 to 32, or 0.
func (m Message) MaskBits() int {
	b := m.fixed(OptSubnetMask, 4)
	if b == nil {
		return 0
	}
	mask := binary.BigEndian.Uint32(b)
	if n := bits.LeadingZeros32(^mask); mask<<n == 0 {
		return n
	}
	return 0
}

// Parameters returns the codes of the options that the client asks for, in the order
// of its liking. It is nil if the client does not say.
func (m Message) Parameters() []byte { return m.Option(OptParameters) }

// asksFor reports whether the client asks for an option.
func (m Message) asksFor(c Code) bool { return bytes.IndexByte(m.Parameters(), byte(c)) >= 0 }

// ClientID returns the bytes that the client is known by, or nil: at least 2 (RFC
// 2132, Section 9.14).
func (m Message) ClientID() []byte {
	if b := m.Option(OptClientID); len(b) >= 2 {
		return b
	}
	return nil
}

// HostName returns the client's name in a form that is good as a label in the DNS,
// or "". It is the first label of what the client says, in lower case; what is no
// letter, digit, hyphen, space or underscore spoils it.
func (m Message) HostName() string { return label(m.Option(OptHostName)) }

// Domain returns the domain name of the network, in lower case and without a point
// at the end, or "".
func (m Message) Domain() string { return domain(m.Option(OptDomain)) }

// MTU bounds (RFC 2132, Section 5.1; RFC 1122, Section 3.3.2). A host has to take 576
// bytes, so less than that would only be there to do harm.
const minMTU = 576

// MTU returns the MTU of the network, 576 bytes or more, or 0.
func (m Message) MTU() int {
	if n := int(m.Uint16(OptMTU)); n >= minMTU {
		return n
	}
	return 0
}

// A client takes IP packets of 576 bytes (RFC 2131, Section 2), and it is an IP packet
// that most clients mean when they say how much they take.
const (
	minMaxSize = 576
	headersLen = 28 // of IPv4 and UDP
)

// MaxLen returns how long a message the client takes, in bytes: 548 or more.
func (m Message) MaxLen() int {
	return max(int(m.Uint16(OptMaxSize)), minMaxSize) - headersLen
}

// Text returns what a server has to say to people, such as why it refuses. What is
// not printable ASCII is escaped.
func (m Message) Text() string { return string(appendQuotable(nil, trimNUL(m.Option(OptText)))) }

// VendorClass returns what the client says that it is made of.
func (m Message) VendorClass() []byte { return m.Option(OptVendorClass) }
