package wire_test

import (
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"unsafe"

	"landline/wire"
)

func TestSequenceNumbersGoRound(t *testing.T) {
	for _, c := range []struct {
		a, b  uint32
		since int // of b, after a
	}{
		{0, 1, 1},
		{1, 0, -1},
		{7, 7, 0},
		{math.MaxUint32, 0, 1},
		{math.MaxUint32 - 9, 10, 20},
		{10, math.MaxUint32 - 9, -20},
		{0, math.MaxInt32, math.MaxInt32},
		{1 << 31, math.MaxUint32, math.MaxInt32},
	} {
		a, b := wire.SeqOf(c.a), wire.SeqOf(c.b)
		equal(t, "since", b.Since(a), c.since)
		equal(t, "add", a.Add(c.since), b)
		equal(t, "before", a.Before(b), c.since > 0)
		equal(t, "after", a.After(b), c.since < 0)
		equal(t, "at or before", a.AtOrBefore(b), c.since >= 0)
		equal(t, "at or after", a.AtOrAfter(b), c.since <= 0)
		equal(t, "number", b.Uint32(), c.b)
	}
	equal(t, "text", wire.SeqOf(math.MaxUint32).String(), "4294967295")
}

// A defined type of numbers would have <, and somebody would use it.
func TestSequenceNumbersHaveNoOrderOfTheLanguage(t *testing.T) {
	equal(t, "kind", reflect.TypeFor[wire.Seq]().Kind(), reflect.Struct)
	equal(t, "size", unsafe.Sizeof(wire.Seq{}), 4)
}

func TestWithinIsHalfOpen(t *testing.T) {
	for _, first := range []wire.Seq{wire.SeqOf(0), wire.SeqOf(math.MaxUint32 - 2), wire.SeqOf(1 << 31)} {
		equal(t, "before the first", first.Add(-1).Within(first, 5), false)
		equal(t, "the first", first.Within(first, 5), true)
		equal(t, "the last", first.Add(4).Within(first, 5), true)
		equal(t, "behind the last", first.Add(5).Within(first, 5), false)
		equal(t, "the first of none", first.Within(first, 0), false)
		equal(t, "the far side of all but one", first.Add(math.MinInt32).Within(first, math.MaxUint32), true)
	}
}

func TestAddTakesSinceBack(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		a, b := wire.SeqOf(r.Uint32()), wire.SeqOf(r.Uint32())
		if a.Add(b.Since(a)) != b {
			t.Fatalf("%v + (%v - %v) is %v", a, b, a, a.Add(b.Since(a)))
		}
	}
}
