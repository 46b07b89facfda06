package ip

import (
	"net/netip"
	"time"

	"landline/link"
	"landline/wire"
)

// arp takes an ARP message (RFC 826; RFC 5227).
func (in *input) arp(b []byte) Drop {
	m, err := wire.ParseARP(b)
	if err != nil {
		return DropOf(err)
	}
	sender := m.SenderIP()
	switch {
	case m.Sender() == in.i.mac:
		return DropARP // ours, sent back by the network, or a machine that has our hardware address
	case m.Sender().IsGroup(), m.Op() != wire.ARPRequest && m.Op() != wire.ARPReply:
		return DropARP
	case in.v.has(in.i, sender) || in.v.has(in.i, m.TargetIP()) && m.IsProbe():
		in.i.heardOther(m) // who has or wants an address of ours
	case !sender.IsUnspecified():
		if d := in.learnARP(m); d != 0 {
			return d
		}
	}
	if l, ok := in.v.locals[m.TargetIP()]; ok && l.i == in.i && !l.tentative && m.Op() == wire.ARPRequest {
		in.i.sendARP(wire.ARPReply, m.Sender(), m.TargetIP(), m.Sender(), sender)
	}
	return 0
}

// has reports whether a is an address of interface i, perhaps a tentative one.
func (v *view) has(i *Interface, a netip.Addr) bool {
	l, ok := v.locals[a]
	return ok && l.i == i
}

// learnARP learns the sender's hardware address, if it can be a neighbor: from a message to us, or
// if it is known already (RFC 826: "Merge_flag").
func (in *input) learnARP(m wire.ARP) Drop {
	h := heard{ip: m.SenderIP(), mac: m.Sender(), kind: heardMerge}
	if !in.v.onLink(in.i, h.ip) {
		return DropARP
	}
	if in.v.has(in.i, m.TargetIP()) {
		h.kind = heardSource
		if m.Op() == wire.ARPReply {
			h.kind = heardReply
		}
	}
	return in.learn(h)
}

// learn tells the neighbor machine what was heard.
func (in *input) learn(h heard) (d Drop) {
	in.i.with(func(now time.Time) {
		if err := in.i.neighbors.learn(now, h); err != nil {
			d = DropOf(err)
		}
	})
	return d
}

// onLink reports whether a is an address of the network of one of i's addresses, but not one of
// all its hosts.
func (v *view) onLink(i *Interface, a netip.Addr) bool {
	for _, own := range v.addresses[i.index-1] {
		if own.prefix.Contains(a) && v.broadcasts[a] == nil && (own.prefix.Bits() > 30 || a != own.prefix.Masked().Addr()) {
			return true
		}
	}
	return false
}

// sendARP sends an ARP message.
func (i *Interface) sendARP(op wire.ARPOp, to wire.MAC, sender netip.Addr, target wire.MAC, targetIP netip.Addr) {
	b := wire.AppendEthernet(make([]byte, 0, wire.EthernetLen+wire.ARPLen), to, i.mac, wire.TypeARP)
	b = wire.AppendARP(b, op, i.mac, sender, target, targetIP)
	i.queue.write([]link.Frame{{Head: b}}, nil)
}

// solicit asks for a neighbor: all machines, or one that has been known if mac is not zero. src, if it is
// an address of the interface, asks.
func (i *Interface) solicit(ip netip.Addr, mac wire.MAC, src netip.Addr) {
	v := i.stack.view.Load()
	if !v.has(i, src) || !v.isLocal(src) || src.Is4() != ip.Is4() {
		src, _ = v.sourceFor(ip, i)
	}
	switch {
	case !src.IsValid():
	case ip.Is6():
		i.solicitNDP(ip, mac, src)
	case mac == wire.MAC{}:
		i.sendARP(wire.ARPRequest, wire.Broadcast, src, wire.MAC{}, ip)
	default:
		i.sendARP(wire.ARPRequest, mac, src, wire.MAC{}, ip)
	}
}
