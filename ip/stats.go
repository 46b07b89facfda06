package ip

import (
	"fmt"
	"strings"
	"sync/atomic"
)

// Stats counts what a Stack did since it was made.
type Stats struct {
	// Received and Sent count IP packets, the latter without those that were forwarded.
	Received, Sent, Forwarded uint64
	// Fragments counts those that were made, Reassembled the packets that others' made.
	Fragments, Reassembled uint64
	// ICMPErrors counts those that were sent.
	ICMPErrors uint64
	// Drops counts what went no further, by reason.
	Drops DropCounts
}

// DropCounts counts drops by reason: counts[ip.DropNoRoute].
type DropCounts [Drops]uint64

// Total returns the sum of all counts.
func (c DropCounts) Total() (n uint64) {
	for _, v := range c {
		n += v
	}
	return n
}

// Map returns the counts that are not zero by their reasons' names.
func (c DropCounts) Map() map[string]uint64 {
	m := map[string]uint64{}
	for d, n := range c {
		if n != 0 {
			m[Drop(d).String()] = n
		}
	}
	return m
}

// String names the counts that are not zero: "3 no group, 1 ttl".
func (c DropCounts) String() string {
	var all []string
	for d, n := range c {
		if n != 0 {
			all = append(all, fmt.Sprint(n, " ", Drop(d).String()))
		}
	}
	return strings.Join(all, ", ")
}

// counters are what Stats is a copy of.
type counters struct {
	received, sent, forwarded, fragments, reassembled, icmpErrors atomic.Uint64

	drops [Drops]atomic.Uint64
}

// Drop counts a packet that went no further, for those above: a transport has reasons
// too.
func (s *Stack) Drop(d Drop) { s.counts.drops[d].Add(1) }

func (s *Stack) dropN(d Drop, n int) { s.counts.drops[d].Add(uint64(n)) }

// Stats returns what has been counted.
func (s *Stack) Stats() Stats {
	c := &s.counts
	st := Stats{
		Received: c.received.Load(), Sent: c.sent.Load(), Forwarded: c.forwarded.Load(),
		Fragments: c.fragments.Load(), Reassembled: c.reassembled.Load(), ICMPErrors: c.icmpErrors.Load(),
	}
	for d := range st.Drops {
		st.Drops[d] = c.drops[d].Load()
	}
	s.fragments.lost(&st.Drops)
	return st
}
