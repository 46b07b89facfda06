package rangeset_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"landline/internal/rangeset"
)

const plenty = 100

// parse reads "10-20 30-40". Numbers are offset so that the set lies over the end
// of the number space.
const origin = ^uint32(0) - 24

func parse(s string) (all []rangeset.Range) {
	for _, word := range strings.Fields(s) {
		var a, b uint32
		if _, err := fmt.Sscanf(word, "%d-%d", &a, &b); err != nil {
			panic(err)
		}
		all = append(all, rangeset.Range{Start: origin + a, End: origin + b})
	}
	return all
}

func text(ranges ...rangeset.Range) string {
	var words []string
	for _, r := range ranges {
		words = append(words, fmt.Sprintf("%d-%d", r.Start-origin, r.End-origin))
	}
	return strings.Join(words, " ")
}

func setOf(s string) *rangeset.Set {
	set := new(rangeset.Set)
	for _, r := range parse(s) {
		set.Add(r, plenty)
	}
	return set
}

func TestRangesMerge(t *testing.T) {
	for _, c := range []struct{ set, add, merged, want string }{
		{"", "10-20", "10-20", "10-20"},
		{"10-20", "30-40", "30-40", "10-20 30-40"},
		{"30-40", "10-20", "10-20", "10-20 30-40"},
		{"10-20 50-60", "30-40", "30-40", "10-20 30-40 50-60"},
		{"10-20", "20-30", "10-30", "10-30"},
		{"20-30", "10-20", "10-30", "10-30"},
		{"10-20", "15-30", "10-30", "10-30"},
		{"10-20", "12-15", "10-20", "10-20"},
		{"12-15", "10-20", "10-20", "10-20"},
		{"10-20 30-40", "20-30", "10-40", "10-40"},
		{"10-20 30-40 50-60", "15-55", "10-60", "10-60"},
		{"10-20 30-40 50-60", "5-70", "5-70", "5-70"},
		{"10-20 30-40 50-60", "25-45", "25-45", "10-20 25-45 50-60"},
	} {
		set := setOf(c.set)
		merged, ok := set.Add(parse(c.add)[0], plenty)
		if got := text(set.Ranges()...); !ok || got != c.want || text(merged) != c.merged {
			t.Errorf("%q + %s: %q, merged %s, want %q, merged %s", c.set, c.add, got, text(merged), c.want, c.merged)
		}
	}
}

func TestSetRefusesOneRangeTooMany(t *testing.T) {
	set := setOf("10-20 30-40")
	if _, ok := set.Add(parse("50-60")[0], 2); ok {
		t.Error("took a third range")
	}
	if _, ok := set.Add(parse("20-25")[0], 2); !ok {
		t.Error("refused what only makes a range longer")
	}
	if got := text(set.Ranges()...); got != "10-25 30-40" {
		t.Errorf("holds %q", got)
	}
}

func TestSetRefusesEmptyRanges(t *testing.T) {
	set := new(rangeset.Set)
	for _, r := range parse("10-10 20-10") {
		if _, ok := set.Add(r, plenty); ok {
			t.Errorf("took %s", text(r))
		}
	}
}

func TestFindAndOverlap(t *testing.T) {
	set := setOf("10-20 30-40")
	for n, want := range map[uint32]string{9: "", 10: "10-20", 19: "10-20", 20: "", 29: "", 30: "30-40", 39: "30-40", 40: ""} {
		r, ok := set.Find(origin + n)
		if ok != (want != "") || ok && text(r) != want {
			t.Errorf("find %d: %s %v, want %q", n, text(r), ok, want)
		}
	}
	for in, want := range map[string]string{
		"0-10": "", "0-11": "10-11", "12-14": "12-14", "15-35": "15-20", "20-30": "", "20-50": "30-40", "40-50": "",
	} {
		r, ok := set.Overlap(parse(in)[0])
		if ok != (want != "") || ok && text(r) != want {
			t.Errorf("overlap with %s: %s %v, want %q", in, text(r), ok, want)
		}
	}
}

func TestForgetsWhatIsBefore(t *testing.T) {
	for n, want := range map[uint32]string{
		5: "10-20 30-40", 10: "10-20 30-40", 15: "15-20 30-40", 20: "30-40", 30: "30-40", 39: "39-40", 40: "", 60: "",
	} {
		set := setOf("10-20 30-40")
		set.Forget(origin + n)
		if got := text(set.Ranges()...); got != want {
			t.Errorf("forget %d: %q, want %q", n, got, want)
		}
	}
}

// The set is compared with one that keeps every number by itself.
func FuzzSet(f *testing.F) {
	f.Add([]byte{10, 10, 30, 10, 20, 10, 0, 15})
	f.Fuzz(func(t *testing.T, script []byte) {
		set := new(rangeset.Set)
		var want [512]bool
		for ; len(script) >= 2; script = script[2:] {
			start, n := uint32(script[0]), uint32(script[1])
			if n == 255 {
				set.Forget(origin + start)
				clear(want[:start])
			} else {
				set.Add(rangeset.Range{Start: origin + start, End: origin + start + n}, len(want))
				for i := range n {
					want[start+i] = true
				}
			}
			compare(t, set, want[:])
		}
	})
}

func compare(t *testing.T, set *rangeset.Set, want []bool) {
	got, last := make([]bool, len(want)), -1
	for _, r := range set.Ranges() {
		a, b := int(r.Start-origin), int(r.End-origin)
		if a <= last || a >= b || r.Len() != b-a {
			t.Fatalf("not in order: %s", text(set.Ranges()...))
		}
		last = b
		for i := a; i < b; i++ {
			got[i] = true
		}
	}
	if !slices.Equal(got, want) {
		t.Fatalf("wrong: %s", text(set.Ranges()...))
	}
}

func TestClearedSetAllocatesNothing(t *testing.T) {
	set := setOf("1-2 3-4 5-6 7-8")
	all := parse("1-2 3-4 5-6 7-8")
	if n := testing.AllocsPerRun(100, func() {
		set.Clear()
		for _, r := range all {
			set.Add(r, plenty)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
