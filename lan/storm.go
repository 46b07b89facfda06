package lan

import (
	"sync"
	"time"
)

// What goes to all ports.
type floodKind uint8

const (
	broadcasts floodKind = iota
	multicasts
	unknowns
	floodKinds
)

// A storm limits how often in a second a port may send to all, each kind by itself. What was not
// used in a second may follow at once.
type storm struct {
	each time.Duration // what a frame takes of a second; 0 if there is no limit

	mu   sync.Mutex
	full [floodKinds]time.Time // when all that was sent is paid for
}

func (s *storm) init(limit int) {
	if limit > 0 {
		s.each = time.Second / time.Duration(limit)
	}
}

// allows reports whether another frame may go, and counts it.
func (s *storm) allows(k floodKind, now time.Time) bool {
	if s.each == 0 {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	full := s.full[k]
	if full.Before(now) {
		full = now
	}
	if full = full.Add(s.each); full.Sub(now) > time.Second {
		return false
	}
	s.full[k] = full
	return true
}

// kindOf tells what goes to a group apart.
func kindOf(dst address) floodKind {
	if dst == allOnes {
		return broadcasts
	}
	return multicasts
}

// drop is how it is counted if there are too many.
func (k floodKind) drop() Drop { return DropBroadcastStorm + Drop(k) }
