package frame

import (
	"strconv"
	"unicode/utf8"
)

// A Builder makes a header, member by member, without allocating once its buffer
// has grown. The zero value is an empty header. The member "size" is not set
// here: it follows from the body.
type Builder struct {
	buf []byte // "{" and the members so far, each followed by a comma
}

// Reset empties the header.
func (h *Builder) Reset() *Builder {
	h.buf = h.buf[:0]
	return h
}

// Int adds a member with a whole number. Numbers beyond ±(2⁵³−1) are refused by
// every reader.
func (h *Builder) Int(name string, v int64) *Builder {
	h.buf = appendInt(h.buf, name, v)
	return h
}

// Bool adds a member that is true or false.
func (h *Builder) Bool(name string, v bool) *Builder {
	h.buf = strconv.AppendBool(appendName(h.buf, name), v)
	h.buf = append(h.buf, ',')
	return h
}

// Str adds a member with a text. What a header's text cannot hold, a byte that is
// not UTF-8 or a NUL, becomes U+FFFD: texts whose bytes matter go into bodies.
func (h *Builder) Str(name, v string) *Builder {
	h.buf = appendText(appendName(h.buf, name), v)
	h.buf = append(h.buf, ',')
	return h
}

// Strs adds a member with a list of texts.
func (h *Builder) Strs(name string, v []string) *Builder {
	h.buf = append(appendName(h.buf, name), '[')
	for i, s := range v {
		if i > 0 {
			h.buf = append(h.buf, ',')
		}
		h.buf = appendText(h.buf, s)
	}
	h.buf = append(h.buf, ']', ',')
	return h
}

// String returns the header as it stands, for logs and tests.
func (h *Builder) String() string {
	return string(closeObject(append([]byte(nil), h.buf...), 0))
}

func appendInt(dst []byte, name string, v int64) []byte {
	return append(strconv.AppendInt(appendName(dst, name), v, 10), ',')
}

func appendName(dst []byte, name string) []byte {
	if len(dst) == 0 || dst[len(dst)-1] != ',' {
		dst = append(dst, '{')
	}
	dst = append(dst, '"')
	dst = append(dst, name...)
	return append(dst, '"', ':')
}

// closeObject ends the object that begins at dst[start:].
func closeObject(dst []byte, start int) []byte {
	if len(dst) == start {
		return append(dst, '{', '}')
	}
	dst[len(dst)-1] = '}' // over the last comma
	return dst
}

const hexDigits = "0123456789abcdef"

func appendText(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		start := i
		for i < len(s) && isPlain(s[i]) {
			i++
		}
		dst = append(dst, s[start:i]...)
		switch {
		case i == len(s):
		case s[i] < utf8.RuneSelf:
			dst = appendSpecial(dst, s[i])
			i++
		default:
			r, n := utf8.DecodeRuneInString(s[i:])
			dst = utf8.AppendRune(dst, r)
			i += n
		}
	}
	return append(dst, '"')
}

// isPlain says whether a byte of a text stands for itself.
func isPlain(c byte) bool {
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'
}

func appendSpecial(dst []byte, c byte) []byte {
	switch c {
	case 0:
		return utf8.AppendRune(dst, utf8.RuneError)
	case '"', '\\':
		return append(dst, '\\', c)
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}
