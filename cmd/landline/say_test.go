package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestEscapeLeavesWhatIsPrintable(t *testing.T) {
	for _, s := range []string{"", "notes.txt", "a b", `a\b"c'`, "büro 你好 😀"} {
		if got := escape(s); got != s {
			t.Errorf("%q became %q", s, got)
		}
	}
	for in, want := range map[string]string{
		"\x1b[31m":     `\x1b[31m`,
		"a\nb\tc\r":    `a\nb\tc\r`,
		"\x00\x7f":     `\x00\x7f`,
		"\u009b2J":     `\u009b2J`,
		"\u202eexe":    `\u202eexe`,
		"ü\xff\xc3":    `ü\xff\xc3`,
		"\ufffd":       `�`,
		"a\u00a0b":     `a\u00a0b`,
		"\U000e0001\a": `\U000e0001\a`,
	} {
		if got := escape(in); got != want {
			t.Errorf("%q became %s, not %s", in, got, want)
		}
	}
}

func FuzzEscape(f *testing.F) {
	for _, s := range []string{"a\x1b[2Jb", "\xff\xfe", "\ufffd\n", "\u202e"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := escape(s)
		if !utf8.ValidString(got) || strings.IndexFunc(got, func(r rune) bool { return !unicode.IsPrint(r) && r != utf8.RuneError }) >= 0 {
			t.Errorf("%q became %q", s, got)
		}
		if escape(got) != got {
			t.Errorf("%q changes again", got)
		}
	})
}

func TestErrorsThatWereJoinedFillOneLine(t *testing.T) {
	one, two := errors.New("one"), fmt.Errorf("two: %w", fs.ErrNotExist)
	err := flat(errors.Join(one, nil, two))
	if got, want := err.Error(), "one; two: file does not exist"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if !errors.Is(err, one) || !errors.Is(err, fs.ErrNotExist) {
		t.Error("what was joined is not found any more")
	}
	if flat(nil) != nil || flat(io.EOF) != io.EOF || flat(errors.Join(nil, one)) != one {
		t.Error("a single error is not itself")
	}
}
