package lantest

import (
	"errors"
	"fmt"
	"hash/fnv"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"

	"landline"
	"landline/dns"
	"landline/lan"
	"landline/link"
	"landline/wire"
)

// A Network says what the wires of a LAN are like. Its zero value is that of quick ones that lose nothing.
type Network struct {
	// RTT is how long a frame takes from a machine to another one and back, without what Rate adds. If zero, a
	// millisecond.
	RTT time.Duration
	// Loss is the share of frames that are lost, from 0 to 1, each by itself.
	Loss float64
	// Rate is how many bits of frames the wire of each machine carries in a second, in either direction. What comes
	// faster waits. If zero, 1,000,000,000, as Gigabit Ethernet.
	Rate int64
	// Seed is where chance begins: which frames are lost, which numbers and ports the machines choose. It may be zero.
	Seed uint64
}

const (
	defaultRTT  = time.Millisecond
	defaultRate = 1_000_000_000
	domain      = "lan"
	// queue is how many bytes wait for a wire at most: as many as may.
	queue = 64 << 20
	// skew makes wires differ a little, so that no two frames of different machines arrive at the same instant: what
	// happens at the same instant of a bubble happens in any order.
	skew = 101 * time.Nanosecond
)

// network is where the machines are: the first has 10.0.0.1.
var network = netip.MustParsePrefix("10.0.0.0/16")

// A LAN is a switch, the machines at it, and their names. Its methods may be called by several goroutines at once.
type LAN struct {
	t       testing.TB
	network Network
	lan     *lan.Switch
	names   *dns.Zone
	passed  frames
	busy    sync.WaitGroup // of those who answer for names

	mu     sync.Mutex
	closed bool
	hosts  []*host // in the order of their addresses
	cuts   cuts
}

// A host is a machine.
type host struct {
	*landline.Host
	name string
	mac  wire.MAC
}

// New makes a LAN that ends with the test. If the test has failed by then, what passed on the LAN is kept in a file, which
// the log names.
//
// In a testing/synctest bubble it has the bubble's time, and must be made there.
func New(t testing.TB, n Network) *LAN {
	if n.RTT <= 0 {
		n.RTT = defaultRTT
	}
	if n.Rate <= 0 {
		n.Rate = defaultRate
	}
	name, _ := dns.ParseName(domain)
	l := &LAN{
		t: t, network: n, lan: lan.NewSwitch(lan.Config{Seed: 1}),
		names: dns.NewZone(dns.ZoneConfig{Domain: name, Networks: []netip.Prefix{network}}),
	}
	t.Cleanup(l.close)
	return l
}

// close ends all machines, and keeps what passed if the test failed.
func (l *LAN) close() {
	l.mu.Lock()
	l.closed = true
	hosts := l.hosts
	l.mu.Unlock()
	for _, h := range hosts {
		h.Close()
	}
	l.lan.Close()
	l.busy.Wait()
	if l.t.Failed() {
		l.keep()
	}
}

// Host returns the machine with a name, and makes it the first time. A name is letters in lower case, digits
// and hyphens. All machines know each other's names, with and without the domain: "shed" and "shed.lan". They know them by
// themselves, as from a list of hosts, whatever happens to the network.
//
// The first machine has the address 10.0.0.1, the second 10.0.0.2, and so on. They have no IPv6.
func (l *LAN) Host(name string) *landline.Host {
	l.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	h := l.hostLocked(name)
	if h == nil {
		var err error
		if h, err = l.addLocked(name); err != nil {
			l.t.Fatalf("lantest: machine %q: %v", name, err)
		}
	}
	return h.Host
}

// hostLocked returns the machine with a name, or nil.
func (l *LAN) hostLocked(name string) *host {
	for _, h := range l.hosts {
		if h.name == name {
			return h
		}
	}
	return nil
}

// addLocked makes a machine.
func (l *LAN) addLocked(name string) (*host, error) {
	if l.closed {
		return nil, net.ErrClosed
	}
	n := len(l.hosts) + 1
	addr := network.Addr().As4()
	addr[2], addr[3] = byte(n>>8), byte(n)
	if err := l.enter(name, netip.AddrFrom4(addr)); err != nil {
		return nil, err
	}
	dev, err := l.plug(name, wire.MAC{0x02, 0, 0, 0, byte(n >> 8), byte(n)}, n)
	if err != nil {
		return nil, err
	}
	loopback := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	h, err := landline.NewHost(dev, landline.Config{
		Addresses: []netip.Prefix{netip.PrefixFrom(netip.AddrFrom4(addr), network.Bits())}, NoIPv6: true,
		Hostname: name, DNS: []netip.Addr{loopback}, Search: []string{domain}, Seed: l.seed(name),
	})
	if err != nil {
		return nil, err
	}
	c, err := h.ListenUDP("udp4", net.UDPAddrFromAddrPort(netip.AddrPortFrom(loopback, dns.Port)))
	if err != nil {
		h.Close()
		return nil, err
	}
	l.busy.Go(func() { l.answer(c) })
	made := &host{h, name, dev.Info().MAC}
	l.hosts = append(l.hosts, made)
	return made, nil
}

// enter gives an address a name.
func (l *LAN) enter(name string, addr netip.Addr) error {
	full, err := dns.ParseName(name + "." + domain)
	if err != nil {
		return err
	}
	if parent, _ := dns.ParseName(domain); full.Under(parent) != name {
		return errors.New("not a name of letters in lower case, digits and hyphens")
	}
	return l.names.Set(full, dns.AddrRecord(addr))
}

// seed makes a seed for a part of the LAN, so that it does not matter which others there are. It is never zero.
func (l *LAN) seed(part string) uint64 {
	h := fnv.New64a()
	fmt.Fprintln(h, l.network.Seed, part)
	return h.Sum64() | 1
}

// plug makes the wire of the nth machine. What leaves the machine takes a quarter of the RTT to the switch, and as much
// from there to the next; it is lost behind the switch.
func (l *LAN) plug(name string, mac wire.MAC, n int) (link.Device, error) {
	port, err := l.lan.NewPort(lan.PortConfig{Name: name, MAC: mac, Flood: -1})
	if err != nil {
		return nil, err
	}
	way := link.Impairment{Seed: l.seed(name), Rate: l.network.Rate, Queue: queue, Delay: l.network.RTT/4 + time.Duration(n)*skew}
	out, in := way, way
	in.Loss = l.network.Loss
	return link.Impair(&tap{Device: port, lan: l, face: l.passed.face(port.Info())}, out, in), nil
}

// answer answers a machine's questions for names.
func (l *LAN) answer(c *landline.UDPConn) {
	b := make([]byte, 512)
	for {
		n, from, err := c.ReadFromUDPAddrPort(b)
		if err != nil {
			return // the machine was closed
		}
		a, verdict := l.names.Answer(nil, b[:n], false)
		if m, err := dns.ParseMessage(b[:n]); err == nil && verdict == dns.Elsewhere {
			a = dns.AppendAnswer(nil, m, dns.NXDomain) // there is nobody else
		}
		if a != nil {
			c.WriteToUDPAddrPort(a, from)
		}
	}
}
