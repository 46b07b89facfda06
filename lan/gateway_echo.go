package lan

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"

	"landline/ip"
	"landline/wire"
)

var errNoReply = errors.New("not an answer to a ping")

// echoTaker returns what takes the pings to other machines.
func (g *Gateway) echoTaker(ctx context.Context) func(ip.ForeignEcho) {
	return func(e ip.ForeignEcho) {
		if e.Src.IsLinkLocalUnicast() {
			return
		}
		k := flowKey{KindEcho, netip.AddrPortFrom(e.Src, e.ID), netip.AddrPortFrom(e.Dst, 0)}
		network := "ip4:icmp"
		if e.Dst.Is6() {
			network = "ip6:ipv6-icmp"
		}
		asked := ip.ForeignEcho{Src: e.Src, Dst: e.Dst, ID: e.ID}
		f := g.flowFor(ctx, k, network, func(f *flow) {
			f.idle = idleEcho
			f.ask.Src = netip.AddrPortFrom(e.Src, 0)
			f.heard = func(out net.Conn, b []byte) error { return g.answerEcho(asked, f.echoID, out, b) }
			f.failed = func(seq int, _ error) {
				asked := asked
				asked.Seq = uint16(seq)
				g.host.RefuseEcho(asked)
			}
		})
		if f == nil {
			g.refused(Ask{Kind: KindEcho, Src: netip.AddrPortFrom(e.Src, 0), Dst: k.dst}, ErrManyFlows)
			return
		}
		e.ID = f.echoID
		f.send(appendEcho(nil, e), int(e.Seq))
	}
}

func appendEcho(b []byte, e ip.ForeignEcho) []byte {
	rest := wire.EchoRest(e.ID, e.Seq)
	if e.Dst.Is4() {
		return wire.AppendICMPv4(b, wire.ICMPv4Echo, 0, rest, e.Data)
	}
	return wire.AppendICMPv6(b, wire.ICMPv6Echo, 0, rest, e.Data)
}

// maxEchoes is how many flows of pings there can be: each has an identifier, and 0 is none.
const maxEchoes = 1<<16 - 1

// takeEchoLocked returns an identifier that no other flow has in the world: a socket that is for all of ICMP hears the answers of the
// others too, and two machines may well have chosen the same one. There must be one left.
func (n *nat) takeEchoLocked() uint16 {
	for n.lastEcho++; n.lastEcho == 0 || n.echoIDs[n.lastEcho]; n.lastEcho++ {
	}
	n.echoIDs[n.lastEcho] = true
	return n.lastEcho
}

// answerEcho gives a machine the answer that came from the world, where its pings have the identifier own.
func (g *Gateway) answerEcho(e ip.ForeignEcho, own uint16, out net.Conn, b []byte) error {
	id, seq, data, ok := parseReply(b, e.Dst.Is4())
	if !ok || id != echoID(out, own) {
		return errNoReply
	}
	e.Seq, e.Data = seq, slices.Clone(data)
	return g.host.AnswerEcho(e)
}

// echoID returns the identifier of answers that are for a connection: the system has put its own into what went through
// a socket that is for pings alone, and it is the socket's port.
func echoID(out net.Conn, id uint16) uint16 {
	if a, ok := out.LocalAddr().(*net.UDPAddr); ok {
		return uint16(a.Port)
	}
	return id
}

// parseReply reads the answer to a ping. Some sockets put the header of IPv4 before it.
func parseReply(b []byte, v4 bool) (id, seq uint16, data []byte, ok bool) {
	if !v4 {
		m, err := wire.ParseICMPv6(b)
		if err != nil || m.Type() != wire.ICMPv6EchoReply {
			return 0, 0, nil, false
		}
		return m.ID(), m.Seq(), m.Payload(), true
	}
	if h, err := wire.ParseIPv4(b); err == nil {
		b = h.Payload()
	}
	m, err := wire.ParseICMPv4(b)
	if err != nil || m.Type() != wire.ICMPv4EchoReply {
		return 0, 0, nil, false
	}
	return m.ID(), m.Seq(), m.Payload(), true
}
