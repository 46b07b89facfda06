package ip

import (
	"net/netip"
	"sync"
	"syscall"
)

// Ephemeral ports are chosen by the system for who does not name one.
const (
	firstEphemeral = 32768
	lastEphemeral  = 60999
)

// EphemeralPorts is how many there are.
const EphemeralPorts = lastEphemeral - firstEphemeral + 1

// EphemeralPort returns one of them.
func EphemeralPort(n uint64) uint16 { return uint16(firstEphemeral + n%EphemeralPorts) }

// Ports says who holds which port of one transport protocol, all 65,535 of them for each
// local address. It may be used by several goroutines at once.
type Ports struct {
	// Reserved ports, those below it, are for no one: EACCES. If 0, there are none.
	Reserved uint16

	mu   sync.Mutex
	held map[uint16][]Binding
}

// A Binding is a port that is held.
type Binding struct {
	Addr  netip.Addr // unspecified: all addresses of the family
	Port  uint16
	Dual  bool // with an unspecified IPv6 address: all addresses of both families
	Reuse bool // others that say so too may hold the same
	Own   bool // the host needs it itself, so it may be a reserved one
}

// Bind takes a port, an ephemeral one if b has none, and returns what was taken. random
// chooses among the ephemeral ones (RFC 6056, Section 3.3.1). The error is
// EADDRINUSE or EACCES.
func (p *Ports) Bind(b Binding, random uint64) (Binding, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if b.Port == 0 {
		return p.bindEphemeralLocked(b, random)
	}
	if b.Port < p.Reserved && !b.Own {
		return b, syscall.EACCES
	}
	if !p.freeLocked(b) {
		return b, syscall.EADDRINUSE
	}
	p.takeLocked(b)
	return b, nil
}

func (p *Ports) bindEphemeralLocked(b Binding, random uint64) (Binding, error) {
	reuse := b.Reuse
	b.Reuse = false // a port of one's own
	for k := range uint64(EphemeralPorts) {
		b.Port = EphemeralPort(random + k)
		if p.freeLocked(b) {
			b.Reuse = reuse
			p.takeLocked(b)
			return b, nil
		}
	}
	return b, syscall.EADDRINUSE
}

// Held reports whether somebody holds a port, at whatever address.
func (p *Ports) Held(port uint16) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.held[port]) > 0
}

func (p *Ports) takeLocked(b Binding) {
	if p.held == nil {
		p.held = map[uint16][]Binding{}
	}
	p.held[b.Port] = append(p.held[b.Port], b)
}

func (p *Ports) freeLocked(b Binding) bool {
	for _, other := range p.held[b.Port] {
		if b.conflicts(other) {
			return false
		}
	}
	return true
}

// conflicts reports whether b and c may not hold the same port.
func (b Binding) conflicts(c Binding) bool {
	if b.Reuse && c.Reuse {
		return false
	}
	if b.Addr.Is4() != c.Addr.Is4() {
		return b.Addr.Is6() && b.Dual || c.Addr.Is6() && c.Dual
	}
	return b.Addr == c.Addr || b.Addr.IsUnspecified() || c.Addr.IsUnspecified()
}

// Release gives back what Bind returned.
func (p *Ports) Release(b Binding) {
	p.mu.Lock()
	defer p.mu.Unlock()
	held := p.held[b.Port]
	for k, other := range held {
		if other == b {
			held[k] = held[len(held)-1]
			held = held[:len(held)-1]
			break
		}
	}
	if len(held) == 0 {
		delete(p.held, b.Port)
		return
	}
	p.held[b.Port] = held
}
