// Package ring holds a stretch of a byte stream in memory that is used round and
// round.
//
// A Ring is what a connection sends from and receives into. It takes no memory
// until it is given some, grows and shrinks without losing what it holds, hands out
// its bytes where they lie, and lets bytes that arrive early be put where they
// will belong. Its sizes are powers of two, so that finding a place is an AND.
package ring

import "math/bits"

// MaxSize is the greatest size of a Ring, in bytes.
const MaxSize = 1 << 30

// A Ring holds the next bytes of a stream. The zero value holds nothing and has
// room for nothing. It must not be used by several goroutines at once.
//
// An offset counts from the first byte that is held. What lies behind the last one
// may be written ahead of time, by WriteAt, and joins them by Extend.
type Ring struct {
	buf  []byte // its length is a power of two, or 0
	head uint32 // where the first byte lies
	n    uint32 // how many are held
}

// Len returns how many bytes are held.
func (r *Ring) Len() int { return int(r.n) }

// Cap returns how many bytes could be held without more memory.
func (r *Ring) Cap() int { return len(r.buf) }

// Resize gives the ring new memory: the least power of two that is no less than
// size, which is at most MaxSize. The first keep bytes move there; they are all
// that is held at least, and more if something behind it was written ahead of
// time. It panics if they do not fit. Size 0 lets go of the memory.
//
// Slices that Peek returned before stay as they are.
func (r *Ring) Resize(size, keep int) {
	if size < keep || keep < r.Len() || size > MaxSize {
		panic("ring: no such size")
	}
	var buf []byte
	if size > 0 {
		buf = make([]byte, 1<<bits.Len(uint(size-1)))
	}
	a, b := r.span(0, min(keep, len(r.buf)))
	copy(buf[copy(buf, a):], b)
	r.buf, r.head = buf, 0
}

// Write appends as much of p as there is room for, and returns how much that is.
func (r *Ring) Write(p []byte) int {
	n := min(len(p), len(r.buf)-r.Len())
	r.WriteAt(p[:n], r.Len())
	r.n += uint32(n)
	return n
}

// WriteAt writes p at an offset, without changing how many bytes are held. It
// panics if p ends beyond Cap.
func (r *Ring) WriteAt(p []byte, off int) {
	a, b := r.span(off, len(p))
	copy(b, p[copy(a, p):])
}

// Extend makes the n bytes behind the last one held too: WriteAt has put them there.
func (r *Ring) Extend(n int) {
	if n < 0 || n > len(r.buf)-r.Len() {
		panic("ring: extended over its end")
	}
	r.n += uint32(n)
}

// Peek returns the n bytes at an offset, where they lie: in one piece, or in two if
// they go over the end of the memory. It panics if they are not held. The pieces are
// good until the bytes are discarded and others written, or for ever if
// only Resize follows.
func (r *Ring) Peek(off, n int) (a, b []byte) {
	if off < 0 || n < 0 || off+n > r.Len() {
		panic("ring: peek beyond what is held")
	}
	return r.span(off, n)
}

// Contiguous returns how many bytes from an offset on lie in one piece: at least 1
// if the byte at the offset is held.
func (r *Ring) Contiguous(off int) int {
	if off >= r.Len() {
		return 0
	}
	at := r.place(off)
	return min(r.Len()-off, len(r.buf)-at)
}

// Room returns memory for at most n bytes behind the last one, as much as lies in one piece. What is put there is
// held once Extend has been called. It is good until bytes are written by another way, or Rewind or Resize is called.
func (r *Ring) Room(n int) []byte {
	a, _ := r.span(r.Len(), min(n, len(r.buf)-r.Len()))
	return a
}

// Read moves bytes from the front into p and returns how many.
func (r *Ring) Read(p []byte) int {
	n := min(len(p), r.Len())
	a, b := r.span(0, n)
	copy(p[copy(p, a):], b)
	r.Discard(n)
	return n
}

// Discard drops n bytes at the front. It panics if fewer are held.
func (r *Ring) Discard(n int) {
	if n < 0 || n > r.Len() {
		panic("ring: discarded more than is held")
	}
	if n > 0 {
		r.head = uint32(r.place(n))
		r.n -= uint32(n)
	}
}

// Rewind lets a ring that holds nothing begin at the start of its memory again,
// which is likelier to be in a cache than the rest. Nothing may have been written
// ahead of time.
func (r *Ring) Rewind() {
	if r.n == 0 {
		r.head = 0
	}
}

// place returns the index at which the byte of an offset lies.
func (r *Ring) place(off int) int { return (int(r.head) + off) & (len(r.buf) - 1) }

// span returns n bytes at an offset, held or not.
func (r *Ring) span(off, n int) (a, b []byte) {
	if off < 0 || n < 0 || off+n > len(r.buf) {
		panic("ring: over its end")
	}
	if n == 0 {
		return nil, nil
	}
	at := r.place(off)
	if at+n <= len(r.buf) {
		return r.buf[at : at+n : at+n], nil
	}
	return r.buf[at:], r.buf[: at+n-len(r.buf) : at+n-len(r.buf)]
}
