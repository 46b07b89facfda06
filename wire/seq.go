package wire

import "strconv"

// A Seq is a TCP sequence number. The numbers go round at 2³², so "less" has a
// meaning only for two that are less than 2³¹ apart (RFC 9293, Section 3.4).
//
// It is a struct so that <, + and - on sequence numbers do not compile; ==
// does. It costs what a uint32 costs. The zero value is the number 0.
type Seq struct{ n uint32 }

// SeqOf returns the sequence number n.
func SeqOf(n uint32) Seq { return Seq{n} }

// Uint32 returns the number as it lies on the wire.
func (s Seq) Uint32() uint32 { return s.n }

// Add returns the number n bytes after s, or before it if n is negative.
func (s Seq) Add(n int) Seq { return Seq{s.n + uint32(n)} }

// Since returns how many bytes s is after t: negative if before it. Its range
// is that of int32.
func (s Seq) Since(t Seq) int { return int(int32(s.n - t.n)) }

// Before reports whether s < t.
func (s Seq) Before(t Seq) bool { return int32(s.n-t.n) < 0 }

// After reports whether s > t.
func (s Seq) After(t Seq) bool { return t.Before(s) }

// AtOrBefore reports whether s ≤ t.
func (s Seq) AtOrBefore(t Seq) bool { return s == t || s.Before(t) }

// AtOrAfter reports whether s ≥ t.
func (s Seq) AtOrAfter(t Seq) bool { return s == t || t.Before(s) }

// Within reports whether s is one of the n numbers that begin with first: first
// ≤ s < first+n. No number is within none. Unlike the comparisons it holds for
// any n, up to all numbers but one.
func (s Seq) Within(first Seq, n uint32) bool { return s.n-first.n < n }

// String returns the number in decimal.
func (s Seq) String() string { return strconv.FormatUint(uint64(s.n), 10) }
