package ip

import (
	"bytes"
	"net/netip"
	"slices"
	"testing"
	"time"

	"landline/wire"
)

// An oracle does what a reassembler does for few packets, by the plainest means: it keeps
// the fragments of each, and compares each new one with all of them.
type oracle map[fragmentKey]*oraclePacket

type oraclePacket struct {
	deadline time.Time
	dead     bool
	parts    []*fragment
}

func (o oracle) add(now time.Time, f *fragment) ([]byte, error) {
	header := len(f.header)
	if f.is6() {
		header -= wire.IPv6Len
	}
	switch atomic := f.offset == 0 && !f.more; {
	case header+f.offset+len(f.payload) > 65535,
		f.more && len(f.payload)%8 != 0,
		len(f.payload) == 0 && !atomic:
		return nil, DropFragmentRange
	case atomic && f.is6():
		return assembled([]*fragment{f}), nil
	}
	p := o[f.key]
	if p == nil {
		timeout := 30 * time.Second
		if f.is6() {
			timeout = time.Minute
		}
		p = &oraclePacket{deadline: now.Add(timeout)}
		o[f.key] = p
	}
	if p.dead {
		return nil, DropFragmentOverlap
	}
	if slices.ContainsFunc(p.parts, func(g *fragment) bool {
		return g.offset == f.offset && g.more == f.more && bytes.Equal(g.payload, f.payload)
	}) {
		return nil, nil
	}
	if slices.ContainsFunc(p.parts, func(g *fragment) bool { return contradict(f, g) }) {
		return nil, o.fail(p, f, DropFragmentOverlap)
	}
	p.parts = append(p.parts, f)
	slices.SortFunc(p.parts, func(a, b *fragment) int { return a.offset - b.offset })
	first, last := p.parts[0], p.parts[len(p.parts)-1]
	if first.offset == 0 {
		header = len(first.header)
		if f.is6() {
			header -= wire.IPv6Len
		}
		if header+last.offset+len(last.payload) > 65535 {
			return nil, o.fail(p, f, DropFragmentRange)
		}
	}
	if len(p.parts) > maxFragments {
		return nil, o.fail(p, f, DropFragmentMemory)
	}
	if f.is6() && f.offset == 0 && cutHeaders(f) {
		return nil, o.fail(p, f, DropFragmentTiny)
	}
	at := 0
	for _, g := range p.parts {
		if g.offset != at {
			return nil, nil
		}
		at += len(g.payload)
	}
	if last.more {
		return nil, nil
	}
	delete(o, f.key)
	return assembled(p.parts), nil
}

func (o oracle) fail(p *oraclePacket, f *fragment, why Drop) error {
	p.dead = true
	p.parts = nil
	if !f.is6() {
		delete(o, f.key)
	}
	return why
}

// contradict reports whether two fragments, which are not the same, cannot be of one packet.
func contradict(f, g *fragment) bool {
	fEnd, gEnd := f.offset+len(f.payload), g.offset+len(g.payload)
	switch {
	case f.offset < gEnd && g.offset < fEnd:
		return true
	case !f.more && gEnd > fEnd, !g.more && fEnd > gEnd:
		return true
	}
	class := func(f *fragment) byte {
		if f.is6() {
			return f.header[1] >> 4 & 3
		}
		return f.header[1] & 3
	}
	return class(f)+class(g) == 3 && class(f)*class(g) == 0 // one is 3 and one 0
}

// cutHeaders knows only what the fuzz target makes.
func cutHeaders(f *fragment) bool {
	b := f.payload
	return f.next == wire.ProtoTCP && (len(b) < 20 || len(b) < int(b[12]>>4)*4)
}

// assembled builds the packet anew.
func assembled(parts []*fragment) []byte {
	var payload []byte
	congestion := false
	for _, f := range parts {
		payload = append(payload, f.payload...)
		congestion = congestion || f.ecn() == 3
	}
	f := parts[0]
	if !f.is6() {
		old := wire.IPv4(f.header)
		h := wire.IPv4Header{
			TOS: old.TOS(), ID: old.ID(), TTL: old.TTL(), Protocol: old.Protocol(), Src: old.Src(), Dst: old.Dst(),
			Options: f.header[20:],
		}
		if congestion {
			h.TOS |= 3
		}
		return append(wire.AppendIPv4(nil, &h, len(payload)), payload...)
	}
	b := append(slices.Clone(f.header), payload...)
	b[f.nextField] = byte(f.next)
	wire.IPv6(b).SetPayloadLen(len(b) - 40)
	if congestion {
		b[1] |= 0x30
	}
	return b
}

// scriptFragment makes a fragment of four bytes. Its payload is that of one of few
// packets, mostly, so that packets are completed.
func scriptFragment(b [4]byte) *fragment {
	id := uint32(b[0] >> 1 & 1)
	f := &fragment{more: b[0]&4 != 0, offset: int(b[1]%32) * 8}
	if b[3]&0x80 != 0 {
		f.offset = int(b[1])*256 + 8
	}
	n := int(b[2]%16) * 8
	if b[2]&0x80 != 0 {
		n += int(b[3] & 7)
	}
	for i := range n {
		f.payload = append(f.payload, byte((f.offset+i)*7)+byte(id)+b[3]>>6&1)
	}
	ecn := b[3] >> 4 & 3
	if b[0]&0x80 != 0 {
		ecn = 2
	}
	src, dst := netip.AddrFrom4([4]byte{10, 0, 0, b[0] >> 3 & 1}), netip.AddrFrom4([4]byte{10, 0, 0, 9})
	if b[0]&1 == 0 {
		h := wire.IPv4Header{TOS: ecn, ID: uint16(id), TTL: 9, Protocol: 17, Src: src, Dst: dst, Options: make([]byte, b[0]>>4&1*4)}
		h.FragmentOffset, h.MoreFragments = f.offset, f.more
		f.header = wire.AppendIPv4(nil, &h, n)
		f.key = fragmentKey{src: src, dst: dst, id: id, protocol: 17, index: 1}
		return f
	}
	src = netip.AddrFrom16([16]byte{0: 0x20, 15: b[0] >> 3 & 1})
	f.next, f.nextField = wire.ProtoNone, 6
	if b[0]&0x20 != 0 {
		f.next = wire.ProtoTCP
	}
	h := wire.IPv6Header{TrafficClass: ecn, NextHeader: wire.ProtoFragment, Src: src, Dst: src}
	f.header = wire.AppendIPv6(nil, &h, n+8)
	if b[0]&0x10 != 0 {
		f.header[6], f.nextField = 0, 40
		f.header = append(f.header, byte(wire.ProtoFragment), 15)
		f.header = append(f.header, make([]byte, 126)...)
	}
	f.key = fragmentKey{src: src, dst: src, id: id, index: 1}
	return f
}

func FuzzReassembler(f *testing.F) {
	f.Add([]byte{4, 0, 4, 0, 4, 4, 4, 0, 0, 8, 4, 0})
	f.Add([]byte{5, 0, 4, 0, 1, 8, 4, 0, 5, 4, 4, 0})
	f.Add([]byte{0x15, 0, 4, 0, 0x11, 8, 4, 0, 0x15, 4, 4, 0, 1, 0, 0x81, 3, 4, 255, 4, 0x80, 4, 255, 4, 0x80})
	f.Add([]byte{0x25, 0, 1, 0, 0x25, 0, 3, 0, 5, 0, 4, 0x40, 5, 0, 4, 0, 0, 1, 0x81, 0x77})
	for n := range byte(20) {
		script := make([]byte, 4000)
		for i, r := 0, seeded(n); i < len(script); i++ {
			script[i] = byte(r.Uint32())
			if i%4 > 0 && n%2 == 0 {
				script[i] &= 0x0c // small packets, of which many are completed
			}
		}
		f.Add(script)
	}
	f.Fuzz(func(t *testing.T, script []byte) {
		r, o := newReassembler(0, seeded(1)), oracle{}
		now := pureStart
		for part := range slices.Chunk(script, 4) {
			if len(part) < 4 {
				break
			}
			if part[0] == 0xff {
				now = now.Add(time.Duration(part[1]) * time.Second)
				compareExpired(t, r, o, now)
				continue
			}
			f := scriptFragment([4]byte(part))
			want, wantErr := o.add(now, f)
			got, err := r.add(now, f)
			if err != wantErr || !bytes.Equal(got, want) {
				t.Fatalf("%x: %x, %v; want %x, %v", part, got, err, want, wantErr)
			}
			invariants(t, r)
		}
		compareExpired(t, r, o, now.Add(time.Hour))
		if r.memory.total != 0 {
			t.Fatalf("%d bytes after all", r.memory.total)
		}
	})
}

// compareExpired lets time pass for both.
func compareExpired(t *testing.T, r *reassembler, o oracle, now time.Time) {
	t.Helper()
	told := map[fragmentKey][]byte{}
	r.expire(now, func(first []byte, key fragmentKey) { told[key] = slices.Clone(first) })
	for key, p := range o {
		if now.Before(p.deadline) {
			continue
		}
		delete(o, key)
		var want []byte
		if len(p.parts) != 0 && p.parts[0].offset == 0 {
			want = original(p.parts[0])
		}
		if !bytes.Equal(told[key], want) {
			t.Fatalf("told %x, want %x", told[key], want)
		}
		delete(told, key)
	}
	if len(told) != 0 || len(r.packets) != len(o) {
		t.Fatalf("told too much of %v; %d packets, want %d", told, len(r.packets), len(o))
	}
}

// original returns the packet that f was.
func original(f *fragment) []byte {
	b := slices.Clone(f.header)
	if f.is6() {
		b = wire.AppendIPv6Fragment(b, f.next, f.offset, f.more, f.key.id)
	}
	return append(b, f.payload...)
}
