package ip

import "landline/wire"

// forward sends on a packet that is for somebody else (RFC 1812, Section 5.2; RFC 8200).
func (in *input) forward(p *Packet) Drop {
	s := in.i.stack
	switch {
	case !s.cfg.Forwarding:
		return DropNotForUs
	case p.Group || staysOnLink(p.Src) || staysOnLink(p.Dst):
		return DropNotForUs
	}
	if d := in.lastHop(p); d != 0 {
		return d
	}
	path := Path{dst: p.Dst, src: p.Src, number: in.v.number, others: true}
	switch d := path.onward(in.v); d {
	case 0:
	case DropNoRoute:
		s.reject(p, netUnreachable(p))
		return d
	default:
		return d
	}
	s.counts.forwarded.Add(1)
	return in.sendOn(p, &path)
}

// lastHop tells the sender of a packet for another machine that it goes no further than to here.
func (in *input) lastHop(p *Packet) Drop {
	if p.TTL > 1 {
		return 0
	}
	in.i.stack.reject(p, timeExceeded(0))
	return DropTTL
}

// onward finds the next hop without asking whose the source is.
func (p *Path) onward(v *view) Drop {
	r, ok := v.routes.lookup(p.dst, 0)
	if !ok || v.interfaces[r.Interface-1] == nil {
		return DropNoRoute
	}
	p.i, p.next = v.interfaces[r.Interface-1], p.dst
	if r.Gateway.IsValid() {
		p.next = r.Gateway
	}
	if v.broadcasts[p.dst] != nil || p.i.loopback {
		return DropNotForUs // "MUST have an option to disable" directed broadcasts (RFC 2644): they are off
	}
	return 0
}

// sendOn sends a packet with one hop less to its next hop. The headers are copied, for they
// change; what follows is sent from where it lies.
func (in *input) sendOn(p *Packet, path *Path) Drop {
	mtu := path.i.mtuFor(p.Dst)
	if n := len(p.ip) + len(p.Body); n > mtu && p.SegSize == 0 && !mayCut(p) {
		in.i.stack.reject(p, tooBig(p, mtu))
		return DropTooBig
	}
	in.flat = append(in.flat[:0], make([]byte, wire.EthernetLen)...)
	in.flat = append(in.flat, p.ip...)
	ethernet, ip := in.flat[:0:wire.EthernetLen], in.flat[wire.EthernetLen:]
	if p.Src.Is4() {
		wire.AppendEthernet(ethernet, path.mac, path.i.mac, wire.TypeIPv4)
		wire.IPv4(ip).DecrementTTL()
	} else {
		wire.AppendEthernet(ethernet, path.mac, path.i.mac, wire.TypeIPv6)
		wire.IPv6(ip).DecrementHopLimit()
	}
	f := in.f
	f.Head, f.Body = in.flat, p.Body
	in.onward[0] = f
	if err := path.send(in.onward[:], nil); err != nil {
		return DropDevice
	}
	return 0
}

// mayCut reports whether a router may cut p: IPv6 leaves that to the source.
func mayCut(p *Packet) bool { return p.Src.Is4() && !wire.IPv4(p.ip).DontFragment() }
