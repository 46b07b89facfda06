package identity

import (
	"net"
	"net/netip"
	"sync"
)

const (
	limitPerAddr = 64
	limitTotal   = 512
)

// A Limiter (remote.Server has one of its own) counts connections that are not let in yet, so that nobody can hold
// all of a server's by never finishing. The loop that accepts connections asks
// it before [Server.Handshake] and gives back once the peer's first request has
// come whole; Server itself does not use it. The zero value is ready. It may be
// used concurrently.
type Limiter struct {
	PerAddr int // for each IPv4 address and each /64 of IPv6. If zero, 64.
	Total   int // in all. If zero, 512.

	mu    sync.Mutex
	total int
	count map[netip.Prefix]int
}

// Acquire counts a connection from an address and reports whether there is room for it. If there
// is, release must be called once. Connections without an IP address count as of one.
func (l *Limiter) Acquire(from net.Addr) (release func(), ok bool) {
	key := limitKey(ipOf(from))
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.total >= orDefault(l.Total, limitTotal) || l.count[key] >= orDefault(l.PerAddr, limitPerAddr) {
		return nil, false
	}
	if l.count == nil {
		l.count = make(map[netip.Prefix]int)
	}
	l.total++
	l.count[key]++
	return func() { l.release(key) }, true
}

func (l *Limiter) release(key netip.Prefix) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.total--
	if l.count[key]--; l.count[key] == 0 {
		delete(l.count, key)
	}
}

// limitKey returns whom a connection is counted for.
func limitKey(addr netip.Addr) netip.Prefix {
	bits := addr.BitLen()
	if addr.Is6() {
		bits = 64
	}
	p, _ := addr.Prefix(bits) // the zero Prefix if addr is invalid
	return p
}

func orDefault(n, def int) int {
	if n == 0 {
		return def
	}
	return n
}
