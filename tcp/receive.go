package tcp

import (
	"syscall"
	"time"

	"landline/ip"
	"landline/wire"
)

// receive takes a batch of segments. Those in a row of one connection are taken under one
// lock, and answered once.
func (l *Layer) receive(ps []ip.Packet) {
	now := time.Now()
	var s segment
	var c *Conn // which is locked
	n := 0
	for k := range ps {
		p := &ps[k]
		t, ok := l.parse(p, &s)
		if !ok {
			continue
		}
		n += s.segments()
		if c != nil && c.tuple == t {
			c.t.arrive(now, &s)
			continue
		}
		if c != nil {
			c.unlock(now)
			c = nil
		}
		shard, hash := l.shardOf(&t)
		if c = shard.lookup(&t, hash); c == nil {
			l.receiveOther(now, p, &t, &s)
			continue
		}
		c.mu.Lock()
		if c.gone || c.via != nil && c.via != p.Interface { // gone since it was looked up, or of another link
			c.mu.Unlock()
			c = nil
			l.receiveOther(now, p, &t, &s)
			continue
		}
		c.t.arrive(now, &s)
	}
	l.counts.received.Add(uint64(n))
	if c != nil {
		c.unlock(now)
	}
}

// parse checks a segment and reads it. A bad one is counted.
func (l *Layer) parse(p *ip.Packet, s *segment) (t tuple, ok bool) {
	if p.Group {
		l.stack.Drop(ip.DropNoPort) // "MUST silently discard" (RFC 9293, Section 3.9.2.3, MUST-57)
		return t, false
	}
	h, err := wire.ParseTCP(p.Head)
	if err == nil && !p.SumKnown {
		err = h.VerifyWith(p.Body, p.PseudoSum())
	}
	if err != nil {
		l.stack.Drop(ip.DropOf(err))
		return t, false
	}
	s.read(h, p.SegSize)
	switch {
	case len(s.data) == 0:
		s.data = p.Body
	case len(p.Body) > 0:
		s.data = append(s.data[:len(s.data):len(s.data)], p.Body...)
	}
	return tupleOf(p.Dst, h.DstPort(), p.Src, h.SrcPort()), true
}

// receiveOther takes a segment that no connection has asked for.
func (l *Layer) receiveOther(now time.Time, p *ip.Packet, t *tuple, s *segment) {
	o := l.listenerFor(t, p.Interface)
	opening := o != nil && o.syns.has(t) // perhaps in place of one in TIME-WAIT
	if !opening && l.receiveLate(now, p, t, s) {
		return
	}
	if o != nil {
		o.receive(now, p, t, s)
		return
	}
	switch a := l.any.Load(); {
	case a != nil:
		a.receive(p, t, s)
	case l.stack.IsLocal(p.Dst):
		l.refuse(p, t, s)
	default:
		l.stack.Drop(ip.DropNotForUs) // it came here for the sake of connections that are older than the listener's end
	}
}

// receiveLate takes a segment for a connection in TIME-WAIT. It reports false if the segment
// opens a new one.
func (l *Layer) receiveLate(now time.Time, p *ip.Packet, t *tuple, s *segment) bool {
	shard, _ := l.shardOf(t)
	shard.mu.Lock()
	w := shard.waits[*t]
	if w == nil {
		shard.mu.Unlock()
		return false
	}
	at := l.plain.at(now)
	var o outgoing
	verdict := w.arrive(l.plain, at, s)
	if verdict == waitAnswer {
		w.answer(at, &o)
	}
	shard.mu.Unlock()
	if verdict == waitAnswer {
		l.answer(t, p.Interface, &o)
	}
	return verdict != waitReuse
}

// refuse answers a segment that is for nobody here.
func (l *Layer) refuse(p *ip.Packet, t *tuple, s *segment) {
	l.stack.Drop(ip.DropNoPort)
	var o outgoing
	if answerClosed(s, &o) {
		l.answer(t, p.Interface, &o)
	}
}

// fault tells a connection that something which it is said to have sent went wrong. It reports whether
// that may be so.
func (l *Layer) fault(f *ip.Fault) bool {
	src, dst := f.Quote.Ports()
	t := tupleOf(f.Quote.Src, src, f.Quote.Dst, dst)
	shard, hash := l.shardOf(&t)
	c := shard.lookup(&t, hash)
	if c == nil {
		return false
	}
	c.mu.Lock()
	known := c.t.onItsWay(f.Quote.Seq())
	if known && f.Err.Errno != syscall.EMSGSIZE {
		c.t.icmp(f.Quote.Seq(), f.Err.Errno, f.Err.Hard)
	}
	c.unlock(time.Now())
	return known
}

// narrow tells a connection how long packets on its way may be.
func (l *Layer) narrow(f *ip.Fault, mtu int) {
	src, dst := f.Quote.Ports()
	t := tupleOf(f.Quote.Src, src, f.Quote.Dst, dst)
	shard, hash := l.shardOf(&t)
	if c := shard.lookup(&t, hash); c != nil {
		c.narrow(f.Quote.Seq(), mtu)
	}
}
