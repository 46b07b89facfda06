package lan

import (
	"net/netip"

	"landline/wire"
)

// A home is where a machine with leases is. Nobody else can have its hardware address meanwhile.
type home struct {
	port   *Port // nil if nothing has come from it yet
	leases int
	pinned bool // the table has it there for good because of this
}

// lease hears that an address is leased to a machine.
func (g *guard) lease(a netip.Addr, m wire.MAC) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if old, ok := g.leases[a]; !ok || old != m {
		g.endLocked(a)
		g.leases[a] = m
		if g.homes[m] == nil {
			g.homes[m] = new(home)
		}
		g.homes[m].leases++
	}
	if p := g.port.lan.portOf(m); p != nil && g.strict { // where the question has come from
		g.settleLocked(m, p)
	}
}

// end hears that a lease is over.
func (g *guard) end(a netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.endLocked(a)
}

func (g *guard) endLocked(a netip.Addr) {
	m, ok := g.leases[a]
	if !ok {
		return
	}
	delete(g.leases, a)
	h := g.homes[m]
	if h.leases--; h.leases == 0 {
		g.leaveLocked(m, h)
		delete(g.homes, m)
	}
}

func (g *guard) leaveLocked(m wire.MAC, h *home) {
	if h.pinned {
		g.port.lan.table.unpin(addressOf(m))
	}
	h.port, h.pinned = nil, false
}

// owns reports whether a machine has an address: one of IPv4 by a lease, one of IPv6 because nobody had it before: "first-come,
// first-served" (RFC 6620).
func (g *guard) owns(s statement) bool {
	if s.addr.Is6() {
		return g.keep(s)
	}
	g.mu.RLock()
	m, leased := g.leases[s.addr]
	ok := leased && m == s.mac && g.homes[m].port == s.port
	g.mu.RUnlock()
	if ok || !leased {
		return ok
	}
	if m == s.mac && g.settle(m, s.port) {
		return true
	}
	g.tell(s, m, true)
	return false
}

// settle makes a port the home of a machine with a lease, if none is, and reports whether it is: a lease may be older than
// the gateway, or its machine was plugged in elsewhere.
func (g *guard) settle(m wire.MAC, p *Port) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.homes[m] != nil && g.settleLocked(m, p)
}

func (g *guard) settleLocked(m wire.MAC, p *Port) bool {
	h := g.homes[m]
	if h.port == nil && !p.gone.Load() {
		var at *Port
		if at, h.pinned = p.lan.table.pinFree(addressOf(m), p); at == p {
			h.port = p
		}
	}
	return h.port == p
}

// keep makes an address of IPv6 that nobody has a machine's, and reports whether it is. One that was made of a hardware address
// is for who has that.
func (g *guard) keep(s statement) bool {
	g.mu.RLock()
	h := g.holders[s.addr]
	ok := h != nil && h.port == s.port
	if ok {
		h.use()
	}
	g.mu.RUnlock()
	if ok || !g.isNear(s.addr) {
		return ok
	}
	if m, made := madeOf(s.addr); made && m != s.mac {
		if at := g.port.lan.portOf(m); at != nil && at != s.port {
			g.tell(s, m, true)
			return false
		}
	}
	g.mu.Lock()
	h = g.holders[s.addr]
	if h == nil {
		h = g.addLocked(s)
	}
	g.mu.Unlock()
	if h != nil && h.port != s.port {
		g.tell(s, h.mac, true)
	}
	return h != nil && h.port == s.port
}

// isNear reports whether an address is one that machines on the LAN make up for themselves.
func (g *guard) isNear(a netip.Addr) bool {
	for _, p := range g.networks {
		if p.Contains(a) {
			return true
		}
	}
	return a.IsLinkLocalUnicast()
}

// madeOf returns the hardware address that an address was made of, if it looks so (RFC 4291, Appendix A).
func madeOf(a netip.Addr) (m wire.MAC, ok bool) {
	b := a.As16()
	m = wire.MAC{b[8] ^ 2, b[9], b[10], b[13], b[14], b[15]}
	return m, b[11] == 0xff && b[12] == 0xfe
}
