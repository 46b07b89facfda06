package dns

import (
	"errors"
	"strings"
)

// A Name is a domain name as it lies on the wire without compression: labels, each after
// its length, and a zero byte. Letters are in lower case, as "domain name comparisons"
// do not heed case (RFC 4343, Section 3), so Names are compared with ==. The zero Name is no
// name; the root is "\x00".
type Name string

const (
	maxName  = 255 // bytes on the wire (RFC 1035, Section 3.1)
	maxLabel = 63
)

// ErrName says that a text cannot be a name: a label is empty or longer than 63 bytes, or
// all of it is longer than 253.
var ErrName = errors.New("not a domain name")

// ParseName reads a name from its usual text: labels with dots between them, and perhaps one
// after the last. Bytes other than letters, digits and hyphens are taken as they
// are.
func ParseName(s string) (Name, error) {
	s = strings.TrimSuffix(s, ".")
	if s == "" || len(s) > maxName-2 {
		return "", ErrName
	}
	b := make([]byte, 0, len(s)+2)
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > maxLabel {
			return "", ErrName
		}
		b = append(b, byte(len(label)))
		b = append(b, label...)
	}
	return Name(lower(append(b, 0))), nil
}

// lower makes ASCII letters small, in place. A length is at most 63, and so no letter.
func lower(b []byte) []byte {
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return b
}

// String returns the name with a dot after each label: "desk.lan.". Dots and backslashes in
// labels, and what is not printable, are written as in master files (RFC 1035, Section
// 5.1).
func (n Name) String() string {
	if len(n) <= 1 {
		return "."
	}
	var b strings.Builder
	for len(n) > 1 {
		end := 1 + int(n[0])
		for _, c := range []byte(n[1:end]) {
			writeEscaped(&b, c)
		}
		b.WriteByte('.')
		n = n[end:]
	}
	return b.String()
}

func writeEscaped(b *strings.Builder, c byte) {
	switch {
	case c == '.' || c == '\\':
		b.Write([]byte{'\\', c})
	case c <= ' ' || c > '~':
		b.Write([]byte{'\\', '0' + c/100, '0' + c/10%10, '0' + c%10})
	default:
		b.WriteByte(c)
	}
}

// within reports whether n is domain or below it.
func (n Name) within(domain Name) bool {
	for len(n) > len(domain) {
		n = n.parent()
	}
	return n == domain
}

// Under returns the label of a name that is right below a domain, and "" for others.
func (n Name) Under(domain Name) string {
	if n.parent() != domain || len(n) <= 1 {
		return ""
	}
	return string(n[1 : 1+int(n[0])])
}

// parent returns n without its first label. The root is its own.
func (n Name) parent() Name {
	if len(n) <= 1 {
		return n
	}
	return n[1+int(n[0]):]
}

// child returns n with a label before it, or n if that would be too long.
func (n Name) child(label Name) Name {
	if len(label)+len(n) > maxName {
		return n
	}
	return label + n
}

// labels returns how many labels n has.
func (n Name) labels() (count int) {
	for ; len(n) > 1; n = n.parent() {
		count++
	}
	return count
}

// ancestor returns the last labels of n, so many of them.
func (n Name) ancestor(labels int) Name {
	for range n.labels() - labels {
		n = n.parent()
	}
	return n
}

const pointer = 0xc0 // the two bits that make a length a pointer (RFC 1035, Section 4.1.4)

// skipName returns where in m the name ends that begins at at, or 0 if it has no end. What it
// points to is looked at by readName.
func skipName(m []byte, at int) int {
	for start := at; at < len(m) && at-start < maxName; {
		switch n := m[at]; {
		case n == 0:
			return at + 1
		case n&pointer == pointer:
			if at+2 > len(m) {
				return 0
			}
			return at + 2
		case n > maxLabel:
			return 0
		default:
			at += 1 + int(n)
		}
	}
	return 0
}

// readName returns the name that begins at at, or "" if there is none. A pointer has to
// point to "a prior occurrence" (RFC 1035, Section 4.1.4): back, so that there is an end.
func readName(m []byte, at int) Name {
	var space [maxName]byte
	b := space[:0]
	least := at // where the labels that are being read began
	for at < len(m) {
		n := int(m[at])
		switch {
		case n&pointer == pointer:
			if at+2 > len(m) {
				return ""
			}
			to := (n&^pointer)<<8 | int(m[at+1])
			if to >= least {
				return ""
			}
			at, least = to, to
			continue
		case n > maxLabel || at+1+n > len(m) || len(b)+1+n > maxName:
			return ""
		}
		b = append(b, m[at:at+1+n]...)
		if n == 0 {
			return Name(lower(b))
		}
		at += 1 + n
	}
	return ""
}
