package link

import "sync"

// A Queue holds copies of frames that a device could not take yet, in batches that are ready
// for it. Its owner locks it. It allocates nothing while it holds about as much as before, and what
// it does not use the garbage collector frees.
type Queue struct {
	first, last          *Batch
	frames, bytes        int // that are queued
	maxFrames, maxBytes  int
	batchLen, batchBytes int       // what a batch has room for
	pool                 sync.Pool // of *Batch
}

// A Batch is a piece of a Queue.
type Batch struct {
	Frames []Frame // in a row, each all in its Head
	bytes  []byte  // under them
	next   *Batch
}

const (
	// maxBatch is how many frames a batch has at most: enough to share what is done once
	// a batch, few enough to stay in the cache.
	maxBatch = 64
	// minBatchBytes is how many bytes a batch has room for at least.
	minBatchBytes = 64 << 10
)

// NewQueue makes a queue for so many frames and bytes, and at least one frame, of those that a device
// like d can carry.
func NewQueue(frames, bytes int, d *Info) *Queue {
	longest := d.longest()
	q := &Queue{maxFrames: max(1, frames), maxBytes: max(longest, bytes)}
	q.batchLen = min(maxBatch, q.maxFrames)
	q.batchBytes = max(minBatchBytes, 2*longest)
	q.pool.New = func() any {
		return &Batch{Frames: make([]Frame, 0, q.batchLen), bytes: make([]byte, 0, q.batchBytes)}
	}
	return q
}

// Len returns how many frames are queued.
func (q *Queue) Len() int { return q.frames }

// Put copies frames until there is no room, and returns how many.
func (q *Queue) Put(frames []Frame) int {
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

// PutBack is Put at the front: for frames that have been taken, and were not wanted.
func (q *Queue) PutBack(frames []Frame) int {
	first, last := q.first, q.last
	q.first, q.last = nil, nil
	n := q.Put(frames)
	switch {
	case n == 0:
		q.first, q.last = first, last
	case first != nil:
		q.last.next, q.last = first, last
	}
	return n
}

func (q *Queue) extend() {
	b := q.pool.Get().(*Batch)
	if q.last == nil {
		q.first = b
	} else {
		q.last.next = b
	}
	q.last = b
}

// Take removes the first frames and returns them, or nil. They go back by Recycle.
func (q *Queue) Take() *Batch {
	b := q.first
	if b == nil {
		return nil
	}
	q.first, b.next = b.next, nil
	if q.first == nil {
		q.last = nil
	}
	q.frames -= len(b.Frames)
	q.bytes -= len(b.bytes)
	return b
}

// Recycle lets the memory of a batch be used again.
func (q *Queue) Recycle(b *Batch) {
	b.Frames, b.bytes = b.Frames[:0], b.bytes[:0]
	q.pool.Put(b)
}

// Drop removes all and returns how many.
func (q *Queue) Drop() int {
	n := q.frames
	q.first, q.last = nil, nil
	q.frames, q.bytes = 0, 0
	return n
}

func (b *Batch) fits(f *Frame) bool {
	return len(b.Frames) < cap(b.Frames) && len(b.bytes)+f.Len() <= cap(b.bytes)
}

// put copies f, which fits.
func (b *Batch) put(f *Frame) {
	start := len(b.bytes)
	b.bytes = f.AppendTo(b.bytes)
	c := *f
	c.Head, c.Body = b.bytes[start:len(b.bytes):len(b.bytes)], nil
	b.Frames = append(b.Frames, c)
}
