package frame

import (
	"iter"
	"strconv"
	"unicode/utf8"
)

// A Header is the JSON object of a frame, as checked by [Reader.Next]:
//
//   - names are 1 to 32 of the characters a–z, 0–9 and _, unescaped, none twice
//     in an object, at most 64 in one: no two readers take different members;
//   - numbers are whole and within ±(2⁵³−1), without fraction or exponent, and
//     zero has no sign;
//   - texts are UTF-8 without U+0000 and lone surrogates;
//   - objects and lists nest at most 4 deep; there is no null;
//   - nothing follows the object.
type Header []byte

// All ranges over the members in their order. The slices point into the header.
func (h Header) All() iter.Seq2[[]byte, Value] {
	return func(yield func([]byte, Value) bool) {
		p := parser{b: h}
		p.space()
		p.pos++ // {
		for p.space(); h[p.pos] != '}'; p.space() {
			if h[p.pos] == ',' {
				p.pos++
				p.space()
			}
			name, v := p.member()
			if !yield(name, v) {
				return
			}
		}
	}
}

// Get returns the named member, or nil.
func (h Header) Get(name string) Value {
	for k, v := range h.All() {
		if string(k) == name {
			return v
		}
	}
	return nil
}

// A Value is the JSON text of one member's value.
type Value []byte

// Int returns a whole number from lo to hi.
func (v Value) Int(lo, hi int64) (int64, error) {
	n, ok := v.whole()
	if !ok {
		return 0, errorf("%s stands where a whole number belongs", v.short())
	}
	if n < lo || n > hi {
		return 0, errorf("%s is not within %d and %d", v.short(), lo, hi)
	}
	return n, nil
}

// whole reads the number without allocating; the bounds are known to hold.
func (v Value) whole() (n int64, ok bool) {
	digits := v
	if len(v) > 0 && v[0] == '-' {
		digits = v[1:]
	}
	if len(digits) == 0 || len(digits) > maxDigits {
		return 0, false
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	if v[0] == '-' {
		n = -n
	}
	return n, true
}

// Bool returns true or false.
func (v Value) Bool() (bool, error) {
	switch string(v) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, errorf("%s stands where true or false belongs", v.short())
}

// Text returns a text of at most limit bytes, its escapes resolved.
func (v Value) Text(limit int) (string, error) {
	raw, err := v.Bytes(limit)
	return string(raw), err
}

// Bytes is Text without a copy where the text has no escapes: the slice then
// points into the header.
func (v Value) Bytes(limit int) ([]byte, error) {
	if len(v) < 2 || v[0] != '"' {
		return nil, errorf("%s stands where a text belongs", v.short())
	}
	raw := []byte(v[1 : len(v)-1])
	for _, c := range raw {
		if c == '\\' {
			raw = unescape(raw)
			break
		}
	}
	if len(raw) > limit {
		return nil, errorf("a text of %d bytes, allowed are %d", len(raw), limit)
	}
	return raw, nil
}

// Texts returns a list of at most count texts of at most limit bytes each.
func (v Value) Texts(count, limit int) ([]string, error) {
	if len(v) == 0 || v[0] != '[' {
		return nil, errorf("%s stands where a list belongs", v.short())
	}
	var list []string
	p := parser{b: v, pos: 1}
	for p.space(); v[p.pos] != ']'; p.space() {
		if v[p.pos] == ',' {
			p.pos++
			p.space()
		}
		s, err := p.rawValue().Text(limit)
		if err != nil {
			return nil, err
		}
		if len(list) == count {
			return nil, errorf("a list of more than %d texts", count)
		}
		list = append(list, s)
	}
	return list, nil
}

// short is the value for an error message.
func (v Value) short() string {
	const enough = 40
	if len(v) > enough {
		return strconv.QuoteToASCII(string(v[:enough])) + "…"
	}
	return strconv.QuoteToASCII(string(v))
}

// unescape resolves the escapes of a checked text.
func unescape(s []byte) []byte {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			out = append(out, s[i])
			continue
		}
		i++
		if s[i] != 'u' {
			out = append(out, unescaped(s[i]))
			continue
		}
		r := hex4(s[i+1:])
		i += 4
		if r >= surrogateHigh && r < surrogateEnd {
			r = (r-surrogateHigh)<<10 + (hex4(s[i+3:]) - surrogateLow) + 0x10000
			i += 6
		}
		out = utf8.AppendRune(out, r)
	}
	return out
}

func unescaped(c byte) byte {
	switch c {
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	}
	return c // " \ /
}
