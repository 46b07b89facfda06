package ip

import (
	"errors"
	"net"
	"os"
	"slices"
	"sync"

	"landline/link"
)

// What a queue holds at most. A device that took less than it was given has a
// queue of its own; this one is for what cannot wait, since it was sent by a
// goroutine that carries packets.
const (
	maxQueueFrames = 1024
	maxQueueBytes  = 1 << 20
)

// A queue stands before a device that may be full.
type queue struct {
	i *Interface

	mu       sync.Mutex
	held     []link.Frame // whose bytes are our own
	bytes    int
	draining bool
	again    bool          // there was room while somebody was draining
	waiting  chan struct{} // closed when there is room; nil if nobody waits
	resume   []func()      // called when there is room, first come, first served
	refusals int           // of frames whose sender is among resume
}

// write puts frames on the device, all of them but those that have an error. It waits for
// room until the channel is closed; if the channel is nil it does not wait but holds what there
// is no room for.
func (q *queue) write(frames []link.Frame, until <-chan struct{}) error {
	var failed error
	for len(frames) > 0 {
		n, err := q.i.dev.Write(frames)
		q.i.wrote(frames[:n])
		frames = frames[n:]
		switch {
		case err != nil && errors.Is(err, net.ErrClosed):
			q.i.stack.dropN(DropClosed, len(frames))
			return err
		case err != nil:
			failed = err
			q.i.stack.Drop(DropDevice)
			frames = frames[1:]
		case len(frames) == 0:
		case until == nil:
			q.hold(frames)
			return failed
		default:
			if frames, err = q.wait(frames, until); err != nil {
				return err
			}
		}
	}
	return failed
}

// try puts frames on the device, as many as there is room for, and returns how many. If that is not
// all, resume is called when there may be room again, and perhaps also if it is.
func (q *queue) try(frames []link.Frame, resume func()) (int, error) {
	n, err := q.i.dev.Write(frames)
	q.i.wrote(frames[:n])
	if n == len(frames) || err != nil {
		return n, err
	}
	q.mu.Lock()
	q.resume = append(q.resume, resume)
	q.mu.Unlock()
	// There may have been room since the device refused, of which nobody will speak again.
	more, err := q.i.dev.Write(frames[n:])
	q.i.wrote(frames[n : n+more])
	if n += more; n < len(frames) && err == nil {
		q.mu.Lock()
		q.refusals++
		q.mu.Unlock()
	}
	return n, err
}

// hold keeps a copy of frames until there is room.
func (q *queue) hold(frames []link.Frame) {
	q.mu.Lock()
	for k := range frames {
		if len(q.held) >= maxQueueFrames || q.bytes+frames[k].Len() > maxQueueBytes {
			q.i.stack.dropN(DropQueueFull, len(frames)-k)
			break
		}
		f := frames[k]
		f.Head, f.Body = f.AppendTo(make([]byte, 0, f.Len())), nil
		q.held = append(q.held, f)
		q.bytes += len(f.Head)
	}
	q.mu.Unlock()
	q.room() // there may have been room since the device refused
}

// wait waits until the device may take more. It tries once more itself, for there may have
// been room before it began to listen.
func (q *queue) wait(frames []link.Frame, until <-chan struct{}) ([]link.Frame, error) {
	q.mu.Lock()
	if q.waiting == nil {
		q.waiting = make(chan struct{})
	}
	room := q.waiting
	q.mu.Unlock()

	n, err := q.i.dev.Write(frames)
	q.i.wrote(frames[:n])
	if n > 0 || err != nil {
		return frames[n:], nil // write meets the error again
	}
	select {
	case <-room:
		return frames, nil
	case <-until:
		return nil, os.ErrDeadlineExceeded
	}
}

// room is the Handler's Room of the device: what is held goes first.
func (q *queue) room() {
	q.mu.Lock()
	if q.draining {
		q.again = true
		q.mu.Unlock()
		return
	}
	q.draining = true
	for done := false; !done; {
		q.again = false
		done = q.drainLocked() && !q.again
	}
	q.draining = false
	if len(q.held) == 0 {
		q.wakeLocked()
	}
	q.mu.Unlock()
}

// wakeLocked wakes who waits, and calls who wants to be called, without the lock, until there is no room again. Who finds
// none comes back behind the others, so that nobody has it all.
func (q *queue) wakeLocked() {
	if q.waiting != nil {
		close(q.waiting)
		q.waiting = nil
	}
	for refusals := q.refusals; len(q.resume) > 0 && q.refusals == refusals; {
		q.resumeFirstLocked()
	}
}

func (q *queue) resumeFirstLocked() {
	r := q.resume[0]
	q.resume = slices.Delete(q.resume, 0, 1)
	q.mu.Unlock()
	r()
	q.mu.Lock()
}

// close drops what is held and wakes who waits. The device is closed, so they get to know that.
func (q *queue) close() {
	q.mu.Lock()
	q.i.stack.dropN(DropClosed, len(q.held))
	q.held, q.bytes = nil, 0
	q.wakeLocked()
	for n := len(q.resume); n > 0 && len(q.resume) > 0; n-- { // a sender was refused before the device closed
		q.resumeFirstLocked()
	}
	q.mu.Unlock()
}

// drainLocked writes what is held, without the lock, and reports whether that is all that
// can be done for now.
func (q *queue) drainLocked() bool {
	if len(q.held) == 0 {
		return true
	}
	frames := q.held
	q.held = nil
	q.mu.Unlock()
	n, err := q.i.dev.Write(frames)
	q.i.wrote(frames[:n])
	if err != nil {
		q.i.stack.Drop(DropDevice)
		n++
	}
	q.mu.Lock()
	for k := range frames[:n] {
		q.bytes -= len(frames[k].Head)
	}
	q.held = append(frames[n:], q.held...)
	return n == 0 || len(q.held) == 0
}
