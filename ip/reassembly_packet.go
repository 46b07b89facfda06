package ip

import (
	"bytes"
	"time"

	"landline/wire"
)

// A partial is a packet of which some fragments have come.
type partial struct {
	key             fragmentKey
	since, deadline time.Time
	dead            bool // it was contradictory; the rest is to be ignored

	// buf holds the payload from room on, and before it the header, once that has come.
	// room leaves space for a fragment header, which a quotation needs.
	buf       []byte
	room      int
	headerLen int           // 0 until the first fragment has come
	nextField int           // of IPv6: where in the header the type next stands
	next      wire.Protocol // of IPv6

	count int // of spans that are set
	spans [maxFragments]span
	have  int   // bytes of payload
	total int   // bytes of payload there are; -1 until the last fragment has come
	ecn   uint8 // a bit for each of the four ECN codepoints that have come

	links  [2]partialLinks
	source *fragmentSource
}

// A span is where one fragment's payload lies in its packet's.
type span struct{ start, end uint16 }

func (f *fragment) span() span { return span{uint16(f.offset), uint16(f.end())} }

// partialRoom is what is left before the payload, for headers that are not unusual.
const partialRoom = 128

// A fitting says how a fragment goes with those that have come.
type fitting uint8

const (
	fitNew fitting = iota
	fitDuplicate
	fitContradicts
)

// fit returns how f goes with p, and at which index of p.spans it belongs if it is new.
func (p *partial) fit(f *fragment) (at int, _ fitting) {
	s := f.span()
	at = p.count
	for at > 0 && p.spans[at-1].start > s.start { // fragments mostly come in order
		at--
	}
	isEnd := int(s.end) == p.total
	switch {
	case at > 0 && p.spans[at-1] == s:
		if f.more != isEnd && bytes.Equal(f.payload, p.buf[p.room+f.offset:p.room+f.end()]) {
			return at, fitDuplicate
		}
		return at, fitContradicts
	case at > 0 && p.spans[at-1].end > s.start, at < p.count && s.end > p.spans[at].start:
		return at, fitContradicts
	case p.total >= 0 && int(s.end) >= p.total: // behind the end
		return at, fitContradicts
	case !f.more && at < p.count: // an end before others
		return at, fitContradicts
	}
	return at, fitNew
}

// end returns where the last span that has come ends.
func (p *partial) end() int {
	if p.count == 0 {
		return 0
	}
	return int(p.spans[p.count-1].end)
}

// tooLong reports whether the packet is too long with f: the fragments' headers may differ
// in length, and that of the first counts.
func (p *partial) tooLong(f *fragment) bool {
	header := p.headerLen
	if f.offset == 0 {
		header = len(f.header)
	}
	return tooLong(f.is6(), header, max(p.end(), f.end()))
}

// mixECN notes f's ECN codepoint. A packet with congestion experienced in one fragment and no
// ECN in another is not put together (RFC 3168, Section 5.3).
func (p *partial) mixECN(f *fragment) bool {
	p.ecn |= 1 << f.ecn()
	return p.ecn&(1<<ecnCE|1<<ecnNone) != 1<<ecnCE|1<<ecnNone
}

const (
	ecnNone = 0
	ecnCE   = 3
)

func (f *fragment) ecn() uint8 {
	if f.is6() {
		return wire.IPv6(f.header).TrafficClass() & 3
	}
	return wire.IPv4(f.header).TOS() & 3
}

// put stores f, for which reserve has made room, as the span of index at.
func (p *partial) put(at int, f *fragment) {
	copy(p.spans[at+1:p.count+1], p.spans[at:p.count])
	p.spans[at] = f.span()
	p.count++
	p.have += copy(p.buf[p.room+f.offset:], f.payload)
	if !f.more {
		p.total = f.end()
	}
	if f.offset == 0 {
		p.putHeader(f)
	}
}

// putHeader stores the header of the first fragment, which becomes that of the packet.
func (p *partial) putHeader(f *fragment) {
	p.headerLen = len(f.header)
	h := p.buf[p.room-p.headerLen : p.room]
	copy(h, f.header)
	if f.is6() {
		p.nextField, p.next = f.nextField, f.next
		h[p.nextField] = byte(p.next)
	}
}

// hasHeaders reports whether the first fragment, which has just come, holds all headers up
// to the transport's: "the first fragment must contain the entire IPv6 header chain" (RFC
// 7112, Section 5).
func (p *partial) hasHeaders() bool {
	b := p.buf[p.room-p.headerLen : p.room+int(p.spans[0].end)]
	upper, payload, err := wire.IPv6(b).Upper()
	if err == wire.ErrIPv6ExtensionShort {
		return false
	}
	return len(payload) >= upperLen(upper, payload)
}

// upperLen returns the length of the transport header that b begins with, as RFC 7112, Section
// 3 counts it. Headers that are not known here are not looked for.
func upperLen(p wire.Protocol, b []byte) int {
	switch p {
	case wire.ProtoUDP:
		return wire.UDPLen
	case wire.ProtoICMPv6:
		return 4 // all but what depends on the type
	case wire.ProtoTCP:
		if len(b) < wire.TCPLen {
			return wire.TCPLen
		}
		return wire.TCP(b).HeaderLen()
	}
	return 0
}

// packet returns the whole packet, with its header mended.
func (p *partial) packet() []byte {
	b := p.buf[p.room-p.headerLen : p.room+p.total]
	if p.key.src.Is6() {
		return p.packet6(b)
	}
	h := wire.IPv4(b)
	h.SetTotalLen(len(h))
	h[6], h[7] = 0, 0 // flags and offset
	if p.ecn&(1<<ecnCE) != 0 {
		h[1] |= ecnCE
	}
	h.FillChecksum()
	return h
}

func (p *partial) packet6(h wire.IPv6) []byte {
	h.SetPayloadLen(len(h) - wire.IPv6Len)
	if p.ecn&(1<<ecnCE) != 0 {
		h[1] |= ecnCE << 4
	}
	return h
}

// quote returns the first fragment as it came, or nil if it did not.
func (p *partial) quote() []byte {
	if p.dead || p.headerLen == 0 {
		return nil
	}
	start, end := p.room-p.headerLen, p.room+int(p.spans[0].end)
	if !p.key.src.Is6() {
		return p.buf[start:end]
	}
	start -= wire.IPv6FragmentLen
	copy(p.buf[start:], p.buf[p.room-p.headerLen:p.room])
	p.buf[start+p.nextField] = byte(wire.ProtoFragment)
	wire.AppendIPv6Fragment(p.buf[:p.room-wire.IPv6FragmentLen], p.next, 0, true, p.key.id)
	return p.buf[start:end]
}

// A partialList holds packets in the order in which their first fragments came.
type partialList struct {
	kind        int // which links it uses
	first, last *partial
}

// What the links of a partial are for.
const (
	linkSource = iota // the packets of a source
	linkAge           // those of a family
)

type partialLinks struct{ older, newer *partial }

func (l *partialList) push(p *partial) {
	p.links[l.kind] = partialLinks{older: l.last}
	if l.last != nil {
		l.last.links[l.kind].newer = p
	} else {
		l.first = p
	}
	l.last = p
}

func (l *partialList) remove(p *partial) {
	at := p.links[l.kind]
	if at.older != nil {
		at.older.links[l.kind].newer = at.newer
	} else {
		l.first = at.newer
	}
	if at.newer != nil {
		at.newer.links[l.kind].older = at.older
	} else {
		l.last = at.older
	}
	p.links[l.kind] = partialLinks{}
}

// oldest returns the first packet of l that is not keep, or nil.
func (l *partialList) oldest(keep *partial) *partial {
	p := l.first
	if p != nil && p == keep {
		p = p.links[l.kind].newer
	}
	return p
}
