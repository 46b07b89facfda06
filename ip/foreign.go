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

// Clone returns a copy of p's headers, and what lies with them, that lasts: what it takes to tell its sender of an
// error later.
func (p *Packet) Clone() *Packet {
	c := *p
	head := len(p.ip) - len(p.Head)
	c.ip = slices.Clone(p.ip)
	c.Head, c.Body = c.ip[head:], nil
	return &c
}

// HostUnreachable tells the sender of a packet that there is no way to where it should have gone.
func (s *Stack) HostUnreachable(p *Packet) { s.reject(p, hostUnreachable(p)) }
