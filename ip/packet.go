package ip

import (
	"net/netip"

	"landline/wire"
)

// A Packet is what an IP packet for this host carries: a transport header and what
// belongs to it. It lasts until the function that got it returns.
type Packet struct {
	Interface *Interface // where it arrived
	Src, Dst  netip.Addr // without zones
	Protocol  wire.Protocol
	TTL, TOS  uint8

	// Head is the transport header and at least the beginning of its payload, Body the
	// rest, if that lies elsewhere: see link.Frame.
	Head, Body []byte
	// SegSize, if not zero, says that several segments came as one: see link.Frame.
	SegSize uint16
	// SumKnown says that the transport checksum need not be looked at: it was found right,
	// or it was never on a wire.
	SumKnown bool
	// Group says that Dst, or the hardware address it came to, is not of one machine. No
	// error is sent about such a packet.
	Group bool

	ip     []byte // from the IP header on, as far as Head goes: what errors quote
	joined bool   // it came in fragments
}

// Len returns the length of transport header and payload, in bytes.
func (p *Packet) Len() int { return len(p.Head) + len(p.Body) }

// PseudoSum returns the sum of the pseudo-header.
func (p *Packet) PseudoSum() wire.Sum {
	return wire.PseudoSum(p.Src, p.Dst, p.Protocol, p.Len())
}
