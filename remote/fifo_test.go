package remote

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"
)

// A fifoModel is a fifo beside the plain slice that it must be like.
type fifoModel struct {
	fifo
	want []byte
	next byte // of the row of bytes that is written
}

// fill has the model take n bytes at its end.
func (m *fifoModel) fill(dst []byte) {
	for i := range dst {
		m.next = m.next*5 + 1
		dst[i] = m.next
	}
	m.want = append(m.want, dst...)
}

// step does what op says with n bytes.
func (m *fifoModel) step(op byte, n int) {
	switch op % 5 {
	case 0:
		p := make([]byte, n)
		m.fill(p)
		m.write(p)
	case 1: // as the connection's reader does
		p := m.space(n)
		p = p[:min(n, len(p))]
		m.fill(p)
		m.commit(len(p))
	case 2: // a consumer beside a reader that has not committed yet
		p := m.space(n)
		m.take(n)
		p = p[:min(n, len(p))]
		m.fill(p)
		m.commit(len(p))
	case 3:
		m.take(n)
	case 4:
		if n%16 == 0 {
			m.reset()
			m.want = nil
		}
	}
}

func (m *fifoModel) take(n int) {
	n = min(n, len(m.front()))
	if n > 0 {
		for i := range headRoom { // it is free to be written
			m.frontRoom()[i] = 0xff
		}
	}
	m.discard(n)
	m.want = m.want[n:]
}

func (m *fifoModel) check(t *testing.T) {
	t.Helper()
	front := m.front()
	switch {
	case m.size != len(m.want):
		t.Fatalf("%d bytes, want %d", m.size, len(m.want))
	case !bytes.HasPrefix(m.want, front):
		t.Fatal("the front is not what was written first")
	case len(front) == 0 && m.size > 0:
		t.Fatal("an empty front of a queue that is not empty")
	case m.size == 0 && len(m.blocks) != 0:
		t.Fatalf("an empty queue holds %d blocks", len(m.blocks))
	case len(m.blocks) > 2*m.size/(smallBlock-headRoom)+2:
		t.Fatalf("%d blocks for %d bytes", len(m.blocks), m.size)
	}
}

func (m *fifoModel) checkRest(t *testing.T) {
	t.Helper()
	for len(m.want) > 0 {
		m.take(largeBlock)
		m.check(t)
	}
}

func TestFifoIsAQueueOfBytes(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 0))
		var m fifoModel
		for range 100 {
			m.step(byte(r.Uint32()), r.IntN(2<<r.IntN(16)))
			m.check(t)
		}
		m.checkRest(t)
	}
}

func FuzzFifo(f *testing.F) {
	f.Add([]byte{0, 255, 255, 3, 255, 255, 2, 1, 0, 4, 0, 0})
	f.Fuzz(func(t *testing.T, ops []byte) {
		var m fifoModel
		r := bytes.NewReader(ops)
		var op [3]byte
		for {
			if _, err := io.ReadFull(r, op[:]); err != nil {
				break
			}
			m.step(op[0], int(op[1])<<8|int(op[2]))
			m.check(t)
		}
		m.checkRest(t)
	})
}
