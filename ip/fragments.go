package ip

import (
	"net/netip"
	"sync"
	"time"

	"landline/link"
	"landline/wire"
)

// fragments are the packets of a stack that are not whole yet, for several goroutines.
type fragments struct {
	s *Stack

	mu      sync.Mutex
	stopped bool
	r       *reassembler
	timer   *time.Timer
	armed   time.Time // when timer is due; zero if it is not set
}

func (fs *fragments) init(s *Stack) {
	fs.s, fs.r = s, newReassembler(s.cfg.FragmentMemory, s.random.source())
}

func (fs *fragments) stop() {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.stopped = true
	if fs.timer != nil {
		fs.timer.Stop()
	}
}

// add takes a fragment. If its packet is whole now, it is returned with its memory, which the caller
// gives back.
func (fs *fragments) add(now time.Time, f *fragment) (packet, memory []byte, err error) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	packet, err = fs.r.add(now, f)
	if packet != nil {
		memory = fs.r.detach()
	}
	fs.armLocked()
	return packet, memory, err
}

func (fs *fragments) giveBack(memory []byte) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.r.giveBack(memory)
}

func (fs *fragments) armLocked() {
	next := fs.r.next()
	if fs.stopped || next.IsZero() || !fs.armed.IsZero() && !next.Before(fs.armed) {
		return // the timer is set, and looks again when it is due
	}
	fs.armed = next
	if fs.timer == nil {
		fs.timer = time.AfterFunc(time.Until(next), fs.tick)
		return
	}
	fs.timer.Reset(time.Until(next))
}

// tick is called by the timer. It tells the senders whose packets never became whole.
func (fs *fragments) tick() {
	var all []*late
	fs.mu.Lock()
	fs.armed = time.Time{}
	fs.r.expire(time.Now(), func(first []byte, key fragmentKey) {
		all = append(all, lateFragment(append([]byte(nil), first...), key))
	})
	fs.armLocked()
	fs.mu.Unlock()
	for _, p := range all {
		p.Interface = fs.s.interfaceAt(p.index)
		if p.Interface != nil {
			fs.s.reject(&p.Packet, timeExceeded(wire.ICMPv4ReassemblyExceeded))
		}
	}
}

// lost adds what was thrown away to counts.
func (fs *fragments) lost(counts *DropCounts) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for d, n := range fs.r.lost {
		counts[d] += n
	}
}

// fragment4 takes a fragment of an IPv4 packet, and the packet if that is whole with it.
func (in *input) fragment4(p *Packet, h wire.IPv4) Drop {
	f := fragment{
		key:    fragmentKey{p.Src, p.Dst, uint32(h.ID()), p.Protocol, in.i.index},
		header: h.Header(), offset: h.FragmentOffset(), more: h.MoreFragments(), payload: in.whole(p),
	}
	packet, d := in.join(p, &f)
	if packet == nil {
		return d
	}
	whole := wire.IPv4(packet)
	return in.joined(p, packet, whole.Payload(), in.upper4)
}

// fragment6 takes a fragment of an IPv6 packet. nextField is where in the packet the type of the
// fragment header stands.
func (in *input) fragment6(p *Packet, h wire.IPv6, e *wire.Extensions, nextField int) Drop {
	if p.joined {
		return DropExtension // fragments of fragments, which no sender has a reason to make
	}
	header, _ := e.Fragment()
	before := len(p.Head) - len(e.Payload()) // extension headers, and this one
	rest := *p
	rest.Head = p.Head[before:]
	f := fragment{
		key:    fragmentKey{src: p.Src, dst: p.Dst, id: header.ID(), index: in.i.index},
		header: h[:e.Offset()], nextField: nextField, next: header.NextHeader(),
		offset: header.Offset(), more: header.MoreFragments(), payload: in.whole(&rest),
	}
	packet, d := in.join(p, &f)
	if packet == nil {
		return d
	}
	whole := wire.IPv6(packet)
	return in.joined(p, packet, whole.Payload(), func(p *Packet) Drop { return in.extensions(p, whole) })
}

// join adds a fragment and answers it if it is at fault.
func (in *input) join(p *Packet, f *fragment) (packet []byte, d Drop) {
	packet, memory, err := in.i.stack.fragments.add(time.Now(), f)
	if err == nil {
		in.memory = memory
		return packet, 0
	}
	if code, pointer, ok := f.problem(err); ok {
		in.i.stack.reject(p, icmpError{t6: wire.ICMPv6ParamProblem, code: code, rest: pointer})
	}
	return nil, DropOf(err)
}

// joined hands on a packet that has become whole. What waits goes before it, and its memory is given
// back when it is done.
func (in *input) joined(p *Packet, packet, payload []byte, on func(*Packet) Drop) Drop {
	memory := in.memory
	in.deliver()
	in.i.stack.counts.reassembled.Add(1)
	p.ip, p.Head, p.Body, p.SegSize, p.SumKnown, p.joined = packet, payload, nil, 0, false, true
	d := on(p)
	in.deliver()
	in.i.stack.fragments.giveBack(memory)
	return d
}

// late is a packet that never became whole, and where its fragments came in.
type late struct {
	Packet
	index int
}

func lateFragment(first []byte, key fragmentKey) *late {
	p := &late{Packet{Src: key.src, Dst: key.dst, ip: first, Group: key.dst.IsMulticast()}, key.index}
	if key.src.Is4() {
		p.Protocol = key.protocol
		p.Head = wire.IPv4(first).Payload()
	}
	return p
}

// interfaceAt returns the interface of an index, or nil.
func (s *Stack) interfaceAt(index int) *Interface {
	all := s.view.Load().interfaces
	if index < 1 || index > len(all) {
		return nil
	}
	return all[index-1]
}

// idSource gives out identifications to several goroutines.
type idSource struct {
	mu  sync.Mutex
	ids *identifications
}

func (s *idSource) next4(src, dst netip.Addr, p wire.Protocol) uint16 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ids.next4(src, dst, p)
}

func (s *idSource) next6(src, dst netip.Addr) uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ids.next6(src, dst)
}

// cut is a place to cut packets in.
type cut struct {
	heads  []byte
	frames []link.Frame
}

// sendCut sends frames of which some have to be cut.
func (p *Path) sendCut(frames []link.Frame, until <-chan struct{}) error {
	c := p.i.stack.cuts.Get().(*cut)
	defer p.i.stack.cuts.Put(c)
	var failed error
	for k := range frames {
		if p.fits(frames[k : k+1]) {
			c.frames = append(c.frames, frames[k])
		} else if err := p.cut(c, &frames[k]); err != nil {
			p.i.stack.Drop(DropOf(err))
			failed = DropOf(err).errno()
		}
	}
	if err := p.sendWhole(c.frames, until); err != nil {
		failed = err
	}
	clear(c.frames)
	c.heads, c.frames = c.heads[:0], c.frames[:0]
	return failed
}

// cut appends the fragments of a frame. The error is a Drop.
func (p *Path) cut(c *cut, f *link.Frame) error {
	complete(f)
	pieces, err := p.fragmenter(f)
	if err != nil {
		return err
	}
	ethernet := f.Head[:wire.EthernetLen]
	for {
		start := len(c.heads)
		c.heads = append(c.heads, ethernet...)
		if !pieces.next(c.heads) {
			c.heads = c.heads[:start]
			return nil
		}
		c.heads = pieces.head
		c.frames = append(c.frames, link.Frame{Head: c.heads[start:], Body: pieces.body})
		p.i.stack.counts.fragments.Add(1)
	}
}

// fragmenter returns one for the packet in a frame. Only the packets of this host are cut if they are IPv6,
// and none of those has an extension header and is too long.
func (p *Path) fragmenter(f *link.Frame) (fragmenter, error) {
	const nextField = 6
	b := f.Head[wire.EthernetLen:]
	if p.src.Is4() {
		h := wire.IPv4(b)
		return fragment4(h, h.Payload(), f.Body, p.MTU())
	}
	id := p.i.stack.ids.next6(p.src, p.dst)
	return fragment6(b[:wire.IPv6Len], nextField, b[wire.IPv6Len:], f.Body, p.MTU(), id)
}

// complete fills in a checksum that was left to the device, of a frame whose head is our own.
func complete(f *link.Frame) {
	if f.Sum != link.SumPartial {
		return
	}
	head := f.Head[f.SumStart:]
	sum := wire.Sum(0).Add(head).PlusAt(wire.Sum(0).Add(f.Body), len(head))
	c := sum.Checksum()
	if c == 0 {
		c = 0xffff // which is the same, and not "none" in UDP
	}
	f.Head[f.SumField], f.Head[f.SumField+1] = byte(c>>8), byte(c)
	f.Sum = link.SumGood
}
