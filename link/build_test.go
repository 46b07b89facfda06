package link_test

import (
	"encoding/binary"
	"net/netip"

	"landline/link"
	"landline/wire"
)

// A station is one of the two machines on a wire.
type station struct {
	mac wire.MAC
	ip  netip.Addr
}

// packetFrame builds a frame of a transport header and its payload, which goes to
// Body. Its checksum is left open.
func packetFrame(from, to station, p wire.Protocol, header, payload []byte) link.Frame {
	n := len(header) + len(payload)
	kind, ip := wire.TypeIPv4, []byte(nil)
	if from.ip.Is4() {
		ip = wire.AppendIPv4(nil, &wire.IPv4Header{ID: 7, DontFragment: true, TTL: 64, Protocol: p, Src: from.ip, Dst: to.ip}, n)
	} else {
		kind = wire.TypeIPv6
		ip = wire.AppendIPv6(nil, &wire.IPv6Header{NextHeader: p, HopLimit: 64, Src: from.ip, Dst: to.ip}, n)
	}
	head := append(wire.AppendEthernet(nil, to.mac, from.mac, kind), ip...)
	f := link.Frame{Body: payload, Sum: link.SumPartial, SumStart: uint16(len(head))}
	f.Head = append(head, header...)
	f.SumField = f.SumStart + sumOffset(p)
	pseudo := wire.PseudoSum(from.ip, to.ip, p, n)
	binary.BigEndian.PutUint16(f.Head[f.SumField:], uint16(pseudo))
	return f
}

// sumOffset is where the checksum is in a transport header.
func sumOffset(p wire.Protocol) uint16 {
	switch p {
	case wire.ProtoTCP:
		return 16
	case wire.ProtoUDP:
		return 6
	}
	return 2 // ICMPv6
}

func udpFrame(from, to station, src, dst uint16, payload []byte) link.Frame {
	return packetFrame(from, to, wire.ProtoUDP, wire.AppendUDP(nil, src, dst, len(payload)), payload)
}

func tcpFrame(from, to station, h *wire.TCPHeader, options, payload []byte) link.Frame {
	return packetFrame(from, to, wire.ProtoTCP, wire.AppendTCP(nil, h, options), payload)
}

// pattern returns n bytes that differ from their neighbours.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i) ^ byte(i>>8)*7
	}
	return b
}
