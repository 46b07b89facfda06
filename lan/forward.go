package lan

import (
	"slices"
	"time"

	"landline/link"
	"landline/wire"
)

// scratch is what it takes to send frames on otherwise than as they came.
type scratch struct {
	frames   []link.Frame
	segments link.Segmenter
	to       []*Port // for batches of more than usualBatch
}

// usualBatch is how many frames the devices of package link bring at once.
const usualBatch = 64

// forward sends frames on that came in at p. It does not keep them.
func (p *Port) forward(frames []link.Frame) {
	p.counts.in.Add(uint64(len(frames)))
	p.counts.inBytes.Add(uint64(lenOf(frames)))
	if len(frames) <= usualBatch {
		var to [usualBatch]*Port
		p.forwardTo(to[:len(frames)], frames)
		return
	}
	s := p.lan.scratch.Get().(*scratch)
	s.to = slices.Grow(s.to[:0], len(frames))[:len(frames)]
	p.forwardTo(s.to, frames)
	clear(s.to)
	p.lan.scratch.Put(s)
}

func lenOf(frames []link.Frame) (n int) {
	for i := range frames {
		n += frames[i].Len()
	}
	return n
}

// forwardTo sends frames on, and has to for where each goes: nil is nowhere, the everyone of the switch all
// ports but p. Most batches go all to one, as they are.
func (p *Port) forwardTo(to []*Port, frames []link.Frame) {
	same, flood := p.sort(frames, to)
	switch {
	case !same:
		p.scatter(frames, to, flood > 0)
	case flood > 0:
		p.spread(frames)
	case len(frames) > 0 && to[0] != nil:
		to[0].send(frames)
	}
	if flood > 0 {
		p.counts.flooded.Add(uint64(flood))
	}
}

// sort decides where frames go, and reports whether all go the same way, and how many to everyone.
func (p *Port) sort(frames []link.Frame, to []*Port) (same bool, flood int) {
	c := clerk{p: p, src: none, dst: none, sources: p.sources.Load(), guard: p.lan.guard.Load()}
	if c.guard != nil && c.guard.port == p {
		c.guard = nil
	}
	same = true
	for i := range frames {
		to[i] = c.judge(&frames[i])
		same = same && to[i] == to[0]
		if to[i] == p.lan.everyone {
			flood++
		}
	}
	return same, flood
}

// none is no address.
const none = ^address(0)

// A clerk decides about the frames of a batch, and knows what it has decided about the one before.
type clerk struct {
	p        *Port
	sources  *Sources
	guard    *guard  // nil if there is none, or none for p
	known    sender  // of IPv4, that the guard has let pass
	src, dst address // of the frame before; none if they have to be looked at
	to       *Port   // where dst is
	now      time.Time
}

// judge returns where a frame goes, or counts why it does not go anywhere.
func (c *clerk) judge(f *link.Frame) *Port {
	if len(f.Head) < wire.EthernetLen {
		return c.drop(DropRunt)
	}
	dst, src := addressAt(f.Head), addressAt(f.Head[6:])
	if c.sources != nil {
		if d, ok := c.sources.allow(f); !ok {
			return c.drop(d)
		}
	}
	if c.guard != nil {
		if d, ok := c.pass(f); !ok {
			return c.drop(d)
		}
	}
	if src != c.src {
		if d, ok := c.p.hear(src); !ok {
			return c.drop(d)
		}
		c.src = src
	}
	if dst == c.dst {
		return c.to
	}
	return c.place(dst)
}

// pass asks the guard, unless it is known what it would say: most frames are in no way remarkable, and come from who sent the one
// before.
func (c *clerk) pass(f *link.Frame) (Drop, bool) {
	t, plain := isPlain(f.Head)
	if !plain {
		return c.guard.allow(c.p, f)
	}
	if !c.guard.strict {
		return 0, true
	}
	from := sender{}
	if t == wire.TypeIPv4 {
		if from = senderOf(f.Head); from == c.known {
			return 0, true
		}
	}
	d, ok := c.guard.allow(c.p, f)
	if ok {
		c.known = from
	}
	return d, ok
}

func (c *clerk) drop(d Drop) *Port {
	c.p.counts.drop(d, 1)
	return nil
}

// hear learns that an address is at p. If nothing can come from there, it returns why.
func (p *Port) hear(src address) (d Drop, ok bool) {
	if src&groupBit != 0 {
		return DropGroupSource, false
	}
	switch l, at := p.lan.table.hear(src, p); l {
	case moved:
		p.counts.moved.Add(1)
	case wanders:
		p.counts.moved.Add(1)
		p.lan.warn("a hardware address is at two ports", src, p, at)
	case foreign:
		p.lan.warn("a hardware address is used at another port too", src, p, at)
		return DropForeignSource, false
	case crowded:
		p.counts.unlearnt.Add(1)
	}
	return 0, true
}

// place returns where an address is.
func (c *clerk) place(dst address) *Port {
	switch {
	case dst&^reservedMask == reserved:
		return c.drop(DropReserved)
	case dst&groupBit != 0:
		return c.flood(kindOf(dst))
	}
	e := c.p.lan.table.find(dst)
	if e == nil {
		return c.flood(unknowns)
	}
	to := e.port.Load()
	if to == c.p {
		return c.drop(DropSamePort)
	}
	c.dst, c.to = dst, to
	return to
}

// flood returns everyone, unless the port has sent too much to everyone.
func (c *clerk) flood(k floodKind) *Port {
	if c.now.IsZero() {
		c.now = time.Now()
	}
	if !c.p.storm.allows(k, c.now) {
		return c.drop(k.drop())
	}
	return c.p.lan.everyone
}

// spread sends frames to all ports but p.
func (p *Port) spread(frames []link.Frame) {
	for _, q := range p.lan.Ports() {
		if q != p {
			q.send(frames)
		}
	}
}

// scatter sends each frame where it goes. Each port gets its frames in their order, as one batch.
func (p *Port) scatter(frames []link.Frame, to []*Port, flood bool) {
	s := p.lan.scratch.Get().(*scratch)
	if flood {
		for _, q := range p.lan.Ports() {
			if q != p {
				q.send(s.pick(frames, to, q, p.lan.everyone))
			}
		}
	}
	for _, q := range to { // those that pick has not come to
		if q != nil && q != p.lan.everyone {
			q.send(s.pick(frames, to, q, nil))
		}
	}
	clear(s.frames[:cap(s.frames)])
	p.lan.scratch.Put(s)
}

// pick returns the frames that go to q, or to everyone if that is not nil, and takes those for q out of
// to.
func (s *scratch) pick(frames []link.Frame, to []*Port, q, everyone *Port) []link.Frame {
	s.frames = s.frames[:0]
	for i := range frames {
		switch to[i] {
		case nil:
		case q:
			to[i] = nil
			s.frames = append(s.frames, frames[i])
		case everyone:
			s.frames = append(s.frames, frames[i])
		}
	}
	return s.frames
}

// send sends frames to the machine at q.
func (q *Port) send(frames []link.Frame) {
	if len(frames) == 0 {
		return
	}
	if !q.needsWork(frames) {
		q.out.write(frames)
		return
	}
	if d, refused := q.out.refuses(); refused {
		q.counts.drop(d, len(frames))
		return
	}
	s := q.lan.scratch.Get().(*scratch)
	s.segments.Offloads = q.info.Offloads
	for i := range frames {
		if s.segments.Add(&frames[i]) != nil {
			q.counts.drop(DropMalformed, 1)
		}
	}
	q.out.write(s.segments.Frames())
	s.segments.Reset()
	q.lan.scratch.Put(s)
}

// needsWork reports whether some frame leaves to q what q does not do.
func (q *Port) needsWork(frames []link.Frame) bool {
	if q.info.Offloads&link.OffloadTSO != 0 {
		return false
	}
	for i := range frames {
		f := &frames[i]
		if f.SegSize != 0 || f.Sum == link.SumPartial && q.info.Offloads&link.OffloadChecksum == 0 {
			return true
		}
	}
	return false
}
