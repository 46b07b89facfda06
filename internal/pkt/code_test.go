package pkt

import (
	"slices"
	"testing"
)

func TestExpressions(t *testing.T) {
	names := map[string]int64{"x": 5, "flags": 6}
	for src, want := range map[string]int64{
		"1": 1, "0x10": 16, "-3": -3, "~0": -1, "x": 5, "1 + 2 * 3": 7, "(1 + 2) * 3": 9, "7 // 2": 3, "7 % 4": 3, "1 << 4 | 1": 17,
		"flags & 2": 2, "6 ^ 3": 5, "1 < 2": 1, "1 < 2 < 3": 1, "1 < 3 < 2": 0, "3 > 2 == 1": 0, "x == 5 and x != 6": 1, "0 or 7": 7,
		"not x": 0, "not 0 and 2": 2, "(flags & 4) == 0": 0, "x >= 5": 1, "x <= 4": 0, "2 - 1 - 1": 0, "1 == 1 or f": 0,
	} {
		e := &evaluator{src: src, names: func(n string) (int64, bool) { v, ok := names[n]; return v, ok }}
		got, err := e.expr()
		if src == "1 == 1 or f" { // an unknown name is not understood, even where it does not matter
			if err == nil {
				t.Errorf("%s: %d", src, got)
			}
			continue
		}
		if err != nil || got != want || !e.atEnd() {
			t.Errorf("%s: %d, %v, want %d; at %d", src, got, err, want, e.pos)
		}
	}
}

func TestCodeThatIsNotUnderstood(t *testing.T) {
	for _, src := range []string{"", "y", "f(1)", "a.b", "1 +", "(1", "1 / 0", "1 << 64", "1.5", "[1]", "99999999999999999999", "'a'"} {
		e := &evaluator{src: src, names: func(string) (int64, bool) { return 0, false }}
		if got, err := e.expr(); err == nil {
			t.Errorf("%q: %d", src, got)
		}
	}
}

func TestStatementsAreCut(t *testing.T) {
	src := "a = 1; b = 2 # c; d\n\n  assert (1,\n 2), 'x; #y'\nc \\\n+= 3"
	want := []string{"a = 1", "b = 2", "assert (1,\n 2), 'x; #y'", "c  += 3"}
	if got := statements(src); !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
