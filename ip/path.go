package ip

import (
	"net/netip"

	"landline/wire"
)

// A Path is how packets get from an address of this host to another address: the interface,
// and the neighbor they go to next. It is found once and used for many packets.
type Path struct {
	i        *Interface
	src, dst netip.Addr
	next     netip.Addr // the neighbor
	mac      wire.MAC   // the hardware address, unless it depends on the neighbor
	kind     pathKind
	number   uint64 // of the view it was found in
	others   bool   // for packets of others, whose senders find the path's MTU
	foreign  bool   // src is the address of another machine, for which this host speaks
}

// A pathKind is what a packet needs on its way out.
type pathKind uint8

const (
	pathUnicast pathKind = iota // a neighbor's hardware address
	pathGroup                   // nothing: the group's hardware address is known
	pathLocal                   // nothing: it does not leave the host
	pathDirect                  // nothing: the hardware address is known, and this host need not hear it
)

// Path returns how packets get from src to dst. If src is the zero Addr, it is chosen
// (RFC 6724, Section 5). If i is nil, so is the interface, by the routes; link-local and
// multicast addresses have one, which a zone may name.
//
// The error is a syscall.Errno: ENETUNREACH if there is no route, EADDRNOTAVAIL if src is
// not an address of this host or there is none to choose.
func (s *Stack) Path(src, dst netip.Addr, i *Interface) (Path, error) {
	v := s.view.Load()
	if i == nil && dst.Zone() != "" {
		i = v.named(dst.Zone())
		if i == nil {
			return Path{}, DropNoRoute.errno()
		}
	}
	p := Path{i: i, src: src.Unmap().WithZone(""), dst: dst.Unmap().WithZone(""), number: v.number}
	if d := p.find(v, s); d != 0 {
		return Path{}, d.errno()
	}
	return p, nil
}

// find fills in what p does not say yet.
func (p *Path) find(v *view, s *Stack) Drop {
	switch {
	case p.dst.IsUnspecified():
		p.dst = loopbackOf(p.dst) // as every system does
		return p.local(v, s)
	case p.dst.IsMulticast() || isBroadcast(p.dst):
		return p.group(v)
	case p.toLocal(v):
		return p.local(v, s)
	case v.broadcasts[p.dst] != nil && (p.i == nil || p.i == v.broadcasts[p.dst]):
		p.i = v.broadcasts[p.dst]
		return p.group(v)
	}
	return p.unicast(v)
}

func (p *Path) toLocal(v *view) bool {
	l, ok := v.locals[p.dst]
	return p.dst.IsLoopback() || ok && !l.tentative && (p.i == nil || p.i == l.i || !p.dst.IsLinkLocalUnicast())
}

// local makes p lead back to this host.
func (p *Path) local(v *view, s *Stack) Drop {
	p.i, p.kind, p.mac = s.lo, pathLocal, s.lo.mac
	switch {
	case p.src.IsValid():
	case p.dst.IsLoopback():
		p.src = loopbackOf(p.dst) // for all of 127.0.0.0/8
	default:
		p.src = p.dst
	}
	return p.checkSource(v)
}

// group makes p lead to a multicast group, or to all.
func (p *Path) group(v *view) Drop {
	var r Route
	if p.i == nil {
		r, p.i = v.groupRoute(p.dst)
	}
	if p.i == nil {
		return DropNoRoute
	}
	p.kind, p.mac = pathGroup, wire.Broadcast
	if p.dst.IsMulticast() {
		p.mac = wire.MulticastMAC(p.dst)
	}
	return p.source(v, r.Source)
}

// unicast makes p lead to a neighbor.
func (p *Path) unicast(v *view) Drop {
	r, ok := v.routes.lookup(p.dst, p.index())
	if !ok {
		return DropNoRoute
	}
	p.i = v.interfaces[r.Interface-1]
	p.next = p.dst
	if r.Gateway.IsValid() {
		p.next = r.Gateway
	}
	if p.i == nil {
		return DropNoRoute
	}
	return p.source(v, r.Source)
}

func (p *Path) index() int {
	if p.i == nil {
		return 0
	}
	return p.i.index
}

// source chooses p's source unless it has one.
func (p *Path) source(v *view, preferred netip.Addr) Drop {
	if p.src.IsValid() {
		return p.checkSource(v)
	}
	if preferred.IsValid() {
		p.src = preferred
		return 0
	}
	src, ok := v.sourceFor(p.dst, p.i)
	if !ok {
		return DropNoSource
	}
	p.src = src
	return 0
}

// checkSource looks whether p's source is one of our addresses. No address yet, as a
// client of DHCP has, is one too on the way to all.
func (p *Path) checkSource(v *view) Drop {
	switch {
	case p.src.Is4() != p.dst.Is4():
		return DropNoRoute
	case v.isLocal(p.src), p.foreign:
	case p.kind == pathLocal && p.src.IsLoopback():
	case p.kind == pathGroup && p.src.IsUnspecified():
	default:
		return DropNoSource
	}
	return 0
}

// SortDestinations puts the addresses of one machine into the order in which they should be tried (RFC
// 6724, Section 6).
func (s *Stack) SortDestinations(dsts []netip.Addr) {
	v := s.view.Load()
	sortDestinations(dsts, func(dst netip.Addr) *address {
		p, err := s.Path(netip.Addr{}, dst, nil)
		if err != nil {
			return nil
		}
		return v.address(p.src)
	})
}

// address returns the address of ours that a is, or nil.
func (v *view) address(a netip.Addr) *address {
	for _, all := range v.addresses {
		for k := range all {
			if all[k].addr == a {
				return &all[k]
			}
		}
	}
	return nil
}

// named returns the interface of a name, or nil.
func (v *view) named(name string) *Interface {
	for _, i := range v.interfaces {
		if i != nil && i.name == name {
			return i
		}
	}
	return nil
}

// groupRoute returns the interface to reach a group by: where a route to it leads, or
// else the first that can have a source for it.
func (v *view) groupRoute(dst netip.Addr) (Route, *Interface) {
	if r, ok := v.routes.lookup(dst, 0); ok && v.interfaces[r.Interface-1] != nil {
		return r, v.interfaces[r.Interface-1]
	}
	for _, i := range v.interfaces {
		if i == nil || i.loopback {
			continue
		}
		if _, ok := v.sourceFor(dst, i); ok {
			return Route{}, i
		}
	}
	return Route{}, nil
}

// sourceFor chooses among the addresses of i, or of all interfaces if it has none of the
// right kind.
func (v *view) sourceFor(dst netip.Addr, i *Interface) (netip.Addr, bool) {
	if a := selectSource(dst, i.index, v.addresses[i.index-1]); a != nil {
		return a.addr, true
	}
	for _, others := range v.addresses {
		if a := selectSource(dst, i.index, others); a != nil && !staysOnLink(a.addr) {
			return a.addr, true
		}
	}
	return netip.Addr{}, false
}

// loopbackOf returns the loopback address of a's family.
func loopbackOf(a netip.Addr) netip.Addr {
	if a.Is4() {
		return netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	return netip.IPv6Loopback()
}
