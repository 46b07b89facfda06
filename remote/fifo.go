package remote

import "sync"

const (
	// The memory of a stream comes in blocks: small ones for what little most
	// commands say, large ones once it is a bulk of data, because each block that
	// fills wakes somebody up.
	smallBlock = 16 << 10
	largeBlock = 258 << 10 // a piece of content of 256 KiB and what goes before it
	bulkAfter  = 64 << 10  // bytes that a stream has moved
	// headRoom is kept free before the bytes of a block, so that a message's
	// header can be put there and both be written as one.
	headRoom = 128
)

var (
	smallBlocks = sync.Pool{New: func() any { return new([smallBlock]byte) }}
	largeBlocks = sync.Pool{New: func() any { return new([largeBlock]byte) }}
)

// newLargeBlock returns a block that is empty but for the room at its head.
func newLargeBlock() []byte { return largeBlocks.Get().(*[largeBlock]byte)[:headRoom] }

func freeBlock(b []byte) {
	if b = b[:cap(b)]; len(b) == smallBlock {
		smallBlocks.Put((*[smallBlock]byte)(b))
	} else {
		largeBlocks.Put((*[largeBlock]byte)(b))
	}
}

// A fifo is a queue of bytes in pooled blocks; a block's length is how far it is
// filled. It holds no memory while it is empty. One goroutine may fill the slice
// that space gave while another uses the one that front gave; the calls themselves
// need the owner's lock.
type fifo struct {
	blocks [][]byte
	head   int   // of the first block: where unread bytes begin
	size   int   // unread bytes
	moved  int64 // bytes that ever came in
	inUse  bool  // between space and commit
}

// space returns room for more bytes, never none, of which n are known to come.
// commit must follow. What would fill half a block is not torn but begins a new
// one: in one piece it is hashed and written at once.
func (f *fifo) space(n int) []byte {
	if b := f.last(); len(b) == cap(b) || len(b)+n > cap(b) && n >= cap(b)/2 {
		f.addBlock()
	}
	f.inUse = true
	b := f.last()
	return b[len(b):cap(b)]
}

// last is the block that is being filled, nil if there is none.
func (f *fifo) last() []byte {
	if len(f.blocks) == 0 {
		return nil
	}
	return f.blocks[len(f.blocks)-1]
}

func (f *fifo) addBlock() {
	if f.moved < bulkAfter {
		f.push(smallBlocks.Get().(*[smallBlock]byte)[:headRoom])
	} else {
		f.push(newLargeBlock())
	}
}

func (f *fifo) push(b []byte) {
	f.blocks = append(f.blocks, b)
	if len(f.blocks) == 1 {
		f.head = headRoom
	}
}

// commit adds the first n bytes of what space gave.
func (f *fifo) commit(n int) {
	f.inUse = false
	b := f.last()
	f.blocks[len(f.blocks)-1] = b[:len(b)+n]
	f.size += n
	f.moved += int64(n)
	f.trim()
}

// write appends p.
func (f *fifo) write(p []byte) {
	for len(p) > 0 {
		n := copy(f.space(1), p)
		f.commit(n)
		p = p[n:]
	}
}

// put appends a large block, which becomes the fifo's.
func (f *fifo) put(b []byte) {
	f.push(b)
	f.size += len(b) - headRoom
	f.moved += int64(len(b) - headRoom)
	f.trim()
}

// front returns the unread bytes of the first block.
func (f *fifo) front() []byte {
	if len(f.blocks) == 0 {
		return nil
	}
	return f.blocks[0][f.head:]
}

// frontRoom returns the headRoom bytes before front, which are free, and front.
func (f *fifo) frontRoom() []byte {
	n := len(f.front())
	return f.blocks[0][f.head-headRoom : f.head+n]
}

// discard drops the first n bytes of what front gave.
func (f *fifo) discard(n int) {
	f.head += n
	f.size -= n
	f.trim()
}

// trim gives back a first block that has been read to its end, and the last one
// when the queue is empty and nobody fills it.
func (f *fifo) trim() {
	for len(f.blocks) > 1 && f.head == len(f.blocks[0]) {
		f.dropFirst()
	}
	if len(f.blocks) == 1 && f.size == 0 && !f.inUse {
		f.dropFirst()
	}
}

func (f *fifo) dropFirst() {
	freeBlock(f.blocks[0])
	f.blocks[0] = nil
	f.blocks = f.blocks[1:]
	f.head = headRoom
	if len(f.blocks) == 0 {
		f.blocks = nil
	}
}

// reset drops everything; what space gave stays valid until commit.
func (f *fifo) reset() {
	for f.size > 0 {
		f.discard(len(f.front()))
	}
}
