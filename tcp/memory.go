package tcp

import (
	"sync/atomic"

	"landline/internal/ring"
)

// A budget is what all connections of a host may keep in their rings, together.
type budget struct {
	limit int64 // bytes
	used  atomic.Int64
}

// pressed reports whether memory is getting scarce, so that rings no longer grow to be faster. A nil
// budget has no end.
func (b *budget) pressed() bool { return b != nil && b.used.Load() >= b.limit/2 }

// empty reports whether all is used, so that a connection gets no more than it cannot do without.
func (b *budget) empty() bool { return b != nil && b.used.Load() >= b.limit }

// mayHold returns how many bytes more a ring of the connection may come to hold: any number, unless all
// memory is used. Then it is what fits into the least of rings, so that every connection goes on.
func (t *tcb) mayHold(r *ring.Ring) int {
	if !t.cfg.budget.empty() {
		return maxBuffer
	}
	return max(r.Cap(), minBuffer) - r.Len()
}

// mayHoldEarly returns how far beyond RCV.NXT text may be taken that is not next in turn: what would make the ring
// grow for a gap waits until memory is not scarce.
func (t *tcb) mayHoldEarly() int {
	if !t.cfg.budget.pressed() {
		return maxBuffer
	}
	return max(t.rcv.ring.Cap(), minBuffer) - t.rcv.ring.Len()
}

// chargeLocked tells the budget how much the connection has. One that is over has nothing to send, and keeps only
// what is still to be read.
func (c *Conn) chargeLocked() {
	if c.gone {
		c.t.snd.ring, c.t.flight = ring.Ring{}, flight{}
	}
	if c.gone && (c.closed || c.t.readable() == 0) {
		c.t.rcv.ring = ring.Ring{}
	}
	if n := c.t.memory(); n != c.charged {
		c.t.cfg.budget.used.Add(int64(n - c.charged))
		c.charged = n
	}
}
