package lan

import (
	"net/netip"
	"slices"

	"landline/link"
	"landline/wire"
)

// Sources are the addresses that a machine may send from. Nothing is implied: a machine that is to speak
// IPv6 needs its link-local address too.
type Sources struct {
	// MACs are hardware addresses, of Ethernet and of ARP. If nil, any.
	MACs []wire.MAC
	// Prefixes hold the IP addresses: sources of packets, and what the machine says in ARP and
	// Neighbor Discovery that it has. If nil, any. No address at all, as a machine has
	// that asks for one, is always allowed.
	Prefixes []netip.Prefix
}

// SetSources replaces what the machine may send from, at once. It keeps a copy. If s is nil, it may
// send from any address.
func (p *Port) SetSources(s *Sources) {
	if s != nil {
		s = &Sources{slices.Clone(s.MACs), slices.Clone(s.Prefixes)}
	}
	p.sources.Store(s)
}

// allow reports whether a frame may be sent, or why not.
func (s *Sources) allow(f *link.Frame) (Drop, bool) {
	e, err := wire.ParseEthernet(f.Head)
	if err != nil {
		return DropRunt, false
	}
	if !s.hasMAC(e.Src()) {
		return DropSourceMAC, false
	}
	if s.Prefixes == nil && s.MACs == nil {
		return 0, true
	}
	switch e.Type() {
	case wire.TypeARP:
		return s.allowARP(e.Payload())
	case wire.TypeIPv4:
		h, err := wire.ParseIPv4Head(e.Payload(), len(f.Body))
		return DropSourceIP, s.Prefixes == nil || err == nil && s.hasIP(h.Src())
	case wire.TypeIPv6:
		h, err := wire.ParseIPv6Head(e.Payload(), len(f.Body))
		return DropSourceIP, s.Prefixes == nil || err == nil && s.hasIP(h.Src()) && s.allowNeighborAdvert(h)
	case wire.TypeVLAN, wire.TypeQinQ: // more tags than are read; anything may be behind them
		return DropSourceIP, s.Prefixes == nil
	}
	return 0, true
}

func (s *Sources) allowARP(b []byte) (Drop, bool) {
	a, err := wire.ParseARP(b)
	switch {
	case err != nil:
		return DropSourceIP, false
	case !s.hasMAC(a.Sender()):
		return DropSourceMAC, false
	}
	return DropSourceIP, s.hasIP(a.SenderIP())
}

// allowNeighborAdvert reports whether a packet claims no address that the machine may not have.
func (s *Sources) allowNeighborAdvert(h wire.IPv6) bool {
	p, b, err := h.Upper()
	if err != nil || p != wire.ProtoICMPv6 {
		return true
	}
	m, err := wire.ParseICMPv6(b)
	if err != nil || m.Type() != wire.ICMPv6NeighborAdvert {
		return true
	}
	a, err := wire.ParseNeighborAdvert(m)
	return err == nil && s.hasIP(a.Target())
}

func (s *Sources) hasMAC(m wire.MAC) bool { return s.MACs == nil || slices.Contains(s.MACs, m) }

func (s *Sources) hasIP(a netip.Addr) bool {
	if s.Prefixes == nil || a.IsUnspecified() {
		return true
	}
	for _, p := range s.Prefixes {
		if p.Contains(a) {
			return true
		}
	}
	return false
}
