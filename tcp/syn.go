package tcp

import (
	"net/netip"
	"sync"
	"time"

	"landline/ip"
	"landline/wire"
)

// SYN-RECEIVED is a small record, not a connection: what a stranger can make us keep for a
// SYN is little, and if that is too much, a cookie.

// halfOpens are the connections of a listener whose handshake is not over.
type halfOpens struct {
	listener *Listener

	mu     sync.Mutex
	all    map[tuple]*halfOpen
	queues [synTries]fifo[*halfOpen] // by how often SYN,ACK was sent, less one; each in the order in which they are due
	timer  *time.Timer
	due    instant // when the timer ends; 0 if it does not run
	closed bool

	cookies instant // when a cookie was last given out; 0 if never
}

// synTries is how often SYN,ACK is sent, a second after the first, then each time after twice as long. The
// last is given up after three minutes or more: "R2 for a SYN segment MUST be set large enough to provide
// retransmission of the segment for at least 3 minutes" (RFC 9293, Section 3.8.3, MUST-23).
const synTries = 8

// A halfOpen is a connection in SYN-RECEIVED.
type halfOpen struct {
	t    tuple
	via  *ip.Interface
	cfg  *config
	end  endpoint
	syn  synRecord
	sent instant // when SYN,ACK was last sent
	due  instant // when it is to be sent again
	made uint8   // how often it was sent
	done bool    // it is not in the table any more

	cookie bool // nothing was kept of it
}

// A synRecord is what a SYN says.
type synRecord struct {
	seq         wire.Seq
	stamp       uint32
	wnd, mss    uint16
	shift       uint8
	stamps      bool
	sack, scale bool
}

func recordSYN(s *segment) synRecord {
	return synRecord{
		seq: s.seq, wnd: s.wnd, mss: s.opt.MSS, shift: s.opt.WindowScale, stamp: s.opt.TSVal,
		stamps: s.opt.HasTimestamps, sack: s.opt.SACKPermitted, scale: s.opt.HasWindowScale,
	}
}

// segment returns the SYN again.
func (r *synRecord) segment() (s segment) {
	s.seq, s.wnd, s.flags = r.seq, r.wnd, wire.FlagSYN
	s.opt.MSS, s.opt.WindowScale, s.opt.TSVal = r.mss, r.shift, r.stamp
	s.opt.HasTimestamps, s.opt.SACKPermitted, s.opt.HasWindowScale = r.stamps, r.sack, r.scale
	return s
}

// draft makes the connection that a record stands for. It is to be given to putDraft, or kept.
func (q *halfOpens) draft(h *halfOpen, now instant) *tcb {
	q.mu.Lock()
	sent, made := h.sent, h.made
	q.mu.Unlock()
	d := q.listener.layer.drafts.Get().(*tcb)
	s := h.syn.segment()
	if made == 0 {
		d.accept(h.cfg, now, h.end, &s)
		return d
	}
	d.accept(h.cfg, sent, h.end, &s)
	d.answered(sent, made)
	if h.cookie {
		d.flight.all[0].fate = twice // when it was sent is not known, so nothing is measured by it
	}
	return d
}

func (l *Layer) putDraft(d *tcb) {
	d.chargeTo(0)
	l.drafts.Put(d)
}

func (q *halfOpens) init(o *Listener) {
	q.listener, q.all = o, map[tuple]*halfOpen{}
}

// receive takes a segment for a listener (RFC 9293, Section 3.10.7.2).
func (o *Listener) receive(now time.Time, p *ip.Packet, t *tuple, s *segment) {
	o.syns.mu.Lock()
	h := o.syns.all[*t]
	o.syns.mu.Unlock()
	switch {
	case h != nil:
		o.receiveHalfOpen(now, h, s)
	case s.has(wire.FlagRST):
		// "An incoming RST segment could not be valid ... should be ignored."
	case s.has(wire.FlagACK):
		// "Any acknowledgment is bad if it arrives on a connection still in the LISTEN state",
		// unless it brings a cookie back.
		if h := o.redeem(now, p, t, s); h != nil {
			o.receiveHalfOpen(now, h, s)
			return
		}
		o.layer.refuse(p, t, s)
	case s.has(wire.FlagSYN) && !s.has(wire.FlagFIN):
		o.receiveSYN(now, p, t, s)
	}
}

// receiveSYN takes the SYN of a new connection.
func (o *Listener) receiveSYN(now time.Time, p *ip.Packet, t *tuple, s *segment) {
	if o.full() {
		// The peer tries again, and there may be room then.
		o.layer.counts.overflows.Add(1)
		o.layer.stack.Drop(ip.DropSocketFull)
		return
	}
	h, path, ok := o.newHalfOpen(now, p, t, s)
	if !ok {
		return
	}
	at := h.cfg.at(now)
	switch o.syns.add(h) {
	case addedTwice:
		return // another goroutine is answering
	case addedNot:
		o.layer.giveCookie(at, h, s)
		o.syns.noteCookie(at)
	}
	o.answerSYN(at, h, &path)
}

func (o *Listener) newHalfOpen(now time.Time, p *ip.Packet, t *tuple, s *segment) (*halfOpen, ip.Path, bool) {
	via := linkLocalVia(p.Src, p.Interface)
	path, err := o.layer.path(p.Dst, p.Src, via)
	if err != nil {
		return nil, path, false
	}
	h := &halfOpen{t: *t, via: via, cfg: o.layer.configFor(&path), end: o.layer.endpointFor(t, &path, now), syn: recordSYN(s)}
	shard, _ := o.layer.shardOf(t)
	if last, ok := shard.succeed(t); ok && h.end.iss.Before(last.Add(seqGap)) {
		h.end.iss = last.Add(seqGap)
	}
	return h, path, true
}

// seqGap is how far a new connection begins beyond one in TIME-WAIT, whose segments may still be on their way
// (RFC 9293, Section 3.4.1, MAY-2): more than a window without scale.
const seqGap = 1 << 17

// answerSYN sends SYN,ACK.
func (o *Listener) answerSYN(now instant, h *halfOpen, path *ip.Path) {
	d := o.syns.draft(h, now)
	d.synDue = true
	o.syns.sent(h, now) // before it is: the answer may come sooner than the sender does
	var out outgoing
	if d.emit(now, &out) {
		o.layer.send(path, &h.t, &out)
	}
	o.layer.putDraft(d)
}

// receiveHalfOpen takes a segment of a connection in SYN-RECEIVED.
func (o *Listener) receiveHalfOpen(now time.Time, h *halfOpen, s *segment) {
	at := h.cfg.at(now)
	d := o.syns.draft(h, at)
	d.arrive(now, s)
	switch {
	case d.state == closed:
		o.syns.remove(h)
		o.layer.putDraft(d)
	case d.state == synReceived:
		var out outgoing
		if d.emit(at, &out) {
			o.layer.answer(&h.t, h.via, &out)
		}
		o.layer.putDraft(d)
	case o.full():
		// "the connection is dropped", Linux says of this, but it is not: the peer sends again
		// what it wants to have acknowledged, and there may be room then.
		o.layer.counts.overflows.Add(1)
		o.layer.stack.Drop(ip.DropSocketFull)
		o.layer.putDraft(d)
	default:
		o.promote(now, h, d)
	}
}

// promote makes a connection of a record.
func (o *Listener) promote(now time.Time, h *halfOpen, d *tcb) {
	path, err := o.layer.path(h.t.local.Addr(), h.t.remote.Addr(), h.via)
	if err != nil {
		o.syns.remove(h) // its address is no longer ours
		o.layer.putDraft(d)
		return
	}
	c := o.layer.newConn(h.t, path)
	c.t, c.via = d, h.via
	c.mu.Lock()
	shard, hash := o.layer.shardOf(&c.tuple)
	// First it is a connection, then it is no longer a record: what comes in between is for it.
	if !shard.add(c, hash, nil) {
		c.mu.Unlock()
		o.layer.putDraft(d) // another goroutine has made it one
		return
	}
	o.syns.remove(h)
	o.layer.counts.accepted.Add(1)
	if !o.enqueue(c) {
		c.closed = true
		c.t.abort()
	}
	c.unlock(now)
}

// linkLocalVia returns the interface that leads to an address, if that means something only there.
func linkLocalVia(a netip.Addr, i *ip.Interface) *ip.Interface {
	if a.IsLinkLocalUnicast() && a.Is6() {
		return i
	}
	return nil
}

// What becomes of a record that is to be added.
type added uint8

const (
	addedNew   added = iota
	addedNot         // there are too many
	addedTwice       // it is there
)

func (q *halfOpens) add(h *halfOpen) added {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.all[h.t] != nil:
		return addedTwice
	case q.closed || len(q.all) >= q.listener.backlog:
		return addedNot
	}
	q.all[h.t] = h
	return addedNew
}

// has reports whether there is a record of a connection.
func (q *halfOpens) has(t *tuple) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.all[*t] != nil
}

// remove removes a record.
func (q *halfOpens) remove(h *halfOpen) {
	q.mu.Lock()
	defer q.mu.Unlock()
	h.done = true
	if q.all[h.t] == h {
		delete(q.all, h.t)
	}
}

// sent notes that SYN,ACK was sent, and when it is to be sent again.
func (q *halfOpens) sent(h *halfOpen, now instant) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.all[h.t] != h {
		return // a cookie
	}
	h.sent = now
	h.due = now.add(initialRTO << h.made)
	q.queues[h.made].push(h)
	h.made++
	q.armLocked(now)
}

// armLocked sets the timer to when the first is due.
func (q *halfOpens) armLocked(now instant) {
	next := instant(0)
	for k := range q.queues {
		if !q.queues[k].empty() {
			next = sooner(next, (*q.queues[k].first()).due)
		}
	}
	if next == 0 || q.closed || q.due != 0 && q.due <= next {
		return
	}
	q.due = next
	if d := max(next.since(now), 0); q.timer == nil {
		q.timer = time.AfterFunc(d, q.expire)
	} else {
		q.timer.Reset(d)
	}
}

// expire sends SYN,ACK again where that is due, or gives up.
func (q *halfOpens) expire() {
	l := q.listener.layer
	now := l.plain.at(time.Now())
	var again []*halfOpen
	q.mu.Lock()
	q.due = 0
	for k := range q.queues {
		for !q.queues[k].empty() && (*q.queues[k].first()).due <= now {
			h := q.queues[k].pop()
			switch {
			case h.done:
			case h.made == synTries:
				h.done = true
				delete(q.all, h.t)
			default:
				again = append(again, h)
			}
		}
	}
	q.armLocked(now)
	q.mu.Unlock()
	for _, h := range again {
		path, err := l.path(h.t.local.Addr(), h.t.remote.Addr(), h.via)
		if err != nil {
			q.remove(h) // its address is no longer ours
			continue
		}
		q.listener.answerSYN(now, h, &path)
	}
}

func (q *halfOpens) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	for _, h := range q.all {
		h.done = true
	}
	if q.timer != nil {
		q.timer.Stop()
	}
	q.all = map[tuple]*halfOpen{}
}
