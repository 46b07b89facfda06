package ip

import (
	"net/netip"
	"slices"

	"landline/wire"
)

// A gateway speaks for machines that it is not: it takes what is sent to them, and answers in their
// name.

// TakeForeign makes the transport of a protocol get, or no longer get, packets that are for other machines, in place of their being
// sent on or dropped. What goes to groups, or can be on no wire, is not among them.
func (s *Stack) TakeForeign(p wire.Protocol, on bool) { s.foreign[p].Store(on) }

// takesForeign reports whether a packet of a protocol for another machine is taken.
func (in *input) takesForeign(p *Packet, proto wire.Protocol) bool {
	return in.i.stack.foreign[proto].Load() && !in.group && !in.i.loopback && !staysOnLink(p.Dst)
}

// takesForeign6 is takesForeign for IPv6, where the protocol may stand behind other headers. Fragments are not
// taken: their senders find the path's MTU.
func (in *input) takesForeign6(p *Packet, h wire.IPv6) bool {
	proto, _, err := h.Upper()
	return err == nil && in.takesForeign(p, proto)
}

// PathAs is Path from an address that need not be one of this host.
func (s *Stack) PathAs(src, dst netip.Addr, i *Interface) (Path, error) {
	v := s.view.Load()
	p := Path{i: i, src: src, dst: dst, number: v.number, foreign: !v.isLocal(src)}
	if d := p.find(v, s); d != 0 {
		return Path{}, d.errno()
	}
	return p, nil
}

// A ForeignEcho is a ping to another machine, for which this host speaks.
type ForeignEcho struct {
	Interface *Interface
	Src, Dst  netip.Addr
	ID, Seq   uint16
	Data      []byte // until the function that got it returns
	TTL       uint8
}

// TakeForeignEchoes makes take get the pings to other machines, on the goroutine that brought them; it must not
// block. nil ends that. Who wants to answer calls Answer.
func (s *Stack) TakeForeignEchoes(take func(ForeignEcho)) {
	s.foreignEcho.Store(&take)
	s.TakeForeign(wire.ProtoICMP, take != nil)
	s.TakeForeign(wire.ProtoICMPv6, take != nil)
}

// Answer sends the answer to a ping, in the name of who was asked.
func (s *Stack) Answer(e ForeignEcho) error {
	path, err := s.PathAs(e.Dst, e.Src, e.Interface)
	if err != nil {
		return err
	}
	rest := wire.EchoRest(e.ID, e.Seq)
	if e.Src.Is4() {
		m := wire.AppendICMPv4(nil, wire.ICMPv4EchoReply, 0, rest, e.Data)
		return path.sendPayload(Header{Protocol: wire.ProtoICMP}, m)
	}
	m := wire.AppendICMPv6(nil, wire.ICMPv6EchoReply, 0, rest, e.Data)
	return path.sendPayload(Header{Protocol: wire.ProtoICMPv6}, m)
}

// foreignEcho hands over a ping to another machine, and reports whether it was one.
func (in *input) foreignEcho(p *Packet, id, seq uint16, data []byte) bool {
	take := in.i.stack.foreignEcho.Load()
	if take == nil || *take == nil || p.Group || in.v.isLocal(p.Dst) || in.i.loopback {
		return false
	}
	(*take)(ForeignEcho{in.i, p.Src, p.Dst, id, seq, data, p.TTL})
	return true
}

// Clone returns a copy of p's headers, and what lies with them, that lasts: what it takes to tell its sender of an
// error later.
func (p *Packet) Clone() *Packet {
	c := *p
	head := len(p.ip) - len(p.Head)
	c.ip = slices.Clone(p.ip[:min(len(p.ip), maxBuilt)])
	c.Head, c.Body = c.ip[min(head, len(c.ip)):], nil
	return &c
}

// HostUnreachable tells the sender of a packet that there is no way to where it should have gone.
func (s *Stack) HostUnreachable(p *Packet) { s.reject(p, hostUnreachable(p)) }

// Quoted makes a packet like one that came and is gone, so that its sender can be told of an error: head is its
// transport header, and as much of what followed as is known, of rest bytes more.
func Quoted(src, dst netip.Addr, proto wire.Protocol, head []byte, rest int) *Packet {
	p := &Packet{Src: src, Dst: dst, Protocol: proto}
	if n := len(head) + rest; src.Is4() {
		p.ip = wire.AppendIPv4(nil, &wire.IPv4Header{TTL: defaultHops, Protocol: proto, Src: src, Dst: dst}, n)
	} else {
		p.ip = wire.AppendIPv6(nil, &wire.IPv6Header{HopLimit: defaultHops, NextHeader: proto, Src: src, Dst: dst}, n)
	}
	at := len(p.ip)
	p.ip = append(p.ip, head...)
	p.Head = p.ip[at:]
	return p
}

// UnreachableEcho tells the sender of a ping that there is no way to who was asked.
func (s *Stack) UnreachableEcho(e ForeignEcho) {
	rest := wire.EchoRest(e.ID, e.Seq)
	if e.Src.Is4() {
		m := wire.AppendICMPv4(nil, wire.ICMPv4Echo, 0, rest, e.Data)
		s.HostUnreachable(Quoted(e.Src, e.Dst, wire.ProtoICMP, m, 0))
		return
	}
	m := wire.AppendICMPv6(nil, wire.ICMPv6Echo, 0, rest, e.Data)
	s.HostUnreachable(Quoted(e.Src, e.Dst, wire.ProtoICMPv6, m, 0))
}
