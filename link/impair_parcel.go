package link

import "time"

// A parcel is a frame under way, with its bytes.
type parcel struct {
	frame Frame // all in Head
	bytes []byte
	class int
	due   time.Duration
	turn  uint64 // among those that are due at once
}

// parcelClasses are the lengths of the bytes that parcels have, so that one can take
// another frame later: for acknowledgements, full frames, jumbo frames and the rest.
var parcelClasses = [...]int{256, 2 << 10, 16 << 10, MaxFrame}

// maxSpare is how many bytes of parcels are kept for later.
const maxSpare = 4 << 20

// parcels hands parcels out and takes them back. Its owner locks it.
type parcels struct {
	spare      [len(parcelClasses)][]*parcel
	spareBytes int
	used       int // bytes of those that are out
}

// pack makes a parcel of a frame.
func (s *parcels) pack(f *Frame) *parcel {
	p := s.get(f.Len())
	p.frame = *f
	p.frame.Head, p.frame.Body = f.AppendTo(p.bytes[:0]), nil
	return p
}

func (s *parcels) get(n int) *parcel {
	class := 0
	for class < len(parcelClasses)-1 && n > parcelClasses[class] {
		class++
	}
	s.used += parcelClasses[class]
	spare := s.spare[class]
	if len(spare) == 0 {
		return &parcel{bytes: make([]byte, 0, parcelClasses[class]), class: class}
	}
	p := spare[len(spare)-1]
	s.spare[class] = spare[:len(spare)-1]
	s.spareBytes -= parcelClasses[class]
	return p
}

// put takes a parcel back.
func (s *parcels) put(p *parcel) {
	size := parcelClasses[p.class]
	s.used -= size
	if s.spareBytes+size > maxSpare {
		return
	}
	s.spareBytes += size
	s.spare[p.class] = append(s.spare[p.class], p)
}

// A flight is parcels that wait for their time, as a heap: each is due before the two
// at twice its index.
type flight []*parcel

func (p *parcel) before(q *parcel) bool {
	return p.due < q.due || p.due == q.due && p.turn < q.turn
}

func (f *flight) push(p *parcel) {
	h := append(*f, p)
	*f = h
	i := len(h) - 1
	for i > 0 {
		up := (i - 1) / 2
		if !p.before(h[up]) {
			break
		}
		h[i] = h[up]
		i = up
	}
	h[i] = p
}

// pop removes the parcel that is due first.
func (f *flight) pop() *parcel {
	h := *f
	first, p := h[0], h[len(h)-1]
	h[len(h)-1] = nil
	h = h[:len(h)-1]
	*f = h
	i := 0
	for {
		down := 2*i + 1
		if down+1 < len(h) && h[down+1].before(h[down]) {
			down++
		}
		if down >= len(h) || !h[down].before(p) {
			break
		}
		h[i] = h[down]
		i = down
	}
	if len(h) > 0 {
		h[i] = p
	}
	return first
}
