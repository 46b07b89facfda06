package tcp

import (
	"bytes"
	"container/heap"
	"fmt"
	"math/rand/v2"
	"time"

	"landline/wire"
)

// A sim is two connections and the wires between them, in a time of its own that
// jumps from event to event. Everything that happens depends on its seed alone.
type sim struct {
	now    time.Time
	rnd    *rand.Rand
	ends   [2]*simEnd
	events events
	order  int
	steps  int

	err error
}

// A simEnd is one connection, the program that uses it, and the wire out of it.
type simEnd struct {
	t     *tcb
	wire  simWire
	other *simEnd
	list  [8]outgoing

	toWrite  int64 // how much its program writes before it closes
	written  int64
	read     int64
	stop     func() bool // the program does not read while it is true
	closed   bool
	lends    bool   // it reads and writes in place, and takes its time for it
	lent     []byte // what it is reading
	room     []byte // what it is filling
	large    bool   // it writes and reads so much at once that this is not copied to a ring, and from one
	borrowed []byte // what it is writing
	into     []byte // what it has given to read into
	chunk    []byte
	edge     wire.Seq // the window's right edge as told last
	sent     int64    // segments
	tapped   func(now time.Time, o *outgoing)
}

// A simWire carries segments one way.
type simWire struct {
	delay   time.Duration
	rate    int64 // bytes a second; 0 is unlimited
	queue   int   // bytes; 0 is unlimited
	loss    float64
	double  float64
	reorder float64       // how likely a segment is late by up to late
	late    time.Duration // by so much

	free   time.Time // when the sender has sent all
	queued int
}

type event struct {
	at    time.Time
	order int
	do    func()
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at.Before(e[j].at) || e[i].at.Equal(e[j].at) && e[i].order < e[j].order
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	old := *e
	last := old[len(old)-1]
	*e = old[:len(old)-1]
	return last
}

var simStart = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)

const simMSS = 1460

// newSim makes two ends that are about to open: the first dials the second.
func newSim(seed uint64, client, server config, w simWire) *sim {
	s := &sim{now: simStart.Add(time.Hour), rnd: rand.New(rand.NewPCG(seed, 7))}
	client.epoch, server.epoch = simStart, simStart.Add(-time.Minute)
	a := &simEnd{wire: w, chunk: make([]byte, 1<<16)}
	b := &simEnd{wire: w, chunk: make([]byte, 1<<16), other: a}
	a.other = b
	s.ends = [2]*simEnd{a, b}
	a.t = connect(client.filled(), s.now, s.endpoint())
	cfg := server.filled()
	b.t = &tcb{cfg: cfg}
	return s
}

func (s *sim) endpoint() endpoint {
	return endpoint{iss: wire.SeqOf(s.rnd.Uint32()), stampOffset: s.rnd.Uint32(), pathMSS: simMSS, linkMSS: simMSS}
}

// after arranges for something to happen later.
func (s *sim) after(d time.Duration, do func()) {
	s.order++
	heap.Push(&s.events, event{s.now.Add(d), s.order, do})
}

// run runs until both connections are over and nothing is on its way, or until the
// time is up, or something fails.
func (s *sim) run(limit time.Duration) error {
	deadline := s.now.Add(limit)
	s.turn(s.ends[0])
	for s.err == nil && s.step(deadline) {
		if s.steps++; s.steps > 20_000_000 {
			return fmt.Errorf("never ends")
		}
	}
	return s.err
}

// step lets the next thing happen.
func (s *sim) step(deadline time.Time) bool {
	var next time.Time
	if len(s.events) > 0 {
		next = s.events[0].at
	}
	var timer *simEnd
	for _, e := range s.ends {
		if at := e.t.nextTimeout(); !at.IsZero() && (next.IsZero() || at.Before(next)) {
			next, timer = at, e
		}
	}
	if next.IsZero() || next.After(deadline) {
		return false
	}
	if next.After(s.now) {
		s.now = next
	}
	if timer != nil {
		timer.t.expire(s.now)
		s.turn(timer)
		return true
	}
	heap.Pop(&s.events).(event).do()
	return true
}

// turn lets e's program do what it can, and sends what e wants sent.
func (s *sim) turn(e *simEnd) {
	for range 2 {
		s.program(e)
		for {
			n := e.t.output(s.now, e.list[:])
			for i := range e.list[:n] {
				s.send(e, &e.list[i])
			}
			if n < len(e.list) {
				break
			}
		}
		e.giveBack()
	}
	if err := e.t.invariants(); err != nil && s.err == nil {
		s.err = err
	}
}

// program reads and writes, and closes after the last byte. The bytes follow a
// pattern, so that each is known by its place.
func (s *sim) program(e *simEnd) {
	if e.lends {
		s.readInPlace(e)
		s.writeInPlace(e)
	} else {
		s.readAndWrite(e)
	}
	if e.written == e.toWrite && !e.closed && e.t.state >= established {
		e.closed = true
		e.t.closeWrite()
	}
}

// readInPlace looks at what has arrived where it lies, and only after a time.
func (s *sim) readInPlace(e *simEnd) {
	if e.lent != nil || e.stop != nil && e.stop() {
		return
	}
	if b := e.t.lend(1 + s.rnd.IntN(len(e.chunk))); len(b) > 0 {
		e.lent = b
		s.after(s.while(), func() {
			n := 1 + s.rnd.IntN(len(b))
			if !bytes.Equal(b, pattern(e.read, len(b))) {
				s.fail("bytes %d to %d are not what was written, or no longer", e.read, e.read+int64(len(b)))
			}
			e.t.readLent(n)
			e.read += int64(n)
			e.lent = nil
			s.turn(e)
		})
	}
}

// writeInPlace takes room, and fills it after a time.
func (s *sim) writeInPlace(e *simEnd) {
	left := int(min(int64(len(e.chunk)), e.toWrite-e.written))
	if e.room != nil || left == 0 || e.t.state < established {
		return
	}
	b := e.t.lendRoom(1 + s.rnd.IntN(left))
	if len(b) == 0 {
		e.t.more = false // as AwaitRoom does
		return
	}
	e.room = b
	s.after(s.while(), func() {
		n := s.rnd.IntN(len(b) + 1)
		copy(b, pattern(e.written, n))
		e.written += int64(n)
		e.t.takeRoom(n, e.written < e.toWrite && s.rnd.IntN(2) == 0)
		e.room = nil
		s.turn(e)
	})
}

// while is how long a program takes for something.
func (s *sim) while() time.Duration { return time.Duration(s.rnd.IntN(3 * int(time.Millisecond))) }

func (s *sim) readAndWrite(e *simEnd) {
	if e.into != nil {
		s.took(e, e.into[:e.t.endReceiveInto()])
		e.into = nil
	}
	for e.stop == nil || !e.stop() {
		n := e.t.read(e.chunk)
		if n == 0 {
			break
		}
		s.took(e, e.chunk[:n])
	}
	for e.written < e.toWrite && e.t.state >= established && e.borrowed == nil {
		text := pattern(e.written, int(min(int64(len(e.chunk)), e.toWrite-e.written)))
		var k int
		if e.large {
			e.borrowed = bytes.Clone(text[:1+s.rnd.IntN(len(text))])
			k = e.t.borrow(e.borrowed)
		} else {
			k = e.t.write(text)
		}
		if e.written += int64(k); k == 0 {
			break
		}
	}
	if e.large && e.t.state >= established && e.t.readable() == 0 {
		e.into = e.chunk[:1+s.rnd.IntN(len(e.chunk))]
		e.t.receiveInto(e.into)
	}
}

// took checks what e's program has read.
func (s *sim) took(e *simEnd, b []byte) {
	if !bytes.Equal(b, pattern(e.read, len(b))) {
		s.fail("bytes %d to %d are not what was written", e.read, e.read+int64(len(b)))
	}
	e.read += int64(len(b))
}

// giveBack ends a write from the program's memory, which is no longer what it was then.
func (e *simEnd) giveBack() {
	if e.borrowed != nil {
		e.t.giveBack()
		clear(e.borrowed)
		e.borrowed = nil
	}
}

// patternPeriod is a prime, so that no ring's size divides it.
const patternPeriod = 1_000_003

var patternBytes = func() []byte {
	b := make([]byte, patternPeriod+1<<16)
	r := rand.New(rand.NewPCG(3, 4))
	for i := range b {
		if b[i] = byte(r.Uint32()); i >= patternPeriod {
			b[i] = b[i-patternPeriod]
		}
	}
	return b
}()

// pattern returns n bytes, at most 64 KiB, of what every program writes, from a place on.
func pattern(at int64, n int) []byte { return patternBytes[at%patternPeriod:][:n] }

func (s *sim) fail(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf(format, args...)
	}
}

// send puts a segment on the wire, which may lose it, double it or hold it up.
func (s *sim) send(e *simEnd, o *outgoing) {
	if e.tapped != nil {
		e.tapped(s.now, o)
	}
	e.sent++
	header := o.header(1, 2)
	b := wire.AppendTCP(nil, &header, o.options())
	b = append(append(b, o.payload[0]...), o.payload[1]...)
	seg := new(segment)
	seg.read(b, o.unit)
	s.checkEdge(e, o)
	size := len(b) + 20
	w := &e.wire
	times := 1
	if w.double > 0 && s.rnd.Float64() < w.double {
		times = 2
	}
	for range times {
		if w.loss > 0 && s.rnd.Float64() < w.loss {
			continue
		}
		s.carry(e, seg, size)
	}
}

// carry brings a segment to the other end.
func (s *sim) carry(e *simEnd, seg *segment, size int) {
	w := &e.wire
	delay := w.delay
	if w.rate > 0 {
		if w.queue > 0 && w.queued+size > w.queue {
			return
		}
		if w.free.Before(s.now) {
			w.free = s.now
		}
		w.free = w.free.Add(time.Duration(int64(size) * int64(time.Second) / w.rate))
		w.queued += size
		s.after(w.free.Sub(s.now), func() { w.queued -= size })
		delay += w.free.Sub(s.now)
	}
	if w.reorder > 0 && s.rnd.Float64() < w.reorder {
		delay += time.Duration(s.rnd.Int64N(int64(w.late)))
	}
	copied := *seg
	s.after(delay, func() { s.deliver(e.other, &copied) })
}

// checkEdge holds that a window's right edge never goes back, but for less than a unit of the scale (RFC 7323,
// Section 2.4).
func (s *sim) checkEdge(e *simEnd, o *outgoing) {
	if o.flags&(wire.FlagRST|wire.FlagSYN) != 0 || o.flags&wire.FlagACK == 0 {
		return
	}
	edge := o.ack.Add(int(o.window) << e.t.rcv.shift)
	if e.edge != (wire.Seq{}) && e.edge.Since(edge) >= 1<<e.t.rcv.shift {
		s.fail("the window's edge went back from %v to %v", e.edge, edge)
	}
	e.edge = later(e.edge, edge)
}

// deliver brings a segment to an end, which may be a listener still.
func (s *sim) deliver(e *simEnd, seg *segment) {
	if e.t.state == closed && e.t.err == 0 && seg.flags == wire.FlagSYN && !e.closed {
		e.t = accept(e.t.cfg, s.now, s.endpoint(), seg)
	} else if e.t.state == closed {
		var o outgoing
		if answerClosed(seg, &o) {
			s.send(e, &o)
		}
		return
	} else {
		e.t.arrive(s.now, seg)
	}
	s.turn(e)
}
