package main

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestEscapesAreTakenAtTheBeginningOfALineAlone(t *testing.T) {
	for _, row := range []struct{ typed, passed, acted string }{
		{"", "", ""},
		{"ls\r", "ls\r", ""},
		{"~.", "", "."},
		{"~?~dx~?\rx", "", "?d"},
		{"a~.\r~.", "a~.\r", "."},
		{"a~.\n~.", "a~.\n", "."},
		{"~~.", "~.", ""},
		{"~~~.", "~~.", ""},
		{"\r~x~.", "\r~x~.", ""},
		{"~\r~.", "~\r", "."},
		{"~", "", ""},
		{"\x7f~.", "\x7f~.", ""},
	} {
		for _, read := range []func(io.Reader) io.Reader{func(r io.Reader) io.Reader { return r }, iotest.OneByteReader} {
			var acted strings.Builder
			keys := make(map[byte]func() bool)
			for _, key := range []byte(".d?") {
				keys[key] = func() bool { acted.WriteByte(key); return key != '?' }
			}
			got, err := io.ReadAll(&typed{r: read(strings.NewReader(row.typed)), escapeKeys: escapeKeys{'~', keys}})
			if string(got) != row.passed || acted.String() != row.acted || err != nil {
				t.Errorf("%q: %q passed, %q acted, %v; want %q and %q", row.typed, got, acted.String(), err, row.passed, row.acted)
			}
		}
	}
}

func TestWithoutAnEscapeCharacterAllIsPassed(t *testing.T) {
	all := "~.\r~.\x00~.\x00."
	acted := func() bool { t.Error("acted"); return true }
	got, err := io.ReadAll(&typed{r: strings.NewReader(all), escapeKeys: escapeKeys{0, map[byte]func() bool{'.': acted}}})
	if string(got) != all || err != nil {
		t.Errorf("%q, %v", got, err)
	}
}
