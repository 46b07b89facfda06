package lan

import (
	"net/netip"
	"sync"
)

// shares bounds how many of something there are, so that no machine takes them all: one gets another only as long as it has
// fewer than are left. One alone can have half of them, two a third each, and there is always one left for another.
type shares struct {
	mu   sync.Mutex
	left int
	of   map[netip.Addr]int
}

func (s *shares) init(n int) { s.left, s.of = n, map[netip.Addr]int{} }

func (s *shares) take(a netip.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of[a] >= s.left {
		return false
	}
	s.of[a]++
	s.left--
	return true
}

func (s *shares) release(a netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left++
	if s.of[a]--; s.of[a] == 0 {
		delete(s.of, a)
	}
}
