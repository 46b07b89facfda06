package dns

import "encoding/binary"

// A section is a part of a message, in their order.
type section uint8

const (
	questions section = iota
	answers
	authority
	additional
	sections
)

// A reply is an answer that is being written.
type reply struct {
	b      []byte
	start  int // of the message in b
	q      *query
	limit  int // of the message without the record of the extension
	flags  uint16
	counts [sections]uint16

	suffixes [maxSuffixes]uint16 // where names begin, or end in, that may be pointed to
	known    int                 // how many
}

const (
	maxSuffixes = 64
	maxPointer  = 1<<14 - 1
	optionsLen  = 1 + recordLen // of the record of the extension: the root, and nothing in it
)

// begin begins an answer of so many bytes at most behind b.
func (r *reply) begin(b []byte, q *query, limit int, recursion bool) {
	r.b, r.start, r.q, r.limit = b, len(b), q, limit
	if q.edns {
		r.limit -= optionsLen
	}
	const copied = maskOpcode | flagRecursion
	r.flags = flagResponse | q.message.flags()&copied
	if recursion {
		r.flags |= flagRecurses
	}
	r.b = binary.BigEndian.AppendUint16(r.b, q.message.ID())
	r.b = append(r.b, make([]byte, headerLen-2)...)
	if q.question != nil {
		r.b = append(r.b, q.question...)
		r.counts[questions] = 1
		r.remember(headerLen)
	}
}

// record adds a record.
func (r *reply) record(s section, owner Name, record *Record, ttl uint32) {
	m, ok := r.head(owner, record.Type, ttl)
	if !ok {
		return
	}
	if name, ok := record.compressed(); ok {
		r.name(name)
	}
	r.b = record.appendData(r.b)
	r.tail(s, m)
}

// A mark is where a record begins.
type mark struct{ at, data, known int }

// head begins a record, if there has been room for all before it.
func (r *reply) head(owner Name, t Type, ttl uint32) (mark, bool) {
	m := mark{at: len(r.b), known: r.known}
	if r.flags&flagTruncated != 0 {
		return m, false
	}
	r.name(owner)
	r.b = binary.BigEndian.AppendUint16(r.b, uint16(t))
	r.b = binary.BigEndian.AppendUint16(r.b, classIN)
	r.b = binary.BigEndian.AppendUint32(r.b, ttl)
	r.b = append(r.b, 0, 0)
	m.data = len(r.b)
	return m, true
}

// tail ends a record. If it has no room it is left out: in the additional section that does no harm; in
// the others the answer says so, and has no records, as who asks cannot use a part (RFC 2181, Section 9).
func (r *reply) tail(s section, m mark) {
	binary.BigEndian.PutUint16(r.b[m.data-2:], uint16(len(r.b)-m.data))
	switch {
	case len(r.b)-r.start <= r.limit:
		r.counts[s]++
	case s == additional:
		r.b, r.known = r.b[:m.at], m.known
	default:
		r.b = r.b[:r.start+headerLen+len(r.q.question)]
		r.counts[answers], r.counts[authority], r.counts[additional] = 0, 0, 0
		r.flags |= flagTruncated
	}
}

// end finishes the message and returns what it is appended to.
func (r *reply) end(code RCode) []byte {
	if r.q.edns {
		r.b = append(r.b, 0)
		r.b = binary.BigEndian.AppendUint16(r.b, uint16(typeOPT))
		r.b = binary.BigEndian.AppendUint16(r.b, MaxUDP)
		r.b = append(r.b, byte(code>>4), 0) // the upper bits of the code, and the version
		flags := uint16(0)
		if r.q.dnssec {
			flags = dnssecOK // "The DO bit of the query MUST be copied in the response" (RFC 3225, Section 3)
		}
		r.b = binary.BigEndian.AppendUint16(r.b, flags)
		r.b = append(r.b, 0, 0)
		r.counts[additional]++
	}
	m := r.b[r.start:]
	binary.BigEndian.PutUint16(m[2:], r.flags|uint16(code&maskRCode))
	for s, n := range r.counts {
		binary.BigEndian.PutUint16(m[4+2*s:], n)
	}
	return r.b
}

// name adds a name. What it has in common with the end of one that is there already, it points to
// (RFC 1035, Section 4.1.4).
func (r *reply) name(n Name) {
	at := len(r.b) - r.start
	if n == r.q.name {
		r.b = append(r.b, pointer, headerLen) // as it was asked for, in capitals or not
		return
	}
	for len(n) > 1 {
		if to := r.find(n); to != 0 {
			r.b = append(r.b, pointer|byte(to>>8), byte(to))
			r.remember(at)
			return
		}
		label := 1 + int(n[0])
		r.b = append(r.b, n[:label]...)
		n = n[label:]
	}
	r.b = append(r.b, 0)
	r.remember(at)
}

// find returns where n stands, letter by letter, or 0.
func (r *reply) find(n Name) int {
	for _, at := range r.suffixes[:r.known] {
		if isAt(r.b[r.start:], int(at), n) {
			return int(at)
		}
	}
	return 0
}

// isAt reports whether n stands at at, which leads somewhere, as we wrote it.
func isAt(m []byte, at int, n Name) bool {
	for {
		c := int(m[at])
		if c&pointer == pointer {
			at = (c&^pointer)<<8 | int(m[at+1])
			continue
		}
		end := at + 1 + c
		if 1+c > len(n) || string(m[at:end]) != string(n[:1+c]) {
			return false
		}
		if c == 0 {
			return true
		}
		at, n = end, n[1+c:]
	}
}

// remember lets later names point to the labels of the name at at, up to a pointer.
func (r *reply) remember(at int) {
	m := r.b[r.start:]
	for at <= maxPointer && r.known < maxSuffixes && m[at] != 0 && m[at]&pointer != pointer {
		r.suffixes[r.known] = uint16(at)
		r.known++
		at += 1 + int(m[at])
	}
}
