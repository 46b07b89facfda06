package tcp

import "landline/internal/ring"

// A sendText is what the user has written and the peer has not acknowledged: what the ring holds, and behind that what still
// lies in the memory of a user who is in Write.
//
// A peer in the same process acknowledges before the device has returned. Then what was written has gone from the user's memory
// to the peer's ring, and has never been copied to ours.
type sendText struct {
	ring ring.Ring
	tail *[]byte // nil until something is borrowed for the first time
}

// borrowed returns what lies in the user's memory.
func (s *sendText) borrowed() []byte {
	if s.tail == nil {
		return nil
	}
	return *s.tail
}

func (s *sendText) borrow(p []byte) {
	if s.tail == nil {
		s.tail = new([]byte)
	}
	*s.tail = p
}

// Len returns how many bytes there are.
func (s *sendText) Len() int { return s.ring.Len() + len(s.borrowed()) }

// Contiguous returns how many bytes from an offset on lie in one piece.
func (s *sendText) Contiguous(off int) int {
	if off < s.ring.Len() {
		return s.ring.Contiguous(off)
	}
	return len(s.borrowed()) - (off - s.ring.Len())
}

// Peek returns the n bytes at an offset, where they lie: in one piece or in two, and fewer if it would take three.
func (s *sendText) Peek(off, n int) (a, b []byte) {
	held := s.ring.Len()
	switch tail := s.borrowed(); {
	case off >= held:
		a = tail[off-held:][:n]
	case off+n <= held:
		return s.ring.Peek(off, n)
	default:
		if a, b = s.ring.Peek(off, held-off); len(b) == 0 {
			b = tail[:n-len(a)]
		}
	}
	return a, b
}

// Discard drops n bytes at the front.
func (s *sendText) Discard(n int) {
	held := min(n, s.ring.Len())
	s.ring.Discard(held)
	if n > held {
		*s.tail = (*s.tail)[n-held:]
	}
}

// borrow is write for p that stays as it is, and where it is, until giveBack is called.
func (t *tcb) borrow(p []byte) int {
	n := t.mayWrite(len(p))
	if n > 0 {
		t.chargeTo(t.memory() + n) // at once, as in resize
		t.snd.text.borrow(p[:n])
	}
	return n
}

// giveBack ends borrow: what is not done with is moved to the ring. It reports whether there was any.
func (t *tcb) giveBack() bool {
	text := &t.snd.text
	left := text.borrowed()
	if left == nil {
		return false
	}
	if *text.tail = nil; len(left) > 0 {
		t.growSendRing(len(left))
		text.ring.Write(left)
	}
	return len(left) > 0
}

// repoint sets the payloads of segments that have not left to where they lie now.
func (t *tcb) repoint(list []outgoing) {
	for k := range list {
		if o := &list[k]; o.size() > 0 {
			o.payload[0], o.payload[1] = t.snd.text.Peek(o.seq.Since(t.snd.base), o.size())
		}
	}
}
