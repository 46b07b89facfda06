package charset_test

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"landline/internal/charset"
)

// FuzzSplit holds the promises that do not depend on what the bytes mean: any
// split reads the same, raw and UTF-8 pass untouched, a decoded stream is valid
// UTF-8, and a finished line does not wait.
func FuzzSplit(f *testing.F) {
	names := charset.Names()
	index := func(name string) uint8 {
		for i, n := range names {
			if n == name {
				return uint8(i)
			}
		}
		return 0
	}
	for _, s := range samples {
		f.Add(index(s.name), index(s.declared), []byte(s.in), uint16(len(s.in)/2))
	}
	f.Fuzz(func(t *testing.T, c, d uint8, in []byte, cut uint16) {
		name, declared := names[int(c)%len(names)], names[int(d)%len(names)]
		whole := decode(t, name, declared, in)
		at := int(cut) % (len(in) + 1)
		if got := decode(t, name, declared, in[:at], in[at:]); got != whole {
			t.Errorf("%s: cut at %d reads %q, whole %q", name, at, got, whole)
		}
		if got := decode(t, name, declared, single(in)...); got != whole {
			t.Errorf("%s: byte by byte reads %q, whole %q", name, got, whole)
		}
		switch {
		case name == "raw", name == "auto" && utf8.Valid(in), name == "utf-8" && utf8.Valid(in):
			if whole != string(in) {
				t.Errorf("%s changed %q to %q", name, in, whole)
			}
		case name != "auto" && !utf8.ValidString(whole):
			t.Errorf("%s wrote %q, which is not UTF-8", name, whole)
		}
		linesDoNotWait(t, name, declared, in)
	})
}

// linesDoNotWait writes in and a line's end; all of it must be out before Close.
func linesDoNotWait(t *testing.T, name, declared string, in []byte) {
	if strings.HasPrefix(name, "utf-16") || name == "auto" && strings.HasPrefix(declared, "utf-16") {
		return // a line ends in two bytes there
	}
	var out bytes.Buffer
	w := open(t, &out, name, declared)
	feed(t, w, append(bytes.Clone(in), '\n'))
	if !strings.HasSuffix(out.String(), "\n") {
		t.Errorf("%s holds the line %q back, wrote only %q", name, in, out.String())
	}
	n := out.Len()
	if w.Close(); out.Len() != n {
		t.Errorf("%s wrote %q only when closed", name, out.Bytes()[n:])
	}
}

func BenchmarkWrite(b *testing.B) {
	for _, c := range []struct{ label, name, line string }{
		{"auto,ascii", "auto", "a line of plain text, as most are\n"},
		{"auto,chinese", "auto", "一行中文，和别的差不多\n"},
		{"utf-8,chinese", "utf-8", "一行中文，和别的差不多\n"},
		{"gbk,chinese", "gbk", "\xd2\xbb\xd0\xd0\xd6\xd0\xce\xc4\n"},
	} {
		b.Run(c.label, func(b *testing.B) {
			chunk := bytes.Repeat([]byte(c.line), (64<<10)/len(c.line))
			w := open(b, writerFunc(func(p []byte) (int, error) { return len(p), nil }), c.name, "")
			b.SetBytes(int64(len(chunk)))
			b.ReportAllocs()
			for b.Loop() {
				w.Write(chunk)
			}
		})
	}
}
