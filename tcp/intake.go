package tcp

// An intake is the memory of a user who waits in Read. What comes next in turn is put there at once, instead of into the ring, and
// the ring stays empty, or is not even there.
type intake struct {
	b []byte // nil if nobody waits
	n int    // how much of it is filled
}

// receiveInto has text put into p until endReceiveInto is called.
func (t *tcb) receiveInto(p []byte) {
	if t.in == nil {
		t.in = new(intake)
	}
	t.in.b = p
}

// endReceiveInto returns how many bytes have been put there.
func (t *tcb) endReceiveInto() int {
	n := t.in.n
	*t.in = intake{}
	t.consumed(n)
	return n
}

// putInto puts what it can of text that is next in turn into the memory of who waits, and returns how much that is. What
// comes behind something in the ring goes there too, and so does all that follows: others may have read what was in between.
func (t *tcb) putInto(data []byte) int {
	if t.in == nil || t.rcv.shut {
		return 0
	}
	if t.rcv.ring.Len() > 0 || t.early != nil && t.early.set.Len() > 0 {
		t.in.b = t.in.b[:t.in.n]
	}
	n := copy(t.in.b[t.in.n:], data)
	t.in.n += n
	return n
}

// hasPutInto reports whether there is something for who waits.
func (t *tcb) hasPutInto() bool { return t.in != nil && t.in.n > 0 }
