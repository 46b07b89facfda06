package tcp

// An intake is the memory of a user who waits in Read. What comes next in turn is put there at once, instead of into the ring, and
// the ring stays empty, or is not even there.
type intake struct {
	b []byte // nil if nobody waits
	n int    // how much of it is filled
}

// receiveInto has text put into p, which must not be empty, until endReceiveInto is called. The ring is empty. It reports
// false if somebody else's memory is there already.
func (t *tcb) receiveInto(p []byte) bool {
	if t.in == nil {
		t.in = new(intake)
	}
	if t.in.b != nil {
		return false
	}
	t.in.b = p
	return true
}

// endReceiveInto returns how many bytes have been put there.
func (t *tcb) endReceiveInto() int {
	n := t.in.n
	*t.in = intake{}
	t.consumed(n)
	return n
}

// putInto puts what it can of text that is next in turn into the memory of who waits, and returns how much that is. What
// comes behind something in the ring goes there too.
func (t *tcb) putInto(data []byte) int {
	if t.in == nil || t.rcv.ring.Len() > 0 || t.rcv.shut || t.early != nil && t.early.set.Len() > 0 {
		return 0
	}
	n := copy(t.in.b[t.in.n:], data)
	t.in.n += n
	return n
}

// hasPutInto reports whether there is something for who waits.
func (t *tcb) hasPutInto() bool { return t.in != nil && t.in.n > 0 }
