package tcp

import (
	"syscall"
	"time"

	"landline/ip"
	"landline/link"
	"landline/wire"
)

// One goroutine sends the segments of a connection at a time, without the connection's lock; what others
// cause meanwhile it sends too. So segments leave in the order in which they were made, and nobody
// waits. If the device is full, nobody is left sending, but the connection is still taken to be: what it wants to send waits
// in its batch until the device says that there is room.

// sendLocked sends until nothing more is to be sent now, or the device is full. The lock is let go of
// meanwhile.
func (c *Conn) sendLocked(now time.Time) {
	b := c.layer.batches.Get().(*batch)
	for {
		c.refreshPathLocked()
		before := c.t.resends
		b.count = c.t.output(now, b.out[:])
		if b.count == 0 {
			break
		}
		c.layer.countSent(b, c.t.resends-before)
		b.path, b.ttl, b.tos, b.built = c.path, c.ttl, c.tos, false
		c.t.hold()
		if !c.emptyLocked(b) {
			return
		}
		now = time.Now()
	}
	c.layer.putBatch(b)
}

// handLeast is how many bytes there must be to send, that another goroutine is woken for it.
const handLeast = 32 << 10

// handOverLocked leaves it to a goroutine that waits for room to send what is there, if that is much. Who reads what a peer in
// the same process writes would otherwise send for him too, and the one would have nothing to do while the other does all. If
// several wait, there is enough to do for everybody, and it is cheaper not to wake them.
func (c *Conn) handOverLocked() bool {
	if c.waits && !c.handed && min(c.t.unsent(), c.t.usable(), c.t.room()) >= handLeast && c.layer.waiting.Load() == 1 {
		c.handed = true
		signal(c.writable)
	}
	return c.handed
}

// takeOverLocked is called by who has waited for room, and by who comes to write.
func (c *Conn) takeOverLocked() {
	if c.waits {
		c.waits = false
		c.layer.waiting.Add(-1)
	}
	if c.handed { // so that nobody has begun to send since
		c.handed = false
		now := time.Now()
		c.sendLocked(now)
		c.settleLocked(now)
	}
}

// awaitRoomLocked returns what to wait for until there is room to write. takeOverLocked must be called after that.
func (c *Conn) awaitRoomLocked() waiting {
	if !c.waits {
		c.waits = true
		c.layer.waiting.Add(1)
	}
	return waiting{token: waitLocked(&c.writable), over: c.limitsLocked().write.Done()}
}

// emptyLocked gives a batch to the device, and reports whether that took it. If not, the batch is
// parked.
func (c *Conn) emptyLocked(b *batch) bool {
	c.sending = true
	for {
		c.room = false
		c.mu.Unlock()
		if !b.built {
			c.layer.build(b, &c.tuple)
		}
		done := c.transmit(b)
		c.mu.Lock()
		if done {
			c.sending = false
			c.t.release()
			b.clear()
			return true
		}
		if !c.room {
			c.parked = b
			return false
		}
	}
}

// resumeSending is called when the device may have room.
func (c *Conn) resumeSending() {
	c.mu.Lock()
	b := c.parked
	if b == nil {
		c.room = true
		c.mu.Unlock()
		return
	}
	c.parked = nil
	if c.emptyLocked(b) {
		c.layer.putBatch(b)
		now := time.Now()
		c.t.left(c.t.tick(now))
		c.unlock(now)
		return
	}
	c.mu.Unlock()
}

// transmit gives what is left of a batch to the device, and reports whether that took all.
func (c *Conn) transmit(b *batch) bool {
	for b.first < b.count {
		n, err := b.path.TrySend(b.frames[b.first:b.count], c.resume)
		b.first += n
		switch {
		case err != nil:
			if err == syscall.EMSGSIZE {
				c.narrow(b.out[b.first].seq, b.path.MTU())
			}
			return true // what is lost here is lost as anywhere on the way
		case b.first < b.count:
			return false
		}
	}
	return true
}

// refreshPathLocked finds the way to the other end anew if routes or addresses have changed. If there is none
// now, the old one is tried, and what is lost is sent again later.
func (c *Conn) refreshPathLocked() {
	if !c.path.Stale() {
		return
	}
	if p, err := c.layer.path(c.local.Addr(), c.remote.Addr(), c.via); err == nil {
		c.path, c.t.cfg = p, c.layer.configFor(&p)
	}
}

// narrow takes note of how large packets may be on the way to the other end, in bytes.
func (c *Conn) narrow(seq wire.Seq, mtu int) {
	c.mu.Lock()
	c.t.pathMTU(seq, uint16(max(mtu-ipHead(c.remote.Addr())-wire.TCPLen, 0)))
	c.unlock(time.Now())
}

// A batch is what it takes to send some segments.
type batch struct {
	out    [batchLen]outgoing
	frames [batchLen]link.Frame
	heads  [batchLen][headLen]byte
	joined []byte // payloads that lie in two pieces
	path   ip.Path
	ttl    uint8
	tos    uint8
	built  bool // frames are what out says
	first  int  // of the frames, that which goes next
	count  int
}

const (
	// batchLen is how many segments are sent at once, at most.
	batchLen = 32
	headLen  = ip.HeadRoom + wire.TCPLen + wire.MaxTCPOptions
)

// clear lets go of the memory of connections.
func (b *batch) clear() {
	clear(b.frames[:b.count])
	for k := range b.out[:b.count] {
		b.out[k].payload = [2][]byte{}
	}
	b.first, b.count, b.ttl, b.tos, b.joined = 0, 0, 0, 0, b.joined[:0]
}

func (l *Layer) putBatch(b *batch) {
	b.clear()
	l.batches.Put(b)
}

// build makes frames of the segments of a batch.
func (l *Layer) build(b *batch, t *tuple) {
	b.built = true
	need := 0
	for k := range b.out[:b.count] {
		o := &b.out[k]
		if len(o.payload[1]) > 0 {
			need += o.size()
		}
		if o.flags.Has(wire.FlagRST) {
			l.counts.resets.Add(1)
		}
	}
	if cap(b.joined) < need {
		b.joined = make([]byte, 0, need)
	}
	h := ip.Header{Protocol: wire.ProtoTCP, DontFragment: b.path.DontFragment(0), TTL: b.ttl, TOS: b.tos}
	for k := range b.out[:b.count] {
		b.frames[k] = b.frame(k, &h, t)
	}
}

// frame makes segment k a frame.
func (b *batch) frame(k int, packet *ip.Header, t *tuple) link.Frame {
	o := &b.out[k]
	n := wire.TCPLen + int(o.optLen) + o.size()
	head := b.path.AppendHeader(b.heads[k][:0], packet, n)
	at := len(head)
	h := o.header(t.local.Port(), t.remote.Port())
	head = wire.AppendTCP(head, &h, o.options())
	f := link.Frame{Head: head, Body: b.payload(o)}
	s := wire.TCP(head[at:])
	pseudo := wire.PseudoSum(t.local.Addr(), t.remote.Addr(), wire.ProtoTCP, n)
	if o.unit == 0 && !b.path.Leave(n) {
		s.SetChecksum(pseudo.Add(s).Add(f.Body))
		return f
	}
	s.SetPartialChecksum(pseudo)
	f.Sum, f.SumStart, f.SumField, f.SegSize = link.SumPartial, uint16(at), uint16(at+16), o.unit
	return f
}

// payload returns what a segment carries, in one piece. There is room in joined for all that lie in
// two.
func (b *batch) payload(o *outgoing) []byte {
	if len(o.payload[1]) == 0 {
		return o.payload[0]
	}
	start := len(b.joined)
	b.joined = append(append(b.joined, o.payload[0]...), o.payload[1]...)
	return b.joined[start:]
}

// countSent counts the segments of a batch, so many of which are sent again.
func (l *Layer) countSent(b *batch, again uint32) {
	n := 0
	for k := range b.out[:b.count] {
		n += b.out[k].segments()
	}
	l.counts.sent.Add(uint64(n))
	if again != 0 {
		l.counts.resent.Add(uint64(again))
	}
}
