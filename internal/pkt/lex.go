package pkt

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// An Error is what is wrong with a line of a script, or with the host that it is about.
type Error struct {
	File string
	Line int
	Text string
}

func (e *Error) Error() string { return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Text) }

// A scanner goes over the text of a script. There are no tokens: what a character means depends
// on where it stands, so the parser asks for what may come next.
type scanner struct {
	file string
	src  string
	pos  int
	line int

	defines map[string]string // what words stand for something else, by --define
}

// fail ends the parse. Parse recovers the error.
func (s *scanner) fail(format string, args ...any) {
	panic(&Error{s.file, s.line, fmt.Sprintf(format, args...)})
}

// rest is what is still to be read.
func (s *scanner) rest() string { return s.src[s.pos:] }

// step goes on by n bytes and returns them.
func (s *scanner) step(n int) string {
	t := s.src[s.pos : s.pos+n]
	s.pos += n
	s.line += strings.Count(t, "\n")
	return t
}

// space steps over white space and comments.
func (s *scanner) space() {
	for {
		rest := s.rest()
		switch {
		case rest == "":
			return
		case strings.IndexByte(" \t\r\n", rest[0]) >= 0:
			s.step(1)
		case strings.HasPrefix(rest, "//"):
			s.toEndOfLine()
		case strings.HasPrefix(rest, "/*"):
			s.step(2)
			s.until("*/", "comment")
		default:
			return
		}
	}
}

// toEndOfLine returns what is left of the line.
func (s *scanner) toEndOfLine() string {
	n := strings.IndexByte(s.rest(), '\n')
	if n < 0 {
		n = len(s.rest())
	}
	return s.step(n)
}

// until returns what stands before the end of a comment, or the like, and steps over that too.
func (s *scanner) until(end, what string) string {
	n := strings.Index(s.rest(), end)
	if n < 0 {
		s.fail("a %s without its end, %s", what, end)
	}
	text := s.step(n)
	s.step(len(end))
	return text
}

// at reports whether t comes next, behind space.
func (s *scanner) at(t string) bool {
	s.space()
	return strings.HasPrefix(s.rest(), t)
}

// take steps over t if it comes next.
func (s *scanner) take(t string) bool {
	if !s.at(t) {
		return false
	}
	s.step(len(t))
	return true
}

// want steps over t, which must come next.
func (s *scanner) want(t string) {
	if !s.take(t) {
		s.fail("expected %s, got %s", t, s.sight())
	}
}

// sight is what comes next, for messages.
func (s *scanner) sight() string {
	s.space()
	rest := s.rest()
	if rest == "" {
		return "the end of the script"
	}
	if n := strings.IndexAny(rest, " \t\r\n"); n > 0 {
		rest = rest[:n]
	}
	return fmt.Sprintf("%q", rest[:min(len(rest), 40)])
}

// run returns the bytes that come next, behind space, as long as they are of a kind.
func (s *scanner) run(is func(byte) bool) string {
	s.space()
	n := 0
	for n < len(s.rest()) && is(s.rest()[n]) {
		n++
	}
	return s.step(n)
}

func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
func isLetter(c byte) bool { return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' }
func isWord(c byte) bool   { return isLetter(c) || isDigit(c) }

// next returns the byte that comes next, behind space, or 0.
func (s *scanner) next() byte {
	s.space()
	if s.rest() == "" {
		return 0
	}
	return s.rest()[0]
}

// atWord reports whether a word comes next.
func (s *scanner) atWord() bool { return isLetter(s.next()) }

// word returns the word that comes next. It may begin with a digit.
func (s *scanner) word() string {
	w := s.run(isWord)
	if w == "" {
		s.fail("expected a word, got %s", s.sight())
	}
	return w
}

// keyword steps over a word if it comes next.
func (s *scanner) keyword(w string) bool {
	if !s.at(w) || len(s.rest()) > len(w) && isWord(s.rest()[len(w)]) {
		return false
	}
	s.step(len(w))
	return true
}

// number returns an integer of at most max. It may be hexadecimal.
func (s *scanner) number(max uint64) uint64 {
	digits, base := s.meaning(s.run(isWord)), uint64(10)
	if hex, ok := strings.CutPrefix(digits, "0x"); ok {
		digits, base = hex, 16
	}
	if digits == "" {
		s.fail("expected a number, got %s", s.sight())
	}
	n := uint64(0)
	for _, c := range []byte(digits) {
		d := uint64(digitValue(c))
		if d >= base {
			s.fail("expected a number, got %q", digits)
		}
		if n > (math.MaxUint64-d)/base {
			s.fail("the number %s is too large", digits)
		}
		n = n*base + d
	}
	if n > max {
		s.fail("the number %d is more than %d", n, max)
	}
	return n
}

// meaning returns what a word stands for.
func (s *scanner) meaning(w string) string {
	if m, ok := s.defines[w]; ok {
		return m
	}
	return w
}

func digitValue(c byte) byte {
	switch {
	case isDigit(c):
		return c - '0'
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 255
}

// maxSeconds is the longest time that a script may speak of: years.
const maxSeconds = 1 << 30

// seconds returns a time: "1", "0.25", ".5".
func (s *scanner) seconds() time.Duration {
	whole := s.run(isDigit)
	frac := ""
	if r := s.rest(); len(r) > 1 && r[0] == '.' && isDigit(r[1]) {
		s.step(1)
		frac = s.run(isDigit)
	}
	if whole == "" && frac == "" {
		s.fail("expected a time, got %s", s.sight())
	}
	d := time.Duration(0)
	for _, c := range []byte(whole) {
		if d = d*10 + time.Duration(c-'0'); d > maxSeconds {
			s.fail("the time %s is too long", whole)
		}
	}
	d *= time.Second
	for i, unit := 0, time.Second/10; i < len(frac) && unit > 0; i, unit = i+1, unit/10 {
		d += time.Duration(frac[i]-'0') * unit
	}
	return d
}
