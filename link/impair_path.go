package link

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// A path is one direction through an Impaired. What is due at once it hands on from the
// caller's bytes, the rest it copies. One goroutine at a time does that (busy): the one that
// brought frames, that of the timer, or the one that said that there is room.
type path struct {
	hand      func([]Frame) (int, error) // takes what is handed on
	room      func()                     // hears that take may be called again; may be nil
	alone     bool                       // hand must not be called by two goroutines at once, and takes all
	begun     time.Time
	direction uint64
	passed    atomic.Uint64

	mu     sync.Mutex
	faults faults
	stats  ImpairStats // without Passed and Waiting
	ended  error       // what take returns from now on
	busy   bool
	quiet  sync.Cond // with mu: no longer busy, and ended
	timer  *time.Timer
	alarm  time.Duration // when it goes off, if armed
	armed  bool

	direct  []Frame   // the caller's, due now; of the busy goroutine
	ready   []*parcel // due, in their order
	flight  flight    // not yet due
	turn    uint64
	parcels parcels
	frames  []Frame // of the busy goroutine: what it hands on

	stuck  bool // hand took fewer, and nobody has said since that there is room
	again  bool // somebody has, since hand was called
	wanted bool // take refused frames
}

const (
	// maxHand is how many parcels are handed on at once.
	maxHand = 64
	// stint is how many times a goroutine hands on before it leaves the rest to that
	// of the timer: it may have come with one frame, and others bring more all the time.
	stint = 64
)

func (p *path) begin(now time.Time, hand func([]Frame) (int, error), i *Impairment, direction uint64) {
	p.begun, p.hand, p.direction = now, hand, direction
	p.quiet.L = &p.mu
	p.faults.begin(i, direction)
}

func (p *path) set(i *Impairment) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults.set(i, p.direction)
}

func (p *path) count() ImpairStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.stats
	s.Passed = p.passed.Load()
	s.Waiting = len(p.ready) + len(p.flight)
	return s
}

// take takes frames and returns how many.
func (p *path) take(frames []Frame) (int, error) {
	p.mu.Lock()
	if p.ended != nil {
		defer p.mu.Unlock()
		return 0, p.ended
	}
	mine := !p.busy
	if mine && p.faults.perfect() && len(p.ready)+len(p.flight) == 0 {
		return p.passUnlock(frames)
	}
	p.busy = true
	n := p.judgeLocked(frames, mine)
	if mine {
		p.handOnLocked()
	}
	p.mu.Unlock()
	return n, nil
}

// passUnlock hands frames on as they are. Nothing else is under way that could be
// handed on meanwhile by another goroutine, until take is called again.
func (p *path) passUnlock(frames []Frame) (int, error) {
	p.mu.Unlock()
	n, err := p.hand(frames)
	p.passed.Add(uint64(n))
	return n, err
}

// judgeLocked decides what becomes of frames, until too much is under way.
func (p *path) judgeLocked(frames []Frame, mine bool) int {
	now := time.Since(p.begun)
	for i := range frames {
		if !p.alone && p.fullLocked() {
			p.wanted = true
			return i
		}
		if p.faults.loses() {
			p.stats.Lost++
			continue
		}
		p.sendLocked(now, &frames[i], mine)
		if p.faults.happens(p.faults.Duplicate) {
			p.stats.Duplicated++
			p.sendLocked(now, &frames[i], mine)
		}
	}
	return len(frames)
}

func (p *path) fullLocked() bool { return p.stuck || p.parcels.used >= maxUnderway }

// sendLocked puts a frame on the wire.
func (p *path) sendLocked(now time.Duration, f *Frame, mine bool) {
	left, ok := p.faults.leave(now, f.Len())
	if !ok {
		p.stats.Overflow++
		return
	}
	due, overtakes := p.faults.arrive(left)
	if overtakes {
		p.stats.Reordered++
	}
	corrupt := p.faults.happens(p.faults.Corrupt)
	if corrupt {
		p.stats.Corrupted++
	} else if mine && due <= now && p.firstLocked(due) {
		p.direct = append(p.direct, *f)
		return
	}
	p.delayLocked(f, due, corrupt)
}

// firstLocked reports whether a frame has none before it.
func (p *path) firstLocked(due time.Duration) bool {
	return len(p.ready) == 0 && (len(p.flight) == 0 || p.flight[0].due > due)
}

// delayLocked keeps a frame until its time has come.
func (p *path) delayLocked(f *Frame, due time.Duration, corrupt bool) {
	if p.alone && p.fullLocked() {
		p.stats.Overflow++
		return
	}
	c := p.parcels.pack(f)
	if corrupt && !p.faults.damage(&c.frame) {
		p.stats.Lost++
		p.parcels.put(c)
		return
	}
	p.turn++
	c.due, c.turn = due, p.turn
	p.flight.push(c)
}

// handOnLocked hands on what is due, by the goroutine that is busy with it, and sets
// the timer for the rest. The path is not locked meanwhile.
func (p *path) handOnLocked() {
	if len(p.direct) != 0 {
		p.handDirectLocked()
	}
	for times := 0; times < stint && p.stepLocked(); times++ {
	}
	p.busy = false
	if p.ended != nil {
		p.discardLocked()
		p.quiet.Broadcast()
	} else {
		p.armLocked()
	}
}

// stepLocked makes one call and reports whether there was one to make.
func (p *path) stepLocked() bool {
	switch {
	case p.ended != nil:
		return false
	case !p.stuck && p.loadLocked():
		p.handReadyLocked()
		return true
	case p.wanted && !p.fullLocked():
		p.callRoomLocked()
		return true
	}
	return false
}

// handDirectLocked hands on frames of the caller, and keeps those that are not taken.
func (p *path) handDirectLocked() {
	n := p.callHandLocked(p.direct)
	for i := range p.direct[n:] {
		p.ready = append(p.ready, p.parcels.pack(&p.direct[n+i]))
	}
	clear(p.direct)
	p.direct = p.direct[:0]
}

// loadLocked finds the next parcels that are due and reports whether there are any.
func (p *path) loadLocked() bool {
	if len(p.flight) != 0 && len(p.ready) < maxHand {
		now := time.Since(p.begun)
		for len(p.flight) != 0 && len(p.ready) < maxHand && p.flight[0].due <= now {
			p.ready = append(p.ready, p.flight.pop())
		}
	}
	return len(p.ready) != 0
}

func (p *path) handReadyLocked() {
	load := p.ready[:min(len(p.ready), maxHand)]
	p.frames = p.frames[:0]
	for _, c := range load {
		p.frames = append(p.frames, c.frame)
	}
	n := p.callHandLocked(p.frames)
	for _, c := range load[:n] {
		p.parcels.put(c)
	}
	rest := append(p.ready[:0], p.ready[n:]...)
	clear(p.ready[len(rest):])
	p.ready = rest
}

// callHandLocked hands on frames and returns how many are done with. It notes what the
// answer means for the others.
func (p *path) callHandLocked(frames []Frame) int {
	p.again = false
	p.mu.Unlock()
	n, err := p.hand(frames)
	p.passed.Add(uint64(n))
	p.mu.Lock()
	switch {
	case errors.Is(err, net.ErrClosed):
		if p.ended == nil {
			p.ended = net.ErrClosed
		}
	case n == len(frames):
	case err != nil: // of the frame at n, which was good when it was taken
		p.stats.Discarded++
		n++
	default:
		p.stuck = !p.again
	}
	return n
}

func (p *path) callRoomLocked() {
	p.wanted = false
	if p.room == nil {
		return
	}
	p.mu.Unlock()
	p.room()
	p.mu.Lock()
}

// hasRoom hears that hand may be called again.
func (p *path) hasRoom() {
	p.mu.Lock()
	p.again = true
	if !p.busy && !p.stuck {
		room := p.room
		p.mu.Unlock()
		if room != nil {
			room()
		}
		return
	}
	p.wanted = true
	if !p.busy {
		p.stuck, p.busy = false, true
		p.handOnLocked()
	}
	p.mu.Unlock()
}

// armLocked sets the timer.
func (p *path) armLocked() {
	if p.stuck {
		return // hasRoom goes on
	}
	var at time.Duration
	switch {
	case len(p.ready) != 0 || p.wanted && !p.fullLocked(): // the stint is over
	case len(p.flight) != 0:
		at = p.flight[0].due
	default:
		return
	}
	if p.armed && p.alarm <= at {
		return
	}
	p.armed, p.alarm = true, at
	in := at - time.Since(p.begun)
	if p.timer == nil {
		p.timer = time.AfterFunc(in, p.wake)
	} else {
		p.timer.Reset(in)
	}
}

// wake is called by the timer.
func (p *path) wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.armed = false
	if !p.busy && p.ended == nil {
		p.busy = true
		p.handOnLocked()
	}
}

// end makes the path take nothing any more, and hand nothing on.
func (p *path) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ended = net.ErrClosed
	if p.timer != nil {
		p.timer.Stop()
	}
	if !p.busy {
		p.discardLocked()
	}
}

// await waits until nothing is handed on. The path has ended.
func (p *path) await() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.busy {
		p.quiet.Wait()
	}
}

func (p *path) discardLocked() {
	p.stats.Discarded += uint64(len(p.ready) + len(p.flight))
	p.ready, p.flight, p.direct, p.frames = nil, nil, nil, nil
	p.parcels = parcels{}
}
