package interop

import (
	"fmt"
	"testing"
	"time"

	"landline"
	"landline/link"
)

// A badness is what a wire does both ways, and how often it did.
type badness struct {
	name string
	does link.Impairment
	did  func(s *link.ImpairStats) uint64
}

// The wire is bad both ways, and what arrives is right.
func TestStreamsAreRightOverABadWire(t *testing.T) {
	testBadness(t, rigConfig{impaired: true}, []badness{
		{"loss", link.Impairment{Loss: 0.02}, func(s *link.ImpairStats) uint64 { return s.Lost }},
		{"bursts", link.Impairment{Burst: link.Burst{Enter: 0.005, Leave: 0.2}}, func(s *link.ImpairStats) uint64 { return s.Lost }},
		{"duplication", link.Impairment{Duplicate: 0.05}, func(s *link.ImpairStats) uint64 { return s.Duplicated }},
		{"reordering", link.Impairment{Delay: 2 * time.Millisecond, Reorder: 0.05}, func(s *link.ImpairStats) uint64 { return s.Reordered }},
		{"jitter", link.Impairment{Delay: time.Millisecond, Jitter: time.Millisecond, Overtake: true},
			func(s *link.ImpairStats) uint64 { return s.Reordered }},
		{"a narrow way", link.Impairment{Rate: 100e6, Delay: 5 * time.Millisecond, Queue: 20_000},
			func(s *link.ImpairStats) uint64 { return s.Overflow }},
	})
}

func TestStreamsAreRightOverAWireThatDamages(t *testing.T) {
	testBadness(t, rigConfig{impaired: true, damaged: true}, []badness{
		{"corruption", link.Impairment{Corrupt: 0.02}, func(s *link.ImpairStats) uint64 { return s.Corrupted }},
		{"all", link.Impairment{Loss: 0.01, Duplicate: 0.01, Corrupt: 0.01, Delay: time.Millisecond, Jitter: time.Millisecond, Overtake: true},
			func(s *link.ImpairStats) uint64 { return min(s.Lost, s.Duplicated, s.Corrupted, s.Reordered) }},
	})
}

func testBadness(t *testing.T, cfg rigConfig, all []badness) {
	onWires(t, cfg, func(r *rig, h *landline.Host, p pair) {
		for _, b := range all {
			r.bad.Set(b.does, b.does)
			for _, fromUs := range []bool{true, false} {
				ours, theirs := r.connect(h, p, fromUs)
				r.swap(fmt.Sprintf("%v, %s, from us %v", p.ours, b.name, fromUs), ours, theirs, 512<<10)
			}
			out, in := r.bad.Stats()
			if b.did(&out) == 0 || b.did(&in) == 0 {
				r.Errorf("%v: there was no %s: out %+v, in %+v", p.ours, b.name, out, in)
			}
		}
		r.bad.Set(link.Impairment{}, link.Impairment{})
	})
}
