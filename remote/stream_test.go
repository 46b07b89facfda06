package remote

import (
	"bytes"
	"crypto/sha256"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"landline/frame"
)

// A flow is one call's fd 1, from one conn to another.
type flow struct {
	near, far *conn
	from      *sendStream // near's
	to        *recvStream // far's
}

// newFlow joins two conns by a socket or a simulated link.
func newFlow(t *testing.T, a, b net.Conn) *flow {
	f := &flow{near: newConn(a), far: newConn(b)}
	f.from, f.to = f.near.newSendStream(1, 1), f.far.newRecvStream(1, 1)
	f.near.open(1, &streams{out: [3]*sendStream{1: f.from}})
	f.far.open(1, &streams{in: [3]*recvStream{1: f.to}})
	begin(t, f.near)
	begin(t, f.far)
	return f
}

// begin has a conn read and write until the test ends.
func begin(t *testing.T, c *conn) {
	c.receive = func(m *message, _ io.Reader) error { return breach("%s in a test of streams", m.kind) }
	c.forgive = func(int64) bool { return false }
	c.start()
	c.wg.Go(func() { c.read() })
	c.mu.Lock()
	c.pingLocked(time.Now())
	c.mu.Unlock()
	t.Cleanup(func() {
		c.fail(ErrClosed)
		c.wg.Wait()
	})
}

// A link is one direction of a simulated network: bytes come out in order, after
// a delay, at a rate. It is for virtual time.
type link struct {
	delay func() time.Duration
	rate  float64 // bytes a second; 0 is no bound
	free  time.Time
	last  time.Time
	pipe  chan packet
	rest  []byte
}

type packet struct {
	at   time.Time
	data []byte
}

func (l *link) write(p []byte, closed <-chan struct{}) error {
	now := time.Now()
	if l.rate != 0 {
		l.free = later(l.free, now).Add(time.Duration(float64(len(p)) / l.rate * float64(time.Second)))
		time.Sleep(l.free.Sub(now))
	}
	l.last = later(l.last, time.Now().Add(l.delay()))
	select {
	case l.pipe <- packet{l.last, bytes.Clone(p)}:
		return nil
	case <-closed:
		return net.ErrClosed
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func (l *link) read(p []byte, closed <-chan struct{}) (int, error) {
	for len(l.rest) == 0 {
		select {
		case next := <-l.pipe:
			time.Sleep(time.Until(next.at))
			l.rest = next.data
		case <-closed:
			return 0, net.ErrClosed
		}
	}
	n := copy(p, l.rest)
	l.rest = l.rest[n:]
	return n, nil
}

// A linkEnd is one end of two links. Deadlines it does not know.
type linkEnd struct {
	net.Conn // the methods that nobody calls
	in, out  *link
	closed   chan struct{}
}

func (e *linkEnd) Read(p []byte) (int, error) { return e.in.read(p, e.closed) }

func (e *linkEnd) Write(p []byte) (int, error) {
	if err := e.out.write(p, e.closed); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (e *linkEnd) Close() error {
	close(e.closed)
	return nil
}

func (e *linkEnd) SetWriteDeadline(time.Time) error { return nil }

// newLink returns both ends of a link with a delay each way and a rate.
func newLink(rate float64, delay func() time.Duration) (a, b *linkEnd) {
	one := &link{delay: delay, rate: rate, pipe: make(chan packet, 1<<16)}
	two := &link{delay: delay, rate: rate, pipe: make(chan packet, 1<<16)}
	a = &linkEnd{in: one, out: two, closed: make(chan struct{})}
	b = &linkEnd{in: two, out: one, closed: make(chan struct{})}
	return a, b
}

func steady(d time.Duration) func() time.Duration { return func() time.Duration { return d } }

// pour writes total bytes to the flow and ends it.
func (f *flow) pour(total int) {
	piece := make([]byte, 64<<10)
	for total > 0 {
		n := min(total, len(piece))
		if _, err := f.from.Write(piece[:n]); err != nil {
			return
		}
		total -= n
	}
	f.from.Close()
}

func TestWindowGrowsToFillALongFatPipe(t *testing.T) {
	const (
		rate  = 48 << 20 // bytes a second
		total = 160 << 20
	)
	synctest.Test(t, func(t *testing.T) {
		a, b := newLink(rate, steady(100*time.Millisecond))
		f := newFlow(t, a, b)
		go f.pour(total)
		// The first half is for growing, the second is measured, in virtual time.
		if _, err := io.CopyN(io.Discard, f.to, total/2); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		if _, err := io.CopyN(io.Discard, f.to, total/2); err != nil {
			t.Fatal(err)
		}
		goodput := total / 2 / time.Since(start).Seconds()
		window := f.window()
		if goodput < 0.9*rate {
			t.Errorf("%.0f bytes a second over a link of %d, window %d", goodput, rate, window)
		}
		if window > maxWindow {
			t.Errorf("a window of %d bytes", window)
		}
	})
}

func (f *flow) window() int64 {
	f.far.mu.Lock()
	defer f.far.mu.Unlock()
	return f.to.window
}

func TestWindowStaysSmallForASlowConsumer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newLink(100<<20, steady(100*time.Millisecond))
		f := newFlow(t, a, b)
		go f.pour(64 << 20)
		piece := make([]byte, 64<<10)
		for {
			n, err := f.to.Read(piece)
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Duration(n) * time.Second / (6 << 20)) // 6 MiB/s
		}
		// 6 MiB/s over 200 ms are 1.2 MiB.
		if window := f.window(); window > 4<<20 {
			t.Errorf("a window of %d bytes", window)
		}
	})
}

func TestWindowsShareOneBudget(t *testing.T) {
	c := newConn(nil)
	c.rtt = time.Hour // everybody looks starved
	var list []*recvStream
	for i := range int64(2 * maxCalls) {
		s := c.newRecvStream(i, 1)
		s.granted = time.Now()
		list = append(list, s)
	}
	var most int64
	for range 10 {
		for _, s := range list {
			s.growLocked(time.Now())
			most = max(most, s.window)
		}
	}
	if c.grown == 0 || c.grown > maxGrown || most > maxWindow {
		t.Errorf("windows grew by %d, allowed are %d; the largest is %d", c.grown, maxGrown, most)
	}
	for _, s := range list {
		s.releaseLocked()
	}
	if c.grown != 0 {
		t.Errorf("%d bytes of the budget are lost", c.grown)
	}
}

func TestOneStreamGrowsToTheBoundAndNoFurther(t *testing.T) {
	c := newConn(nil)
	c.rtt = time.Hour
	s := c.newRecvStream(1, 1)
	s.granted = time.Now()
	for range 20 {
		s.growLocked(time.Now())
	}
	if s.window != maxWindow {
		t.Errorf("a window of %d bytes, want %d", s.window, maxWindow)
	}
}

func TestStreamArrivesWhole(t *testing.T) {
	near, far := socketPair(t)
	f := newFlow(t, near, far)
	r := rand.New(rand.NewPCG(7, 7))
	sent := make(chan [32]byte)
	go func() {
		h := sha256.New()
		for range 200 {
			p := make([]byte, r.IntN(300<<10))
			for i := range p {
				p[i] = byte(i*7 + len(p))
			}
			h.Write(p)
			f.from.Write(p)
		}
		f.from.Close()
		sent <- [32]byte(h.Sum(nil))
	}()
	h := sha256.New()
	n, err := f.to.WriteTo(h)
	if err != nil || n != f.from.wait() || <-sent != [32]byte(h.Sum(nil)) {
		t.Errorf("%d of %d bytes, or others: %v", n, f.from.wait(), err)
	}
}

func TestCreditBoundsWhatIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newLink(0, steady(0))
		f := newFlow(t, a, b)
		go f.pour(8 << 20)
		synctest.Wait()
		if f.to.arrived != firstLimit || f.to.buf.size != firstLimit {
			t.Errorf("%d bytes came to a reader that does not read, want %d", f.to.arrived, firstLimit)
		}
		if held := f.from.buf.size; held > maxUnsent {
			t.Errorf("the sender holds %d bytes, allowed are %d", held, maxUnsent)
		}
		n, err := io.Copy(io.Discard, f.to)
		if n != 8<<20 || err != nil {
			t.Errorf("then %d bytes: %v", n, err)
		}
	})
}

func TestStopEndsTheStreamAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newLink(0, steady(0))
		f := newFlow(t, a, b)
		wrote := make(chan error)
		go func() {
			_, err := f.from.Write(make([]byte, 8<<20))
			wrote <- err
		}()
		synctest.Wait() // the writer waits for credit
		f.to.abandon()
		if err := <-wrote; err != errStopped {
			t.Errorf("Write: %v, want %v", err, errStopped)
		}
		if n := f.from.wait(); n != firstLimit {
			t.Errorf("%d bytes were sent, want %d", n, firstLimit)
		}
		synctest.Wait()
		if !f.to.ended || f.to.buf.size != 0 || f.near.err != nil || f.far.err != nil {
			t.Errorf("ended %v, %d bytes kept, errors %v, %v", f.to.ended, f.to.buf.size, f.near.err, f.far.err)
		}
	})
}

// A gate is a writer that tells when it is called, and waits.
type gate struct {
	entered, leave chan struct{}
	got            []byte
}

func (g *gate) Write(p []byte) (int, error) {
	close(g.entered)
	<-g.leave
	g.got = bytes.Clone(p)
	return len(p), nil
}

// TestAbandonLeavesTheWriterItsBytes has the three users of a stream's buffer at
// work at once: the connection fills it, a writer reads it, a third gives it up.
func TestAbandonLeavesTheWriterItsBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newLink(0, steady(0))
		c := newConn(b)
		stream := c.newRecvStream(1, 1)
		c.open(1, &streams{in: [3]*recvStream{1: stream}})
		begin(t, c)
		g := &gate{entered: make(chan struct{}), leave: make(chan struct{})}
		written := make(chan error)
		var h frame.Builder
		h.Str("kind", kindData).Int("call", 1).Int("fd", 1)
		first, _ := frame.Append(nil, h.Int("offset", 0), bytes.Repeat([]byte{'a'}, 100))
		h.Reset().Str("kind", kindData).Int("call", 1).Int("fd", 1)
		second, _ := frame.Append(nil, h.Int("offset", 100), bytes.Repeat([]byte{'b'}, 100))

		a.Write(first)
		go func() {
			_, err := stream.WriteTo(g)
			written <- err
		}()
		<-g.entered
		a.Write(second[:len(second)-50])
		synctest.Wait()
		stream.abandon()
		a.Write(second[len(second)-50:])
		synctest.Wait()
		c.mu.Lock()
		size := stream.buf.size
		c.mu.Unlock()
		if size < 100 {
			t.Fatalf("the buffer holds %d bytes while a writer uses 100", size) // WriteTo would never end
		}
		close(g.leave)
		if err := <-written; err != nil {
			t.Error(err)
		}
		if !bytes.Equal(g.got, bytes.Repeat([]byte{'a'}, 100)) {
			t.Errorf("the writer got %q", g.got)
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if len(stream.buf.blocks) != 0 {
			t.Error("an abandoned stream holds memory")
		}
	})
}
