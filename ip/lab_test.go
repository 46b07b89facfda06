package ip

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"landline/wire"
)

// A lab is a stack with one interface on a wall, and a transport that keeps what it gets. Tests
// run it in a synctest bubble, so that its time is theirs.
type lab struct {
	*testing.T
	*wall
	s *Stack
	i *Interface

	got     []string // packets of the test's protocol
	faults  []Fault
	faultAt time.Time // when the last came
}

// testProto is a protocol that nobody else speaks: "use for experimentation" (RFC 3692).
const testProto wire.Protocol = 253

var (
	our4, our6     = netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("2001:db8::1")
	their4, their6 = netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("2001:db8::2")
	far4, far6     = netip.MustParseAddr("192.0.2.9"), netip.MustParseAddr("2001:db8:9::9")
)

func newLab(t *testing.T, cfg Config, ic InterfaceConfig) *lab {
	t.Helper()
	l := &lab{T: t, wall: newWall()}
	if cfg.Seed == 0 {
		cfg.Seed = 1
	}
	l.s = NewStack(cfg)
	l.s.Register(testProto, Transport{
		Receive: func(ps []Packet) {
			for k := range ps {
				p := &ps[k]
				l.got = append(l.got, p.Src.String()+" > "+p.Dst.String()+": "+string(p.Head)+string(p.Body))
			}
		},
		Fault: func(f *Fault) bool {
			f.Quote.Head = slices.Clone(f.Quote.Head)
			l.faults, l.faultAt = append(l.faults, *f), time.Now()
			return true
		},
	})
	if ic.Addresses == nil {
		ic.Addresses = []netip.Prefix{netip.PrefixFrom(our4, 24), netip.PrefixFrom(our6, 64)}
	}
	if ic.Probes == 0 {
		ic.Probes = -1
	}
	i, err := l.s.Attach(l.wall, ic)
	if err != nil {
		t.Fatal(err)
	}
	l.i = i
	t.Cleanup(func() { l.s.Close() })
	sleep(30) // until everybody knows of our addresses and no router has answered
	l.take()
	return l
}

// knows makes the lab know the hardware address of a neighbor.
func (l *lab) knows(addrs ...netip.Addr) {
	for _, a := range addrs {
		l.i.with(func(now time.Time) {
			l.i.neighbors.learn(now, heard{ip: a, mac: theirMAC, kind: heardSource})
		})
	}
	l.take()
}

// identification is random, and not there in a packet that is not to be cut.
var identification = regexp.MustCompile(`(^ip4 .* ttl \d+) id \d+( tos \d+)?( df)?`)

// wrote holds that these frames were written since the last time, each described from the IP header
// on, without identification.
func (l *lab) wrote(want ...string) {
	l.Helper()
	got := l.describe()
	if !slices.Equal(got, want) {
		l.Errorf("wrote\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

// describe returns what was written since the last time.
func (w *wall) describe() (texts []string) {
	for _, f := range w.take() {
		_, text, _ := strings.Cut(wire.Ethernet(f).String(), " | ")
		texts = append(texts, identification.ReplaceAllString(text, "$1$2"))
	}
	return texts
}

// received holds that the transport got these since the last time.
func (l *lab) received(want ...string) {
	l.Helper()
	if !slices.Equal(l.got, want) {
		l.Errorf("received %q, want %q", l.got, want)
	}
	l.got = nil
}

// dropped holds what a function makes the stack drop.
func (l *lab) dropped(what string, want Drop, f func()) {
	l.Helper()
	before := l.s.Stats().Drops
	f()
	after := l.s.Stats().Drops
	got := []string{}
	for d := range after {
		for range after[d] - before[d] {
			got = append(got, Drop(d).String())
		}
	}
	wanted := []string{}
	if want != 0 {
		wanted = append(wanted, want.String())
	}
	if !slices.Equal(got, wanted) {
		l.Errorf("%s: dropped %q, want %q", what, got, wanted)
	}
}

// A packetTo is a packet that a lab gets, with what is usual unless it says otherwise.
type packetTo struct {
	dst, src netip.Addr
	proto    wire.Protocol
	payload  string
	ttl      uint8
	options  string
	df, more bool
	offset   int
	mac      wire.MAC
}

// frame makes the frame.
func (p packetTo) frame() []byte {
	if p.mac == (wire.MAC{}) {
		p.mac = ourMAC
	}
	if p.ttl == 0 {
		p.ttl = 64
	}
	if p.dst.Is4() {
		b := wire.AppendEthernet(nil, p.mac, theirMAC, wire.TypeIPv4)
		b = wire.AppendIPv4(b, &wire.IPv4Header{
			ID: 7, TTL: p.ttl, Protocol: p.proto, Src: p.src, Dst: p.dst, Options: []byte(p.options),
			DontFragment: p.df, MoreFragments: p.more, FragmentOffset: p.offset,
		}, len(p.payload))
		return append(b, p.payload...)
	}
	b := wire.AppendEthernet(nil, p.mac, theirMAC, wire.TypeIPv6)
	b = wire.AppendIPv6(b, &wire.IPv6Header{NextHeader: p.proto, HopLimit: p.ttl, Src: p.src, Dst: p.dst}, len(p.payload))
	return append(b, p.payload...)
}

func echo4(t wire.ICMPv4Type, id, seq uint16, payload string) string {
	return string(wire.AppendICMPv4(nil, t, 0, wire.EchoRest(id, seq), []byte(payload)))
}

func echo6(src, dst netip.Addr, t wire.ICMPv6Type, id, seq uint16, payload string) string {
	m := wire.ICMPv6(wire.AppendICMPv6(nil, t, 0, wire.EchoRest(id, seq), []byte(payload)))
	m.FillChecksum(wire.PseudoSum(src, dst, wire.ProtoICMPv6, len(m)))
	return string(m)
}

// sleep lets seconds of the bubble's time pass.
func sleep(seconds int) {
	time.Sleep(time.Duration(seconds) * time.Second)
	synctest.Wait()
}
