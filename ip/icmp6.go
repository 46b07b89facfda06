package ip

import "landline/wire"

// icmp6 takes an ICMPv6 message for this host (RFC 4443).
func (in *input) icmp6(p *Packet) Drop {
	m, err := wire.ParseICMPv6(in.whole(p))
	if err != nil {
		return DropOf(err)
	}
	if !p.SumKnown {
		if err := m.Verify(p.PseudoSum()); err != nil {
			return DropOf(err)
		}
	}
	switch t := m.Type(); {
	case t >= wire.ICMPv6RouterSolicit && t <= wire.ICMPv6Redirect:
		return in.ndp(p, m)
	case in.isTentative(p):
		return DropTentative
	case in.v.isLocal(p.Src) && !in.i.loopback:
		return DropOwnSource
	case t == wire.ICMPv6Echo:
		return in.answerEcho6(p, m)
	case t == wire.ICMPv6EchoReply:
		return in.i.stack.echoes.reply(p, m.ID(), m.Seq(), m.Payload())
	case t == wire.ICMPv6MLDQuery || t == wire.ICMPv6MLDReport:
		return in.mld(p, m)
	case m.IsError():
		return in.fault6(p, m)
	}
	return DropICMPKind
}

func (in *input) isTentative(p *Packet) bool {
	l, ok := in.v.locals[p.Dst]
	return ok && l.tentative
}

// answerEcho6 answers a ping: "Every node MUST implement an ICMPv6 Echo responder function" (RFC 4443,
// Section 4.2). One to a group, too, is answered, from an address of ours.
func (in *input) answerEcho6(p *Packet, m wire.ICMPv6) Drop {
	if in.foreignEcho(p, m.ID(), m.Seq(), m.Payload()) {
		return 0
	}
	path, err := in.i.stack.errorPath(p)
	if err != nil {
		return DropNoRoute
	}
	rest := wire.EchoRest(m.ID(), m.Seq())
	answer := wire.AppendICMPv6(in.reply[:0], wire.ICMPv6EchoReply, 0, rest, m.Payload())
	return in.echo(&path, p, wire.ProtoICMPv6, answer)
}

// fault6 takes an error about a packet that this host is said to have sent.
func (in *input) fault6(p *Packet, m wire.ICMPv6) Drop {
	q, err := m.Quote()
	if err != nil {
		return DropOf(err)
	}
	meaning, ok := errorOf6(m)
	if !ok {
		return DropICMPKind
	}
	return in.i.stack.fault(&Fault{Quote: q, From: p.Src, Err: meaning})
}
