package dhcp

import (
	"bytes"
	"strings"
)

// Bounds on names (RFC 1035, Section 2.3.4).
const (
	maxLabel  = 63
	maxDomain = 253 // as text
)

// trimNUL cuts zeros at the end: "options containing NVT ASCII data SHOULD NOT
// include a trailing NULL; however, the receiver of such options MUST be prepared to
// delete trailing nulls" (RFC 2132, Section 2).
func trimNUL(b []byte) []byte { return bytes.TrimRight(b, "\x00") }

// label makes a name from a stranger a label of letters, digits and hyphens, or "".
func label(name []byte) string {
	name, _, _ = bytes.Cut(trimNUL(name), []byte{'.'})
	if len(name) > maxLabel {
		return ""
	}
	var buf [maxLabel]byte
	for i, c := range name {
		switch {
		case c == ' ' || c == '_':
			buf[i] = '-'
		case isLetterDigit(c) || c == '-':
			buf[i] = lower(c)
		default:
			return ""
		}
	}
	return strings.Trim(string(buf[:len(name)]), "-")
}

// domain makes a domain name from a stranger one of proper labels, or "".
func domain(name []byte) string {
	name = bytes.TrimSuffix(trimNUL(name), []byte{'.'})
	if len(name) == 0 || len(name) > maxDomain {
		return ""
	}
	text := make([]byte, 0, len(name))
	for l := range bytes.SplitSeq(name, []byte{'.'}) {
		if !isLabel(l) {
			return ""
		}
		if len(text) > 0 {
			text = append(text, '.')
		}
		for _, c := range l {
			text = append(text, lower(c))
		}
	}
	return string(text)
}

// isLabel reports whether l can be part of a domain name. Some networks have
// underscores in theirs.
func isLabel(l []byte) bool {
	if len(l) == 0 || len(l) > maxLabel || l[0] == '-' || l[len(l)-1] == '-' {
		return false
	}
	for _, c := range l {
		if !isLetterDigit(c) && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

func isLetterDigit(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

// maxSearch is how many search domains are read of a message.
const maxSearch = 32

// AppendSearch appends the domains that names are looked up in (RFC 3397), the first
// 32 of them. It reports false, and appends none, if the option is not there or is
// malformed.
func (m Message) AppendSearch(to []string) ([]string, bool) {
	before := len(to)
	all := m.Option(OptSearch)
	for at := 0; at < len(all); {
		name, next := readName(all, at)
		if name == "" {
			return to[:before], false
		}
		if len(to)-before < maxSearch {
			to = append(to, name)
		}
		at = next
	}
	return to, len(to) > before
}

// readName reads the name at all[at] and says where the next one begins. The name is
// "" if it is malformed. A pointer leads only backward, so that there is an end.
func readName(all []byte, at int) (name string, next int) {
	var text []byte
	for start := at; at < len(all); {
		n := int(all[at])
		switch {
		case n == 0:
			if next == 0 {
				next = at + 1
			}
			return domain(text), next
		case n >= 0xc0:
			if at+1 >= len(all) {
				return "", 0
			}
			if next == 0 {
				next = at + 2 // behind the first pointer the list goes on
			}
			if at = n&0x3f<<8 | int(all[at+1]); at >= start {
				return "", 0
			}
			start = at
		case n > maxLabel || at+1+n > len(all) || len(text)+n > maxDomain:
			return "", 0
		default:
			text = append(append(text, all[at+1:at+1+n]...), '.')
			at += 1 + n
		}
	}
	return "", 0
}

// AppendSearch appends search domains to the options in b. A domain that is no good
// is left out, and the whole option if none is left.
func AppendSearch(b []byte, domains ...string) []byte {
	at := len(b)
	b = append(b, byte(OptSearch), 0)
	for _, d := range domains {
		b = appendName(b, strings.TrimSuffix(d, "."))
	}
	if len(b) == at+2 {
		return b[:at]
	}
	return seal(b, at)
}

func appendName(b []byte, name string) []byte {
	at := len(b)
	if len(name) > maxDomain {
		return b
	}
	for l := range strings.SplitSeq(name, ".") {
		if l == "" || len(l) > maxLabel {
			return b[:at]
		}
		b = append(append(b, byte(len(l))), l...)
	}
	return append(b, 0)
}

// appendQuotable appends text from the wire. Whatever could confuse a terminal or a
// reader of the line is escaped, but spaces are left.
func appendQuotable(b, text []byte) []byte {
	for _, c := range text {
		if c < ' ' || c >= 0x7f || c == '\\' {
			b = append(b, '\\', '0'+c/100, '0'+c/10%10, '0'+c%10)
			continue
		}
		b = append(b, c)
	}
	return b
}
