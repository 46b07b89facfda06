package ladder

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"landline/wire"
)

// A flowKey names a connection by its ends, the lesser one first.
type flowKey [2]netip.AddrPort

// A flow is a TCP connection. What is kept for each way is at 0 for what the lesser end sends.
type flow struct {
	first [2]wire.Seq // the number that counts as 0
	known [2]bool     // first
	open  bool        // the handshake is over
	fin   [2]wire.Seq // behind the FIN
	ended [2]bool     // there was a FIN
	acked [2]bool     // and it was acknowledged
	run   [2]*Step    // what data is added to
	notes int         // as there were notes, when run began
}

// segmentLocked tells of a TCP segment, or of a unit of several.
func (l *Ladder) segmentLocked(s Step, t wire.TCP, segSize int) {
	key, way := flowKey{s.Src, s.Dst}, 0
	if s.Dst.Compare(s.Src) < 0 {
		key, way = flowKey{s.Dst, s.Src}, 1
	}
	f := l.flows[key]
	if f == nil || t.Flags().Has(wire.FlagSYN) && !t.Flags().Has(wire.FlagACK) {
		f = new(flow)
		l.flows[key] = f
	}
	f.count(way, t)
	n := len(t.Payload())
	s.Segments, s.Bytes = 1, int64(n)
	if segSize > 0 {
		s.Segments = (n + segSize - 1) / segSize
	}
	if f.remarkable(way, t) {
		s.Text = f.say(way, t)
		l.steps = append(l.steps, &s)
		return
	}
	if f.notes != l.notes {
		f.run, f.notes = [2]*Step{}, l.notes
	}
	if r := f.run[way]; r != nil {
		r.Segments += s.Segments
		r.Bytes += s.Bytes
		return
	}
	s.several = true
	f.run[way] = &s
	l.steps = append(l.steps, &s)
}

// count finds out where the numbers of both ways begin.
func (f *flow) count(way int, t wire.TCP) {
	if !f.known[way] {
		f.first[way], f.known[way] = t.Seq(), true
		if !t.Flags().Has(wire.FlagSYN) {
			f.first[way] = t.Seq().Add(-1) // it would have had the number before
		}
	}
	if back := 1 - way; !f.known[back] && t.Flags().Has(wire.FlagACK) {
		f.first[back], f.known[back] = t.Ack().Add(-1), true
	}
}

// remarkable reports whether a segment has a step of its own: it opens or ends the connection, or acknowledges that.
func (f *flow) remarkable(way int, t wire.TCP) bool {
	back := 1 - way
	bare := len(t.Payload()) == 0
	switch flags := t.Flags(); {
	case flags&(wire.FlagSYN|wire.FlagRST) != 0:
		return true
	case flags.Has(wire.FlagFIN):
		f.fin[way], f.ended[way] = t.Seq().Add(len(t.Payload())+1), true
		f.acked[back] = f.acked[back] || f.ended[back] && t.Ack().AtOrAfter(f.fin[back])
		return true
	case bare && !f.open && t.Seq() == f.first[way].Add(1) && t.Ack() == f.first[back].Add(1):
		f.open = true
		return true
	case bare && f.ended[back] && !f.acked[back] && t.Ack().AtOrAfter(f.fin[back]):
		f.acked[back] = true
		return true
	}
	f.open = true
	return false
}

// flagNames are the control bits in the order in which people say them.
var flagNames = []struct {
	flag wire.TCPFlags
	name string
}{{wire.FlagSYN, "SYN"}, {wire.FlagFIN, "FIN"}, {wire.FlagRST, "RST"}, {wire.FlagURG, "URG"}, {wire.FlagACK, "ACK"}}

// say describes a segment.
func (f *flow) say(way int, t wire.TCP) string {
	var text strings.Builder
	for _, n := range flagNames {
		if t.Flags().Has(n.flag) {
			text.WriteString(n.name + " ")
		}
	}
	fmt.Fprintf(&text, "seq %d", t.Seq().Since(f.first[way]))
	if t.Flags().Has(wire.FlagACK) {
		fmt.Fprintf(&text, " ack %d", t.Ack().Since(f.first[1-way]))
	}
	var o wire.TCPOptions
	if t.ReadOptions(&o) == nil && o.MSS != 0 {
		fmt.Fprintf(&text, " mss %d", o.MSS)
	}
	if n := len(t.Payload()); n > 0 {
		fmt.Fprintf(&text, " len %d", n)
	}
	return text.String()
}

// finish says how much it was that went one way.
func (s *Step) finish() {
	switch {
	case !s.several:
	case s.Bytes == 0:
		s.Text = plural(s.Segments, "acknowledgement")
	default:
		s.Text = plural(s.Segments, "segment") + ", " + thousands(s.Bytes) + " B"
	}
}

func plural(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return thousands(int64(n)) + " " + what
}

// thousands writes a number with commas.
func thousands(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
