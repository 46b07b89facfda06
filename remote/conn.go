package remote

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"landline/frame"
)

const (
	version     = 1
	pingAfter   = 15 * time.Second // of silence
	deadAfter   = 45 * time.Second // of silence
	helloWithin = 10 * time.Second
	helloHeader = 4096 // bytes of header before the hello

	readBuffer = 4 << 10  // bytes: bodies go past it, straight to their place
	keptBuffer = 64 << 10 // bytes of control messages that are kept to be used again
	maxControl = 1 << 20  // bytes of answers that may wait to be sent
	// goodbyeWithin bounds the last write on a connection that may be stuck.
	goodbyeWithin = 2 * time.Second
)

// A conn is one end of a connection: it carries messages and the streams of
// calls. One goroutine reads and never waits for a consumer; one writes, control
// messages first, then a piece of each stream in turn.
type conn struct {
	nc     net.Conn
	frames *frame.Reader
	// receive acts on every message that is not the connection's or a stream's own.
	// It is called by the reading goroutine and must not block.
	receive func(m *message, body io.Reader) error
	// forgive says whether a message for a call that is not open is to be ignored.
	forgive func(call int64) bool

	epoch    time.Time    // all times are told from here, so that a clock that is set does no harm
	lastRead atomic.Int64 // nanoseconds since epoch, when bytes last came

	mu      sync.Mutex
	wake    sync.Cond          // the writer waits here
	control []byte             // encoded messages that pass all data
	own     int                // bytes of control that nobody else caused: the openings of calls
	ready   []*sendStream      // streams that have something to send, in turn
	calls   map[int64]*streams // the open calls
	grown   int64              // bytes by which all windows exceed their first size
	rtt     time.Duration      // the least that was measured; 0 if never
	pinged  time.Time          // when the last ping was sent
	err     error              // why the connection ended
	broken  bool               // writing has failed
	leaving error              // goodbye is among control: what to fail with once that is written
	silence *time.Timer

	done chan struct{} // closed when err is set
	wg   sync.WaitGroup
}

// streams are those of one call, by fd, toward this side and away from it.
type streams struct {
	in  [3]*recvStream
	out [3]*sendStream
}

func newConn(nc net.Conn) *conn {
	c := &conn{nc: nc, epoch: time.Now(), calls: make(map[int64]*streams), done: make(chan struct{})}
	c.wake.L = &c.mu
	c.frames = frame.NewReader(bufio.NewReaderSize(countedReader{c}, readBuffer))
	return c
}

// start begins writing, and watching for silence.
func (c *conn) start() {
	c.wg.Go(c.write)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.silence = time.AfterFunc(pingAfter, c.watch)
}

type countedReader struct{ c *conn }

func (r countedReader) Read(p []byte) (int, error) {
	n, err := r.c.nc.Read(p)
	if n > 0 {
		r.c.lastRead.Store(int64(time.Since(r.c.epoch)))
	}
	return n, err
}

// fail ends the connection at once. The first reason stays.
func (c *conn) fail(err error) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	if c.leaving != nil {
		err = c.leaving // the other side hangs up when it has heard our goodbye
	}
	c.err = err
	close(c.done)
	c.wakeAllLocked()
	if c.silence != nil {
		c.silence.Stop()
	}
	c.mu.Unlock()
	c.nc.Close()
}

func (c *conn) wakeAllLocked() {
	c.wake.Broadcast()
	for _, s := range c.calls {
		for fd := range 3 {
			if s.in[fd] != nil {
				s.in[fd].ready.Broadcast()
			}
			if s.out[fd] != nil {
				s.out[fd].room.Broadcast()
			}
		}
	}
}

// goodbye sends a last message after the control messages that wait, and closes.
// It returns when the connection is closed.
func (c *conn) goodbye(reason, text string, err error) {
	var h frame.Builder
	h.Str("kind", kindGoodbye).Str("reason", reason)
	if text != "" {
		h.Str("error", plain(text, maxText))
	}
	c.mu.Lock()
	if c.err == nil && c.leaving == nil {
		c.control, _ = frame.Append(c.control, &h, nil)
		c.leaving = err
		c.nc.SetWriteDeadline(time.Now().Add(goodbyeWithin))
		c.wake.Signal()
	}
	broken := c.broken
	c.mu.Unlock()
	if !broken {
		select {
		case <-c.done:
		case <-time.After(goodbyeWithin):
		}
	}
	c.fail(err)
}

// plain returns what a header's text of limit bytes can hold of s.
func plain(s string, limit int) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\ufffd"), "\x00", "\ufffd")
	return clip(s, limit)
}

// clip shortens a text to limit bytes, at the border of a character.
func clip(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && s[limit]&0xc0 == 0x80 {
		limit--
	}
	return s[:limit]
}

// post queues a control message. It never blocks.
func (c *conn) post(h *frame.Builder, body []byte) error {
	c.mu.Lock()
	err := c.postLocked(h, body)
	c.mu.Unlock()
	if errors.Is(err, errFlood) {
		c.fail(err)
	}
	return err
}

// taken tells the sender of a stream what it need not keep.
func (c *conn) taken(call int64, fd int, offset int64) {
	var h frame.Builder
	_ = c.post(h.Str("kind", kindTaken).Int("call", call).Int("fd", int64(fd)).Int("offset", offset), nil)
}

var errFlood = errors.New("the other side asks and does not read the answers")

// request queues a message that opens a call. What a caller here wants to send is
// no sign of a peer that does not read, so it counts for no bound.
func (c *conn) request(h *frame.Builder, body []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	before := len(c.control)
	err := c.postLocked(h, body)
	c.own += len(c.control) - before
	return err
}

func (c *conn) postLocked(h *frame.Builder, body []byte) (err error) {
	if c.err != nil {
		return c.err
	}
	if len(c.control)-c.own > maxControl {
		return errFlood
	}
	c.control, err = frame.Append(c.control, h, body)
	c.wake.Signal()
	return err
}

// write is the writing goroutine.
func (c *conn) write() {
	o := newOutlet(c.nc)
	for {
		s, last, ok := c.next(o)
		if !ok {
			return
		}
		err := o.write(o.control)
		switch {
		case err != nil:
		case s != nil:
			err = s.transmit(o)
		default: // nothing else is there to go along
			err = o.w.Flush()
		}
		if err != nil {
			c.unwritable(err)
			return
		}
		if last != nil {
			c.fail(last)
			return
		}
	}
}

// next waits for something to send: it gives the outlet the control messages, and
// returns the stream whose turn it is, if any. last is why the connection is to
// end after that; it is not ok if it has ended.
func (c *conn) next(o *outlet) (s *sendStream, last error, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.err == nil && len(c.control) == 0 && len(c.ready) == 0 && o.w.Buffered() == 0 && c.leaving == nil {
		c.wake.Wait()
	}
	if cap(o.control) > keptBuffer {
		o.control = nil
	}
	o.control, c.control, c.own = c.control, o.control[:0], 0
	if len(c.ready) > 0 && c.leaving == nil {
		s = c.ready[0]
		c.ready = c.ready[1:]
	}
	return s, c.leaving, c.err == nil
}

// unwritable ends the connection after a failed write. A peer that closed said
// why before, perhaps, so the reader gets a moment to find that, unless it is this
// side that takes its leave.
func (c *conn) unwritable(err error) {
	c.mu.Lock()
	c.broken = true
	last := c.leaving
	c.mu.Unlock()
	if last != nil {
		c.fail(last)
		return
	}
	select {
	case <-c.done:
	case <-time.After(goodbyeWithin):
		c.fail(err)
	}
}

// read is the reading loop: it acts on messages until the connection ends, and
// returns why. A peer that broke a rule is told so.
func (c *conn) read() error {
	var m message
	for {
		h, err := c.frames.Next()
		if err == nil {
			if err = m.parse(h, c.frames.Len()); err == nil {
				err = c.dispatch(&m)
			}
		}
		if err != nil {
			return c.ended(err)
		}
	}
}

func (c *conn) ended(err error) error {
	if was := c.fault(); was != nil {
		return was
	}
	var f *frame.Error
	if errors.As(err, &f) {
		err = breach("%s", f.Reason)
	}
	if b, ok := errors.AsType[*Breach](err); ok {
		c.goodbye("protocol", b.Reason, err)
	}
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("the other side closed the connection: %w", io.ErrUnexpectedEOF)
	}
	c.fail(err)
	return c.fault() // another goroutine may have been first
}

// fault is why the connection has ended, nil if it has not.
func (c *conn) fault() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

func (c *conn) dispatch(m *message) error {
	switch m.kind {
	case kindPing:
		var h frame.Builder
		return c.post(h.Str("kind", kindPong).Int("token", m.token), nil)
	case kindPong:
		c.measured(m.token)
		return nil
	case kindGoodbye:
		return &GoodbyeError{Reason: m.reason, Text: m.err}
	case kindHello:
		return breach("a second hello")
	case kindData, kindEnd, kindCredit, kindStop, kindTaken:
		return c.dispatchStream(m)
	}
	return c.receive(m, c.frames)
}

func (c *conn) dispatchStream(m *message) error {
	c.mu.Lock()
	s := c.calls[m.call]
	c.mu.Unlock()
	if s == nil {
		if c.forgive(m.call) {
			return nil
		}
		return breach("%s for call %d, which is not open", m.kind, m.call)
	}
	in, out := s.in[m.fd], s.out[m.fd]
	incoming := m.kind == kindData || m.kind == kindEnd
	if incoming && in == nil || !incoming && out == nil {
		return breach("%s for fd %d of call %d, which does not flow that way", m.kind, m.fd, m.call)
	}
	switch m.kind {
	case kindData:
		return in.arrive(m.offset, c.frames)
	case kindEnd:
		return in.finish(m.offset, m.err)
	case kindCredit:
		out.credit(m.limit)
	case kindStop:
		out.stopped()
	case kindTaken:
		return out.taken(m.offset)
	}
	return nil
}

// watch looks after the silence that the timer was set for.
func (c *conn) watch() {
	silent := time.Since(c.epoch) - time.Duration(c.lastRead.Load())
	if silent >= deadAfter {
		c.fail(ErrSilent)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return
	}
	if silent >= pingAfter {
		c.pingLocked(time.Now())
	}
	c.silence.Reset(max(pingAfter-silent, pingAfter/3))
}

// pingLocked asks for a pong, whose token is the time.
func (c *conn) pingLocked(now time.Time) {
	c.pinged = now
	var h frame.Builder
	// A full queue is seen, and the connection ended, by whoever posts next.
	_ = c.postLocked(h.Str("kind", kindPing).Int("token", now.Sub(c.epoch).Microseconds()), nil)
}

// measured takes the round-trip time from a pong. It is for this side's own
// windows alone, so a peer that lies about it harms itself.
func (c *conn) measured(token int64) {
	rtt := time.Since(c.epoch) - time.Duration(token)*time.Microsecond
	c.mu.Lock()
	defer c.mu.Unlock()
	if rtt > 0 && (c.rtt == 0 || rtt < c.rtt) {
		c.rtt = rtt
	}
}

// open adds a call's streams.
func (c *conn) open(call int64, s *streams) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.err
	}
	c.calls[call] = s
	return nil
}

// drop forgets a call and what its streams still hold.
func (c *conn) drop(call int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.calls[call]
	delete(c.calls, call)
	if s == nil {
		return
	}
	for fd := range 3 {
		if s.in[fd] != nil {
			s.in[fd].releaseLocked()
		}
		if s.out[fd] != nil {
			s.out[fd].releaseLocked()
		}
	}
}
