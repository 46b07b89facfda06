package wire

import (
	"encoding/binary"
	"net/netip"
)

// ARPLen is the length of an ARP message about IPv4 on Ethernet, in bytes.
const ARPLen = 28

// ARP is an ARP message about IPv4 addresses on Ethernet, as checked by
// ParseARP (RFC 826).
type ARP []byte

// An ARPOp is what an ARP message does.
type ARPOp uint16

// The operations of RFC 826. A host ignores others.
const (
	ARPRequest ARPOp = 1
	ARPReply   ARPOp = 2
)

// arpKind is how such messages begin: hardware 1, protocol 0x0800, addresses of
// 6 and 4 bytes.
const arpKind = "\x00\x01\x08\x00\x06\x04"

// ParseARP checks that b is such a message, of any operation, and cuts padding.
func ParseARP(b []byte) (ARP, error) {
	if len(b) < ARPLen {
		return nil, ErrARPShort
	}
	if string(b[:6]) != arpKind {
		return nil, ErrARPKind
	}
	return b[:ARPLen], nil
}

// AppendARP appends a message. The addresses must be IPv4; the target's
// hardware address is zero in a request.
func AppendARP(b []byte, op ARPOp, sender MAC, senderIP netip.Addr, target MAC, targetIP netip.Addr) []byte {
	b = append(b, arpKind...)
	b = binary.BigEndian.AppendUint16(b, uint16(op))
	b = append(b, sender[:]...)
	b = append4(b, senderIP)
	b = append(b, target[:]...)
	return append4(b, targetIP)
}

// Op returns the operation.
func (a ARP) Op() ARPOp { return ARPOp(binary.BigEndian.Uint16(a[6:])) }

// Sender returns the sender's hardware address.
func (a ARP) Sender() MAC { return MAC(a[8:14]) }

// SenderIP returns the sender's address: 0.0.0.0 in a probe.
func (a ARP) SenderIP() netip.Addr { return addr4(a[14:]) }

// Target returns the target's hardware address. A request does not know it.
func (a ARP) Target() MAC { return MAC(a[18:24]) }

// TargetIP returns the address that is asked for, or the receiver's of a reply.
func (a ARP) TargetIP() netip.Addr { return addr4(a[24:]) }

// IsProbe reports whether a asks if an address is in use, and takes none for
// itself (RFC 5227, Section 1.1).
func (a ARP) IsProbe() bool { return a.Op() == ARPRequest && a.SenderIP().IsUnspecified() }

// IsAnnouncement reports whether a tells all others the sender's address (RFC
// 5227, Section 3).
func (a ARP) IsAnnouncement() bool { return a.Op() == ARPRequest && a.SenderIP() == a.TargetIP() }

// append describes the message: "arp who has 10.0.0.1 tell 10.0.0.2 at 02:…",
// "arp reply 10.0.0.1 at 02:… to 10.0.0.2 at 02:…".
func (a ARP) append(b []byte) []byte {
	switch {
	case a.IsProbe():
		b = append(b, "arp probe "...)
		b = a.TargetIP().AppendTo(b)
		return a.Sender().append(append(b, " by "...))
	case a.IsAnnouncement():
		b = append(b, "arp announce "...)
		return a.appendSender(b)
	case a.Op() == ARPRequest:
		b = append(b, "arp who has "...)
		b = a.TargetIP().AppendTo(b)
		return a.appendSender(append(b, " tell "...))
	case a.Op() == ARPReply:
		b = append(b, "arp reply "...)
	default:
		b = appendNumber(append(b, "arp operation "...), a.Op())
		b = append(b, ' ')
	}
	b = a.appendSender(b)
	b = a.TargetIP().AppendTo(append(b, " to "...))
	return a.Target().append(append(b, " at "...))
}

func (a ARP) appendSender(b []byte) []byte {
	b = a.SenderIP().AppendTo(b)
	return a.Sender().append(append(b, " at "...))
}

// addr4 reads four bytes.
func addr4(b []byte) netip.Addr { return netip.AddrFrom4([4]byte(b[:4])) }

// append4 appends four bytes. It panics if a is not an IPv4 address.
func append4(b []byte, a netip.Addr) []byte {
	x := a.As4()
	return append(b, x[:]...)
}

// addr16 reads sixteen bytes.
func addr16(b []byte) netip.Addr { return netip.AddrFrom16([16]byte(b[:16])) }

// append16 appends sixteen bytes. It panics if a is the zero Addr.
func append16(b []byte, a netip.Addr) []byte {
	x := a.As16()
	return append(b, x[:]...)
}
