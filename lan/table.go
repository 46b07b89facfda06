package lan

import (
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"landline/wire"
)

// An address is a hardware address as a number.
type address uint64

const (
	groupBit address = 1 << 40
	allOnes  address = 1<<48 - 1
	// reserved are the 16 groups of which IEEE 802.1Q, Section 8.6.3, says that a bridge forwards nothing to them.
	reserved, reservedMask address = 0x0180c2000000, 0xf
)

// addressAt reads an address. There are two bytes more behind it in an Ethernet header.
func addressAt(b []byte) address { return address(binary.BigEndian.Uint64(b) >> 16) }

func addressOf(m wire.MAC) (a address) {
	for _, b := range m {
		a = a<<8 | address(b)
	}
	return a
}

func (a address) mac() (m wire.MAC) {
	for i := range m {
		m[i] = byte(a >> (40 - 8*i))
	}
	return m
}

const (
	tableBits = 12
	// sweeps is how many times in its Age an entry is looked at.
	sweeps = 10
	// restless is how soon an address that moves back has been at two ports all the time.
	restless = 10 * time.Second
)

// A table knows at which port an address is. To find one takes no lock: entries are in chains, which
// are changed only by who has the lock, one pointer at a time.
//
// Time is counted in sweeps, so that a frame costs no look at the clock.
type table struct {
	seed    uint64 // odd; so that nobody can choose addresses which share a chain
	every   time.Duration
	turn    atomic.Uint32 // how many sweeps there were
	buckets [1 << tableBits]atomic.Pointer[entry]

	mu    sync.Mutex
	timer *time.Timer // of the next sweep
	armed bool        // while there is something that may age
}

// An entry says where an address is.
type entry struct {
	address address
	fixed   bool
	port    atomic.Pointer[Port]
	seen    atomic.Uint32 // the turn when something came from it
	next    atomic.Pointer[entry]

	// With the table's mu.
	before *Port     // where it was
	moved  time.Time // when it left there
}

func (t *table) init(age time.Duration) {
	t.seed = rand.Uint64() | 1
	t.every = max(age/sweeps, time.Millisecond)
	t.timer = time.AfterFunc(t.every, t.sweep)
	t.timer.Stop()
}

func (t *table) bucket(a address) *atomic.Pointer[entry] {
	return &t.buckets[uint64(a)*t.seed>>(64-tableBits)]
}

// find returns the entry of an address, or nil.
func (t *table) find(a address) *entry {
	for e := t.bucket(a).Load(); e != nil; e = e.next.Load() {
		if e.address == a {
			return e
		}
	}
	return nil
}

// A lesson is what came of learning an address.
type lesson uint8

const (
	learnt   lesson = iota
	moved           // it was at another port
	wanders         // it is at two ports
	foreign         // it is at another port for good
	crowded         // the port has too many
	unneeded        // the port is closed
)

// hear notes that something came from an address at p.
func (t *table) hear(a address, p *Port) (lesson, *Port) {
	e := t.find(a)
	if e == nil || e.port.Load() != p {
		return t.learn(a, p)
	}
	if turn := t.turn.Load(); e.seen.Load() != turn {
		e.seen.Store(turn)
	}
	return learnt, nil
}

// learn makes p the port of an address, and returns where it was.
func (t *table) learn(a address, p *Port) (lesson, *Port) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.find(a)
	switch {
	case p.forgotten:
		return unneeded, nil
	case e != nil && e.port.Load() == p: // somebody was faster
		return learnt, nil
	case e != nil && e.fixed:
		return foreign, e.port.Load()
	case p.addresses >= p.maxAddresses:
		if e != nil {
			t.removeLocked(e) // at least it is not there any more
		}
		return crowded, nil
	case e == nil:
		e = &entry{address: a}
		e.port.Store(p)
		e.seen.Store(t.turn.Load())
		t.addLocked(e)
		return learnt, nil
	}
	return t.moveLocked(e, p)
}

func (t *table) moveLocked(e *entry, p *Port) (lesson, *Port) {
	was, now, l := e.port.Load(), time.Now(), moved
	if e.before == p && now.Sub(e.moved) < restless {
		l = wanders
	}
	e.before, e.moved = was, now
	e.port.Store(p)
	e.seen.Store(t.turn.Load())
	was.addresses--
	p.addresses++
	return l, was
}

var errTaken = errors.New("another port has that hardware address")

// pin makes p the port of an address for good.
func (t *table) pin(a address, p *Port) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.find(a)
	if e != nil && e.fixed {
		return errTaken
	}
	t.pinLocked(a, p, e)
	return nil
}

// pinFree is pin for an address that is at no port for good. It returns the port where it is then, and whether it was free.
func (t *table) pinFree(a address, p *Port) (*Port, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.find(a)
	switch {
	case p.forgotten:
		return nil, false
	case e != nil && e.fixed:
		return e.port.Load(), false
	}
	t.pinLocked(a, p, e)
	return p, true
}

// unpin forgets an address that is at a port for good.
func (t *table) unpin(a address) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if e := t.find(a); e != nil && e.fixed {
		t.removeLocked(e)
	}
}

// pinLocked makes p the port of an address for good, in place of what e says, unless that is nil.
func (t *table) pinLocked(a address, p *Port, e *entry) {
	if e != nil {
		t.removeLocked(e)
	}
	e = &entry{address: a, fixed: true}
	e.port.Store(p)
	t.addLocked(e)
}

func (t *table) addLocked(e *entry) {
	b := t.bucket(e.address)
	e.next.Store(b.Load())
	b.Store(e)
	if !e.fixed {
		e.port.Load().addresses++
		t.armLocked()
	}
}

func (t *table) removeLocked(gone *entry) {
	for at := t.bucket(gone.address); ; {
		e := at.Load()
		if e == gone {
			at.Store(e.next.Load())
			break
		}
		at = &e.next
	}
	if !gone.fixed {
		gone.port.Load().addresses--
	}
}

// removeAllLocked removes the entries that do tells it to.
func (t *table) removeAllLocked(do func(*entry) bool) {
	for i := range t.buckets {
		for e := t.buckets[i].Load(); e != nil; e = e.next.Load() {
			if do(e) {
				t.removeLocked(e)
			}
		}
	}
}

// stations returns all entries.
func (t *table) stations() (all []Station) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range t.buckets {
		for e := t.buckets[i].Load(); e != nil; e = e.next.Load() {
			all = append(all, Station{e.address.mac(), e.port.Load(), e.fixed})
		}
	}
	return all
}

// forget removes the addresses of a port, which learns none any more.
func (t *table) forget(p *Port) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p.forgotten = true
	t.removeAllLocked(func(e *entry) bool { return e.port.Load() == p })
}

func (t *table) armLocked() {
	if !t.armed {
		t.armed = true
		t.timer.Reset(t.every)
	}
}

// sweep removes what has not been heard of for so many turns.
func (t *table) sweep() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.armed = false
	turn, left := t.turn.Add(1), false
	t.removeAllLocked(func(e *entry) bool {
		if e.fixed {
			return false
		}
		old := turn-e.seen.Load() > sweeps
		left = left || !old
		return old
	})
	if left {
		t.armLocked()
	}
}

// close ends the timer. All ports have been forgotten, so nothing is learnt any more.
func (t *table) close() { t.timer.Stop() }
