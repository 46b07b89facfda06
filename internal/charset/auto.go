package charset

import (
	"bytes"
	"io"
	"unicode/utf8"
)

// autoWriter passes UTF-8 on until something shows that the output is not.
type autoWriter struct {
	w    io.Writer
	page codePage       // what a fault changes to
	tail []byte         // the beginning of a character, not passed on yet
	next io.WriteCloser // takes all the rest, once set
	err  error
}

// Write never returns less than len(p) without an error. It takes p's bytes as
// they are, without a copy, except for a character that p's borders cut.
func (a *autoWriter) Write(p []byte) (int, error) {
	if a.next != nil {
		return a.next.Write(p)
	}
	rest := a.join(p)
	if a.next == nil && a.err == nil {
		rest = a.pass(rest)
	}
	switch {
	case a.err != nil:
		return 0, a.err
	case a.next == nil:
		a.tail = append(a.tail, rest...)
	case len(rest) > 0:
		if n, err := a.next.Write(rest); err != nil {
			return len(p) - len(rest) + n, err
		}
	}
	return len(p), nil
}

// join completes the held character from p, byte by byte, and returns the rest
// of p. If the character turns out to be none, its bytes go to the code page.
func (a *autoWriter) join(p []byte) (rest []byte) {
	for len(a.tail) > 0 && len(p) > 0 && a.next == nil && a.err == nil {
		a.tail = append(a.tail, p[0])
		p = p[1:]
		if left := a.pass(a.tail); a.next != nil {
			_, a.err = a.next.Write(left)
		} else {
			a.tail = a.tail[len(a.tail)-len(left):]
		}
	}
	return p
}

// pass writes the text that p begins with and returns what is left: a cut
// character, or, if it set next, everything from there on.
func (a *autoWriter) pass(p []byte) (left []byte) {
	n, verdict := scan(p)
	if n > 0 {
		if a.err = write(a.w, p[:n]); a.err != nil {
			return nil
		}
	}
	switch verdict {
	case fault:
		a.next = newPageWriter(a.w, a.page)
	case binary:
		a.next = rawWriter{a.w}
	}
	return p[n:]
}

// Close ends the output. A character that never became whole is a fault too.
func (a *autoWriter) Close() error {
	if a.err != nil {
		return a.err
	}
	if a.next == nil {
		if len(a.tail) == 0 {
			return nil
		}
		a.next = newPageWriter(a.w, a.page)
		if _, err := a.next.Write(a.tail); err != nil {
			return err
		}
	}
	return a.next.Close()
}

type verdict int

const (
	text   verdict = iota // at most a character is cut at the end
	fault                 // what follows cannot be UTF-8
	binary                // a NUL byte follows
)

// scan measures how far p is UTF-8 text, and says why not further.
func scan(p []byte) (n int, v verdict) {
	if i := bytes.IndexByte(p, 0); i >= 0 {
		if n = validPrefix(p[:i]); n < i {
			return n, fault // a cut character too: NUL does not complete it
		}
		return n, binary
	}
	n = validPrefix(p)
	if n < len(p) && utf8.FullRune(p[n:]) {
		return n, fault
	}
	return n, text
}

// validPrefix returns the length of the longest beginning of p that is UTF-8.
func validPrefix(p []byte) int {
	if n := len(p) - incomplete(p); utf8.Valid(p[:n]) {
		return n
	}
	n := 0
	for {
		if r, size := utf8.DecodeRune(p[n:]); r != utf8.RuneError || size > 1 {
			n += size
			continue
		}
		return n
	}
}

// incomplete returns the length of the sequence at the end of p that may still
// become a character: 0 to 3 bytes.
func incomplete(p []byte) int {
	for k := 1; k < utf8.UTFMax && k <= len(p); k++ {
		if end := p[len(p)-k:]; utf8.RuneStart(end[0]) {
			if utf8.FullRune(end) {
				return 0
			}
			return k
		}
	}
	return 0
}
