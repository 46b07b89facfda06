package tcp

import (
	"landline/internal/rangeset"
	"landline/internal/ring"
	"landline/wire"
)

// takeText is the seventh step of RFC 9293, Section 3.10.7.4: "Once in the ESTABLISHED
// state, it is possible to deliver segment data to user RECEIVE buffers." The segment
// has been cut to the window.
func (t *tcb) takeText(now instant, s *segment) {
	inTurn := s.seq == t.rcv.nxt
	if len(s.data) == 0 && (inTurn || !s.has(wire.FlagFIN)) || t.rcv.fin || t.state < established {
		return
	}
	if t.orphan && len(s.data) > 0 {
		// "If ... a TCP implementation ... receives data after CLOSE was called, its TCP
		// SHOULD send a RST to show that data was lost" (Section 3.6.1, SHLD-3).
		t.reset(0)
		return
	}
	t.noteLength(s)
	if !inTurn {
		t.takeEarly(s)
		return
	}
	if t.early != nil {
		t.noteOverlap(s.seq, s.end())
	}
	t.timeArrival(now, s)
	t.tuneReceive(now)
	t.takeNext(now, s.data)
}

// noteLength learns how long the peer's segments are: the longest, or one that comes
// twice in a row.
func (t *tcb) noteLength(s *segment) {
	n := uint16(min(s.mss(), int(t.rcv.announced)))
	if n > t.rcv.mss || n == t.rcv.last && n >= defaultMSS4 {
		t.rcv.mss = n
	}
	t.rcv.last = n
}

// takeNext takes text that is next in turn, and what it joins to.
func (t *tcb) takeNext(now instant, data []byte) {
	n, put := len(data), t.putInto(data)
	if room := put + max(t.mayHold(&t.rcv.ring), 0); !t.rcv.shut && n > room {
		// There is no memory. The peer hears of it, and asks again until there is.
		n, t.starved, t.ackNow = room, true, true
	}
	if !t.rcv.shut && n > put {
		t.putText(data[put:n], 0)
		t.rcv.ring.Extend(n - put)
	}
	t.rcv.nxt = t.rcv.nxt.Add(n)
	if t.early != nil && t.early.set.Len() > 0 {
		// "A TCP receiver SHOULD send an immediate ACK when the incoming segment fills in all
		// or part of a gap in the sequence space" (RFC 5681, Section 4.2).
		t.ackNow = true
		if end, ok := t.early.join(t.rcv.nxt); ok {
			if !t.rcv.shut {
				t.rcv.ring.Extend(end.Since(t.rcv.nxt))
			}
			t.rcv.nxt = end
		}
		return
	}
	t.scheduleACK(now, n)
}

// putText writes text to its place, so far behind RCV.NXT, and makes the ring as
// large as that wants.
func (t *tcb) putText(data []byte, off int) {
	r := &t.rcv.ring
	if need := r.Len() + off + len(data); need > r.Cap() {
		keep := r.Len()
		if t.early != nil {
			keep = min(keep+t.early.reach(t.rcv.nxt), r.Cap())
		}
		t.resize(r, max(2*r.Cap(), need, firstRing), keep)
	}
	r.WriteAt(data, r.Len()+off)
}

// takeEarly takes text that is not next in turn. "Out-of-order data segments SHOULD be
// acknowledged immediately, in order to accelerate loss recovery" (RFC 5681, Section
// 4.2).
func (t *tcb) takeEarly(s *segment) {
	t.ackNow = true
	if t.early == nil {
		t.early = new(reassembly)
	}
	start, end := s.seq, s.end()
	if t.early.hasFIN && end.After(t.early.fin.Add(1)) {
		return // beyond FIN there is nothing
	}
	if !t.rcv.shut && end.Since(t.rcv.nxt) > t.mayHoldEarly() {
		return // memory is scarce: it is not acknowledged, so the peer keeps it
	}
	t.noteOverlap(start, end)
	if !t.early.add(start, end) {
		return // too many pieces: the peer sends it again
	}
	if s.has(wire.FlagFIN) {
		t.early.hasFIN, t.early.fin = true, end.Add(-1)
	}
	if !t.rcv.shut {
		t.putText(s.data, start.Since(t.rcv.nxt))
	}
}

// maxPieces is how many pieces out of order are kept. What would be one more is
// dropped; what is next in turn never is.
const maxPieces = 1024

// A reassembly says what lies in the receive ring ahead of its turn, and what of that
// the peer is to be told.
type reassembly struct {
	set    rangeset.Set
	recent [wire.MaxSACKBlocks]wire.Seq // numbers in pieces that changed, the latest first
	count  int

	double    wire.SACKBlock // what arrived twice, to be told once
	hasDouble bool
	hasFIN    bool
	fin       wire.Seq // the number of a FIN among the pieces
}

// endsAt reports whether FIN is there and its turn has come.
func (e *reassembly) endsAt(nxt wire.Seq) bool { return e != nil && e.hasFIN && e.fin == nxt }

func (e *reassembly) clear() {
	e.set.Clear()
	e.count, e.hasFIN = 0, false
}

func between(start, end wire.Seq) rangeset.Range {
	return rangeset.Range{Start: start.Uint32(), End: end.Uint32()}
}

// add notes that a piece lies there.
func (e *reassembly) add(start, end wire.Seq) bool {
	r, ok := e.set.Add(between(start, end), maxPieces)
	if !ok {
		return false
	}
	// The latest comes first, and no piece twice.
	recent, n := [len(e.recent)]wire.Seq{start}, 1
	for _, at := range e.recent[:e.count] {
		if at.Uint32()-r.Start >= uint32(r.Len()) && n < len(recent) {
			recent[n] = at
			n++
		}
	}
	e.recent, e.count = recent, n
	return true
}

// join drops what is before nxt, and returns the end of the piece that goes on there.
func (e *reassembly) join(nxt wire.Seq) (end wire.Seq, ok bool) {
	e.set.Forget(nxt.Uint32())
	r, ok := e.set.Find(nxt.Uint32())
	if ok {
		e.set.Forget(r.End)
	}
	if e.set.Len() == 0 {
		e.count = 0
	}
	end = wire.SeqOf(r.End)
	if e.hasFIN && end == e.fin.Add(1) {
		end = e.fin
	}
	return end, ok
}

// reach is how far beyond nxt the last piece goes.
func (e *reassembly) reach(nxt wire.Seq) int {
	if e.set.Len() == 0 {
		return 0
	}
	all := e.set.Ranges()
	return wire.SeqOf(all[len(all)-1].End).Since(nxt)
}

// noteDuplicate notes that something arrived twice, so that the peer is told (D-SACK,
// RFC 2883, Section 4).
func (t *tcb) noteDuplicate(start, end wire.Seq) {
	if !t.has(useSACK) || !start.Before(end) || t.state < established {
		return
	}
	if end.Since(start) > int(t.rcv.limit) {
		return // that old it cannot be
	}
	if t.early == nil {
		t.early = new(reassembly)
	}
	if !t.early.hasDouble {
		t.early.double, t.early.hasDouble = wire.SACKBlock{Start: start, End: end}, true
	}
}

// noteOverlap notes what of a segment had come before, out of order.
func (t *tcb) noteOverlap(start, end wire.Seq) {
	if there, ok := t.early.set.Overlap(between(start, end)); ok {
		t.noteDuplicate(wire.SeqOf(there.Start), wire.SeqOf(there.End))
	}
}

func (e *reassembly) toReport() bool { return e.hasDouble || e.set.Len() > 0 }

// reported notes that an acknowledgment went out: "each duplicate segment is reported
// at most once" (RFC 2883, Section 4).
func (e *reassembly) reported() { e.hasDouble = false }

// putSACK appends a SACK option behind the options that are there. "The first SACK block
// ... MUST specify the contiguous block of data containing the segment which triggered
// this ACK" (RFC 2018, Section 4), after a D-SACK if there is one; then the other pieces
// that changed last, and then any.
func (e *reassembly) putSACK(b []byte) []byte {
	var blocks [wire.MaxSACKBlocks]wire.SACKBlock
	n, room := 0, (wire.MaxTCPOptions-len(b)-4)/8
	if e.hasDouble {
		blocks[0] = e.double
		n = 1
	}
	for _, at := range e.recent[:e.count] {
		if r, ok := e.set.Find(at.Uint32()); ok && n < room {
			n = addBlock(blocks[:n+1], r, e.hasDouble)
		}
	}
	for _, r := range e.set.Ranges()[:min(e.set.Len(), len(blocks))] {
		if n < room {
			n = addBlock(blocks[:n+1], r, e.hasDouble)
		}
	}
	b = wire.AppendNOP(wire.AppendNOP(b))
	return wire.AppendSACK(b, blocks[:min(n, room)]...)
}

// addBlock makes r the last of blocks, unless it is there already, and returns how
// many there are. A D-SACK, which comes first, may say the same as the piece it is in.
func addBlock(blocks []wire.SACKBlock, r rangeset.Range, double bool) int {
	b := wire.SACKBlock{Start: wire.SeqOf(r.Start), End: wire.SeqOf(r.End)}
	last := len(blocks) - 1
	for i, other := range blocks[:last] {
		if other == b && !(double && i == 0) {
			return last
		}
	}
	blocks[last] = b
	return last + 1
}

// read moves bytes that have arrived in order into p, and returns how many.
func (t *tcb) read(p []byte) int {
	n := t.rcv.ring.Read(p)
	t.consumed(n)
	return n
}

// lend returns at most n bytes that have arrived in order, where they lie in one piece. They stay there until readLent.
func (t *tcb) lend(n int) []byte {
	b, _ := t.rcv.ring.Peek(0, min(n, t.rcv.ring.Contiguous(0)))
	return b
}

// readLent ends lend: so many bytes have been read. If there are fewer now, the connection has been reset meanwhile.
func (t *tcb) readLent(n int) {
	n = min(n, t.rcv.ring.Len())
	t.rcv.ring.Discard(n)
	t.consumed(n)
}

func (t *tcb) consumed(n int) {
	if n == 0 {
		return
	}
	if t.rcv.shut && t.rcv.ring.Len() == 0 {
		t.rcv.ring = ring.Ring{}
	}
	if t.early == nil || t.early.set.Len() == 0 {
		t.rcv.ring.Rewind()
	}
	t.rcv.tune.copied = int32(min(int(t.rcv.tune.copied)+n, maxBuffer))
	t.offerWindow()
}

// readable is how many bytes can be read.
func (t *tcb) readable() int { return t.rcv.ring.Len() }

// ended reports whether the peer has said that nothing more will come.
func (t *tcb) ended() bool { return t.rcv.fin }
