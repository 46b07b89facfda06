package ip

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// mtus are the path MTUs that a stack knows, for several goroutines.
type mtus struct {
	any atomic.Bool // something is known

	mu    sync.Mutex
	paths *pathMTUs
}

// lookup returns the largest packet to try on the way to dst, and whether the path is so narrow
// that packets have to leave without "don't fragment".
func (m *mtus) lookup(dst netip.Addr, linkMTU int) (mtu int, narrow bool) {
	if !m.any.Load() {
		return linkMTU, false
	}
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.paths.lookup(now, dst, linkMTU), m.paths.locked(now, dst)
}

// learn takes note of an ICMP error that says that a packet of ours was too long. It returns what the
// path carries, and false if that is nothing new.
func (m *mtus) learn(f *Fault, linkMTU int) (int, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.paths == nil {
		m.paths = newPathMTUs(0, 0)
	}
	m.any.Store(true)
	return m.paths.tooBig(time.Now(), f.Quote.Dst, f.Err.MTU, f.Quote.Len, linkMTU)
}
