package ip

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"landline/wire"
)

// mutants is how many bad frames a host is fed.
const mutants = 1_000_000

// TestMutatedFramesHarmNothing feeds a router frames of every kind, each with a few bytes changed, cut or
// added, half of them with checksums that are right again. Nothing panics, every frame is counted, and
// what is kept of them stays within its bounds, and is gone in the end.
func TestMutatedFramesHarmNothing(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { feedMutants(t, seed, mutants/4) })
		})
	}
}

func feedMutants(t *testing.T, seed uint64, n int) {
	l := newLab(t, Config{Forwarding: seed%2 == 0, Seed: seed + 1}, InterfaceConfig{})
	random := rand.New(rand.NewPCG(seed, 0))
	kinds := everyKind()
	before := l.s.Stats()
	received := l.i.Stats().Received
	for k := range n {
		frame := append([]byte(nil), kinds[random.IntN(len(kinds))]...)
		frame = mutate(random, frame)
		l.receive(frame)
		if k%1000 == 0 {
			l.take()
			l.got, l.faults = nil, nil
			time.Sleep(time.Duration(random.IntN(2000)) * time.Millisecond)
			l.withinBounds(t)
		}
	}
	equal(t, "frames received", l.i.Stats().Received-received, uint64(n))
	after := l.s.Stats()
	if dropped := after.Drops.Total() - before.Drops.Total(); dropped < uint64(n/2) {
		t.Errorf("only %d of %d mutants were dropped and counted", dropped, n)
	}
	if l.i.Stats().Dropped > after.Drops.Total() {
		t.Errorf("%d frames went no further, but %d drops have a reason", l.i.Stats().Dropped, after.Drops.Total())
	}
	time.Sleep(time.Hour)
	synctest.Wait()
	l.take()
	l.withinBounds(t)
	equal(t, "fragments kept", len(l.s.fragments.r.packets), 0)
	equal(t, "neighbors kept", len(l.i.Neighbors()), 0)
	t.Logf("drops: %v", after.Drops.Map())
}

// withinBounds holds that strangers have not made the host keep more than it may.
func (l *lab) withinBounds(t *testing.T) {
	t.Helper()
	l.i.mu.Lock()
	defer l.i.mu.Unlock()
	n := l.i.neighbors
	if len(n.table) > n.limits.Neighbors || n.heldBytes > n.limits.AllBytes {
		t.Fatalf("%d neighbors, %d bytes wait for them", len(n.table), n.heldBytes)
	}
	l.s.fragments.mu.Lock()
	defer l.s.fragments.mu.Unlock()
	if m := &l.s.fragments.r.memory; m.total > m.limit {
		t.Fatalf("%d bytes of fragments, of %d", m.total, m.limit)
	}
	if g := runtime.NumGoroutine(); g > 50 {
		t.Fatalf("%d goroutines", g)
	}
}

// mutate changes a frame in up to four places.
func mutate(random *rand.Rand, b []byte) []byte {
	for range 1 + random.IntN(4) {
		switch at := random.IntN(len(b)); random.IntN(6) {
		case 0:
			b[at] ^= 1 << random.IntN(8)
		case 1:
			b[at] = byte(random.Uint32())
		case 2:
			binary.BigEndian.PutUint16(b[min(at, len(b)-2):], uint16(random.Uint32()))
		case 3:
			b = b[:max(2, at)]
		case 4:
			b = append(b, byte(random.Uint32()), byte(random.Uint32()))
		case 5:
			from := random.IntN(len(b))
			copy(b[at:], b[from:])
		}
	}
	if random.IntN(2) == 0 {
		mend(b)
	}
	return b
}

// mend makes the checksums of a frame right, so that what is behind them is reached.
func mend(b []byte) {
	e, err := wire.ParseEthernet(b)
	if err != nil {
		return
	}
	if h, err := wire.ParseIPv4(e.Payload()); err == nil {
		h.FillChecksum()
		mendUpper(h.Protocol(), h.Payload(), h.PseudoSum())
	} else if h, err := wire.ParseIPv6(e.Payload()); err == nil {
		if proto, upper, err := h.Upper(); err == nil {
			mendUpper(proto, upper, h.PseudoSum(proto, len(upper)))
		}
	}
}

func mendUpper(proto wire.Protocol, b []byte, pseudo wire.Sum) {
	switch proto {
	case wire.ProtoICMP:
		if m, err := wire.ParseICMPv4(b); err == nil {
			m.FillChecksum()
		}
	case wire.ProtoICMPv6:
		if m, err := wire.ParseICMPv6(b); err == nil {
			m.FillChecksum(pseudo)
		}
	case wire.ProtoIGMP:
		if m, err := wire.ParseIGMP(b); err == nil {
			m.FillChecksum()
		}
	}
}

// everyKind returns a good frame of each kind that a host may get.
func everyKind() (all [][]byte) {
	packet := func(p packetTo) { all = append(all, p.frame()) }
	icmp6 := func(src, dst netip.Addr, ttl uint8, m []byte) {
		wire.ICMPv6(m).FillChecksum(wire.PseudoSum(src, dst, wire.ProtoICMPv6, len(m)))
		packet(packetTo{dst: dst, src: src, proto: wire.ProtoICMPv6, payload: string(m), ttl: ttl})
	}
	for _, op := range []wire.ARPOp{wire.ARPRequest, wire.ARPReply} {
		b := wire.AppendEthernet(nil, wire.Broadcast, theirMAC, wire.TypeARP)
		all = append(all, wire.AppendARP(b, op, theirMAC, their4, ourMAC, our4))
	}
	sent4 := packetTo{dst: far4, src: our4, proto: testProto, payload: "12345678"}.frame()[14:]
	sent6 := packetTo{dst: far6, src: our6, proto: testProto, payload: "12345678"}.frame()[14:]
	packet(packetTo{dst: our4, src: their4, proto: testProto, payload: "four"})
	packet(packetTo{dst: our4, src: their4, proto: testProto, payload: "four", options: "\x94\x04\x00\x00\x07\x07\x04\x00\x00\x00\x00\x00"})
	packet(packetTo{dst: our4, src: their4, proto: testProto, payload: "01234567", more: true})
	packet(packetTo{dst: our4, src: their4, proto: testProto, payload: "01234567", offset: 8})
	packet(packetTo{dst: far4, src: their4, proto: testProto, payload: "onward"})
	packet(packetTo{dst: our4, src: their4, proto: wire.ProtoICMP, payload: echo4(wire.ICMPv4Echo, 1, 2, "data")})
	for _, t := range []wire.ICMPv4Type{wire.ICMPv4Unreachable, wire.ICMPv4TimeExceeded, wire.ICMPv4ParamProblem, wire.ICMPv4Redirect} {
		packet(packetTo{dst: our4, src: their4, proto: wire.ProtoICMP, payload: string(wire.AppendICMPv4(nil, t, 1, 0x0a000009, sent4))})
	}
	packet(packetTo{dst: addr("224.0.0.1"), src: their4, proto: wire.ProtoIGMP, ttl: 1, mac: wire.MulticastMAC(addr("224.0.0.1")),
		payload: string(wire.AppendIGMP(nil, wire.IGMPQuery, time.Second, netip.IPv4Unspecified()))})
	packet(packetTo{dst: our6, src: their6, proto: testProto, payload: "six"})
	packet(packetTo{dst: far6, src: their6, proto: testProto, payload: "onward"})
	for _, ext := range []wire.Protocol{wire.ProtoHopByHop, wire.ProtoDestination, wire.ProtoRouting} {
		packet(packetTo{dst: our6, src: their6, proto: ext, payload: "\xfd\x00\x01\x04\x00\x00\x00\x00six"})
	}
	for _, f := range []string{string(wire.AppendIPv6Fragment(nil, testProto, 0, true, 5)), string(wire.AppendIPv6Fragment(nil, testProto, 8, false, 5))} {
		packet(packetTo{dst: our6, src: their6, proto: wire.ProtoFragment, payload: f + "01234567"})
	}
	link, all6 := addr("fe80::2"), addr("ff02::1")
	solicited := wire.SolicitedNode(our6)
	icmp6(their6, our6, 64, wire.AppendICMPv6(nil, wire.ICMPv6Echo, 0, 1, []byte("data")))
	icmp6(their6, our6, 64, wire.AppendICMPv6(nil, wire.ICMPv6Unreachable, 1, 0, sent6))
	icmp6(their6, our6, 64, wire.AppendICMPv6(nil, wire.ICMPv6TooBig, 0, 1300, sent6))
	icmp6(link, solicited, 255, wire.AppendLinkAddr(wire.AppendNeighborSolicit(nil, our6), wire.NDPSourceLinkAddr, theirMAC))
	icmp6(link, our6, 255, wire.AppendLinkAddr(wire.AppendNeighborAdvert(nil, 0, their6), wire.NDPTargetLinkAddr, theirMAC))
	icmp6(link, all6, 255, wire.AppendPrefix(wire.AppendRouterAdvert(nil, &wire.RouterAdvertHeader{HopLimit: 64, Lifetime: 1800}),
		wire.PrefixInfo{Prefix: netip.MustParsePrefix("2001:db8:7::/64"), OnLink: true, Autonomous: true, Valid: 7200, Preferred: 3600}))
	icmp6(link, all6, 1, wire.AppendMLD(nil, wire.ICMPv6MLDQuery, time.Second, netip.IPv6Unspecified()))
	icmp6(link, our6, 255, wire.AppendRedirect(nil, link, far6))
	return all
}
