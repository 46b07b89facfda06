package link_test

import (
	"encoding/binary"
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"landline/link"
)

// A patientWriter writes until all is taken, and waits for Room in between.
type patientWriter struct {
	link.Device
	mu    sync.Mutex
	room  sync.Cond
	rooms int
}

func newPatientWriter(d link.Device) *patientWriter {
	w := &patientWriter{Device: d}
	w.room.L = &w.mu
	return w
}

func (w *patientWriter) hearRoom() {
	w.mu.Lock()
	w.rooms++
	w.room.Broadcast()
	w.mu.Unlock()
}

func (w *patientWriter) writeAll(frames []link.Frame) error {
	for {
		w.mu.Lock()
		before := w.rooms
		w.mu.Unlock()
		n, err := w.Write(frames)
		if frames = frames[n:]; err != nil || len(frames) == 0 {
			return err
		}
		w.mu.Lock()
		for w.rooms == before {
			w.room.Wait()
		}
		w.mu.Unlock()
	}
}

// An orderCheck notes what was lost, came twice or out of order, of several writers. The
// number of a frame is its writer in the high byte, and then counts from 0.
type orderCheck struct {
	t     *testing.T
	next  [16]uint32
	calls atomic.Int32
	got   int
}

func (o *orderCheck) receive(frames []link.Frame) {
	if o.calls.Add(1) != 1 {
		o.t.Error("Receive is called by two goroutines at once")
	}
	for i := range frames {
		number := frameNumber(&frames[i])
		writer, count := number>>24, number&0xffffff
		if o.next[writer] != count {
			o.t.Fatalf("frame %d of writer %d comes after %d", count, writer, int(o.next[writer])-1)
		}
		o.next[writer]++
		o.got++
	}
	runtime.Gosched() // lets other writers meet this one
	o.calls.Add(-1)
}

func TestCableKeepsTheOrderOfManyWriters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // to see the end of a goroutine that took over
		const writers, each = 8, 4000
		a, b := newCable(t, link.CableConfig{QueueFrames: 50})
		check := &orderCheck{t: t}
		b.Attach(link.Handler{Receive: check.receive})
		w := newPatientWriter(a)
		a.Attach(link.Handler{Receive: ignore, Room: w.hearRoom})
		start := make(chan bool)
		for writer := range writers {
			frames := testFrames(writer<<24, each)
			go func() {
				<-start
				w.writeInPieces(t, writer, frames)
			}()
		}
		close(start)
		synctest.Wait()
		if s := a.Stats(); check.got != writers*each || s.Frames != writers*each || s.Queued == 0 {
			t.Errorf("got %d frames of %+v, want %d, some of them queued", check.got, s, writers*each)
		}
	})
}

func (w *patientWriter) writeInPieces(t *testing.T, seed int, frames []link.Frame) {
	random := rand.New(rand.NewPCG(uint64(seed), 0))
	for len(frames) > 0 {
		n := min(len(frames), 1+random.IntN(40))
		if err := w.writeAll(frames[:n]); err != nil {
			t.Error(err)
		}
		frames = frames[n:]
	}
}

func TestCableAnswersOfAnswersStayShallow(t *testing.T) {
	const rounds = 20_000
	synctest.Test(t, func(t *testing.T) {
		a, b := newCable(t, link.CableConfig{})
		var inside, deepest atomic.Int32
		next, stack := 0, 0
		frame := testFrame(64, 0)
		answer := func(e *link.CableEnd) func([]link.Frame) {
			return func(frames []link.Frame) {
				deepest.Store(max(deepest.Load(), inside.Add(1)))
				stack = max(stack, runtime.Callers(0, make([]uintptr, 100)))
				for i := range frames {
					if got := frameNumber(&frames[i]); got != uint32(next) {
						t.Fatalf("got frame %d after %d", got, next-1)
					}
					if next++; next == rounds {
						continue
					}
					binary.BigEndian.PutUint32(frame.Head[14:], uint32(next))
					mustWrite(t, e, frame)
				}
				inside.Add(-1)
			}
		}
		a.Attach(link.Handler{Receive: answer(a)})
		b.Attach(link.Handler{Receive: answer(b)})
		mustWrite(t, a, frame)
		synctest.Wait()
		if next != rounds {
			t.Errorf("the answers ended after %d", next)
		}
		if deepest.Load() > 2 || stack > 30 {
			t.Errorf("%d functions of handlers within each other, a stack of %d calls", deepest.Load(), stack)
		}
	})
}

func TestCableDoesNotKeepAWriterForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newCable(t, link.CableConfig{})
		returned := make(chan bool)
		rounds := 0
		a.Attach(link.Handler{Receive: func(frames []link.Frame) { mustWrite(t, a, frames...) }})
		b.Attach(link.Handler{Receive: func(frames []link.Frame) {
			switch rounds++; {
			case rounds == 1000:
				<-returned // which ends the test as blocked if the writer is still in Write
			case rounds > 2000:
				return
			}
			mustWrite(t, b, frames...)
		}})
		mustWrite(t, a, testFrame(64, 0))
		close(returned)
		synctest.Wait()
		if rounds != 2001 {
			t.Errorf("%d rounds", rounds)
		}
	})
}

func TestCloseOfBothEndsWhileBothWrite(t *testing.T) {
	for round := range 40 {
		a, b := link.NewCable(link.CableConfig{QueueFrames: 8, Seed: 1})
		var wg sync.WaitGroup
		for _, e := range []*link.CableEnd{a, b} {
			var closed atomic.Bool
			heard := func() {
				if closed.Load() {
					t.Error("a function of the Handler runs after Close")
				}
			}
			e.Attach(link.Handler{
				Receive: func(frames []link.Frame) { e.Write(frames[:1]); heard() },
				Room:    heard,
				Down:    func(error) { heard() },
			})
			for range 2 {
				wg.Go(func() {
					frames := testFrames(0, 5)
					for {
						if _, err := e.Write(frames); err == net.ErrClosed {
							return
						} else if err != nil {
							t.Error(err)
						}
					}
				})
			}
			wg.Go(func() {
				for range round % 8 {
					runtime.Gosched()
				}
				e.Close()
				closed.Store(true)
			})
		}
		wg.Wait()
	}
}
