// Package gate holds what goroutines wait at: the deadlines of a socket.
package gate

import (
	"sync"
	"time"
)

// A Deadline is a channel that is closed while a time is over, as the Set…Deadline
// methods of package net want it. Its zero value never passes. It may be used by
// several goroutines at once. It must be made and used in one synctest bubble.
type Deadline struct {
	mu     sync.Mutex
	timer  *time.Timer
	over   chan struct{}
	closed bool // for good
	round  int  // of Set, so that a timer which is late does no harm
}

// Done returns a channel that is closed when the deadline has passed. It stays the same
// until then, however often Set moves the deadline; after that, Set makes another.
func (d *Deadline) Done() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.overLocked()
}

func (d *Deadline) overLocked() chan struct{} {
	if d.over == nil {
		d.over = make(chan struct{})
	}
	return d.over
}

// Passed reports whether the deadline has passed.
func (d *Deadline) Passed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.over != nil && isClosed(d.over)
}

// Set moves the deadline to t, also for those who wait for it. The zero Time is
// never. It does nothing after Close.
func (d *Deadline) Set(t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return
	}
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
	d.round++
	if isClosed(d.overLocked()) {
		d.over = make(chan struct{})
	}
	switch wait := time.Until(t); {
	case t.IsZero():
	case wait <= 0:
		close(d.over)
	default:
		round := d.round
		d.timer = time.AfterFunc(wait, func() { d.expire(round) })
	}
}

func (d *Deadline) expire(round int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.round == round && !d.closed && !isClosed(d.over) {
		close(d.over)
	}
}

// Close makes the deadline pass for good, and ends its timer.
func (d *Deadline) Close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.timer != nil {
		d.timer.Stop()
	}
	if !isClosed(d.overLocked()) {
		close(d.over)
	}
	d.closed = true
}

func isClosed(c chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
