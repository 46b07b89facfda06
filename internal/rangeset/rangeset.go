// Package rangeset keeps which parts of a stream are there, as sorted ranges of
// sequence numbers.
//
// The numbers are those of TCP: 32 bits, and they go round. All that a Set holds, and
// all that it is asked about, must lie within 2³¹ of each other, as anything
// does that lies in a window.
package rangeset

import "slices"

// A Range is the numbers from Start up to, and not with, End.
type Range struct{ Start, End uint32 }

// Len returns how many numbers r is.
func (r Range) Len() int { return int(r.End - r.Start) }

// A Set holds ranges that neither overlap nor touch, in order. The zero value is
// empty. It must not be used by several goroutines at once.
type Set struct{ ranges []Range }

// Ranges returns the ranges in order. The slice is good until the Set is changed.
func (s *Set) Ranges() []Range { return s.ranges }

// Len returns how many ranges there are.
func (s *Set) Len() int { return len(s.ranges) }

// Add puts r in, if the Set then has at most limit ranges, and returns the range
// that r is now part of. Otherwise it leaves the Set alone and reports false. An
// empty range is refused.
func (s *Set) Add(r Range, limit int) (Range, bool) {
	if !before(r.Start, r.End) {
		return Range{}, false
	}
	// The ranges from i up to, and not with, j overlap r or touch it.
	i := s.endingAtOrAfter(r.Start)
	j := i
	for j < len(s.ranges) && !before(r.End, s.ranges[j].Start) {
		j++
	}
	if i == j {
		if len(s.ranges) >= limit {
			return Range{}, false
		}
		s.ranges = slices.Insert(s.ranges, i, r)
		return r, true
	}
	r = Range{earlier(r.Start, s.ranges[i].Start), later(r.End, s.ranges[j-1].End)}
	s.ranges[i] = r
	s.ranges = slices.Delete(s.ranges, i+1, j)
	return r, true
}

// Find returns the range that n is in.
func (s *Set) Find(n uint32) (Range, bool) {
	i := s.endingAtOrAfter(n + 1)
	if i < len(s.ranges) && !before(n, s.ranges[i].Start) {
		return s.ranges[i], true
	}
	return Range{}, false
}

// Overlap returns the part of r, from its start on, that is there already: the
// first range that has numbers in common with r, cut to r.
func (s *Set) Overlap(r Range) (Range, bool) {
	i := s.endingAtOrAfter(r.Start + 1)
	if i == len(s.ranges) || !before(s.ranges[i].Start, r.End) {
		return Range{}, false
	}
	return Range{later(r.Start, s.ranges[i].Start), earlier(r.End, s.ranges[i].End)}, true
}

// Forget drops all numbers before n.
func (s *Set) Forget(n uint32) {
	i := s.endingAtOrAfter(n + 1)
	s.ranges = slices.Delete(s.ranges, 0, i)
	if len(s.ranges) > 0 && before(s.ranges[0].Start, n) {
		s.ranges[0].Start = n
	}
}

// Clear drops everything and keeps the memory.
func (s *Set) Clear() { s.ranges = s.ranges[:0] }

// endingAtOrAfter returns the index of the first range whose End is n or later.
func (s *Set) endingAtOrAfter(n uint32) int {
	lo, hi := 0, len(s.ranges)
	for lo < hi {
		mid := (lo + hi) / 2
		if before(s.ranges[mid].End, n) {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return lo
}

func before(a, b uint32) bool { return int32(a-b) < 0 }

func earlier(a, b uint32) uint32 {
	if before(b, a) {
		return b
	}
	return a
}

func later(a, b uint32) uint32 {
	if before(a, b) {
		return b
	}
	return a
}
