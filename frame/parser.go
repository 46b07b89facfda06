package frame

import (
	"bytes"
	"unicode/utf8"
)

const (
	maxDepth   = 4
	maxMembers = 64
	maxName    = 32
	maxDigits  = 16 // of 2⁵³−1
	maxInt     = 1<<53 - 1

	surrogateHigh = 0xd800
	surrogateLow  = 0xdc00
	surrogateEnd  = 0xe000
)

// checkHeader checks all that Header promises and returns the member "size".
func checkHeader(b []byte) (size int, err error) {
	p := parser{b: b}
	p.space()
	if p.peek() != '{' {
		return 0, errorf("the header is not a JSON object")
	}
	if err := p.value(0); err != nil {
		return 0, err
	}
	if p.space(); p.pos != len(b) {
		return 0, errorf("%d bytes follow the header's object", len(b)-p.pos)
	}
	if p.size == nil {
		return 0, nil
	}
	n, err := p.size.Int(0, MaxBody)
	if err != nil {
		return 0, errorf("size: %s", err.(*Error).Reason)
	}
	return int(n), nil
}

// A parser walks over JSON text. Its checking methods (value and what it calls)
// trust nothing; member and rawValue walk text that has been checked.
type parser struct {
	b    []byte
	pos  int
	size Value // the header's member of this name, once it has been checked
}

// peek returns the byte at hand, or 0 at the end.
func (p *parser) peek() byte {
	if p.pos < len(p.b) {
		return p.b[p.pos]
	}
	return 0
}

func (p *parser) space() {
	for p.pos < len(p.b) {
		switch p.b[p.pos] {
		case ' ', '\t', '\n', '\r':
			p.pos++
		default:
			return
		}
	}
}

func (p *parser) fault(what string) error {
	return errorf("byte %d of the header: %s", p.pos, what)
}

func (p *parser) value(depth int) error {
	switch c := p.peek(); {
	case c == '{':
		return p.object(depth + 1)
	case c == '[':
		return p.list(depth + 1)
	case c == '"':
		return p.text()
	case c == '-' || c >= '0' && c <= '9':
		return p.number()
	case c == 't':
		return p.word("true")
	case c == 'f':
		return p.word("false")
	}
	return p.fault("not a value")
}

func (p *parser) word(w string) error {
	if !bytes.HasPrefix(p.b[p.pos:], []byte(w)) {
		return p.fault("not a value")
	}
	p.pos += len(w)
	return nil
}

func (p *parser) object(depth int) error {
	if depth > maxDepth {
		return p.fault("nested too deep")
	}
	p.pos++
	if p.space(); p.peek() == '}' {
		p.pos++
		return nil
	}
	var seen [maxMembers][]byte
	for n := 0; ; n++ {
		name, err := p.name()
		if err != nil {
			return err
		}
		if n == maxMembers {
			return p.fault("too many members")
		}
		for _, s := range seen[:n] {
			if bytes.Equal(s, name) {
				return p.fault("the name " + string(name) + " stands twice")
			}
		}
		seen[n] = name
		start := p.pos
		if err := p.value(depth); err != nil {
			return err
		}
		if depth == 1 && string(name) == "size" {
			p.size = Value(p.b[start:p.pos])
		}
		if more, err := p.next('}'); !more {
			return err
		}
	}
}

func (p *parser) list(depth int) error {
	if depth > maxDepth {
		return p.fault("nested too deep")
	}
	p.pos++
	if p.space(); p.peek() == ']' {
		p.pos++
		return nil
	}
	for {
		if err := p.value(depth); err != nil {
			return err
		}
		if more, err := p.next(']'); !more {
			return err
		}
	}
}

// next takes the comma after an element, or the end of the object or list.
func (p *parser) next(end byte) (more bool, err error) {
	p.space()
	c := p.peek()
	if c != ',' && c != end {
		return false, p.fault("neither a comma nor an end")
	}
	p.pos++
	p.space()
	return c == ',', nil
}

// name takes a member's name, the colon, and the space around it.
func (p *parser) name() ([]byte, error) {
	if p.peek() != '"' {
		return nil, p.fault("not a name")
	}
	p.pos++
	start := p.pos
	for isNameByte(p.peek()) {
		p.pos++
	}
	name := p.b[start:p.pos]
	if p.peek() != '"' || len(name) == 0 || len(name) > maxName {
		return nil, p.fault("a name is 1 to 32 of a–z, 0–9 and _")
	}
	p.pos++
	if p.space(); p.peek() != ':' {
		return nil, p.fault("not a colon")
	}
	p.pos++
	p.space()
	return name, nil
}

func isNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_'
}

func (p *parser) number() error {
	start := p.pos
	if p.peek() == '-' {
		p.pos++
	}
	first := p.pos
	for c := p.peek(); c >= '0' && c <= '9'; c = p.peek() {
		p.pos++
	}
	digits := p.pos - first
	if c := p.peek(); c == '.' || c == 'e' || c == 'E' {
		return p.fault("not a whole number")
	}
	if digits == 0 || p.b[first] == '0' && p.pos-start > 1 {
		return p.fault("not a number")
	}
	n, ok := Value(p.b[start:p.pos]).whole()
	if !ok || n > maxInt || n < -maxInt {
		return p.fault("a number beyond 2⁵³−1")
	}
	return nil
}

func (p *parser) text() error {
	p.pos++
	for {
		for p.pos < len(p.b) && isPlain(p.b[p.pos]) {
			p.pos++
		}
		c := p.peek()
		switch {
		case p.pos == len(p.b):
			return p.fault("the text does not end")
		case c == '"':
			p.pos++
			return nil
		case c == '\\':
			if err := p.escape(); err != nil {
				return err
			}
		case c < 0x20:
			return p.fault("a control character in a text")
		default:
			r, n := utf8.DecodeRune(p.b[p.pos:])
			if r == utf8.RuneError && n == 1 {
				return p.fault("not UTF-8")
			}
			p.pos += n
		}
	}
}

func (p *parser) escape() error {
	p.pos++
	if p.peek() != 'u' {
		if c := p.peek(); c == 0 || bytes.IndexByte([]byte(`"\/bfnrt`), c) < 0 {
			return p.fault("an unknown escape")
		}
		p.pos++
		return nil
	}
	r, err := p.unit()
	switch {
	case err != nil:
		return err
	case r == 0:
		return p.fault("U+0000 in a text")
	case r < surrogateHigh || r >= surrogateEnd:
		return nil
	case r >= surrogateLow || p.peek() != '\\':
		return p.fault("a lone surrogate")
	}
	p.pos++
	low, err := p.unit()
	if err != nil || low < surrogateLow || low >= surrogateEnd {
		return p.fault("a lone surrogate")
	}
	return nil
}

// unit takes "uXXXX".
func (p *parser) unit() (rune, error) {
	rest := p.b[p.pos:]
	if len(rest) < 5 || rest[0] != 'u' {
		return 0, p.fault("an unknown escape")
	}
	r := hex4(rest[1:])
	if r < 0 {
		return 0, p.fault("an unknown escape")
	}
	p.pos += 5
	return r, nil
}

// hex4 returns the value of four hexadecimal digits, or −1.
func hex4(b []byte) (r rune) {
	for _, c := range b[:4] {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return -1
		}
	}
	return r
}

// member takes a member of checked text.
func (p *parser) member() (name []byte, v Value) {
	start := p.pos + 1
	p.pos = start + bytes.IndexByte(p.b[start:], '"')
	name = p.b[start:p.pos]
	p.pos += 1 + bytes.IndexByte(p.b[p.pos:], ':')
	p.space()
	return name, p.rawValue()
}

// rawValue takes a value of checked text.
func (p *parser) rawValue() Value {
	start := p.pos
	for depth := 0; p.pos < len(p.b); p.pos++ {
		switch c := p.b[p.pos]; c {
		case '"':
			p.skipText()
			if depth == 0 {
				return Value(p.b[start:p.pos])
			}
			p.pos-- // the loop steps over the quote
		case '{', '[':
			depth++
		case '}', ']', ',', ' ', '\t', '\n', '\r':
			if depth == 0 {
				return Value(p.b[start:p.pos])
			}
			if c == '}' || c == ']' {
				depth--
			}
		}
	}
	return Value(p.b[start:p.pos])
}

func (p *parser) skipText() {
	for i := p.pos + 1; ; i++ {
		switch p.b[i] {
		case '\\':
			i++
		case '"':
			p.pos = i + 1
			return
		}
	}
}
