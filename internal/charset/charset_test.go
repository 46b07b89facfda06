package charset_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"landline/internal/charset"
)

// samples are the bytes that a program wrote and the text that a reader must see.
var samples = []struct{ name, declared, in, want string }{
	{"gbk", "", "\xd6\xd0\xce\xc4 abc \x80\r\n\x81\x40", "中文 abc €\r\n丂"},
	{"gbk", "", "\xd6\xff\xd6\n\xd6", "\ufffd\ufffd\ufffd\n\ufffd"},
	{"gb18030", "", "\xd6\xd0\x94\x39\xfc\x36\x81\x30\x84\x36!", "中😀¥!"},
	{"gb18030", "", "\x81\x31\n\x81\x31\x81\n\x81\x31\x81", "\ufffd1\n\ufffd1\ufffd\n\ufffd1\ufffd"},
	{"big5", "", "\xa4\xa4\xa4\xe5\xb3\x5c\x88\x62", "中文許Ê̄"},
	{"shift_jis", "", "\x93\xfa\x96\x7b\xb6\xc5\x83\x5c\n\x93", "日本ｶﾅソ\n\ufffd"},
	{"euc-jp", "", "\xc6\xfc\xcb\xdc\x8e\xb6\x8f\xb0\xa1\x8f\n", "日本ｶ丂\ufffd\n"},
	{"euc-kr", "", "\xc7\xd1\xb1\xb9\n\xc7", "한국\n\ufffd"},
	{"windows-1252", "", "caf\xe9 \x80\n", "café €\n"},
	{"cp866", "", "\x8f\xe0\xa8\xa2\xa5\xe2", "Привет"},
	{"utf-16le", "", "\xff\xfeA\x00\n\x00\x3d\xd8\x00\xde\x3d\xd8", "A\n😀\ufffd"},
	{"utf-16be", "", "\x00A\x00\n\xd8\x3d\xde\x00\x00", "A\n😀\ufffd"},
	{"utf-8", "", "日本\x00😀", "日本\x00😀"},
	{"utf-8", "", "a\xe4\xb8b\xff\xe4\n\xf0\x9f\x98", "a\ufffdb\ufffd\ufffd\n\ufffd"},
	{"utf-8", "", "\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80", strings.Repeat("\ufffd", 9)},
	{"raw", "gbk", "\xd6\xd0\x00\xff日本\xe6", "\xd6\xd0\x00\xff日本\xe6"},

	{"auto", "gbk", "日本 naïve 😀\n", "日本 naïve 😀\n"},
	{"auto", "", "ok \xd6\xd0\xce\xc4\n", "ok 中文\n"},
	{"auto", "nonsense", "ok \xd6\xd0\x94\x39\xfc\x36\n", "ok 中😀\n"},
	{"auto", "cp950", "\xa4\xa4\xa4\xe5\n", "中文\n"},
	{"auto", "CP1252", "日 caf\xe9\n", "日 café\n"},
	{"auto", "CP1252", "caf\xe9", "café"},             // cut off by the end
	{"auto", "CP1252", "\xe4\xb8b 日", "ä¸b æ—¥"},      // held bytes count as well
	{"auto", "UTF-8", "日\xff本\xe6", "日\ufffd本\ufffd"}, // a believed declaration
	{"auto", "gbk", "日\x00\xd6\xd0", "日\x00\xd6\xd0"},
	{"auto", "gbk", "\xe4\x00\xd6\xd0", "\ufffd\x00中"}, // the fault comes before the NUL
	{"auto", "gbk", "\xd6\xd0\x00\xd6\xd0", "中\x00中"},
}

func TestReadsWhatTheProgramMeant(t *testing.T) {
	for _, s := range samples {
		if got := decode(t, s.name, s.declared, []byte(s.in)); got != s.want {
			t.Errorf("%s (declared %q): %q is %q, want %q", s.name, s.declared, s.in, got, s.want)
		}
	}
}

func TestEverySplitReadsTheSame(t *testing.T) {
	for _, s := range samples {
		for cut := range len(s.in) {
			if got := decode(t, s.name, s.declared, []byte(s.in[:cut]), []byte(s.in[cut:])); got != s.want {
				t.Errorf("%s (declared %q) cut at %d: %q is %q, want %q", s.name, s.declared, cut, s.in, got, s.want)
			}
		}
		if got := decode(t, s.name, s.declared, single([]byte(s.in))...); got != s.want {
			t.Errorf("%s (declared %q) byte by byte: %q is %q, want %q", s.name, s.declared, s.in, got, s.want)
		}
	}
}

// The writer works in pieces; a character must survive the borders of those too.
func TestLongOutputStaysWhole(t *testing.T) {
	for _, name := range []string{"gbk", "auto"} {
		in := bytes.Repeat([]byte("\xd6\xd0\xce\xc4!"), 5000)
		want := strings.Repeat("中文!", 5000)
		if got := decode(t, name, "", in); got != want {
			t.Errorf("%s: %d bytes instead of %d", name, len(got), len(want))
		}
	}
}

func TestPassesWholeCharactersAtOnce(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"auto", "password: ", "password: "},
		{"auto", "日本\xe6\x97", "日本"},
		{"auto", "caf\xe9 ", "caf\ufffd "}, // one space refutes the three-byte character
		{"utf-8", "caf\xe9\n", "caf\ufffd\n"},
		{"utf-8", "\xf0a\xc3", "\ufffda"},
		{"gbk", "\xd6\xd0\xce", "中"},
		{"gb18030", "\x811\n", "\ufffd1\n"},
		{"gb18030", "\x81\x31\x81\n", "\ufffd1\ufffd\n"},
		{"euc-jp", "\x8f\n", "\ufffd\n"},
		{"utf-16be", "\x00a\xd8\x00", "a"},
	} {
		var out bytes.Buffer
		w := open(t, &out, c.name, "")
		for _, b := range single([]byte(c.in)) {
			feed(t, w, b)
		}
		if out.String() != c.want {
			t.Errorf("%s: %q shows %q before Close, want %q", c.name, c.in, out.String(), c.want)
		}
	}
}

func TestAutoAndRawDoNotCopy(t *testing.T) {
	chunk := []byte("日本語 plain text\n")
	for _, name := range []string{"auto", "raw"} {
		var seen []byte
		w := open(t, writerFunc(func(p []byte) (int, error) { seen = p; return len(p), nil }), name, "")
		feed(t, w, chunk)
		if len(seen) != len(chunk) || &seen[0] != &chunk[0] {
			t.Errorf("%s passed on something other than the chunk it was given", name)
		}
		if n := testing.AllocsPerRun(100, func() { w.Write(chunk) }); n != 0 {
			t.Errorf("%s allocates %v times a write", name, n)
		}
	}
}

func TestLookupIgnoresSpelling(t *testing.T) {
	for name, want := range map[string]string{
		"AUTO": "auto", "Raw": "raw", "UTF8": "utf-8", "Shift-JIS": "shift_jis", "SJIS": "shift_jis",
		"cp936": "gbk", "GB2312": "gbk", "GB_18030": "gb18030", "CP950": "big5", "Windows_1252": "windows-1252",
		"cp1252": "windows-1252", "ISO8859-1": "iso-8859-1", "iso-8859-15": "iso-8859-15", "cp65001": "utf-8",
	} {
		if cs, err := charset.Lookup(name); err != nil || cs.String() != want {
			t.Errorf("Lookup(%q) = %v, %v, want %s", name, cs, err, want)
		}
	}
}

func TestUnknownNameIsAnsweredWithTheKnownOnes(t *testing.T) {
	for _, name := range []string{"", "klingon", "cp", "\x1b[2J"} {
		_, err := charset.Lookup(name)
		if err == nil {
			t.Fatalf("Lookup(%q) found something", name)
		}
		for _, known := range []string{"auto", "raw", "utf-8", "gbk", "gb18030", "big5", "shift_jis", "euc-kr", "koi8-u"} {
			if !strings.Contains(err.Error(), known) {
				t.Errorf("the error for %q does not mention %s: %v", name, known, err)
			}
		}
		if strings.Contains(err.Error(), "\x1b") {
			t.Errorf("the error carries a control character: %q", err)
		}
	}
}

// A name that stood for two encodings would silently mean the first.
func TestEveryNameFindsItself(t *testing.T) {
	for _, name := range charset.Names() {
		if cs, err := charset.Lookup(name); err != nil || cs.String() != name {
			t.Errorf("Lookup(%q) = %v, %v", name, cs, err)
		}
	}
}

func TestZeroCharsetIsAuto(t *testing.T) {
	if name := (charset.Charset{}).String(); name != "auto" {
		t.Errorf("the zero value is %s", name)
	}
}

func TestReportsTheErrorOfTheWriter(t *testing.T) {
	full := writerFunc(func([]byte) (int, error) { return 0, os.ErrDeadlineExceeded })
	short := writerFunc(func(p []byte) (int, error) { return len(p) - 1, nil })
	for _, name := range []string{"auto", "raw", "gbk"} {
		for _, in := range []string{"text\n", "\xd6\xd0\n", "\xe4\xb8\xad\n"} {
			n, err := open(t, full, name, "").Write([]byte(in))
			if !errors.Is(err, os.ErrDeadlineExceeded) || n != 0 {
				t.Errorf("%s: Write(%q) = %d, %v", name, in, n, err)
			}
			if name == "raw" {
				continue // what it gets from its writer is what it returns
			}
			if _, err := open(t, short, name, "").Write([]byte(in)); err != io.ErrShortWrite {
				t.Errorf("%s: a short write of %q gives %v", name, in, err)
			}
		}
	}
}

func TestErrorAtTheEndIsReported(t *testing.T) {
	full := writerFunc(func([]byte) (int, error) { return 0, os.ErrDeadlineExceeded })
	for _, name := range []string{"auto", "gbk"} {
		w := open(t, full, name, "")
		feed(t, w, []byte("\xd6")) // held back: nothing to write yet
		for range 2 {
			if err := w.Close(); !errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("%s: Close = %v", name, err)
			}
		}
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func open(t testing.TB, w io.Writer, name, declared string) io.WriteCloser {
	t.Helper()
	cs, err := charset.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	return cs.NewWriter(w, declared)
}

func feed(t testing.TB, w io.Writer, p []byte) {
	t.Helper()
	if n, err := w.Write(p); n != len(p) || err != nil {
		t.Fatalf("Write(%q) = %d, %v", p, n, err)
	}
}

// decode returns what comes out when parts are written one after the other.
func decode(t testing.TB, name, declared string, parts ...[]byte) string {
	t.Helper()
	var out bytes.Buffer
	w := open(t, &out, name, declared)
	for _, p := range parts {
		feed(t, w, p)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// single cuts p into slices of one byte.
func single(p []byte) (parts [][]byte) {
	for i := range p {
		parts = append(parts, p[i:i+1])
	}
	return parts
}
