package link

import "sync"

// A queue holds copies of frames, in batches that are ready to be delivered. Its
// owner locks it.
type queue struct {
	first, last          *batch
	frames, bytes        int // that are queued
	maxFrames, maxBytes  int
	batchLen, batchBytes int        // what a batch has room for
	pool                 *sync.Pool // of *batch: what is not used, the garbage collector frees
}

// A batch is a piece of a queue: frames in a row, and the bytes under them.
type batch struct {
	next   *batch
	frames []Frame
	bytes  []byte
}

const (
	// maxBatch is how many frames a batch has at most: enough to share what is done once
	// a batch, few enough to stay in the cache.
	maxBatch = 64
	// minBatchBytes is how many bytes a batch has room for at least.
	minBatchBytes = 64 << 10
)

// newQueue makes a queue for frames of up to longest bytes.
func newQueue(maxFrames, maxBytes, longest int) queue {
	q := queue{maxFrames: maxFrames, maxBytes: maxBytes}
	q.batchLen = min(maxBatch, maxFrames)
	q.batchBytes = max(minBatchBytes, 2*longest)
	q.pool = &sync.Pool{New: func() any {
		return &batch{frames: make([]Frame, 0, q.batchLen), bytes: make([]byte, 0, q.batchBytes)}
	}}
	return q
}

// put copies frames until there is no room, and returns how many.
func (q *queue) put(frames []Frame) int {
	for i := range frames {
		f := &frames[i]
		if q.frames == q.maxFrames || q.bytes+f.Len() > q.maxBytes {
			return i
		}
		if q.last == nil || !q.last.fits(f) {
			q.extend()
		}
		q.last.put(f)
		q.frames++
		q.bytes += f.Len()
	}
	return len(frames)
}

func (q *queue) extend() {
	b := q.pool.Get().(*batch)
	if q.last == nil {
		q.first = b
	} else {
		q.last.next = b
	}
	q.last = b
}

// take removes the first batch and returns it, or nil. It goes back by recycle.
func (q *queue) take() *batch {
	b := q.first
	if b == nil {
		return nil
	}
	q.first, b.next = b.next, nil
	if q.first == nil {
		q.last = nil
	}
	q.frames -= len(b.frames)
	q.bytes -= len(b.bytes)
	return b
}

func (q *queue) recycle(b *batch) {
	b.frames, b.bytes = b.frames[:0], b.bytes[:0]
	q.pool.Put(b)
}

// drop removes all.
func (q *queue) drop() {
	q.first, q.last = nil, nil
	q.frames, q.bytes = 0, 0
}

func (b *batch) fits(f *Frame) bool {
	return len(b.frames) < cap(b.frames) && len(b.bytes)+f.Len() <= cap(b.bytes)
}

// put copies f, which fits.
func (b *batch) put(f *Frame) {
	start := len(b.bytes)
	b.bytes = f.AppendTo(b.bytes)
	c := *f
	c.Head, c.Body = b.bytes[start:len(b.bytes):len(b.bytes)], nil
	b.frames = append(b.frames, c)
}
