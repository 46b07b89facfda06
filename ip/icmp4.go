package ip

import (
	"net/netip"

	"landline/wire"
)

// icmp4 takes an ICMP message for this host (RFC 792; RFC 1122, Section 3.2.2).
func (in *input) icmp4(p *Packet) Drop {
	m, err := wire.ParseICMPv4(in.whole(p))
	if err != nil {
		return DropOf(err)
	}
	if err := m.Verify(); err != nil && !p.SumKnown {
		return DropOf(err)
	}
	switch {
	case m.Type() == wire.ICMPv4Echo:
		return in.answerEcho4(p, m)
	case m.Type() == wire.ICMPv4EchoReply:
		return in.i.stack.echoes.reply(p, m.ID(), m.Seq(), m.Payload())
	case m.Type() == wire.ICMPv4Redirect:
		return in.redirect4(p, m)
	case m.IsError():
		return in.fault4(p, m)
	}
	return DropICMPKind
}

// answerEcho4 answers a ping: "Every host MUST implement an ICMP Echo server function" (RFC
// 1122, Section 3.2.2.6). One to a group gets no answer, as that section allows.
func (in *input) answerEcho4(p *Packet, m wire.ICMPv4) Drop {
	if p.Group {
		return DropICMPKind
	}
	if in.foreignEcho(p, m.ID(), m.Seq(), m.Payload()) {
		return 0
	}
	path, err := in.i.stack.Path(p.Dst, p.Src, nil)
	if err != nil {
		return DropNoRoute
	}
	rest := wire.EchoRest(m.ID(), m.Seq())
	answer := wire.AppendICMPv4(in.reply[:0], wire.ICMPv4EchoReply, 0, rest, m.Payload())
	return in.echo(&path, p, wire.ProtoICMP, answer)
}

// echo sends an answer to a ping from a buffer of its own, since it may be as long as a
// packet can be.
func (in *input) echo(path *Path, p *Packet, proto wire.Protocol, answer []byte) Drop {
	in.reply = answer
	if err := path.sendPayload(Header{Protocol: proto, TOS: p.TOS}, answer); err != nil {
		return DropDevice
	}
	return 0
}

// fault4 takes an error about a packet that this host is said to have sent.
func (in *input) fault4(p *Packet, m wire.ICMPv4) Drop {
	q, err := m.Quote()
	if err != nil {
		return DropOf(err)
	}
	meaning, ok := errorOf4(m)
	if !ok {
		return DropICMPKind
	}
	return in.i.stack.fault(&Fault{Quote: q, From: p.Src, Err: meaning})
}

// redirect4 takes a better first hop from the router that is the present one (RFC 1122,
// Section 3.2.2.2).
func (in *input) redirect4(p *Packet, m wire.ICMPv4) Drop {
	q, err := m.Quote()
	if err != nil {
		return DropOf(err)
	}
	if !in.v.isLocal(q.Src) {
		return DropICMPQuote
	}
	b := m[4:8]
	return in.i.stack.redirect(in.i, p.Src, q.Dst, netip.AddrFrom4([4]byte(b)))
}
