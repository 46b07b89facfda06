package ip

import (
	"net/netip"

	"landline/wire"
)

// ndp takes a message of Neighbor Discovery. "The IP Hop Limit field has a value of 255, i.e.,
// the packet could not possibly have been forwarded by a router" (RFC 4861, Section 6.1.1 and others).
func (in *input) ndp(p *Packet, m wire.ICMPv6) Drop {
	if p.TTL != wire.NDPHopLimit {
		return DropNDPHopLimit
	}
	if p.joined {
		return DropNDP // fragments hide what they are from those who watch (RFC 6980, Section 5)
	}
	switch m.Type() {
	case wire.ICMPv6NeighborSolicit:
		return in.neighborSolicit(p, m)
	case wire.ICMPv6NeighborAdvert:
		return in.neighborAdvert(p, m)
	case wire.ICMPv6RouterSolicit:
		return in.routerSolicit(p, m)
	case wire.ICMPv6RouterAdvert:
		return in.routerAdvert(p, m)
	}
	return in.redirect6(p, m)
}

// linkAddr returns the hardware address in the options of a message, or the zero MAC.
func linkAddr(o wire.NDPOptions, t wire.NDPOptionType) (mac wire.MAC) {
	for o.Next() {
		if o.Type() == t {
			mac, _ = o.LinkAddr()
		}
	}
	return mac
}

// neighborSolicit answers who asks for an address of ours (RFC 4861, Section 7.2.3 and 7.2.4; RFC
// 4862, Section 5.4.3).
func (in *input) neighborSolicit(p *Packet, m wire.ICMPv6) Drop {
	s, err := wire.ParseNeighborSolicit(m)
	if err != nil {
		return DropOf(err)
	}
	target, mac := s.Target(), linkAddr(s.Options(), wire.NDPSourceLinkAddr)
	l, ours := in.v.locals[target]
	probe := p.Src.IsUnspecified()
	switch {
	case probe && (mac != wire.MAC{} || !isSolicitedNode(p.Dst)):
		return DropNDP
	case !ours || l.i != in.i:
		return DropNDP // for somebody else, whose group has the same number
	case in.src == in.i.mac:
		return DropNDP // ours, sent back by the network
	case probe && l.tentative:
		in.i.heardOther6(target, in.src) // we both want it
		return 0
	case l.tentative:
		return DropTentative
	case probe:
		in.i.advertise(target, allNodes, wire.NeighborOverride)
		return 0
	case in.v.isLocal(p.Src):
		return DropOwnSource
	}
	if mac != (wire.MAC{}) {
		if d := in.learn(heard{ip: p.Src, mac: mac, kind: heardSource}); d != 0 {
			return d
		}
	}
	in.i.advertise(target, p.Src, wire.NeighborSolicited|wire.NeighborOverride)
	return 0
}

// allNodes and allRouters are groups on each link (RFC 4291, Section 2.7.1).
var (
	allNodes   = netip.MustParseAddr("ff02::1")
	allRouters = netip.MustParseAddr("ff02::2")
)

// isSolicitedNode reports whether a is a group that the owner of an address is asked at.
func isSolicitedNode(a netip.Addr) bool {
	b := a.As16()
	return a == wire.SolicitedNode(netip.AddrFrom16([16]byte{13: b[13], 14: b[14], 15: b[15]}))
}

// neighborAdvert learns from an answer, or from somebody who has an address that we want (RFC
// 4861, Section 7.2.5; RFC 4862, Section 5.4.4).
func (in *input) neighborAdvert(p *Packet, m wire.ICMPv6) Drop {
	a, err := wire.ParseNeighborAdvert(m)
	if err != nil {
		return DropOf(err)
	}
	f := a.Flags()
	if p.Dst.IsMulticast() && f&wire.NeighborSolicited != 0 || in.src == in.i.mac {
		return DropNDP
	}
	if in.v.has(in.i, a.Target()) {
		in.i.heardOther6(a.Target(), in.src)
		return 0
	}
	return in.learn(heard{
		ip: a.Target(), mac: linkAddr(a.Options(), wire.NDPTargetLinkAddr), kind: heardAdvert,
		solicited: f&wire.NeighborSolicited != 0, override: f&wire.NeighborOverride != 0, router: f&wire.NeighborRouter != 0,
		toRouter: in.i.stack.cfg.Forwarding,
	})
}

// routerSolicit answers a host that looks for routers, if this is one (RFC 4861, Section 6.2.6).
func (in *input) routerSolicit(p *Packet, m wire.ICMPv6) Drop {
	s, err := wire.ParseRouterSolicit(m)
	if err != nil {
		return DropOf(err)
	}
	mac := linkAddr(s.Options(), wire.NDPSourceLinkAddr)
	switch {
	case p.Src.IsUnspecified() && mac != wire.MAC{}:
		return DropNDP
	case !in.i.advertises():
		return DropICMPKind // "a host MUST silently discard any received Router Solicitation"
	case mac != wire.MAC{}:
		if d := in.learn(heard{ip: p.Src, mac: mac, kind: heardSource, host: true}); d != 0 {
			return d
		}
	}
	in.i.solicited(p.Src)
	return 0
}

// routerAdvert listens to a router (RFC 4861, Section 6.1.2 and 6.3.4).
func (in *input) routerAdvert(p *Packet, m wire.ICMPv6) Drop {
	a, err := wire.ParseRouterAdvert(m)
	switch {
	case err != nil:
		return DropOf(err)
	case !p.Src.IsLinkLocalUnicast():
		return DropNDP
	case !in.i.listensToRouters():
		return DropICMPKind
	}
	if mac := linkAddr(a.Options(), wire.NDPSourceLinkAddr); mac != (wire.MAC{}) {
		if d := in.learn(heard{ip: p.Src, mac: mac, kind: heardSource, router: true}); d != 0 {
			return d
		}
	}
	in.i.heardRouter(p.Src, a)
	return 0
}

// redirect6 takes a better first hop from the router that is the present one (RFC 4861, Section
// 8.1 and 8.3).
func (in *input) redirect6(p *Packet, m wire.ICMPv6) Drop {
	r, err := wire.ParseRedirect(m)
	if err != nil {
		return DropOf(err)
	}
	target, dst := r.Target(), r.Dst()
	if !p.Src.IsLinkLocalUnicast() || dst.IsMulticast() || target != dst && !target.IsLinkLocalUnicast() {
		return DropNDP
	}
	if d := in.i.stack.redirect(in.i, p.Src, dst, target); d != 0 {
		return d
	}
	if mac := linkAddr(r.Options(), wire.NDPTargetLinkAddr); mac != (wire.MAC{}) {
		return in.learn(heard{ip: target, mac: mac, kind: heardSource, router: target != dst})
	}
	return 0
}

// advertise sends a neighbor advertisement for an address of ours.
func (i *Interface) advertise(target, to netip.Addr, f wire.NeighborFlags) {
	if i.stack.cfg.Forwarding {
		f |= wire.NeighborRouter
	}
	m := wire.AppendNeighborAdvert(make([]byte, 0, 64), f, target)
	m = wire.AppendLinkAddr(m, wire.NDPTargetLinkAddr, i.mac)
	i.sendNDP(target, to, wire.MAC{}, m)
}

// solicitNDP asks for a neighbor, or whether it is still there if its hardware address is given.
func (i *Interface) solicitNDP(ip netip.Addr, mac wire.MAC, src netip.Addr) {
	m := wire.AppendNeighborSolicit(make([]byte, 0, 64), ip)
	if !src.IsUnspecified() {
		m = wire.AppendLinkAddr(m, wire.NDPSourceLinkAddr, i.mac)
	}
	to := ip
	if mac == (wire.MAC{}) {
		to = wire.SolicitedNode(ip)
	}
	i.sendNDP(src, to, mac, m)
}

// sendNDP sends a message of Neighbor Discovery. If the hardware address is not given, that of the
// group is taken, or what is known of the neighbor.
func (i *Interface) sendNDP(src, dst netip.Addr, mac wire.MAC, m wire.ICMPv6) {
	path := Path{i: i, src: src, dst: dst, next: dst, mac: mac, kind: pathDirect}
	if dst.IsMulticast() {
		path.mac = wire.MulticastMAC(dst)
	} else if mac == (wire.MAC{}) {
		path.kind = pathUnicast
	}
	path.sendPayload(Header{Protocol: wire.ProtoICMPv6, TTL: wire.NDPHopLimit}, m)
}
