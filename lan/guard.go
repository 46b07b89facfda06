package lan

import (
	"encoding/binary"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"landline/link"
	"landline/wire"
)

// A guard keeps machines from taking the part of the gateway, and addresses of others. It looks at what comes in at all
// ports but the gateway's.
type guard struct {
	port     *Port          // the gateway's
	networks []netip.Prefix // of the LAN, each with the gateway's own address
	strict   bool           // a machine has only the addresses that are its own
	report   func(conflict) // is told of addresses that two machines use; without a lock

	mu      sync.RWMutex
	holders map[netip.Addr]*holder // who said that it has an address
	counts  map[*Port]int          // how many of them are at a port
	aged    map[*Port]time.Time    // when those at a port that was full were last looked through
	leases  map[netip.Addr]wire.MAC
	homes   map[wire.MAC]*home       // of those with a lease
	told    map[netip.Addr]time.Time // when conflicts were reported
	swept   time.Time                // when told was last
}

// A holder is who has an address.
type holder struct {
	mac    wire.MAC
	port   *Port
	before wire.MAC    // who had it before
	moved  time.Time   // when it changed
	used   atomic.Bool // since the port was last looked through
}

// use notes that the address is in use. Most often that is known, and a look costs less.
func (h *holder) use() {
	if !h.used.Load() {
		h.used.Store(true)
	}
}

// A conflict is an address that a machine uses and another has.
type conflict struct {
	addr       netip.Addr
	mac, other wire.MAC
	port       *Port // where mac is
	dropped    bool
}

const (
	// maxHolders is how many addresses are known of the machines at a port. If there are more, those that nobody has used for a
	// lifetime are forgotten.
	maxHolders = 1024
	lifetime   = 5 * time.Minute
	// maxTold is how many conflicts it is remembered that they were reported.
	maxTold = 128
)

// A statement is what a frame says of an address.
type statement struct {
	port   *Port
	strict bool // the machine must have the address
	mac    wire.MAC
	addr   netip.Addr
	told   bool // by ARP or Neighbor Discovery, so that others believe it; otherwise it is only where a packet is from
}

// newGuard makes a guard for the gateway at a port, and has it look at what comes in.
func newGuard(port *Port, networks []netip.Prefix, strict bool, report func(conflict)) *guard {
	g := &guard{
		port: port, networks: networks, strict: strict, report: report,
		holders: map[netip.Addr]*holder{}, counts: map[*Port]int{}, aged: map[*Port]time.Time{}, leases: map[netip.Addr]wire.MAC{},
		homes: map[wire.MAC]*home{}, told: map[netip.Addr]time.Time{},
	}
	port.lan.guard.Store(g)
	return g
}

// close ends the guard.
func (g *guard) close() {
	g.port.lan.guard.CompareAndSwap(g, nil)
	g.mu.Lock()
	defer g.mu.Unlock()
	for m, h := range g.homes {
		g.leaveLocked(m, h)
	}
}

// portOf returns the port of a machine in this process, or nil.
func (s *Switch) portOf(m wire.MAC) *Port {
	if e := s.table.find(addressOf(m)); e != nil {
		return e.port.Load()
	}
	return nil
}

// isPlain reports whether a frame is one of IP, and no other part of it than where it is from is of interest: it is neither of
// DHCP nor of Neighbor Discovery. It looks at a few bytes where most frames have them.
func isPlain(b []byte) (wire.EtherType, bool) {
	const ip, ipv4Protocol, ipv6Next, ports = wire.EthernetLen, wire.EthernetLen + 9, wire.EthernetLen + 6, wire.EthernetLen + wire.IPv4Len
	if len(b) < ports+4 {
		return 0, false
	}
	t := wire.EtherType(binary.BigEndian.Uint16(b[ip-2:]))
	switch {
	case t == wire.TypeIPv6:
		return t, wire.Protocol(b[ipv6Next]) == wire.ProtoTCP
	case t != wire.TypeIPv4 || b[ip] != 0x45:
		return t, false
	case wire.Protocol(b[ipv4Protocol]) == wire.ProtoUDP:
		port := portTo(b[ports:])
		return t, port != dhcpClient && port != dhcpServer
	}
	return t, true
}

// A sender is a hardware address and one of IPv4. The zero sender is nobody.
type sender struct {
	mac wire.MAC
	ip  [4]byte
}

// senderOf returns the sender of a plain frame of IPv4.
func senderOf(b []byte) sender { return sender{wire.MAC(b[6:]), [4]byte(b[wire.EthernetLen+12:])} }

// allow reports whether a frame may be sent on, or why not.
func (g *guard) allow(p *Port, f *link.Frame) (Drop, bool) {
	e, err := wire.ParseEthernet(f.Head)
	if err != nil {
		return DropRunt, false
	}
	s := statement{port: p, mac: e.Src(), strict: g.strict && p.sources.Load() == nil}
	switch e.Type() {
	case wire.TypeARP:
		return g.allowARP(s, e.Payload())
	case wire.TypeIPv4:
		return g.allowIPv4(s, e.Payload(), f.Body)
	case wire.TypeIPv6:
		return g.allowIPv6(s, e.Payload(), f.Body)
	case wire.TypeVLAN, wire.TypeQinQ: // more tags than are read; anything may be behind them
		return DropSourceIP, !s.strict
	}
	return 0, true
}

func (g *guard) allowARP(s statement, b []byte) (Drop, bool) {
	a, err := wire.ParseARP(b)
	if err != nil {
		return DropSourceIP, !s.strict
	}
	if s.strict && a.Sender() != s.mac {
		return DropSourceMAC, false
	}
	s.mac, s.addr, s.told = a.Sender(), a.SenderIP(), true
	return DropSourceIP, g.hear(s)
}

// Where clients of DHCP listen, and its servers.
const (
	dhcpClient, dhcpServer = 68, 67
	dhcp6Client            = 546 // RFC 8415, Section 7.2
)

func (g *guard) allowIPv4(s statement, b, body []byte) (Drop, bool) {
	h, err := wire.ParseIPv4Head(b, len(body))
	if err != nil {
		return DropSourceIP, !s.strict
	}
	if h.Protocol() == wire.ProtoUDP && h.FragmentOffset() == 0 {
		switch portTo(h.Payload()) {
		case dhcpClient:
			return DropRogueDHCP, false
		case dhcpServer:
			if s.strict && clientOf(join(h.Payload(), body)) != s.mac {
				return DropSourceMAC, false // it speaks for another
			}
			if !s.port.dhcp.allows(broadcasts, time.Now()) {
				return DropDHCPStorm, false // each lease is written to a disk before the next is given: others want theirs too
			}
		}
	}
	s.addr = h.Src()
	return DropSourceIP, !s.strict || g.hear(s)
}

// join returns the beginning of what lies in two pieces.
func join(b, body []byte) []byte {
	const enough = 128 // for all that is looked at
	if len(b) >= enough || len(body) == 0 {
		return b
	}
	return slices.Concat(b, body[:min(len(body), enough)])
}

// portTo returns the port that a UDP datagram is for, of which b is the beginning, or 0.
func portTo(b []byte) uint16 {
	if len(b) < 4 {
		return 0
	}
	return uint16(b[2])<<8 | uint16(b[3])
}

// clientOf returns the hardware address that a message to a DHCP server says its client has.
func clientOf(b []byte) (m wire.MAC) {
	const at = wire.UDPLen + 28 // the field chaddr: RFC 2131, Section 2
	if len(b) >= at+len(m) {
		m = wire.MAC(b[at:])
	}
	return m
}

// allowIPv6 drops what has no end of headers too: there are router advertisements behind some that are made to be hard to find (RFC
// 7113, Section 2).
func (g *guard) allowIPv6(s statement, b, body []byte) (Drop, bool) {
	h, err := wire.ParseIPv6Head(b, len(body))
	if err != nil {
		return DropSourceIP, !s.strict
	}
	x, first := h.Extensions(), true
	for x.Next() {
		if f, ok := x.Fragment(); ok {
			first = f.Offset() == 0
		}
	}
	if x.Err() != nil {
		return DropRogueRA, false
	}
	s.addr = h.Src()
	switch b := x.Payload(); {
	case !first:
	case x.Protocol() == wire.ProtoUDP && portTo(b) == dhcp6Client:
		return DropRogueDHCP, false
	case x.Protocol() == wire.ProtoICMPv6:
		return g.allowICMPv6(s, join(b, body))
	}
	return DropSourceIP, !s.strict || g.hear(s)
}

func (g *guard) allowICMPv6(s statement, b []byte) (Drop, bool) {
	m, err := wire.ParseICMPv6(b)
	if err != nil {
		return DropSourceIP, !s.strict
	}
	switch m.Type() {
	case wire.ICMPv6RouterAdvert, wire.ICMPv6Redirect:
		return DropRogueRA, false
	case wire.ICMPv6NeighborSolicit:
		return DropSourceIP, g.allowSolicit(s, m)
	case wire.ICMPv6NeighborAdvert:
		a, err := wire.ParseNeighborAdvert(m)
		if err != nil {
			return DropSourceIP, !s.strict
		}
		claim := s
		claim.addr, claim.told = a.Target(), true
		return DropSourceIP, g.hear(claim) && (!s.strict || g.hear(s))
	}
	return DropSourceIP, !s.strict || g.hear(s)
}

// allowSolicit hears who asks for a neighbor, which says where it is itself, or whether another has the address that it
// would like to have. That address is kept for it, if nobody has it (RFC 6620, Section 3.2.3).
func (g *guard) allowSolicit(s statement, m wire.ICMPv6) bool {
	if s.told = !s.addr.IsUnspecified(); s.told {
		return g.hear(s)
	}
	if a, err := wire.ParseNeighborSolicit(m); err == nil && s.strict {
		g.keep(statement{port: s.port, mac: s.mac, addr: a.Target()})
	}
	return true
}

// hear notes who has an address, and reports whether the frame may be sent on.
func (g *guard) hear(s statement) bool {
	if s.addr.IsUnspecified() {
		return true
	}
	for _, own := range g.networks {
		if own.Addr() == s.addr {
			g.tell(s, g.port.info.MAC, true)
			return false
		}
	}
	if s.strict {
		return g.owns(s)
	}
	g.note(s)
	return true
}

// note hears a machine that says it has an address. Two have it if it is leased to another, or if it goes back to who had it
// a moment ago.
func (g *guard) note(s statement) {
	g.mu.RLock()
	h := g.holders[s.addr]
	known := h != nil && h.mac == s.mac && h.port == s.port
	if known {
		h.use()
	}
	g.mu.RUnlock()
	if known {
		return
	}
	if other, ok := g.change(s); !ok {
		g.tell(s, other, false)
	}
}

// change makes s the holder of an address, and returns who else seems to have it.
func (g *guard) change(s statement) (other wire.MAC, ok bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	h := g.holders[s.addr]
	if h == nil {
		h = g.addLocked(s)
	}
	if h == nil {
		return other, true
	}
	h.use()
	was, now := h.mac, time.Now()
	if h.port != s.port {
		g.counts[h.port]--
		g.counts[s.port]++
		h.port = s.port
	}
	if was != s.mac {
		wanders := h.before == s.mac && now.Sub(h.moved) < restless
		h.mac, h.before, h.moved = s.mac, was, now
		if wanders {
			return was, false
		}
	}
	mac, leased := g.leases[s.addr]
	return mac, !leased || mac == s.mac
}

// addLocked makes s the first holder of an address, if there is room.
func (g *guard) addLocked(s statement) *holder {
	if s.port.gone.Load() || g.counts[s.port] >= maxHolders && !g.ageLocked(s.port, time.Now()) {
		return nil
	}
	h := &holder{mac: s.mac, port: s.port}
	h.use()
	g.holders[s.addr] = h
	g.counts[s.port]++
	return h
}

// ageLocked forgets the addresses at a port that nobody has used since the last time, a lifetime ago or more, and reports whether there were
// any. As long as there is room nothing is forgotten, so that a machine that sleeps keeps what it has.
func (g *guard) ageLocked(p *Port, now time.Time) bool {
	if now.Sub(g.aged[p]) < lifetime {
		return false
	}
	g.aged[p] = now
	for a, h := range g.holders {
		if h.port == p && !h.used.Swap(false) {
			delete(g.holders, a)
			g.counts[p]--
		}
	}
	return g.counts[p] < maxHolders
}

// tell reports a conflict, unless one about the address has just been.
func (g *guard) tell(s statement, other wire.MAC, dropped bool) {
	now := time.Now()
	g.mu.Lock()
	silent := now.Sub(g.told[s.addr]) < quietness || len(g.told) >= maxTold && !g.makeRoomLocked(now)
	if !silent {
		g.told[s.addr] = now
	}
	g.mu.Unlock()
	if !silent {
		g.report(conflict{s.addr, s.mac, other, s.port, dropped})
	}
}

// makeRoomLocked forgets the reports that have become old, and reports whether there were any. Without, nothing more is said: who makes up
// conflicts could fill the log otherwise. They are looked for once in a quietness at most.
func (g *guard) makeRoomLocked(now time.Time) bool {
	if now.Sub(g.swept) < quietness {
		return false
	}
	g.swept = now
	maps.DeleteFunc(g.told, func(_ netip.Addr, at time.Time) bool { return now.Sub(at) >= quietness })
	return len(g.told) < maxTold
}

// forget forgets what is at a port.
func (g *guard) forget(p *Port) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for a, h := range g.holders {
		if h.port == p {
			delete(g.holders, a)
		}
	}
	delete(g.counts, p)
	delete(g.aged, p)
	for _, h := range g.homes {
		if h.port == p {
			h.port, h.pinned = nil, false
		}
	}
}
