package ip

import (
	"net"
	"slices"
	"sync"
	"testing"

	"landline/link"
	"landline/wire"
)

var (
	ourMAC   = wire.MAC{0x02, 0, 0, 0, 0, 0x01}
	theirMAC = wire.MAC{0x02, 0, 0, 0, 0, 0x02}
)

// A wall is a device that keeps what is written to it and takes only as much as it has been told
// to.
type wall struct {
	info    link.Info
	handler link.Handler

	mu     sync.Mutex
	limit  int // frames to take before it is full; negative: no limit
	closed bool
	taken  [][]byte
	watch  func(link.Frame) // if not nil, sees each frame that is taken
}

func newWall() *wall {
	return &wall{info: link.Info{Name: "wall", MAC: ourMAC, MTU: 1500}, limit: -1}
}

func (w *wall) Info() link.Info       { return w.info }
func (w *wall) Attach(h link.Handler) { w.handler = h }

func (w *wall) Write(frames []link.Frame) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		return 0, net.ErrClosed
	}
	for k := range frames {
		if w.limit == 0 {
			return k, nil
		}
		w.limit--
		w.taken = append(w.taken, frames[k].AppendTo(nil))
		if w.watch != nil {
			w.watch(frames[k])
		}
	}
	return len(frames), nil
}

func (w *wall) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed = true
	return nil
}

// open lets n more frames in and says so.
func (w *wall) open(n int) {
	w.mu.Lock()
	w.limit = n
	w.mu.Unlock()
	w.handler.Room()
}

// take returns what was written since the last call.
func (w *wall) take() [][]byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	taken := w.taken
	w.taken = nil
	return taken
}

// receive makes frames arrive, in one batch.
func (w *wall) receive(frames ...[]byte) {
	batch := make([]link.Frame, len(frames))
	for k, b := range frames {
		batch[k].Head = slices.Clone(b)
	}
	w.handler.Receive(batch)
}

func equal[T comparable](t testing.TB, what string, got, want T) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}
