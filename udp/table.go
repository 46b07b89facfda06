package udp

import (
	"net"
	"net/netip"
	"slices"

	"landline/ip"
	"landline/wire"
)

func (l *Layer) add(s *Socket) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return net.ErrClosed
	}
	// The slice is replaced, so that those who walk it need no lock.
	l.sockets[s.local.Port()] = append(slices.Clone(l.sockets[s.local.Port()]), s)
	return nil
}

func (l *Layer) remove(s *Socket) {
	if s.any {
		l.stack.TakeForeign(wire.ProtoUDP, false)
		l.any.Store(nil)
		return
	}
	defer l.ports.Release(s.binding)
	l.mu.Lock()
	defer l.mu.Unlock()
	port := s.local.Port()
	rest := slices.DeleteFunc(slices.Clone(l.sockets[port]), func(o *Socket) bool { return o == s })
	if len(rest) == 0 {
		delete(l.sockets, port)
		return
	}
	l.sockets[port] = rest
}

func (l *Layer) at(port uint16) []*Socket {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.sockets[port]
}

// receive takes a batch of datagrams. Those in a row for one socket are put into its queue
// under one lock.
func (l *Layer) receive(ps []ip.Packet) {
	var to *Socket
	var space [16]arrived
	run := space[:0]
	for k := range ps {
		d, ok := l.parse(&ps[k])
		if !ok {
			continue
		}
		all := l.at(d.to)
		if ps[k].Group {
			l.receiveGroup(all, d)
			continue
		}
		s := l.socketFor(all, d)
		if s == nil {
			l.refuse(all, d)
			continue
		}
		if s != to || len(run) == len(space) {
			to.take(run)
			to, run = s, space[:0]
		}
		run = append(run, d)
	}
	to.take(run)
}

// arrived is a datagram that has just come.
type arrived struct {
	packet     *ip.Packet
	head, body []byte // the payload
	src, to    uint16 // ports
}

func (d *arrived) len() int { return len(d.head) + len(d.body) }

func (d *arrived) from() netip.AddrPort { return netip.AddrPortFrom(d.packet.Src, d.src) }

// parse checks a datagram. A bad one is counted.
func (l *Layer) parse(p *ip.Packet) (d arrived, ok bool) {
	u, err := wire.ParseUDPHead(p.Head, len(p.Body))
	if err != nil {
		l.stack.Drop(ip.DropOf(err))
		return arrived{}, false
	}
	rest := p.Body[:min(len(p.Body), u.Len()-len(u))]
	if !p.SumKnown {
		pseudo := wire.PseudoSum(p.Src, p.Dst, wire.ProtoUDP, u.Len())
		err := u.VerifyWith(rest, pseudo)
		if err != nil && !(err == wire.ErrUDPNoChecksum && p.Src.Is4()) {
			l.stack.Drop(ip.DropOf(err))
			return arrived{}, false
		}
	}
	return arrived{p, u.Payload(), rest, u.SrcPort(), u.DstPort()}, true
}

// refuse counts a datagram that no socket wants, and tells its sender unless there is a socket
// that only listens to somebody else.
func (l *Layer) refuse(all []*Socket, d arrived) {
	for _, s := range all {
		if s.hearsAt(&d) {
			l.stack.Drop(ip.DropFiltered)
			return
		}
	}
	l.stack.PortUnreachable(d.packet)
}

// receiveGroup gives a datagram to every socket that wants it.
func (l *Layer) receiveGroup(all []*Socket, d arrived) {
	heard := false
	for _, s := range all {
		if s.score(&d) > 0 {
			s.take([]arrived{d})
			heard = true
		}
	}
	if !heard {
		l.stack.Drop(ip.DropNoPort)
	}
}

// socketFor returns the socket that d is for, or nil. What is for another machine is for no socket of
// this one, though one may listen at all addresses.
func (l *Layer) socketFor(all []*Socket, d arrived) *Socket {
	a := l.any.Load()
	if a == nil {
		return best(all, d)
	}
	if l.stack.IsLocal(d.packet.Dst) {
		if s := best(all, d); s != nil {
			return s
		}
	}
	return a
}

// best returns the socket that is bound most exactly to where d goes, or nil.
func best(all []*Socket, d arrived) (s *Socket) {
	highest := 0
	for _, o := range all {
		if n := o.score(&d); n > highest {
			s, highest = o, n
		}
	}
	return s
}

// score says how exactly a socket asks for a datagram: 0 is not at all. A remote counts more
// than a local address, and that more than none.
func (s *Socket) score(d *arrived) int {
	if !s.hearsAt(d) {
		return 0
	}
	n := 1
	if s.remote.IsValid() {
		if s.remote != d.from() {
			return 0
		}
		n += 4
	}
	if !s.local.Addr().IsUnspecified() {
		n += 2
	}
	return n
}

// hearsAt reports whether s receives at the address and interface that d has come to.
func (s *Socket) hearsAt(d *arrived) bool {
	if s.via != nil && s.via != d.packet.Interface {
		return false
	}
	local := s.local.Addr()
	if local.IsUnspecified() {
		return local.Is4() == d.packet.Dst.Is4() || s.dual
	}
	return local.WithZone("") == d.packet.Dst
}

// fault tells the socket that sent a datagram that it went wrong (RFC 1122, Section 4.1.3.3).
func (l *Layer) fault(f *ip.Fault) bool {
	src, dst := f.Quote.Ports()
	d := arrived{packet: &ip.Packet{Src: f.Quote.Dst, Dst: f.Quote.Src}, src: dst, to: src}
	all := l.at(src)
	for _, s := range all {
		d.packet.Interface = s.via
		if s.score(&d) > 0 {
			s.fail(f)
			return true
		}
	}
	return false
}
