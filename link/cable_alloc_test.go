package link_test

import (
	"runtime"
	"testing"

	"landline/link"
)

// mustNotAllocate checks that do, after a first time, allocates nothing.
func mustNotAllocate(t *testing.T, what string, do func()) {
	t.Helper()
	if n := testing.AllocsPerRun(100, do); n != 0 {
		t.Errorf("%s: %v allocations", what, n)
	}
}

func TestCableAllocatesNothing(t *testing.T) {
	a, b := newCable(t, link.CableConfig{})
	b.Attach(link.Handler{Receive: ignore})
	frames := testFrames(0, 32)
	mustNotAllocate(t, "delivering", func() { mustWrite(t, a, frames...) })
}

func TestCableQueueAllocatesNothing(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes pools forget")
	}
	a, b := newCable(t, link.CableConfig{QueueFrames: 200})
	frames := testFrames(0, 100)
	left := 0
	again := func([]link.Frame) { // is in Receive itself, so this goes to the queue
		if left--; left >= 0 {
			a.Write(frames)
		}
	}
	a.Attach(link.Handler{Receive: ignore, Room: func() {}})
	b.Attach(link.Handler{Receive: again})
	for _, n := range []int{1, 30} {
		mustNotAllocate(t, "queueing", func() {
			left = n
			mustWrite(t, a, frames...)
		})
	}
	if s := a.Stats(); s.Queued == 0 || s.Full == 0 {
		t.Errorf("this does not queue: %+v", s)
	}
}

func TestCableFreesItsQueue(t *testing.T) {
	const size = 7 << 20 // few enough batches for one goroutine
	a, b := newCable(t, link.CableConfig{Units: true, QueueBytes: size})
	frame := testFrame(1514, 0)
	frame.Body = make([]byte, 60_000)
	frame.Sum, frame.SumStart, frame.SumField, frame.SegSize = link.SumPartial, 34, 50, 1448
	filled := false
	var full uint64
	b.Attach(link.Handler{Receive: func([]link.Frame) {
		for !filled {
			n, _ := a.Write([]link.Frame{frame})
			filled = n == 0
		}
		full = max(full, heap())
	}})
	mustWrite(t, a, frame)
	for range 2 { // a pool forgets in two steps
		runtime.GC()
	}
	if after := heap(); full < size || after > size/2 {
		t.Errorf("heap of %d bytes when the queue is full, %d when it is idle", full, after)
	}
	runtime.KeepAlive(a)
}

// heap returns how much is in use, garbage or not.
func heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
