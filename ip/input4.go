package ip

import "landline/wire"

// ipv4 takes an IPv4 packet, the first piece of which is b.
func (in *input) ipv4(b []byte) Drop {
	h, err := wire.ParseIPv4Head(b, len(in.f.Body))
	if err != nil {
		return DropOf(err)
	}
	if err := h.Verify(); err != nil {
		return DropOf(err)
	}
	p := &in.p
	*p = Packet{
		Interface: in.i, Src: h.Src(), Dst: h.Dst(), Protocol: h.Protocol(), TTL: h.TTL(), TOS: h.TOS(),
		Group: in.group, ip: h,
	}
	in.take(p, h.Payload(), h.TotalLen()-len(h))
	if d := in.options4(p, h); d != 0 {
		return d
	}
	if d := in.addresses4(p); d != 0 {
		return d
	}
	return in.route4(p, h)
}

// addresses4 looks whether a packet may have come from where it says, and to where it
// did.
func (in *input) addresses4(p *Packet) Drop {
	switch {
	case in.i.loopback:
		return 0 // it has been looked at on its way out
	case martianSource(p.Src, p.Dst) || martianDestination(p.Dst):
		return DropMartian
	case in.v.isLocal(p.Src):
		return DropOwnSource
	case in.v.broadcasts[p.Src] != nil:
		return DropMartian
	}
	return 0
}

// route4 decides where a packet goes: to this host, on, or nowhere.
func (in *input) route4(p *Packet, h wire.IPv4) Drop {
	switch in.whose4(p) {
	case toUs:
		if h.IsFragment() {
			return in.fragment4(p, h)
		}
		return in.upper4(p)
	case toOthers:
		if in.takesForeign(p, p.Protocol) {
			if d := in.lastHop(p); d != 0 {
				return d
			}
			if h.IsFragment() {
				return in.fragment4(p, h)
			}
			return in.upper4(p)
		}
		return in.forward(p)
	case toNoGroup:
		return DropNoGroup
	}
	return DropTentative
}

// whose an address is.
type whose int

const (
	toUs whose = iota
	toOthers
	toNoGroup   // a group that nobody here has joined
	toTentative // an address that may turn out to be somebody else's
)

func (in *input) whose4(p *Packet) whose {
	if l, ok := in.v.locals[p.Dst]; ok {
		return l.whose()
	}
	switch {
	case isBroadcast(p.Dst) || in.v.broadcasts[p.Dst] == in.i:
		p.Group = true
		return toUs
	case p.Dst.IsMulticast():
		p.Group = true
		if in.i.hears(p.Dst) || in.i.loopback {
			return toUs
		}
		return toNoGroup
	case in.i.loopback && p.Dst.IsLoopback():
		return toUs
	}
	return toOthers
}

// options4 looks at the options, if there are any. None is acted upon. A packet that
// was to be sent on by a list of its sender is not taken: "silently discard"
// is what RFC 7126, Section 4.3, advises.
func (in *input) options4(p *Packet, h wire.IPv4) Drop {
	if h.HeaderLen() == wire.IPv4Len {
		return 0
	}
	o := h.Options()
	for o.Next() {
		switch o.Kind() {
		case wire.IPv4OptLooseRoute, wire.IPv4OptStrictRoute:
			return DropExtension
		}
	}
	if err := o.Err(); err != nil {
		in.i.stack.reject(p, icmpError{t4: wire.ICMPv4ParamProblem, rest: uint32(wire.IPv4Len+o.Offset()) << 24})
		return DropOf(err)
	}
	return 0
}

// upper4 takes a whole packet for this host.
func (in *input) upper4(p *Packet) Drop {
	switch p.Protocol {
	case wire.ProtoICMP:
		return in.icmp4(p)
	case wire.ProtoIGMP:
		return in.igmp(p)
	}
	return in.pass(p)
}
