package main

import (
	"testing"
	"unicode/utf8"
)

func TestOnlyACharacterThatWasCutWaits(t *testing.T) {
	for text, want := range map[string]int{
		"": 0, "a": 0, "é": 0, "a\xc3": 1, "\xe4\xbd": 2, "\xf0\x9f\x98": 3, "a\xf0": 1, "😀": 0,
		"\xff": 0, "\x80\x80\x80\x80": 0, "\xc3\xc3": 1, "\xe4a": 0, "\xed\xa0": 0,
	} {
		if got := cutLength([]byte(text)); got != want {
			t.Errorf("%q: %d bytes, not %d", text, got, want)
		}
	}
}

// However a text is cut, what does not wait is text.
func TestTextStaysTextWhereverItIsCut(t *testing.T) {
	const text = "aé你😀z"
	for i := range len(text) {
		end := i - cutLength([]byte(text[:i]))
		if !utf8.ValidString(text[:end]) || !utf8.ValidString(text[end:]) {
			t.Errorf("cut at %d, it is divided at %d", i, end)
		}
	}
}
