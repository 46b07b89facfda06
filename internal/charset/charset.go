// Package charset turns the bytes that a program printed on another machine
// into UTF-8 for the reader of this one. The line carries bytes as they are;
// what they mean is decided here, at the edge.
//
//	cs, err := charset.Lookup("auto")
//	out := cs.NewWriter(os.Stdout, declared) // what the host says it uses, or ""
//	_, err = out.Write(chunk)                // cut anywhere
//	err = out.Close()                        // flushes; os.Stdout stays open
//
// A [Charset] is one of three things:
//
//   - raw passes every byte untouched.
//   - auto passes every byte untouched for as long as the bytes are UTF-8. At
//     the first sequence that cannot be UTF-8 it changes for good to the code
//     page that the host declared, or to GB18030 if that is not known. See
//     [Charset.NewWriter].
//   - Any other name is decoded from the first byte; what is not a character
//     of it becomes U+FFFD.
//
// The output never depends on how the input was cut into writes, and no more is
// held back than a character that is not whole yet: a finished line is always
// out when Write returns.
//
// Decoding destroys data that is not text. A program that copies output to
// something other than a terminal should use raw unless its user named an
// encoding; auto is for people who read.
//
// The names and the tables follow the WHATWG Encoding Standard, as far as
// golang.org/x/text does. Encodings with shift states (ISO-2022, HZ) are left out.
package charset

import (
	"fmt"
	"io"
	"strings"
)

// Charset is a way to read bytes as text. The zero value is auto. It is an
// immutable value, safe for concurrent use.
type Charset struct {
	mode mode
	page codePage // of mode named
}

type mode int

const (
	auto mode = iota
	raw
	named
)

// Lookup finds a charset by name: "auto", "raw", or an encoding such as "utf-8",
// "gbk" or "windows-1252". Case is ignored, and so is everything but letters
// and digits, so that "Shift_JIS" and "shift-jis" are the same; "cp" and a
// Windows code page's number will do too. The error of an unknown name
// lists the names there are.
func Lookup(name string) (Charset, error) {
	switch plain(name) {
	case "auto":
		return Charset{mode: auto}, nil
	case "raw":
		return Charset{mode: raw}, nil
	}
	if page, ok := findPage(name); ok {
		return Charset{mode: named, page: page}, nil
	}
	return Charset{}, fmt.Errorf("unknown encoding %q (known: %s)", name, strings.Join(Names(), ", "))
}

// Names returns the name of every charset, one each, for help and completion.
func Names() []string {
	names := []string{"auto", "raw"}
	for _, p := range codePages() {
		names = append(names, p.names[0])
	}
	return names
}

// String returns the name under which [Names] lists c.
func (c Charset) String() string {
	switch c.mode {
	case auto:
		return "auto"
	case raw:
		return "raw"
	}
	return c.page.names[0]
}

// NewWriter returns a writer that decodes what it is given and writes it to w.
// Only auto looks at declared, the name of the code page that the host says it
// uses; a name that is empty or not known means GB18030.
//
// Under auto, what was written before the fault stays as it was. The code page
// begins with the first byte of the sequence that could not be UTF-8,
// including bytes that were held back because they looked like the beginning
// of a character. It holds for the rest of the output, even if that is UTF-8
// again. A host that declares UTF-8 is believed: its faults become U+FFFD and
// the rest stays UTF-8. A NUL byte before any fault means that the output is no
// text; from there on everything passes untouched.
//
// Close writes what is left of a character that was cut off by the end, under
// auto as the code page reads it, and does not close w. Errors are those of w;
// once decoding has met one, every later call returns it. The writer is not safe for concurrent use;
// each stream needs its own.
func (c Charset) NewWriter(w io.Writer, declared string) io.WriteCloser {
	switch c.mode {
	case raw:
		return rawWriter{w}
	case named:
		return newPageWriter(w, c.page)
	}
	page, ok := findPage(declared)
	if !ok {
		page, _ = findPage("gb18030")
	}
	return &autoWriter{w: w, page: page}
}

type rawWriter struct{ io.Writer }

func (rawWriter) Close() error { return nil }
