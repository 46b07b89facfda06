package ip

import "landline/wire"

// ipv6 takes an IPv6 packet, the first piece of which is b.
func (in *input) ipv6(b []byte) Drop {
	h, err := wire.ParseIPv6Head(b, len(in.f.Body))
	if err != nil {
		return DropOf(err)
	}
	p := &in.p
	*p = Packet{
		Interface: in.i, Src: h.Src(), Dst: h.Dst(), Protocol: h.NextHeader(), TTL: h.HopLimit(),
		TOS: h.TrafficClass(), Group: in.group, ip: h,
	}
	in.take(p, h.Payload(), wire.IPv6Len+h.PayloadLen()-len(h))
	if d := in.addresses6(p); d != 0 {
		return d
	}
	switch in.whose6(p) {
	case toUs:
		return in.extensions(p, h)
	case toOthers:
		if in.takesForeign6(p, h) {
			if d := in.lastHop(p); d != 0 {
				return d
			}
			return in.extensions(p, h)
		}
		if d := in.hopByHop(p, h); d != 0 {
			return d
		}
		return in.forward(p)
	case toNoGroup:
		return DropNoGroup
	}
	// "the node MUST silently discard" what comes to a tentative address, but for
	// what finds out if it is somebody's (RFC 4862, Section 5.4.3).
	return in.extensions(p, h)
}

// addresses6 is addresses4 for IPv6. A packet with one of our addresses as source may be
// a question of ours that a switch has sent back, or somebody else with our address:
// only Neighbor Discovery can tell.
func (in *input) addresses6(p *Packet) Drop {
	if !in.i.loopback && (martianSource(p.Src, p.Dst) || martianDestination(p.Dst)) {
		return DropMartian
	}
	return 0
}

func (in *input) whose6(p *Packet) whose {
	if l, ok := in.v.locals[p.Dst]; ok && l.on(in.i, p.Dst) {
		return l.whose()
	}
	switch {
	case p.Dst.IsMulticast():
		p.Group = true
		if in.i.hears(p.Dst) || in.i.loopback {
			return toUs
		}
		return toNoGroup
	case p.Dst.IsLinkLocalUnicast() || in.i.loopback:
		return toNoGroup // nobody sends it on
	}
	return toOthers
}

// extensions walks the extension headers of a packet for us.
func (in *input) extensions(p *Packet, h wire.IPv6) Drop {
	e := h.Extensions()
	field := e.ProtocolOffset()
	for ; e.Next(); field = e.ProtocolOffset() {
		if d := in.extension(p, &e); d != 0 {
			return d
		}
		if _, ok := e.Fragment(); ok {
			return in.fragment6(p, h, &e, field)
		}
	}
	if err := e.Err(); err != nil {
		return in.badExtension(p, &e, err)
	}
	p.Protocol, p.Head = e.Protocol(), e.Payload()
	return in.upper6(p, &e)
}

// hopByHop looks at what every router has to look at, too.
func (in *input) hopByHop(p *Packet, h wire.IPv6) Drop {
	if h.NextHeader() != wire.ProtoHopByHop {
		return 0
	}
	e := h.Extensions()
	if !e.Next() {
		return in.badExtension(p, &e, e.Err())
	}
	return in.extension(p, &e)
}

// extension looks at one header.
func (in *input) extension(p *Packet, e *wire.Extensions) Drop {
	if _, left, ok := e.Routing(); ok && left != 0 {
		// "the node must discard the packet and send an ICMP Parameter Problem, Code 0"
		// about a routing type that it does not know (RFC 8200, Section 4.4).
		in.i.stack.reject(p, icmpError{t6: wire.ICMPv6ParamProblem, rest: uint32(e.Offset() + 2)})
		return DropExtension
	}
	o := e.Options()
	for o.Next() {
		if d := in.option6(p, e, &o); d != 0 {
			return d
		}
	}
	if err := o.Err(); err != nil {
		return in.badExtension(p, e, err)
	}
	return 0
}

// routerAlert is the one option that is known here (RFC 2711). It asks for nothing.
const routerAlert = 5

// option6 does with an option what its type asks of those who do not know it (RFC 8200,
// Section 4.2).
func (in *input) option6(p *Packet, e *wire.Extensions, o *wire.IPv6Options) Drop {
	if o.Type() == routerAlert {
		return 0
	}
	problem := icmpError{
		t6: wire.ICMPv6ParamProblem, code: wire.ICMPv6UnknownOption, rest: uint32(e.Offset() + o.Offset()),
	}
	switch o.Action() {
	case wire.OptionSkip:
		return 0
	case wire.OptionDropReply:
		problem.evenToGroups = true
		in.i.stack.reject(p, problem)
	case wire.OptionDropReplyUnicast:
		in.i.stack.reject(p, problem)
	}
	return DropExtension
}

// badExtension answers a header that cannot be read.
func (in *input) badExtension(p *Packet, e *wire.Extensions, err error) Drop {
	in.i.stack.reject(p, icmpError{t6: wire.ICMPv6ParamProblem, rest: uint32(e.ProtocolOffset())})
	return DropOf(err)
}

// upper6 takes a whole packet for this host.
func (in *input) upper6(p *Packet, e *wire.Extensions) Drop {
	if p.Protocol == wire.ProtoICMPv6 {
		return in.icmp6(p)
	}
	if l, ok := in.v.locals[p.Dst]; ok && l.tentative {
		return DropTentative
	}
	switch {
	case in.v.isLocal(p.Src) && !in.i.loopback:
		return DropOwnSource
	case p.Protocol == wire.ProtoNone:
		return 0
	case in.i.stack.transports[p.Protocol] == nil:
		in.i.stack.reject(p, icmpError{
			t6: wire.ICMPv6ParamProblem, code: wire.ICMPv6UnknownHeader, rest: uint32(e.ProtocolOffset()),
		})
		return DropProtocol
	}
	return in.pass(p)
}
