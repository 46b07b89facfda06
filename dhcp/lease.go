package dhcp

import (
	"net/netip"
	"slices"
	"time"
)

// A Lease is what a client has been given.
type Lease struct {
	Addr     netip.Prefix // the address, with the length of the network's prefix
	ServerID netip.Addr   // the server that gave it

	// Routes are those of option 121. If the server gave none, they are the default
	// routes through its routers, the preferred one first (RFC 3442, Section 3, "the
	// DHCP client MUST ignore the Router option").
	Routes []Route
	DNS    []netip.Addr // name servers, the preferred one first
	NTP    []netip.Addr // time servers, the preferred one first
	Name   string       // the host's name, as the server wants it: a label, or ""
	Domain string       // the network's domain, or ""
	Search []string     // the domains that names are looked up in
	MTU    int          // of the network, in bytes: 576 or more, or 0 if it is not told

	// The times count from the request that was answered. They are zero if the lease
	// does not end.
	Start  time.Time
	Renew  time.Time // T1: the server is asked for more time
	Rebind time.Time // T2: every server is
	Expiry time.Time // the address must not be used from here on
}

// same reports whether the two differ in nothing but their times and their server.
func (l *Lease) same(k *Lease) bool {
	return l.Addr == k.Addr && slices.Equal(l.Routes, k.Routes) && slices.Equal(l.DNS, k.DNS) &&
		slices.Equal(l.NTP, k.NTP) && l.Name == k.Name && l.Domain == k.Domain &&
		slices.Equal(l.Search, k.Search) && l.MTU == k.MTU
}

// over reports whether the lease has ended.
func (l *Lease) over(now time.Time) bool { return passed(now, l.Expiry) }

// passed reports whether t has come, by either of the clocks that a time.Time holds.
// The monotonic one stands still while the computer sleeps, and the other one is set
// by people: a client must not go by the one that is late. Zero never comes.
func passed(now, t time.Time) bool {
	return !t.IsZero() && (!now.Before(t) || !now.Round(0).Before(t.Round(0)))
}

// defaultLeaseTime is for servers that do not tell: it is as short as any.
const defaultLeaseTime = time.Hour

// readLease reads what an offer or acknowledgement gives. It reports false if it
// gives nothing that a host could live on.
func readLease(m Message) (Lease, bool) {
	addr := m.YIAddr()
	bits := m.MaskBits()
	if m.Option(OptSubnetMask) == nil {
		bits = classBits(addr)
	}
	d, told := m.LeaseTime()
	if told && d == 0 || bits == 0 || !isHost(addr, bits) {
		return Lease{}, false
	}
	l := Lease{
		Addr: netip.PrefixFrom(addr, bits), ServerID: m.ServerID(), Routes: readRoutes(m),
		DNS: m.AppendAddrs(nil, OptDNS), NTP: m.AppendAddrs(nil, OptNTP),
		Name: m.HostName(), Domain: m.Domain(), MTU: m.MTU(),
	}
	l.Search, _ = m.AppendSearch(nil)
	return l, true
}

func readRoutes(m Message) []Route {
	if routes, ok := m.AppendRoutes(nil); ok {
		return routes
	}
	var routes []Route
	for _, via := range m.AppendAddrs(nil, OptRouters) {
		routes = append(routes, Route{Dst: everywhere, Via: via})
	}
	return routes
}

// everywhere is the destination of a default route.
var everywhere = netip.PrefixFrom(netip.IPv4Unspecified(), 0)

// classBits is the length of the prefix that an address had before there were masks.
func classBits(a netip.Addr) int {
	switch first := a.As4()[0]; {
	case first < 128:
		return 8
	case first < 192:
		return 16
	}
	return 24
}

// isHost reports whether a machine may have the address in a network with so many
// bits: neither the network's own nor its broadcast address, which a network of two
// addresses does not have (RFC 3021).
func isHost(a netip.Addr, bits int) bool {
	if !isUnicast(a) {
		return false
	}
	p := netip.PrefixFrom(a, bits)
	return bits >= 31 || a != p.Masked().Addr() && a != lastAddr(p)
}

// lastAddr returns the greatest address of p, which in most networks is the
// broadcast address.
func lastAddr(p netip.Prefix) netip.Addr {
	a := p.Addr().As4()
	for i := range a {
		host := min(max(8*(i+1)-p.Bits(), 0), 8)
		a[i] |= byte(1<<host - 1)
	}
	return netip.AddrFrom4(a)
}

// setTimes says when the lease begins and ends. T1 and T2 are the server's if they make
// sense, and otherwise what RFC 2131, Section 4.4.5, says: half of the time and
// seven eighths, "with some random fuzz", here up to 1/32 earlier.
func (l *Lease) setTimes(m Message, start time.Time, random func(time.Duration) time.Duration) {
	l.Start = start
	d, told := m.LeaseTime()
	if !told {
		d = defaultLeaseTime
	}
	if d == Forever {
		return
	}
	t1, ok1 := m.T1()
	t2, ok2 := m.T2()
	if !ok1 || !ok2 || t1 == 0 || t1 >= t2 || t2 >= d {
		t1, t2 = d/2-random(d/32), d*7/8-random(d/32)
	}
	l.Renew, l.Rebind, l.Expiry = start.Add(t1), start.Add(t2), start.Add(d)
}
