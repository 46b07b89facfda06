package remote

import "sync"

const (
	blockSize = 64 << 10
	// headRoom is kept free before the bytes of a block, so that a message's
	// header can be put there and both be written as one.
	headRoom = 128
)

type block [blockSize]byte

var blockPool = sync.Pool{New: func() any { return new(block) }}

// A fifo is a queue of bytes in pooled blocks. It holds no memory while it is
// empty. One goroutine may fill the slice that space gave while another uses the
// one that front gave; the calls themselves need the owner's lock.
type fifo struct {
	blocks []*block
	head   int  // of the first block: where unread bytes begin
	tail   int  // of the last block: where free space begins
	size   int  // unread bytes
	inUse  bool // between space and commit
}

// space returns room for more bytes, never none. commit must follow.
func (f *fifo) space() []byte {
	if len(f.blocks) == 0 || f.tail == blockSize {
		f.head = max(f.head, headRoom) // of the first block there ever was
		f.blocks = append(f.blocks, blockPool.Get().(*block))
		f.tail = headRoom
	}
	f.inUse = true
	return f.blocks[len(f.blocks)-1][f.tail:]
}

// commit adds the first n bytes of what space gave.
func (f *fifo) commit(n int) {
	f.inUse = false
	f.tail += n
	f.size += n
	f.trim()
}

// write appends p.
func (f *fifo) write(p []byte) {
	for len(p) > 0 {
		n := copy(f.space(), p)
		f.commit(n)
		p = p[n:]
	}
}

// front returns the unread bytes of the first block.
func (f *fifo) front() []byte {
	switch len(f.blocks) {
	case 0:
		return nil
	case 1:
		return f.blocks[0][f.head:f.tail]
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
	for len(f.blocks) > 1 && f.head == blockSize {
		f.dropFirst()
	}
	if len(f.blocks) == 1 && f.size == 0 && !f.inUse {
		f.dropFirst()
		f.tail = 0
	}
}

func (f *fifo) dropFirst() {
	blockPool.Put(f.blocks[0])
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
