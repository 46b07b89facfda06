package ip

import (
	"encoding/binary"

	"landline/wire"
)

// A fragmenter cuts a packet into fragments for a link that cannot carry it whole. It
// holds no memory of its own. Its use:
//
//	f, err := fragment4(header, head, body, mtu)
//	for f.next(scratch[:0]) {
//		// f.head and f.body are the next fragment
//	}
//
// The payload may lie in two pieces, as in a link.Frame. The header, and what a fragment
// has of the first piece, are copied; its part of the second piece is shown where it lies.
//
// The transport checksum must be complete: a device that still had to fill it in would see
// one fragment at a time.
type fragmenter struct {
	head []byte // the header and the bytes of the first piece
	body []byte // the bytes of the second piece, if not empty

	header        []byte // of the packet
	first, second []byte // what is left of the payload
	mtu           int
	offset        int  // of what is left
	more          bool // the packet is itself a fragment, and not the last
	started       bool
	whole         bool // it need not be cut

	six       bool
	nextField int // in header
	id        uint32
}

// fragment4 returns a fragmenter of an IPv4 packet, of which header may be all or only the
// beginning. The packet may be a fragment. The error is DropTooBig if it must not be cut,
// or if its header leaves no room for 8 bytes.
func fragment4(header wire.IPv4, first, second []byte, mtu int) (fragmenter, error) {
	f := fragmenter{header: header.Header(), first: first, second: second, mtu: mtu}
	f.offset, f.more = header.FragmentOffset(), header.MoreFragments()
	f.whole = len(f.header)+f.left() <= mtu
	if !f.whole && (header.DontFragment() || mtu < len(f.header)+8) {
		return fragmenter{}, DropTooBig
	}
	return f, nil
}

// fragment6 is fragment4 for an IPv6 packet of this host, for only its source may cut it
// (RFC 8200, Section 4.5). The header is followed by the extension headers that routers on
// the way look at: hop-by-hop options, and all up to a routing header. The byte at
// nextField of header is the type of what follows. The identification must be new.
func fragment6(
	header wire.IPv6, nextField int, first, second []byte, mtu int, id uint32,
) (fragmenter, error) {
	f := fragmenter{header: header, first: first, second: second, mtu: mtu}
	f.six, f.nextField, f.id = true, nextField, id
	f.whole = len(header)+f.left() <= mtu
	if !f.whole && mtu < len(header)+wire.IPv6FragmentLen+8 {
		return fragmenter{}, DropTooBig
	}
	return f, nil
}

// left returns how much of the payload is left.
func (f *fragmenter) left() int { return len(f.first) + len(f.second) }

// next makes f.head and f.body the next fragment and reports whether there is one. What
// f.head needs, at most the MTU, is appended to b. A packet that fits comes as it is.
func (f *fragmenter) next(b []byte) bool {
	if f.started && f.left() == 0 {
		return false
	}
	switch {
	case f.whole:
		f.take(append(b, f.header...), f.left())
	case f.six:
		f.next6(b)
	default:
		f.next4(b)
	}
	f.started = true
	return true
}

// part returns how many bytes of payload go into the next fragment, behind n bytes of
// headers, and whether others follow. Offsets count units of 8 bytes.
func (f *fragmenter) part(n int) (size int, more bool) {
	room := f.mtu - n
	if f.left() <= room {
		return f.left(), f.more
	}
	return room &^ 7, true
}

// take moves n bytes of payload to the current fragment, whose headers are b.
func (f *fragmenter) take(b []byte, n int) {
	k := min(n, len(f.first))
	f.head, f.first = append(b, f.first[:k]...), f.first[k:]
	f.body, f.second = f.second[:n-k], f.second[n-k:]
	f.offset += n
}

const ipv4MoreFragments = 0x2000

func (f *fragmenter) next4(b []byte) {
	start := len(b)
	if f.started {
		b = appendCopiedHeader(b, f.header)
	} else {
		b = append(b, f.header...)
	}
	h := wire.IPv4(b[start:])
	n, more := f.part(len(h))
	h.SetTotalLen(len(h) + n)
	field := uint16(f.offset / 8)
	if more {
		field |= ipv4MoreFragments
	}
	binary.BigEndian.PutUint16(h[6:], field)
	h.FillChecksum()
	f.take(b, n)
}

// appendCopiedHeader appends an IPv4 header without those options that only the first
// fragment has (RFC 791, Section 3.1: the copied flag). After a bad option there are none.
func appendCopiedHeader(b []byte, header wire.IPv4) []byte {
	start := len(b)
	b = append(b, header[:wire.IPv4Len]...)
	for o := header.Options(); o.Next(); {
		if o.Kind()&wire.IPv4OptCopied != 0 {
			b = append(b, o.Bytes()...)
		}
	}
	for (len(b)-start)&3 != 0 {
		b = append(b, 0) // end of options
	}
	b[start] = 0x40 | byte((len(b)-start)/4)
	return b
}

func (f *fragmenter) next6(b []byte) {
	start := len(b)
	b = append(b, f.header...)
	n, more := f.part(len(f.header) + wire.IPv6FragmentLen)
	h := wire.IPv6(b[start:])
	h.SetPayloadLen(len(h) - wire.IPv6Len + wire.IPv6FragmentLen + n)
	next := wire.Protocol(h[f.nextField])
	h[f.nextField] = byte(wire.ProtoFragment)
	f.take(wire.AppendIPv6Fragment(b, next, f.offset, more, f.id), n)
}
