package pkt

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"landline/wire"
)

// like returns got without what want does not mention, so that what both say can be compared.
func (want *Packet) like(got *Packet) *Packet {
	k := *got
	k.IP = want.IP.like(got.IP)
	switch {
	case want.TCP != nil && got.TCP != nil:
		k.TCP = want.TCP.like(got.TCP)
	case want.UDP != nil && got.UDP != nil:
		u := *got.UDP
		u.Ports = want.UDP.Ports
		k.UDP = &u
	case want.ICMP != nil && got.ICMP != nil:
		m := *got.ICMP
		if want.ICMP.MTU == 0 {
			m.MTU = 0
		}
		if want.ICMP.ID == 0 {
			m.ID = 0
		}
		m.Quote = want.ICMP.Quote // it is not looked at
		if want.ICMP.Code == "" {
			m.Code = ""
		}
		k.ICMP = &m
	}
	return &k
}

func (want IPFields) like(got IPFields) IPFields {
	got.TOS &= want.TOSMask
	if got.TOSMask = want.TOSMask; want.ECT {
		got.ECT = got.TOS&3 == 1 || got.TOS&3 == 2
	}
	if want.TTL == 0 {
		got.TTL = 0
	}
	if !want.HasFlowLabel {
		got.FlowLabel, got.HasFlowLabel = 0, false
	}
	return got
}

func (want *TCPFields) like(got *TCPFields) *TCPFields {
	s := *got
	s.Ports, s.SeqIs = want.Ports, want.SeqIs
	if want.Window < 0 {
		s.Window = -1
	}
	if want.SeqIs == SeqAny {
		s.Seq = want.Seq
	}
	if want.AnyOptions {
		s.AnyOptions, s.Options = true, nil
	}
	if !s.Flags.Has(wire.FlagACK) {
		s.Ack = want.Ack
	}
	s.Options = slices.Clone(s.Options)
	for i := range min(len(s.Options), len(want.Options)) {
		if o := &s.Options[i]; want.Options[i].AnyVal && o.Kind == wire.TCPOptTimestamps {
			o.AnyVal, o.Val = true, 0
		}
	}
	return &s
}

// absolute gives got numbers as they lie on the wire, if that is what want has.
func (want *TCPFields) absolute(got *TCPFields, f *flow) {
	if want.SeqIs == SeqAbsolute {
		got.Seq += f.ours
	}
}

// forgiveStamps gives timestamps of got the values of want if they are not far from them, or if there is no tick by
// which to tell.
func (got *TCPFields) forgiveStamps(want *TCPFields, tick, tolerance time.Duration) {
	for i := range min(len(got.Options), len(want.Options)) {
		g, w := &got.Options[i], &want.Options[i]
		far := time.Duration(int32(g.Val-w.Val)).Abs() * tick
		if g.Kind == wire.TCPOptTimestamps && w.Kind == g.Kind && far <= tolerance {
			g.Val = w.Val
		}
	}
}

// choose gives got what want has where the standards leave it to the host: when to set PSH (RFC 9293, Section
// 3.9.1.2), how large a window is to offer that is not shut (Section 3.8.6), and how it is scaled.
func (got *TCPFields) choose(want *TCPFields) {
	for i := range min(len(got.Options), len(want.Options)) {
		if g, w := &got.Options[i], &want.Options[i]; g.Kind == wire.TCPOptWindowScale && w.Kind == g.Kind {
			g.Data = w.Data
		}
	}
	if got.Len > 0 {
		got.Flags = got.Flags&^wire.FlagPSH | want.Flags&wire.FlagPSH
	}
	if got.Window > 0 && want.Window > 0 {
		got.Window = want.Window
	}
}

// differs says how a packet that came out is not what a script expects, or returns "".
func (want *Packet) differs(got *Packet) string {
	got = want.like(got)
	w, g := want.String(), got.String()
	if w != g {
		return fmt.Sprintf("expected %s, got %s", w, g)
	}
	return ""
}

// join makes two segments that follow on one another one, as they would be if the host left
// cutting them to its device. It reports whether they do.
func (s *TCPFields) join(t *TCPFields) bool {
	const ends = wire.FlagFIN | wire.FlagPSH | wire.FlagCWR
	if s.Seq+uint32(s.Len) != t.Seq || s.Ack != t.Ack || s.Flags&^ends != t.Flags&^ends || s.Flags.Has(wire.FlagFIN) {
		return false
	}
	s.Len += t.Len
	s.Flags |= t.Flags
	s.data = append(bytes.Clone(s.data), t.data...)
	return true
}

// wrongData says what is wrong about the bytes of a segment, or returns "".
func (f *flow) wrongData(s *TCPFields) string {
	if s.Len == 0 || !f.known {
		return ""
	}
	start := int64(int32(s.Seq - 1))
	if s.Flags.Has(wire.FlagSYN) {
		start++
	}
	if start < 0 || start+int64(s.Len) > int64(len(f.written)) {
		return fmt.Sprintf("bytes %d to %d came out, of %d that were written", start, start+int64(s.Len), len(f.written))
	}
	if !bytes.Equal(s.data, f.written[start:start+int64(s.Len)]) {
		return fmt.Sprintf("the %d bytes from %d on are not those that were written there", s.Len, s.Seq)
	}
	return ""
}
