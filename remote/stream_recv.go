package remote

import (
	"io"
	"sync"
	"time"

	"landline/frame"
)

const (
	maxWindow = 64 << 20 // bytes of a stream's credit
	maxGrown  = 64 << 20 // bytes by which a connection's windows may grow in all
	pingEvery = time.Second
	busyRTT   = 2 * time.Millisecond
	// takenEvery is how often, in bytes, a receiver that confirms says so.
	takenEvery = 256 << 10
)

// A recvStream is a stream of a call toward this side.
type recvStream struct {
	c    *conn
	call int64
	fd   int

	// The following are guarded by c.mu.
	ready   sync.Cond // the reader waits here
	buf     fifo
	origin  int64 // where the stream began
	arrived int64 // how far bytes have come
	read    int64 // how far they were consumed
	limit   int64 // how far the sender may go
	window  int64 // bytes of credit that are kept out
	granted time.Time
	confirm bool  // tell the sender what need not be kept
	told    int64 // as far as it has been told
	filling bool  // the connection's reader writes into buf
	using   bool  // WriteTo, or who was lent bytes, reads from buf
	lent    int   // bytes that lend gave
	ended   bool
	broken  error // why the end is none
	stop    bool  // this side wants no more
}

func (c *conn) newRecvStream(call int64, fd int) *recvStream {
	s := &recvStream{c: c, call: call, fd: fd, limit: firstLimit, window: firstLimit}
	s.ready.L = &c.mu
	return s
}

// begin sets where the stream begins, before anything of it has come. It returns
// a breach if something has.
func (s *recvStream) begin(at int64) error {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	return s.beginLocked(at)
}

func (s *recvStream) beginLocked(at int64) error {
	switch {
	case at == s.arrived:
		return nil
	case s.arrived != 0 || s.ended:
		return breach("fd %d of call %d begins when it has begun", s.fd, s.call)
	}
	s.origin, s.arrived, s.read, s.told, s.limit = at, at, at, at, at+firstLimit
	return nil
}

// confirms has the sender told what it need not keep.
func (s *recvStream) confirms() {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.confirm = true
}

// position is how far the stream has been read.
func (s *recvStream) position() int64 {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	return s.read
}

// whole says whether the stream has come to its end, and all of it was read.
func (s *recvStream) whole() bool {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	return s.ended && s.broken == nil && !s.stop && s.buf.size == 0
}

// arrive takes a data message's body. It does not block on the consumer: credit
// bounds what it may have to keep.
func (s *recvStream) arrive(offset int64, body *frame.Reader) error {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	n := int64(body.Len())
	switch {
	case s.ended:
		return breach("data after the end of fd %d of call %d", s.fd, s.call)
	case offset != s.arrived:
		return breach("data at offset %d of fd %d of call %d, expected %d", offset, s.fd, s.call, s.arrived)
	case n > s.limit-s.arrived:
		return breach("data beyond the credit of fd %d of call %d", s.fd, s.call)
	}
	s.arrived += n
	for body.Len() > 0 && !s.stop {
		p := s.buf.space(body.Len())
		s.filling = true
		s.c.mu.Unlock()
		got, err := io.ReadFull(body, p[:min(len(p), body.Len())])
		s.c.mu.Lock()
		s.filling = false
		s.buf.commit(got)
		if s.stop && !s.using { // else WriteTo drops it
			s.buf.reset()
		}
		if err != nil {
			return err
		}
		s.ready.Signal()
	}
	return nil // what is left of the body, the next frame skips
}

// finish takes the end, which with a reason is none.
func (s *recvStream) finish(offset int64, broken string) error {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	switch {
	case s.ended:
		return breach("a second end of fd %d of call %d", s.fd, s.call)
	case offset != s.arrived:
		return breach("the end at offset %d of fd %d of call %d, expected %d", offset, s.fd, s.call, s.arrived)
	}
	s.ended = true
	if broken != "" {
		s.broken = &BrokenError{broken}
	}
	s.ready.Broadcast()
	return nil
}

// waitLocked returns when there are bytes, or with the reason why none will come.
func (s *recvStream) waitLocked() error {
	for s.buf.size == 0 {
		switch {
		case s.broken != nil && !s.stop:
			return s.broken
		case s.ended || s.stop:
			return io.EOF
		case s.c.err != nil:
			return s.c.err
		}
		s.ready.Wait()
	}
	return nil
}

// Read reads what has come, waiting for the first byte. io.EOF is the stream's
// end; a connection that ends before gives its error.
func (s *recvStream) Read(p []byte) (int, error) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if err := s.waitLocked(); err != nil {
		return 0, err
	}
	n := copy(p, s.buf.front())
	s.consumeLocked(n)
	return n, nil
}

// lend is Read without a copy: it returns up to limit bytes where they lie. They
// count as read, and are valid, until the next lend.
func (s *recvStream) lend(limit int) ([]byte, error) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.using = false
	s.consumeLocked(s.lent)
	s.lent = 0
	if s.stop {
		s.buf.reset()
	}
	if err := s.waitLocked(); err != nil {
		return nil, err
	}
	p := s.buf.front()
	p = p[:min(len(p), limit)]
	s.using, s.lent = true, len(p)
	return p, nil
}

// WriteTo writes the stream to w as it comes, without a copy in between. The
// error is w's or the connection's; the end of the stream is nil.
func (s *recvStream) WriteTo(w io.Writer) (total int64, err error) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	for {
		if err := s.waitLocked(); err != nil {
			if err == io.EOF {
				err = nil
			}
			return total, err
		}
		p := s.buf.front()
		s.using = true
		s.c.mu.Unlock()
		n, err := w.Write(p)
		s.c.mu.Lock()
		s.using = false
		total += int64(n)
		s.consumeLocked(n)
		if s.stop {
			s.buf.reset()
		}
		if err != nil {
			return total, err
		}
	}
}

// consumeLocked drops n bytes and gives new credit once half of it is used.
func (s *recvStream) consumeLocked(n int) {
	s.buf.discard(n)
	s.read += int64(n)
	s.confirmLocked()
	if s.ended || s.stop || s.limit-s.read > s.window/2 {
		return
	}
	now := time.Now()
	s.growLocked(now)
	s.granted = now
	s.limit = s.read + s.window
	var h frame.Builder
	// A full queue is seen, and the connection ended, by whoever posts next.
	_ = s.c.postLocked(h.Str("kind", kindCredit).Int("call", s.call).Int("fd", int64(s.fd)).Int("limit", s.limit), nil)
	if now.Sub(s.c.pinged) > pingEvery {
		s.c.pingLocked(now)
	}
}

// confirmLocked tells the sender of a stream that is kept for this side how much of
// it is not needed again.
func (s *recvStream) confirmLocked() {
	if !s.confirm || s.read-s.told < takenEvery {
		return
	}
	s.told = s.read
	var h frame.Builder
	_ = s.c.postLocked(h.Str("kind", kindTaken).Int("call", s.call).Int("fd", int64(s.fd)).Int("offset", s.read), nil)
}

// growLocked doubles the window where it, and not the consumer, holds the sender
// back: half of it went in less than two round trips, and little waits here. The
// round trip of an idle line is short; a busy one also waits for processors.
func (s *recvStream) growLocked(now time.Time) {
	starved := int64(s.buf.size) <= s.window/4 && !s.granted.IsZero() && now.Sub(s.granted) < 2*max(s.c.rtt, busyRTT)
	if !starved || s.window*2 > maxWindow || s.c.grown+s.window > maxGrown {
		return
	}
	s.c.grown += s.window
	s.window *= 2
}

// abandon tells the sender that no more is wanted, and drops what has come.
func (s *recvStream) abandon() {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if s.stop {
		return
	}
	s.stop = true
	if !s.filling && !s.using {
		s.buf.reset()
	}
	if !s.ended {
		var h frame.Builder
		_ = s.c.postLocked(h.Str("kind", kindStop).Int("call", s.call).Int("fd", int64(s.fd)), nil)
	}
	s.ready.Broadcast()
}

func (s *recvStream) releaseLocked() {
	s.c.grown -= s.window - firstLimit
	s.window = firstLimit
	s.stop = true
	if !s.filling && !s.using {
		s.buf.reset()
	}
	s.ready.Broadcast()
}
