package wire_test

import (
	"net/netip"
	"testing"

	"landline/wire"
)

// samples are a packet of every kind, as Ethernet frames.
var samples = func() (all [][]byte) {
	frame := func(t wire.EtherType, payload []byte) {
		all = append(all, append(wire.AppendEthernet(nil, mac2, mac1, t), payload...))
	}
	four := func(p wire.Protocol, payload []byte) {
		h := wire.IPv4Header{TTL: 64, Protocol: p, Src: ip1, Dst: ip2}
		frame(wire.TypeIPv4, append(wire.AppendIPv4(nil, &h, len(payload)), payload...))
	}
	all = append(all, arpRequest)
	frame(wire.TypeIPv4, ipv4UDP)
	frame(wire.TypeIPv4, ipv4Report)
	frame(wire.TypeIPv4, ipv4Fragment)
	four(wire.ProtoTCP, tcpSYN)
	four(wire.ProtoICMP, fragmentationNeeded)
	four(wire.ProtoIGMP, igmpReport)
	frame(wire.TypeIPv6, ipv6Report)
	frame(wire.TypeIPv6, chain(wire.ProtoTCP, tcpACK...))
	for _, m := range [][]byte{tooBig, routerAdvert, neighborSolicit, neighborAdvert, redirect, routerSolicit} {
		frame(wire.TypeIPv6, chain(wire.ProtoICMPv6, m...))
	}
	fragment := wire.AppendIPv6Fragment(empty(wire.ProtoFragment), wire.ProtoUDP, 0, true, 1)
	frame(wire.TypeIPv6, chain(wire.ProtoHopByHop, append(fragment, ipv4UDP[20:]...)...))
	return all
}()

// noAllocs checks that do, after a first time that may grow buffers, allocates
// nothing.
func noAllocs(t *testing.T, what string, do func()) {
	t.Helper()
	if n := testing.AllocsPerRun(10, do); n != 0 {
		t.Errorf("%s: %v allocations", what, n)
	}
}

// sink keeps results alive.
var sink struct {
	sum  wire.Sum
	addr netip.Addr
	n    int
	err  error
}

func TestParsingAllocatesNothing(t *testing.T) {
	for _, b := range samples {
		noAllocs(t, wire.Ethernet(b).String(), func() { touch(b) })
	}
}

func TestRefusingAllocatesNothing(t *testing.T) {
	for _, b := range samples {
		noAllocs(t, "cut frames", func() {
			for n := range b {
				touch(b[:n])
			}
		})
	}
}

func TestDescribingAllocatesNothing(t *testing.T) {
	buf := make([]byte, 0, 1024)
	for _, b := range samples {
		e := wire.Ethernet(b)
		if m, ok := v6Message(e); ok && m.Type() == wire.ICMPv6RouterAdvert {
			continue // lists of servers and domains are gathered
		}
		noAllocs(t, e.String(), func() { _, sink.err = e.AppendText(buf) })
	}
}

// v6Message returns the ICMPv6 message that a frame carries.
func v6Message(e wire.Ethernet) (wire.ICMPv6, bool) {
	h, err := wire.ParseIPv6(e.Payload())
	if e.Type() != wire.TypeIPv6 || err != nil {
		return nil, false
	}
	p, payload, err := h.Upper()
	if p != wire.ProtoICMPv6 || err != nil {
		return nil, false
	}
	m, err := wire.ParseICMPv6(payload)
	return m, err == nil
}

func TestBuildingAllocatesNothing(t *testing.T) {
	buf := make([]byte, 0, 2048)
	payload := make([]byte, 1400)
	noAllocs(t, "TCP over IPv4", func() { buildTCP(buf, payload, 1) })
	noAllocs(t, "UDP over IPv6", func() {
		b := wire.AppendEthernet(buf[:0], mac2, mac1, wire.TypeIPv6)
		h := wire.IPv6Header{NextHeader: wire.ProtoUDP, HopLimit: 64, Src: gl1, Dst: gl2}
		b = wire.AppendIPv6(b, &h, 8+len(payload))
		u := wire.UDP(append(wire.AppendUDP(b, 1, 2, len(payload)), payload...)[len(b):])
		u.FillChecksum(wire.PseudoSum(gl1, gl2, wire.ProtoUDP, len(u)))
	})
	noAllocs(t, "ARP", func() { wire.AppendARP(buf[:0], wire.ARPRequest, mac1, ip1, wire.MAC{}, ip2) })
	noAllocs(t, "ICMP", func() { wire.AppendICMPv4(buf[:0], wire.ICMPv4Echo, 0, wire.EchoRest(1, 2), payload) })
	noAllocs(t, "Neighbor Discovery", func() {
		b := wire.AppendNeighborAdvert(buf[:0], wire.NeighborSolicited, ll2)
		wire.ICMPv6(wire.AppendLinkAddr(b, wire.NDPTargetLinkAddr, mac2)).FillChecksum(1)
		b = wire.AppendRouterAdvert(buf[:0], &wire.RouterAdvertHeader{Lifetime: 9})
		b = wire.AppendRDNSS(wire.AppendPrefix(wire.AppendMTU(b, 1500), lanPrefix), 9, lanDNS)
		_, sink.err = wire.AppendDNSSL(b, 9, "home.arpa")
	})
	noAllocs(t, "reports", func() {
		wire.AppendIGMPv3Report(buf[:0], wire.GroupRecord{Type: wire.GroupToExclude, Group: mdns4})
		wire.AppendMLDv2Report(buf[:0], wire.GroupRecord{Type: wire.GroupToExclude, Group: mdns6})
	})
}

// buildTCP builds a frame as a host does on its fast path: options on the
// stack, and the payload summed as it is copied.
func buildTCP(buf, payload []byte, now uint32) []byte {
	var area [wire.MaxTCPOptions]byte
	options := wire.AppendTimestamps(wire.AppendNOP(wire.AppendNOP(area[:0])), now, 0)
	n := wire.TCPLen + len(options) + len(payload)

	b := wire.AppendEthernet(buf[:0], mac2, mac1, wire.TypeIPv4)
	b = wire.AppendIPv4(b, &wire.IPv4Header{TTL: 64, Protocol: wire.ProtoTCP, Src: ip1, Dst: ip2}, n)
	at := len(b)
	b = wire.AppendTCP(b, &wire.TCPHeader{SrcPort: 1, DstPort: 2, Flags: wire.FlagACK, Window: 512}, options)
	head := len(b)
	b = b[:head+len(payload)]
	sum := wire.CopySum(b[head:], payload)
	s := wire.TCP(b[at:])
	s.SetChecksum(wire.PseudoSum(ip1, ip2, wire.ProtoTCP, n).Add(s.Header()).Plus(sum))
	return b
}

func TestFastPathBuildsWhatIsVerified(t *testing.T) {
	frame := buildTCP(make([]byte, 0, 2048), []byte("in one pass"), 7)
	h := parsed(t, parsed(t, frame, wire.ParseEthernet).Payload(), wire.ParseIPv4)
	equal(t, "header checksum", h.Verify(), nil)
	equal(t, "checksum", parsed(t, h.Payload(), wire.ParseTCP).Verify(h.PseudoSum()), nil)
	equal(t, "text", wire.Ethernet(frame).String(), "eth 02:00:00:00:00:01 > 02:00:00:00:00:02 | ip4 10.0.0.1 > 10.0.0.2 ttl 64 id 0"+
		" | tcp 1 > 2 [.] seq 0 ack 0 win 512 <ts 7 0> len 11")
}
