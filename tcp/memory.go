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

// resize gives a ring of the connection at least size bytes. They count before they are there: to make them may take
// a while, and others look at the budget meanwhile.
func (t *tcb) resize(r *ring.Ring, size, keep int) {
	t.chargeTo(t.memory() + max(size-r.Cap(), 0))
	r.Resize(size, keep)
	t.charge()
}

// charge tells the budget how much the connection has.
func (t *tcb) charge() { t.chargeTo(t.memory()) }

func (t *tcb) chargeTo(n int) {
	if more := n - int(t.snd.charged); more != 0 && t.cfg.budget != nil {
		t.cfg.budget.used.Add(int64(more))
		t.snd.charged = int32(n)
	}
}

// chargeLocked is charge for a connection that may be over. Then it has nothing to send, and keeps only what is still to
// be read.
func (c *Conn) chargeLocked() {
	if c.gone {
		c.t.snd.text, c.t.flight = sendText{}, flight{}
	}
	if c.gone && (c.closed || c.t.readable() == 0) {
		c.t.rcv.ring = ring.Ring{}
	}
	c.t.charge()
}
