package ip

import (
	"syscall"

	"landline/link"
	"landline/wire"
)

// failed gives frames back whose neighbor does not answer: to the transport that sent them, or
// to the host that they came from.
func (i *Interface) failed(frames []link.Frame) {
	for k := range frames {
		i.stack.Drop(DropNeighborFailed)
		p, ok := packetIn(i, frames[k].Head)
		switch {
		case !ok:
		case i.stack.view.Load().isLocal(p.Src):
			i.stack.failedLocally(p)
		default:
			i.stack.reject(p, hostUnreachable(p))
		}
	}
}

// packetIn reads a frame that this host was about to send.
func packetIn(i *Interface, frame []byte) (*Packet, bool) {
	b := wire.Ethernet(frame).Payload()
	if h, err := wire.ParseIPv4(b); err == nil {
		return &Packet{Interface: i, Src: h.Src(), Dst: h.Dst(), Protocol: h.Protocol(), Head: h.Payload(), ip: h}, true
	}
	h, err := wire.ParseIPv6(b)
	if err != nil {
		return nil, false
	}
	proto, head, err := h.Upper()
	return &Packet{Interface: i, Src: h.Src(), Dst: h.Dst(), Protocol: proto, Head: head, ip: h}, err == nil
}

// failedLocally tells the transport that a packet of its got no further than this host.
func (s *Stack) failedLocally(p *Packet) {
	const ports = 8 // bytes that a Quote has at least
	if len(p.Head) < ports {
		return
	}
	s.fault(&Fault{
		Quote: wire.Quote{Src: p.Src, Dst: p.Dst, Protocol: p.Protocol, Len: len(p.ip), Head: p.Head},
		From:  p.Src,
		Err:   hard(syscall.EHOSTUNREACH), // nobody can have forged it
	})
}
