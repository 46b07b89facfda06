package ip

import (
	"landline/link"
	"landline/wire"
)

// input carries a batch of frames from a device to the transports. An interface has
// one, which its Receive uses again and again.
type input struct {
	i *Interface
	v *view

	// The frame at hand, without a tag, and what the link layer knows of it.
	f     link.Frame
	src   wire.MAC
	group bool   // it came to a group or to all
	p     Packet // that is in it; here, as it would be allocated elsewhere

	// packets wait for the transport of one protocol, so that it sees a batch.
	packets []Packet

	flat   []byte        // a packet that has to lie in one piece
	reply  []byte        // an answer to a ping
	memory []byte        // of the packet that fragments were joined to
	onward [1]link.Frame // a packet that is sent on
}

// receive is the Handler's Receive of the interface's device.
func (i *Interface) receive(frames []link.Frame) {
	in := &i.in
	in.v = i.stack.view.Load()
	bytes := 0
	for k := range frames {
		in.f = frames[k]
		bytes += in.f.Len()
		if d := in.frame(); d != 0 {
			i.stack.Drop(d)
			i.counts.dropped.Add(1)
		}
	}
	i.counts.received.Add(uint64(len(frames)))
	i.counts.receivedBytes.Add(uint64(bytes))
	in.deliver()
}

// frame takes the frame at hand, and returns why it went no further or 0.
func (in *input) frame() Drop {
	e, err := wire.ParseEthernet(in.f.Head)
	if err != nil {
		return DropOf(err)
	}
	dst := e.Dst()
	in.src, in.group = e.Src(), dst.IsGroup()
	switch {
	case in.src.IsGroup():
		return DropGroupSource
	case !in.group && dst != in.i.mac:
		return DropOtherHost
	case foreignVLAN(e):
		return DropVLAN
	}
	tag := uint16(len(e.Header()) - wire.EthernetLen)
	in.f.SumStart, in.f.SumField = in.f.SumStart-tag, in.f.SumField-tag
	switch e.Type() {
	case wire.TypeIPv4:
		in.i.stack.counts.received.Add(1)
		return in.ipv4(e.Payload())
	case wire.TypeIPv6:
		in.i.stack.counts.received.Add(1)
		return in.ipv6(e.Payload())
	case wire.TypeARP:
		return in.arp(e.Payload())
	}
	return DropEtherType
}

// foreignVLAN reports whether e belongs to a virtual network. A tag of network 0 has
// but a priority (IEEE 802.1Q, Section 9.6).
func foreignVLAN(e wire.Ethernet) bool {
	tag, tagged := e.Tag()
	return tagged && (tag.ID() != 0 || len(e.Header()) > wire.EthernetLen+wire.VLANLen)
}

// take makes p carry what lies in head and in the second piece of the frame at hand. What of that is
// over rest bytes is padding.
func (in *input) take(p *Packet, head []byte, rest int) {
	p.Head, p.Body, p.SegSize = head, in.f.Body[:min(len(in.f.Body), max(0, rest))], in.f.SegSize
	p.SumKnown = in.f.Sum != link.SumUnchecked
}

// pass hands a packet to the transport of its protocol, soon.
func (in *input) pass(p *Packet) Drop {
	if in.i.stack.transports[p.Protocol] == nil {
		in.i.stack.reject(p, protocolUnreachable(p))
		return DropProtocol
	}
	if len(in.packets) != 0 && in.packets[0].Protocol != p.Protocol {
		in.deliver()
	}
	in.packets = append(in.packets, *p)
	return 0
}

// deliver hands over what waits.
func (in *input) deliver() {
	if len(in.packets) == 0 {
		return
	}
	in.i.stack.transports[in.packets[0].Protocol].Receive(in.packets)
	clear(in.packets)
	in.packets = in.packets[:0]
}

// whole returns a packet's bytes in one piece. It lasts until the next call.
func (in *input) whole(p *Packet) []byte {
	if len(p.Body) == 0 {
		return p.Head
	}
	in.flat = append(append(in.flat[:0], p.Head...), p.Body...)
	return in.flat
}
