package ip

import (
	"net"
	"os"
	"testing"
	"testing/synctest"

	"landline/link"
)

// queueOnWall returns a queue before a device that has room for limit frames.
func queueOnWall(limit int) (*queue, *wall) {
	w := newWall()
	w.limit = limit
	i := &Interface{stack: NewStack(Config{}), dev: w}
	i.queue.i = i
	w.Attach(link.Handler{Room: i.queue.room})
	return &i.queue, w
}

func numbered(first, n int) []link.Frame {
	frames := make([]link.Frame, n)
	for k := range frames {
		frames[k] = link.Frame{Head: []byte{byte(first + k)}, Body: []byte{byte(k)}}
	}
	return frames
}

func firsts(frames [][]byte) string {
	s := ""
	for _, f := range frames {
		s += string('a' + rune(f[0]))
	}
	return s
}

func TestWhatIsHeldGoesInOrderWhenThereIsRoom(t *testing.T) {
	q, w := queueOnWall(2)
	if err := q.write(numbered(0, 5), nil); err != nil {
		t.Fatal(err)
	}
	equal(t, "at first", firsts(w.take()), "ab")
	w.open(1)
	equal(t, "with room for one", firsts(w.take()), "c")
	w.open(-1)
	equal(t, "with room", firsts(w.take()), "de")
	equal(t, "bytes held", q.bytes, 0)
}

func TestFullQueueCountsWhatItDrops(t *testing.T) {
	q, w := queueOnWall(0)
	for range maxQueueFrames + 10 {
		q.write(numbered(0, 1), nil)
	}
	equal(t, "dropped", q.i.stack.Stats().Drops[DropQueueFull], 10)
	w.open(-1)
	equal(t, "sent", len(w.take()), maxQueueFrames)
}

func TestWriterWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, w := queueOnWall(1)
		done := make(chan error)
		go func() { done <- q.write(numbered(0, 3), make(chan struct{})) }()
		synctest.Wait()
		equal(t, "at first", firsts(w.take()), "a")
		w.open(1)
		synctest.Wait()
		equal(t, "with room for one", firsts(w.take()), "b")
		w.open(-1)
		equal(t, "error", <-done, nil)
		equal(t, "with room", firsts(w.take()), "c")
	})
}

func TestWriterWaitsNoLongerThanItMay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, _ := queueOnWall(0)
		until, done := make(chan struct{}), make(chan error)
		go func() { done <- q.write(numbered(0, 1), until) }()
		synctest.Wait()
		close(until)
		equal(t, "error", <-done, error(os.ErrDeadlineExceeded))
	})
}

func TestClosedDeviceWakesTheWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, w := queueOnWall(0)
		done := make(chan error)
		go func() { done <- q.write(numbered(0, 1), make(chan struct{})) }()
		synctest.Wait()
		w.Close()
		q.close()
		equal(t, "error", <-done, error(net.ErrClosed))
	})
}

func TestWaitingForRoomAllocatesNothing(t *testing.T) {
	q, w := queueOnWall(0)
	frames, called := numbered(0, 1), 0
	resume := func() { called++ }
	n := testing.AllocsPerRun(100, func() {
		q.try(frames, resume)
		w.open(0)
	})
	equal(t, "allocations", n, 0)
	equal(t, "calls", called, 101)
}

// Who always has something to send does not keep the others from it.
func TestRoomGoesRound(t *testing.T) {
	q, w := queueOnWall(0)
	var senders [3]func()
	for k := range senders {
		senders[k] = func() { q.try(append(numbered(k, 1), numbered(k, 1)...), senders[k]) }
		senders[k]()
	}
	for range 6 {
		w.open(1)
	}
	equal(t, "sent", firsts(w.take()), "abcabc")
	w.Close()
	q.close()
	equal(t, "waiting", len(q.resume), 0)
}

// A frame that the device refuses is skipped, those behind it are not.
func TestBadFrameIsSkipped(t *testing.T) {
	q, w := queueOnWall(-1)
	q.i.dev = picky{w}
	if err := q.write(numbered(0, 4), nil); err != link.ErrTooLong {
		t.Errorf("got %v", err)
	}
	equal(t, "sent", firsts(w.take()), "acd")
	equal(t, "dropped", q.i.stack.Stats().Drops[DropDevice], 1)
}

// picky does not take the frame that begins with 1.
type picky struct{ *wall }

func (p picky) Write(frames []link.Frame) (int, error) {
	for k := range frames {
		if frames[k].Head[0] == 1 {
			n, _ := p.wall.Write(frames[:k])
			return n, link.ErrTooLong
		}
	}
	return p.wall.Write(frames)
}
