package ip

import (
	"net/netip"
	"sync"
	"time"

	"landline/link"
	"landline/wire"
)

// neighborLimits are what strangers can make us keep. RFC 1122, Section 2.3.2.2, and RFC 4861,
// Section 7.2.2, want a queue of at least one packet a neighbor.
type neighborLimits struct {
	Neighbors  int // if zero, 4096
	Incomplete int // that wait for an answer; if zero, 512
	Frames     int // that wait for one neighbor; if zero, 64
	Bytes      int // of these; if zero, 128 KiB
	AllBytes   int // of all frames that wait; if zero, 4 MiB
}

func (l neighborLimits) orDefault() neighborLimits {
	set := func(n *int, ifZero int) {
		if *n <= 0 {
			*n = ifZero
		}
	}
	set(&l.Neighbors, 4096)
	set(&l.Incomplete, 512)
	set(&l.Frames, 64)
	set(&l.Bytes, 128<<10)
	set(&l.AllBytes, 4<<20)
	return l
}

// hold keeps a copy of a whole frame, the Ethernet header included, until the hardware
// address of its destination is known, which is asked for unless it has been. The
// packet's source is a hint whom to ask from. If the address has become known in the meantime, the frame
// is released at once.
//
// The error is DropNeighborTable or DropNeighborQueue. When there is no room for the frame, others that
// wait for the same neighbor give way, "the oldest" first: "when a queue overflows, the new arrival SHOULD
// replace the oldest entry" (RFC 4861, Section 7.2.2).
func (n *neighbors) hold(now time.Time, ip, src netip.Addr, f *link.Frame) error {
	if f.Len() < wire.EthernetLen || f.Len() > min(n.limits.Bytes, n.limits.AllBytes) {
		return DropNeighborQueue
	}
	e := n.table[ip]
	if e == nil {
		var err error
		if e, err = n.add(now, ip); err != nil {
			return err
		}
		e.src = src
		n.enter(now, e, NeighborIncomplete)
	}
	e.src = src
	if e.State != NeighborIncomplete {
		n.keep(e, f)
		n.release(now, e)
		return nil
	}
	if !n.makeRoom(e, f.Len()) {
		return DropNeighborQueue
	}
	n.keep(e, f)
	return nil
}

// makeRoom drops what waits for e, oldest first, until n bytes have room.
func (n *neighbors) makeRoom(e *neighbor, size int) bool {
	for len(e.held) != 0 && (len(e.held) >= n.limits.Frames ||
		e.heldBytes+size > n.limits.Bytes || n.heldBytes+size > n.limits.AllBytes) {
		n.dropOldest(e)
	}
	return n.heldBytes+size <= n.limits.AllBytes
}

func (n *neighbors) dropOldest(e *neighbor) {
	size := len(e.held[0].Head)
	e.heldBytes -= size
	n.heldBytes -= size
	n.pool.put(e.held[0].Head)
	e.held = append(e.held[:0], e.held[1:]...)
	n.dropped(e.Addr, DropNeighborQueue, 1)
}

// keep copies f to the end of e's queue.
func (n *neighbors) keep(e *neighbor, f *link.Frame) {
	c := *f
	c.Head, c.Body = f.AppendTo(n.pool.get(f.Len())), nil
	e.held = append(e.held, c)
	e.heldBytes += len(c.Head)
	n.heldBytes += len(c.Head)
}

// release sends what waits for e.
func (n *neighbors) release(now time.Time, e *neighbor) {
	if len(e.held) == 0 {
		return
	}
	frames := n.unhold(e)
	for k := range frames {
		copy(frames[k].Head, e.MAC[:])
	}
	n.effects = append(n.effects, neighborEffect{kind: neighborRelease, ip: e.Addr, mac: e.MAC, frames: frames})
	n.lookup(now, e.Addr) // a packet is sent: what is stale has to show that it is there
}

// unhold takes what waits for e.
func (n *neighbors) unhold(e *neighbor) []link.Frame {
	frames := e.held
	n.heldBytes -= e.heldBytes
	e.held, e.heldBytes = nil, 0
	return frames
}

// recycle takes back frames of an effect. It may be called by several goroutines, and
// needs no lock.
func (n *neighbors) recycle(frames []link.Frame) {
	for k := range frames {
		n.pool.put(frames[k].Head)
		frames[k] = link.Frame{}
	}
}

// dropped notes that frames for ip were dropped.
func (n *neighbors) dropped(ip netip.Addr, why Drop, count int) {
	if last := len(n.effects) - 1; last >= 0 {
		if e := &n.effects[last]; e.kind == neighborDropped && e.reason == why && e.ip == ip {
			e.n += count
			return
		}
	}
	n.effects = append(n.effects, neighborEffect{kind: neighborDropped, ip: ip, reason: why, n: count})
}

// A framePool keeps the memory of frames of ordinary size.
type framePool struct{ pool sync.Pool }

// pooledFrame is the room of a pooled buffer: for a frame of the common MTU, and some more.
const pooledFrame = 2048

func (p *framePool) get(n int) []byte {
	if n > pooledFrame {
		return make([]byte, 0, n)
	}
	if b, ok := p.pool.Get().(*[pooledFrame]byte); ok {
		return b[:0]
	}
	return make([]byte, 0, pooledFrame)
}

func (p *framePool) put(b []byte) {
	if cap(b) == pooledFrame {
		p.pool.Put((*[pooledFrame]byte)(b[:pooledFrame]))
	}
}
