package remote

import (
	"errors"
	"io"
	"sync"
)

// maxUnsent is how many bytes Write takes before it waits. It goes on when half of
// them are sent, so that a wake-up is worth its while.
const maxUnsent = 1 << 20

// errStopped is what Write returns once the receiver wants no more.
var errStopped = errors.New("the other side wants no more of this stream")

// A sendStream is a stream of a call away from this side.
type sendStream struct {
	c    *conn
	call int64
	fd   int

	// The following are guarded by c.mu.
	room    sync.Cond // writers and waiters wait here
	buf     fifo
	offset  int64  // of the first byte in buf: what has been sent
	limit   int64  // how far the receiver lets us
	queued  bool   // is in c.ready, or being transmitted
	sending bool   // transmit uses the front of buf
	closing bool   // Close has been called
	ended   bool   // end has been sent
	stop    bool   // the receiver wants no more
	dropped bool   // the call is over
	broken  string // why the end is none: what the stream comes from has broken
	onTaken func(offset int64)
	onStop  func()
}

func (c *conn) newSendStream(call int64, fd int) *sendStream {
	s := &sendStream{c: c, call: call, fd: fd, limit: firstLimit}
	s.room.L = &c.mu
	return s
}

// begin sets where the stream begins, before anything is written to it.
func (s *sendStream) begin(at int64) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.beginLocked(at)
}

func (s *sendStream) beginLocked(at int64) { s.offset, s.limit = at, at+firstLimit }

// position is how far the stream has been written.
func (s *sendStream) position() int64 {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	return s.offset + int64(s.buf.size)
}

// Write takes all of p, waiting while the receiver gives no credit. It fails with
// errStopped once the receiver wants no more, and with the connection's error.
func (s *sendStream) Write(p []byte) (n int, err error) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	for len(p) > 0 {
		for s.buf.size >= maxUnsent && s.faultLocked() == nil {
			s.room.Wait()
		}
		if err := s.faultLocked(); err != nil {
			return n, err
		}
		piece := p[:min(len(p), maxUnsent-s.buf.size)]
		s.buf.write(piece)
		n += len(piece)
		p = p[len(piece):]
		s.enqueueLocked()
	}
	return n, nil
}

// give is Write of a large block, which becomes the stream's: nothing is copied.
func (s *sendStream) give(block []byte) error {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	for s.buf.size >= maxUnsent && s.faultLocked() == nil {
		s.room.Wait()
	}
	if err := s.faultLocked(); err != nil {
		return err
	}
	s.buf.put(block)
	s.enqueueLocked()
	return nil
}

// fault is why Write would fail, nil if it would not.
func (s *sendStream) fault() error {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	return s.faultLocked()
}

func (s *sendStream) faultLocked() error {
	switch {
	case s.c.err != nil:
		return s.c.err
	case s.stop:
		return errStopped
	case s.closing || s.dropped:
		return io.ErrClosedPipe
	}
	return nil
}

// Close ends the stream after what has been written. It does not wait.
func (s *sendStream) Close() error {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.closing = true
	s.enqueueLocked()
	return s.c.err
}

// breakOff ends the stream as Close does, but says that it is not whole, and why.
func (s *sendStream) breakOff(why error) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.closing, s.broken = true, plain(why.Error(), maxText)
	s.enqueueLocked()
}

// wait returns when the end has been handed to the network's side, or never will.
// It returns the stream's length.
func (s *sendStream) wait() int64 {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	for !s.ended && s.c.err == nil && !s.dropped {
		s.room.Wait()
	}
	return s.offset
}

// hasWorkLocked says whether transmit could send something.
func (s *sendStream) hasWorkLocked() bool {
	if s.ended || s.dropped {
		return false
	}
	return s.buf.size > 0 && s.offset < s.limit || s.buf.size == 0 && s.closing
}

func (s *sendStream) enqueueLocked() {
	if !s.queued && s.hasWorkLocked() {
		s.queued = true
		s.c.ready = append(s.c.ready, s)
		s.c.wake.Signal()
	}
}

// transmit sends one data message, or the end. The writing goroutine calls it.
func (s *sendStream) transmit(o *outlet) error {
	s.c.mu.Lock()
	n := int(min(int64(len(s.buf.front())), s.limit-s.offset))
	end := s.closing && s.buf.size == 0 && !s.ended
	if n <= 0 && !end || s.dropped {
		s.queued = false
		s.c.mu.Unlock()
		return nil
	}
	var room []byte
	if !end {
		room = s.buf.frontRoom()[:headRoom+n]
	}
	s.sending = true
	broken := s.broken
	s.c.mu.Unlock()

	err := o.stream(s, room, broken)

	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.buf.discard(n)
	s.offset += int64(n)
	s.sending = false
	s.queued = false
	s.ended = s.ended || end
	if s.stop || s.dropped {
		s.buf.reset()
	}
	s.enqueueLocked()
	if s.buf.size <= maxUnsent/2 {
		s.room.Broadcast()
	}
	return err
}

// whenTaken has f called, by the connection's reader, with what the receiver says
// it has taken for good. f must not block.
func (s *sendStream) whenTaken(f func(offset int64)) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.onTaken = f
}

func (s *sendStream) taken(offset int64) error {
	s.c.mu.Lock()
	// What is being sent counts: the receiver may be faster than the sender's account.
	sent, f := s.offset+int64(s.buf.size), s.onTaken
	s.c.mu.Unlock()
	if offset > sent {
		return breach("taken of %d bytes of fd %d of call %d, of which %d were sent", offset, s.fd, s.call, sent)
	}
	if f != nil {
		f(offset)
	}
	return nil
}

func (s *sendStream) credit(limit int64) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.limit = max(s.limit, limit)
	s.enqueueLocked()
}

// stopped ends the stream because the receiver wants no more.
func (s *sendStream) stopped() {
	s.c.mu.Lock()
	s.stop = true
	s.closing = true
	if !s.sending {
		s.buf.reset()
	}
	s.enqueueLocked()
	s.room.Broadcast()
	f := s.onStop
	s.c.mu.Unlock()
	if f != nil {
		f()
	}
}

// whenStopped has f called once the receiver wants no more, at once if it does not now:
// who has nothing to write would not hear of it. f must not block.
func (s *sendStream) whenStopped(f func()) {
	s.c.mu.Lock()
	s.onStop = f
	stop := s.stop
	s.c.mu.Unlock()
	if stop {
		f()
	}
}

func (s *sendStream) releaseLocked() {
	s.dropped = true
	if !s.sending {
		s.buf.reset()
	}
	s.room.Broadcast()
}
