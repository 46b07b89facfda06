package pkt

import (
	"encoding/binary"
	"errors"
	"net/netip"

	"landline/wire"
)

// A live is a packet that came out of the host.
type live struct {
	tuple tuple // as far as it has ports
	tos   uint8
	ttl   uint8
	flow  uint32 // label
	tcp   wire.TCP
	udp   wire.UDP
	icmp  []byte
	v6    bool
}

// readLive reads an IP packet, and checks all sums.
func readLive(b []byte) (*live, error) {
	if len(b) > 0 && b[0]>>4 == 6 {
		return readLive6(b)
	}
	h, err := wire.ParseIPv4(b)
	if err != nil {
		return nil, err
	}
	if err := h.Verify(); err != nil {
		return nil, err
	}
	if h.IsFragment() {
		return nil, errors.New("a fragment, which is not supported")
	}
	l := &live{tos: h.TOS(), ttl: h.TTL()}
	return l, l.read(h.Src(), h.Dst(), h.Protocol(), h.Payload())
}

func readLive6(b []byte) (*live, error) {
	h, err := wire.ParseIPv6(b)
	if err != nil {
		return nil, err
	}
	l := &live{tos: h.TrafficClass(), ttl: h.HopLimit(), flow: h.FlowLabel(), v6: true}
	proto, payload, err := h.Upper()
	if err != nil {
		return nil, err
	}
	return l, l.read(h.Src(), h.Dst(), proto, payload)
}

func (l *live) read(src, dst netip.Addr, proto wire.Protocol, b []byte) (err error) {
	sum := wire.PseudoSum(src, dst, proto, len(b))
	var srcPort, dstPort uint16
	switch proto {
	case wire.ProtoTCP:
		if l.tcp, err = wire.ParseTCP(b); err == nil {
			err = l.tcp.Verify(sum)
			srcPort, dstPort = l.tcp.SrcPort(), l.tcp.DstPort()
		}
	case wire.ProtoUDP:
		if l.udp, err = wire.ParseUDP(b); err == nil {
			err = l.udp.Verify(sum)
			srcPort, dstPort = l.udp.SrcPort(), l.udp.DstPort()
		}
	case wire.ProtoICMP:
		if l.icmp, err = wire.ParseICMPv4(b); err == nil {
			err = wire.ICMPv4(l.icmp).Verify()
		}
	case wire.ProtoICMPv6:
		if l.icmp, err = wire.ParseICMPv6(b); err == nil {
			err = wire.ICMPv6(l.icmp).Verify(sum)
		}
	default:
		return errors.New("a packet of the protocol " + proto.String())
	}
	l.tuple = tuple{proto, netip.AddrPortFrom(src, srcPort), netip.AddrPortFrom(dst, dstPort)}
	return err
}

// packet returns l in the numbers of the script.
func (l *live) packet(f *flow) *Packet {
	k := &Packet{Out: true, IP: IPFields{TOS: l.tos, TTL: l.ttl, FlowLabel: l.flow, TOSMask: 0xff, HasFlowLabel: l.v6}}
	switch {
	case l.tcp != nil:
		k.TCP = readTCP(l.tcp, f)
	case l.udp != nil:
		k.UDP = &UDPFields{Len: len(l.udp.Payload()), data: l.udp.Payload()}
	default:
		k.ICMP = l.readICMP()
	}
	return k
}

func readTCP(t wire.TCP, f *flow) *TCPFields {
	s := &TCPFields{
		Flags: t.Flags(), Seq: t.Seq().Uint32() - f.ours, Window: int(t.Window()), Urgent: t.Urgent(),
		Len: len(t.Payload()), data: t.Payload(),
	}
	if s.Flags.Has(wire.FlagACK) {
		s.Ack = t.Ack().Uint32() - f.theirs
	}
	s.Options = readOptions(t.Header()[wire.TCPLen:], f)
	return s
}

// readOptions reads all options, also those that say nothing.
func readOptions(b []byte, f *flow) (all []TCPOption) {
	for len(b) > 0 {
		o := TCPOption{Kind: b[0]}
		n := 1
		if o.Kind != optEnd && o.Kind != optNone {
			if len(b) < 2 || b[1] < 2 || int(b[1]) > len(b) {
				return append(all, TCPOption{Kind: o.Kind, Data: b[1:]})
			}
			n = int(b[1])
			o.read(b[2:n], f)
		}
		all, b = append(all, o), b[n:]
	}
	return all
}

func (o *TCPOption) read(data []byte, f *flow) {
	be := binary.BigEndian
	switch {
	case o.Kind == wire.TCPOptSACK && len(data)%8 == 0:
		for ; len(data) > 0; data = data[8:] {
			o.SACK = append(o.SACK, Block{be.Uint32(data) - f.theirs, be.Uint32(data[4:]) - f.theirs})
		}
	case o.Kind == wire.TCPOptTimestamps && len(data) == 8:
		o.Val, o.Ecr = be.Uint32(data)-f.stampBy, be.Uint32(data[4:])
	default:
		o.Data = data
	}
}

func (l *live) readICMP() *ICMPFields {
	m := &ICMPFields{}
	m.Type, m.Code = icmpNames(l.icmp[0], l.icmp[1], l.v6)
	rest := binary.BigEndian.Uint32(l.icmp[4:])
	switch m.Type {
	case "echo_request", "echo_reply":
		m.ID = uint16(rest >> 16)
	case "packet_too_big":
		m.MTU = int(rest)
	case "unreachable":
		if !l.v6 {
			m.MTU = int(rest & 0xffff)
		}
	}
	return m
}
