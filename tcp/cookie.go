package tcp

import (
	"time"

	"landline/ip"
	"landline/wire"
)

// A SYN cookie is an initial sequence number in which lies what a record would say, so that nothing has to be
// kept (RFC 4987, Section 3.6):
//
//	minute (5 bits) | MSS (3 bits) | the secret hash of all that, both ends and IRS (24 bits)
//
// There is no room in it for options. If the peer uses timestamps, ours has them in its last bits, as it
// comes back; otherwise there are none.

// cookieMSSs are what a cookie can say of the peer's MSS.
var cookieMSSs = [8]uint16{216, 536, 1024, 1220, 1300, 1440, 1460, 8940}

const (
	cookieStampBits = 6
	cookieSACK      = 1 << 5
	cookieScale     = 1 << 4
	cookieShift     = 1<<4 - 1
	cookieLife      = 2 // minutes
)

// giveCookie makes h one whose initial sequence number is a cookie.
func (l *Layer) giveCookie(now instant, h *halfOpen, s *segment) {
	l.counts.cookies.Add(1)
	index := 0
	for index+1 < len(cookieMSSs) && cookieMSSs[index+1] <= s.opt.MSS {
		index++
	}
	h.end.iss = l.cookie(&h.t, h.syn.seq, uint32(time.Duration(now)/time.Minute), uint32(index))
	if !h.syn.stamps {
		h.syn.sack, h.syn.scale = false, false
		return
	}
	var bits uint32
	if h.syn.sack {
		bits |= cookieSACK
	}
	if h.syn.scale {
		bits |= cookieScale | uint32(min(h.syn.shift, wire.MaxWindowScale))
	}
	stamp := uint32(time.Duration(now)/stampTick) + h.end.stampOffset
	h.end.stampOffset -= (stamp - bits) & (1<<cookieStampBits - 1) // back in time, by 63 ms at most
}

// cookie returns the number.
func (l *Layer) cookie(t *tuple, irs wire.Seq, minute, index uint32) wire.Seq {
	head := minute&31<<27 | index<<24
	mac := l.key.Word(t.hash(l.key) ^ uint64(irs.Uint32())<<32 ^ uint64(minute)<<3 ^ uint64(index))
	return wire.SeqOf(head | uint32(mac)&(1<<24-1))
}

// redeem returns the record that a cookie stands for, or nil if a segment brings none.
func (o *Listener) redeem(now time.Time, p *ip.Packet, t *tuple, s *segment) *halfOpen {
	l := o.layer
	at := l.plain.at(now)
	if s.has(wire.FlagSYN) || !o.syns.gaveCookies(at) {
		return nil
	}
	iss, irs := s.ack.Add(-1), s.seq.Add(-1)
	this := uint32(time.Duration(at) / time.Minute)
	age := (this - iss.Uint32()>>27) & 31
	index := iss.Uint32() >> 24 & 7
	if age > cookieLife || l.cookie(t, irs, this-age, index) != iss {
		return nil
	}
	h, _, ok := o.newHalfOpen(now, p, t, s)
	if !ok {
		return nil
	}
	h.end.iss = iss
	h.syn = synRecord{seq: irs, mss: cookieMSSs[index], stamps: s.opt.HasTimestamps, stamp: s.opt.TSVal}
	if h.syn.stamps {
		bits := s.opt.TSEcr
		h.syn.sack = bits&cookieSACK != 0
		h.syn.scale = bits&cookieScale != 0
		h.syn.shift = uint8(bits & cookieShift)
	}
	h.sent, h.made, h.cookie = at, 1, true
	return h
}

// noteCookie notes that a cookie was given out.
func (q *halfOpens) noteCookie(now instant) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.cookies = now
}

// gaveCookies reports whether there may be cookies that are still good.
func (q *halfOpens) gaveCookies(now instant) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.cookies != 0 && now.since(q.cookies) < (cookieLife+1)*time.Minute
}
