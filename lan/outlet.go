package lan

import (
	"errors"
	"net"
	"sync"

	"landline/link"
)

// An outlet is where frames leave a port, to a machine or a device. One goroutine at a time hands
// over (busy): one that came with frames while nobody else did. The others queue theirs.
type outlet struct {
	drop func(Drop, int) // counts
	rest func()          // hands over what is queued; a field, so that starting it allocates nothing

	mu     sync.Mutex
	hand   func([]link.Frame) (int, error) // takes frames as link.Device.Write does; nil if nobody is there yet
	queue  *link.Queue
	full   bool // some frame did not fit into the queue, and nothing has been taken since
	busy   bool
	stuck  bool // hand took fewer, and nobody has said since that there is room
	room   bool // somebody has, since hand was called
	closed bool
	quiet  sync.Cond // with mu, once closed: no longer busy
	stats  outletStats
}

type outletStats struct {
	frames, bytes uint64 // that were handed over
	queued        uint64 // frames that had to be copied
}

// patience is how many batches of others a goroutine hands over before it leaves the rest to a
// new one.
const patience = 64

func (o *outlet) init(q *link.Queue, drop func(Drop, int)) {
	o.queue, o.drop = q, drop
	o.quiet.L = &o.mu
	o.rest = func() {
		o.mu.Lock()
		o.drainUnlock(-1)
	}
}

// open makes hand the one who takes frames.
func (o *outlet) open(hand func([]link.Frame) (int, error)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.hand = hand
}

// write hands frames over, or keeps copies for later, or drops them.
func (o *outlet) write(frames []link.Frame) {
	o.mu.Lock()
	switch {
	case o.closed:
		o.drop(DropClosed, len(frames))
	case o.hand == nil:
		o.drop(DropNobody, len(frames))
	case o.busy || o.stuck:
		o.keepLocked(o.queue.Put(frames), len(frames))
	default:
		o.busy = true
		o.deliverLocked(frames)
		o.drainUnlock(patience)
		return
	}
	o.mu.Unlock()
}

// refuses reports whether write would drop all that it is given, and why: then it need not be
// prepared.
func (o *outlet) refuses() (Drop, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch {
	case o.closed:
		return DropClosed, true
	case o.hand == nil:
		return DropNobody, true
	}
	return DropQueueFull, o.full
}

// keepLocked notes that n of some frames were queued.
func (o *outlet) keepLocked(n, of int) {
	o.stats.queued += uint64(n)
	if n < of {
		o.full = true
		o.drop(DropQueueFull, of-n)
	}
}

// deliverLocked hands frames over, by the busy goroutine. There is no lock meanwhile.
func (o *outlet) deliverLocked(frames []link.Frame) {
	o.room = false
	o.mu.Unlock()
	var s outletStats
	rest := o.pass(frames, &s)
	o.mu.Lock()
	o.stats.frames += s.frames
	o.stats.bytes += s.bytes
	switch {
	case len(rest) == 0:
	case o.closed:
		o.drop(DropClosed, len(rest))
	default:
		o.keepLocked(o.queue.PutBack(rest), len(rest))
		o.stuck = !o.room
	}
}

// pass hands over all frames but those that have an error. It returns what there was no room for.
func (o *outlet) pass(frames []link.Frame, s *outletStats) []link.Frame {
	for {
		n, err := o.hand(frames)
		s.count(frames[:n])
		frames = frames[n:]
		switch {
		case err == nil || len(frames) == 0:
			return frames
		case errors.Is(err, net.ErrClosed):
			o.drop(DropClosed, len(frames))
			return nil
		}
		o.drop(dropOf(err), 1)
		if frames = frames[1:]; len(frames) == 0 {
			return nil
		}
	}
}

func (s *outletStats) count(frames []link.Frame) {
	s.frames += uint64(len(frames))
	for i := range frames {
		s.bytes += uint64(frames[i].Len())
	}
}

// dropOf returns why a device did not want a frame.
func dropOf(err error) Drop {
	switch {
	case errors.Is(err, link.ErrTooLong):
		return DropTooLong
	case errors.Is(err, link.ErrFrame), errors.Is(err, link.ErrOffload):
		return DropMalformed
	}
	return DropDevice
}

// drainUnlock hands over what is queued, by the busy goroutine, until nothing is left or there is no
// room, or until it has done so many batches: then another goroutine goes on. If times is negative, there is
// no limit.
func (o *outlet) drainUnlock(times int) {
	for !o.closed && !o.stuck && o.queue.Len() > 0 {
		if times == 0 {
			o.mu.Unlock()
			go o.rest()
			return
		}
		times--
		b := o.queue.Take()
		o.full = false
		o.deliverLocked(b.Frames)
		o.queue.Recycle(b)
	}
	o.busy = false
	if o.closed {
		o.quiet.Broadcast()
	}
	o.mu.Unlock()
}

// hasRoom hears from a device that it can take frames again.
func (o *outlet) hasRoom() {
	o.mu.Lock()
	o.room, o.stuck = true, false
	if o.busy {
		o.mu.Unlock()
		return
	}
	o.busy = true
	o.drainUnlock(patience)
}

// close drops what is queued, and all that comes.
func (o *outlet) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if !o.closed {
		o.closed = true
		o.drop(DropClosed, o.queue.Drop())
	}
}

// await waits until nothing is being handed over. The outlet has been closed.
func (o *outlet) await() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.busy {
		o.quiet.Wait()
	}
}
