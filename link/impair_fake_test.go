package link_test

import (
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"landline/link"
)

// arrival is a frame that came through, and when.
type arrival struct {
	at     time.Duration
	number uint32
}

// hearer notes what it receives, and complains if it is called twice at once.
type hearer struct {
	t      testing.TB
	begun  time.Time
	shared bool // it may be called twice at once
	busy   sync.Mutex

	mu     sync.Mutex
	got    []arrival
	frames []link.Frame // copies
}

func newHearer(t testing.TB) *hearer { return &hearer{t: t, begun: time.Now()} }

func (h *hearer) receive(frames []link.Frame) {
	if h.busy.TryLock() {
		defer h.busy.Unlock()
	} else if !h.shared {
		h.t.Error("Receive is called by two goroutines at once")
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range frames {
		f := frames[i]
		f.Head, f.Body = slices.Clone(f.Head), slices.Clone(f.Body)
		a := arrival{at: time.Since(h.begun)}
		if f.Len() >= 18 {
			a.number = frameNumber(&f)
		}
		h.got = append(h.got, a)
		h.frames = append(h.frames, f)
	}
}

// all returns what has arrived so far.
func (h *hearer) all() []arrival {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.got)
}

func (h *hearer) numbers() (n []uint32) {
	for _, a := range h.all() {
		n = append(n, a.number)
	}
	return n
}

// fakeDevice is a Device that hands what is written to a function, and takes as much
// as it is allowed to.
type fakeDevice struct {
	info    link.Info
	handler link.Handler
	receive func([]link.Frame) // what is written

	mu     sync.Mutex
	room   int // how many frames it still takes, if not negative
	closed bool
}

func newFake(receive func([]link.Frame)) *fakeDevice {
	info := link.Info{Name: "fake", MTU: 1500, Offloads: link.OffloadChecksum | link.OffloadTSO}
	return &fakeDevice{info: info, receive: receive, room: -1}
}

func (d *fakeDevice) Info() link.Info        { return d.info }
func (d *fakeDevice) Attach(h link.Handler)  { d.handler = h }
func (d *fakeDevice) arrive(f ...link.Frame) { d.handler.Receive(f) }

func (d *fakeDevice) Write(frames []link.Frame) (int, error) {
	d.mu.Lock()
	n := len(frames)
	if d.room >= 0 {
		n = min(n, d.room)
		d.room -= n
	}
	closed := d.closed
	d.mu.Unlock()
	if closed {
		return 0, net.ErrClosed
	}
	if n > 0 {
		d.receive(frames[:n])
	}
	return n, nil
}

// allow lets it take so many frames, and says so.
func (d *fakeDevice) allow(n int) {
	d.mu.Lock()
	d.room = n
	d.mu.Unlock()
	d.handler.Room()
}

func (d *fakeDevice) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	return nil
}

// impaired makes the wire of a fake device bad, with a hearer at each end, until the
// test is over.
type impaired struct {
	*link.Impaired
	fake     *fakeDevice
	far      *hearer // hears what is written
	near     *hearer // hears what arrives
	roomMade chan struct{}
}

func impair(t testing.TB, out, in link.Impairment) *impaired {
	far, near := newHearer(t), newHearer(t)
	far.shared = true // Write is
	fake := newFake(far.receive)
	d := &impaired{link.Impair(fake, out, in), fake, far, near, make(chan struct{}, 1000)}
	d.Attach(link.Handler{Receive: near.receive, Room: func() { d.roomMade <- struct{}{} }})
	t.Cleanup(func() { d.Close() })
	return d
}

// mustArrive compares what arrived with lines of the form "10ms 1".
func (h *hearer) mustArrive(want ...string) {
	h.t.Helper()
	var got []string
	for _, a := range h.all() {
		got = append(got, fmt.Sprint(a.at, " ", a.number))
	}
	if !slices.Equal(got, want) {
		h.t.Errorf("got %q, want %q", got, want)
	}
}

// mustCount compares counters, and looks if they agree with what was taken.
func mustCount(t testing.TB, got, want link.ImpairStats, taken int) {
	t.Helper()
	if got != want {
		t.Errorf("got  %+v,\nwant %+v", got, want)
	}
	mustBalance(t, got, taken)
}

// mustBalance looks if every frame that was taken is counted.
func mustBalance(t testing.TB, s link.ImpairStats, taken int) {
	t.Helper()
	sum := s.Passed + s.Lost + s.Overflow + s.Discarded + uint64(s.Waiting)
	if sum != uint64(taken)+s.Duplicated {
		t.Errorf("%d frames are counted of %d that were taken and %d duplicates: %+v", sum, taken, s.Duplicated, s)
	}
}
