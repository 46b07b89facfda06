package ip

import (
	"math/rand/v2"
	"net/netip"
	"time"

	"landline/internal/siphash"
	"landline/wire"
)

const (
	// fragmentTimeout4 is how long the fragments of an IPv4 packet are kept after the first
	// of them has come. Unlike RFC 1122, Section 3.3.2, which wants 60 s at least, because
	// the 16 bits of identification come round much sooner than they did, and a
	// fragment that waits then spoils another packet. Linux waits as long.
	fragmentTimeout4 = 30 * time.Second
	// fragmentTimeout6 is the same for IPv6 (RFC 8200, Section 4.5).
	fragmentTimeout6 = 60 * time.Second

	// maxFragments is how many fragments a packet may have. The longest packet has 241 at an
	// MTU of 296.
	maxFragments = 256

	// defaultFragmentMemory is what all fragments together may take, in bytes.
	defaultFragmentMemory = 4 << 20
	// minFragmentMemory is the least limit: each of the sources that share it can still
	// send the longest packet.
	minFragmentMemory = 1 << 20
	// fragmentShares is into how many parts memory is divided, of which one source may take one.
	fragmentShares = 4
	// fragmentIdle is for how long unused memory is kept.
	fragmentIdle = 30 * time.Second
)

// A fragmentKey is what the fragments of one packet have in common.
type fragmentKey struct {
	src, dst netip.Addr
	id       uint32
	protocol wire.Protocol // of IPv4 alone; RFC 8200, Section 4.5 leaves it out
	index    int           // of the interface
}

// A fragment is what has been read of one.
type fragment struct {
	key fragmentKey

	// header is the IPv4 header, or the IPv6 header with the extension headers before
	// the fragment header.
	header []byte
	// nextField is where in header the type of the fragment header stands, which next, the
	// type in the fragment header, replaces. Both are of IPv6 alone.
	nextField int
	next      wire.Protocol

	offset  int // in bytes
	more    bool
	payload []byte
}

func (f *fragment) is6() bool      { return f.key.src.Is6() }
func (f *fragment) end() int       { return f.offset + len(f.payload) }
func (f *fragment) isAtomic() bool { return f.offset == 0 && !f.more }

// misaligned reports whether what comes next could not begin where f ends.
func (f *fragment) misaligned() bool { return f.more && len(f.payload)&7 != 0 }

func (f *fragment) tooLong() bool { return tooLong(f.is6(), len(f.header), f.end()) }

// tooLong reports whether a packet is longer than its length field can say.
func tooLong(six bool, header, payload int) bool {
	if six {
		header -= wire.IPv6Len
	}
	return header+payload > maxPacket
}

// isEmpty reports whether f says nothing, which no sender has a reason to do.
func (f *fragment) isEmpty() bool { return len(f.payload) == 0 && !f.isAtomic() }

// problem returns the code and the pointer of the ICMPv6 parameter problem that is sent after
// add returned err about f, and false if none is.
func (f *fragment) problem(err error) (code uint8, pointer uint32, ok bool) {
	const (
		incompleteChain = 3 // RFC 7112, Section 5
		lengthField     = 4 // in the IPv6 header
		offsetField     = 2 // in the fragment header
	)
	switch {
	case !f.is6():
	case err == DropFragmentTiny:
		return incompleteChain, 0, true
	case err == DropFragmentRange && f.misaligned(): // RFC 8200, Section 4.5
		return wire.ICMPv6BadHeader, lengthField, true
	case err == DropFragmentRange && f.tooLong():
		return wire.ICMPv6BadHeader, uint32(len(f.header) + offsetField), true
	}
	return 0, 0, false
}

// A reassembler puts fragments together again (RFC 791, RFC 815; RFC 8200, Section 4.5).
//
// A fragment that overlaps another, or contradicts it otherwise, ends the whole packet
// (RFC 5722; Linux does the same for both families since 2018): which of the two is
// forged nobody knows. Only an exact duplicate is ignored. Of IPv6, fragments that
// come later are ignored as well, until the packet's time is over. Of IPv4 they are
// not, as the contradiction is most often between two packets with the same one of
// only 65,536 identifications.
//
// Memory is bounded: see fragmentMemory.
type reassembler struct {
	memory  fragmentMemory
	packets map[fragmentKey]*partial
	byAge   [2]partialList // IPv4 and IPv6: each in the order of time, and so of deadlines
	done    []byte         // holds the packet that add returned last

	// lost counts fragments that were kept at first and thrown away later, by reason. The
	// fragment that add returns an error about is not among them.
	lost [Drops]uint64
}

// newReassembler returns one that takes up to limit bytes, of at least
// minFragmentMemory; if limit is zero, defaultFragmentMemory. It draws from random only now.
func newReassembler(limit int, random *rand.Rand) *reassembler {
	r := &reassembler{byAge: [2]partialList{{kind: linkAge}, {kind: linkAge}}}
	r.memory.limit = max(orDefault(limit, defaultFragmentMemory), minFragmentMemory)
	r.memory.key = siphash.New(random)
	return r
}

// add takes a fragment. If it was the last one that was missing, add returns the packet,
// which is valid until the next call of a method, unless that is detach. If others
// are missing both results are nil. The error is a Drop. What f holds is copied.
//
// An IPv6 fragment that is all of its packet is "processed in isolation from any other
// packets/fragments" (RFC 6946, Section 4).
func (r *reassembler) add(now time.Time, f *fragment) ([]byte, error) {
	r.recycle()
	r.memory.last = now
	if f.isEmpty() || f.misaligned() || f.tooLong() {
		return nil, DropFragmentRange
	}
	if f.is6() && f.isAtomic() {
		return r.addAtomic(f), nil
	}
	p := r.packets[f.key]
	if p == nil {
		p = r.begin(now, f)
	}
	if p.dead {
		return nil, DropFragmentOverlap
	}
	if err := r.take(p, f); err != 0 {
		r.abandon(p, err)
		return nil, err
	}
	if p.have != p.total {
		return nil, nil
	}
	return r.finish(p), nil
}

// begin makes room for a packet of which f is the first fragment to come.
func (r *reassembler) begin(now time.Time, f *fragment) *partial {
	p := r.newPartial(f.key)
	timeout := fragmentTimeout4
	if f.is6() {
		timeout = fragmentTimeout6
	}
	p.since, p.deadline = now, now.Add(timeout)
	if r.packets == nil {
		r.packets = make(map[fragmentKey]*partial)
	}
	r.packets[f.key] = p
	r.age(p).push(p)
	return p
}

// age returns the list of the packets of p's family.
func (r *reassembler) age(p *partial) *partialList {
	if p.key.src.Is6() {
		return &r.byAge[1]
	}
	return &r.byAge[0]
}

// take puts f into p. After an error, which is 0 if there is none, p is of no more use.
func (r *reassembler) take(p *partial, f *fragment) Drop {
	at, fit := p.fit(f)
	switch {
	case fit == fitDuplicate:
		return 0
	case fit == fitContradicts || !p.mixECN(f):
		return DropFragmentOverlap
	case p.tooLong(f):
		return DropFragmentRange
	case p.count == maxFragments:
		return DropFragmentMemory
	}
	r.reserve(p, f)
	p.put(at, f)
	if f.offset == 0 && f.is6() && !p.hasHeaders() {
		return DropFragmentTiny
	}
	return 0
}

// finish returns the packet that p has become.
func (r *reassembler) finish(p *partial) []byte {
	packet := p.packet()
	r.done = r.memory.takeBuffer(p)
	r.remove(p)
	return packet
}

// addAtomic returns f's packet, without the fragment header.
func (r *reassembler) addAtomic(f *fragment) []byte {
	n := len(f.header) + len(f.payload)
	r.done = r.buffer(fragmentClass(n), nil)
	copy(r.done, f.header)
	copy(r.done[len(f.header):], f.payload)
	h := wire.IPv6(r.done[:n])
	h[f.nextField] = byte(f.next)
	h.SetPayloadLen(n - wire.IPv6Len)
	return h
}

// detach returns the memory of the packet that add returned, which then stays valid until
// that memory is given to giveBack, or for ever. It is for a caller who cannot hold others
// off until he is done with the packet.
func (r *reassembler) detach() []byte {
	b := r.done
	r.done = nil
	r.memory.forget(b)
	return b
}

// giveBack takes memory that detach returned.
func (r *reassembler) giveBack(b []byte) { r.memory.giveBack(b) }

// recycle takes back the packet that add returned last.
func (r *reassembler) recycle() {
	r.memory.put(r.done)
	r.done = nil
}

// abandon throws away the fragments of p: "all the fragments that have been received for
// that packet must be discarded" (RFC 8200, Section 4.5). Of IPv6 it remembers that those to
// come must be, too.
func (r *reassembler) abandon(p *partial, why Drop) {
	r.lost[why] += uint64(p.count)
	if !p.key.src.Is6() {
		r.remove(p)
		return
	}
	r.memory.release(p)
	p.dead, p.count = true, 0
}

// remove forgets p.
func (r *reassembler) remove(p *partial) {
	r.memory.release(p)
	r.age(p).remove(p)
	delete(r.packets, p.key)
	r.memory.putPartial(p)
}

// expire forgets the packets whose time is over, and memory that has not been used for
// long. It calls fn with a packet's first fragment, header and all, if that has come: its
// sender is told by an ICMP time exceeded. The bytes are valid until fn returns, which must
// not call r.
func (r *reassembler) expire(now time.Time, fn func(first []byte, key fragmentKey)) {
	r.recycle()
	for i := range r.byAge {
		for p := r.byAge[i].first; p != nil && passed(now, p.deadline); p = r.byAge[i].first {
			if first := p.quote(); first != nil {
				fn(first, p.key)
			}
			r.lost[DropFragmentTimeout] += uint64(p.count)
			r.remove(p)
		}
	}
	if len(r.packets) == 0 && r.memory.isIdle(now) {
		r.packets = nil
		r.memory.clear()
	}
}

// next returns when expire has something to do, or the zero time if never.
func (r *reassembler) next() time.Time {
	if len(r.packets) == 0 {
		return r.memory.idleAt()
	}
	var first time.Time
	for _, l := range r.byAge {
		if l.first != nil {
			first = earlier(first, l.first.deadline)
		}
	}
	return first
}
