package pkt

import (
	"encoding/binary"
	"net/netip"

	"landline/wire"
)

// build returns the IP packet that k stands for, which the peer of a flow sends. id tells IPv4 packets
// apart. ICMP comes from the address given.
func (k *Packet) build(f *flow, id uint16, from netip.Addr) ([]byte, error) {
	switch {
	case k.TCP != nil:
		return k.IP.wrap(f.remote.Addr(), f.local.Addr(), wire.ProtoTCP, id, k.TCP.build(f)), nil
	case k.UDP != nil:
		return k.IP.wrap(f.remote.Addr(), f.local.Addr(), wire.ProtoUDP, id, k.UDP.build(f)), nil
	}
	typ, code, err := k.ICMP.numbers(from.Is6())
	if err != nil {
		return nil, err
	}
	body, rest := k.ICMP.body(f)
	if from.Is6() {
		m := wire.AppendICMPv6(nil, wire.ICMPv6Type(typ), code, rest, body)
		return k.IP.wrap(from, f.local.Addr(), wire.ProtoICMPv6, id, m), nil
	}
	return k.IP.wrap(from, f.local.Addr(), wire.ProtoICMP, id, wire.AppendICMPv4(nil, wire.ICMPv4Type(typ), code, rest, body)), nil
}

const usualTTL = 64

// wrap puts an IP header before a transport header with its payload, and fills the checksum in.
func (h *IPFields) wrap(src, dst netip.Addr, proto wire.Protocol, id uint16, b []byte) []byte {
	ttl := h.TTL
	if ttl == 0 {
		ttl = usualTTL
	}
	sum := wire.PseudoSum(src, dst, proto, len(b))
	switch proto {
	case wire.ProtoTCP:
		wire.TCP(b).FillChecksum(sum)
	case wire.ProtoUDP:
		wire.UDP(b).FillChecksum(sum)
	case wire.ProtoICMPv6:
		wire.ICMPv6(b).FillChecksum(sum)
	}
	var out []byte
	if src.Is6() {
		out = wire.AppendIPv6(out, &wire.IPv6Header{
			TrafficClass: h.TOS, FlowLabel: h.FlowLabel, NextHeader: proto, HopLimit: ttl, Src: src, Dst: dst,
		}, len(b))
	} else {
		out = wire.AppendIPv4(out, &wire.IPv4Header{
			TOS: h.TOS, ID: id, DontFragment: true, TTL: ttl, Protocol: proto, Src: src, Dst: dst,
		}, len(b))
	}
	return append(out, b...)
}

// build returns the segment, without a checksum.
func (s *TCPFields) build(f *flow) []byte {
	h := wire.TCPHeader{
		SrcPort: f.remote.Port(), DstPort: f.local.Port(), Flags: s.Flags,
		Window: uint16(max(s.Window, 0)), Urgent: s.Urgent,
	}
	seq := s.Seq + f.theirs
	if s.SeqIs == SeqAbsolute {
		seq = s.Seq
	}
	h.Seq = wire.SeqOf(seq)
	if s.Flags.Has(wire.FlagACK) {
		h.Ack = wire.SeqOf(s.Ack + f.ours)
	}
	var options []byte
	for i := range s.Options {
		options = s.Options[i].build(options, f)
	}
	data := make([]byte, s.Len)
	first := s.Seq
	if s.Flags.Has(wire.FlagSYN) {
		first++
	}
	f.fill(data, first)
	return append(wire.AppendTCP(nil, &h, options), data...)
}

func (o *TCPOption) build(b []byte, f *flow) []byte {
	switch o.Kind {
	case optEnd, optNone:
		return append(b, o.Kind)
	case wire.TCPOptSACK:
		b = append(b, o.Kind, byte(o.size()))
		for _, k := range o.SACK {
			b = binary.BigEndian.AppendUint32(b, k.Start+f.ours)
			b = binary.BigEndian.AppendUint32(b, k.End+f.ours)
		}
		return b
	case wire.TCPOptTimestamps:
		if o.AbsoluteEc {
			return wire.AppendTimestamps(b, o.Val, o.Ecr)
		}
		return wire.AppendTimestamps(b, o.Val, f.stamp(o.Ecr))
	}
	b = append(b, o.Kind, byte(o.size()))
	return append(b, o.Data...)
}

// build returns the datagram, without a checksum.
func (u *UDPFields) build(f *flow) []byte {
	data := make([]byte, u.Len)
	f.fill(data, 0)
	return append(wire.AppendUDP(nil, f.remote.Port(), f.local.Port(), u.Len), data...)
}

// body returns what follows the header of a message, and the last four bytes of that.
func (m *ICMPFields) body(f *flow) (body []byte, rest uint32) {
	if m.Type == "echo_request" || m.Type == "echo_reply" {
		return nil, wire.EchoRest(m.ID, 0)
	}
	return m.Quote.build(f), uint32(m.MTU)
}

// build returns the beginning of the packet of ours that an error is about. If the script does not
// say which it is about a segment with the first number.
func (q *Quote) build(f *flow) []byte {
	if q == nil {
		q = &Quote{Protocol: f.proto}
	}
	var head []byte
	switch q.Protocol {
	case wire.ProtoTCP:
		head = wire.AppendTCP(nil, &wire.TCPHeader{
			SrcPort: f.local.Port(), DstPort: f.remote.Port(), Seq: wire.SeqOf(q.Seq + f.ours), Flags: wire.FlagACK,
		}, nil)
	default:
		head = wire.AppendUDP(nil, f.local.Port(), f.remote.Port(), q.Len)
	}
	src, dst := f.local.Addr(), f.remote.Addr()
	if src.Is6() {
		h := wire.IPv6Header{NextHeader: q.Protocol, HopLimit: usualTTL, Src: src, Dst: dst}
		return append(wire.AppendIPv6(nil, &h, len(head)+q.Len), head...)
	}
	h := wire.IPv4Header{DontFragment: true, TTL: usualTTL, Protocol: q.Protocol, Src: src, Dst: dst}
	return append(wire.AppendIPv4(nil, &h, len(head)+q.Len), head...)
}
