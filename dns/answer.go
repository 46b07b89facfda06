package dns

import (
	"encoding/binary"
	"net/netip"
	"strings"
)

const (
	flagAuthority = 1 << 10
	flagAvailable = 1 << 7

	// minRoom is how long an answer by UDP may be if nothing is said (RFC 1035, Section 2.3.4).
	minRoom = 512
)

// A Record is one of an answer, about the name that was asked for.
type Record struct {
	Type   Type
	TTL    uint32     // in seconds
	Addr   netip.Addr // of TypeA and TypeAAAA
	Target Name       // of TypePTR
}

// IsQuery reports whether m is an ordinary question.
func (m Message) IsQuery() bool { return m.flags()&(flagResponse|maskOpcode) == 0 }

// Question returns what is asked, if it is one question of class IN.
func (m Message) Question() (name Name, t Type, ok bool) {
	if m.count(0) != 1 {
		return "", 0, false
	}
	name = readName(m, headerLen)
	rest := m[skipName(m, headerLen):]
	return name, Type(binary.BigEndian.Uint16(rest)), name != "" && binary.BigEndian.Uint16(rest[2:]) == classIN
}

// questionEnd returns where the first question ends, or the header if there is none.
func (m Message) questionEnd() int {
	if m.count(0) == 0 {
		return headerLen
	}
	return skipName(m, headerLen) + 4
}

// option finds the record that says how long an answer may be (RFC 6891), and returns its class, or 0.
func (m Message) option() uint16 {
	r := Records{m: m, next: headerLen, left: m.count(1) + m.count(2) + m.count(3)}
	for range m.count(0) {
		r.next = skipName(m, r.next) + 4
	}
	for r.Next() {
		if Type(binary.BigEndian.Uint16(m[r.data-10:])) == typeOPT {
			return max(minRoom, binary.BigEndian.Uint16(m[r.data-8:]))
		}
	}
	return 0
}

// Room returns how long an answer to m by UDP may be, in bytes.
func (m Message) Room() int { return max(minRoom, int(m.option())) }

// SetID gives m another number, in place.
func (m Message) SetID(id uint16) { binary.BigEndian.PutUint16(m, id) }

// AppendAnswer appends an answer to a question by who knows best. The records are about the name that was asked
// for. If there are none, the code tells a name that there is, and has no such records, from one that there is not.
func AppendAnswer(b []byte, query Message, code RCode, records ...Record) []byte {
	end := query.questionEnd()
	at := len(b)
	b = append(b, query[:end]...)
	flags := query.flags()&(maskOpcode|flagRecursion) | flagResponse | flagAuthority | flagAvailable | uint16(code)
	binary.BigEndian.PutUint16(b[at+2:], flags)
	binary.BigEndian.PutUint16(b[at+4:], uint16(min(1, query.count(0))))
	clear(b[at+6 : at+headerLen])
	for _, r := range records {
		b = r.append(b)
		binary.BigEndian.PutUint16(b[at+6:], binary.BigEndian.Uint16(b[at+6:])+1)
	}
	if query.option() != 0 {
		b = append(b, 0)
		b = binary.BigEndian.AppendUint16(b, uint16(typeOPT))
		b = binary.BigEndian.AppendUint16(b, MaxUDP)
		b = append(b, 0, 0, 0, 0, 0, 0)
		b[at+11] = 1
	}
	return b
}

func (r *Record) append(b []byte) []byte {
	b = append(b, pointer, headerLen)
	b = binary.BigEndian.AppendUint16(b, uint16(r.Type))
	b = binary.BigEndian.AppendUint16(b, classIN)
	b = binary.BigEndian.AppendUint32(b, r.TTL)
	data := r.Addr.AsSlice()
	if r.Type == TypePTR {
		data = []byte(r.Target)
	}
	b = binary.BigEndian.AppendUint16(b, uint16(len(data)))
	return append(b, data...)
}

// Truncate returns an answer that says only that it had no room: who asks is to ask by TCP.
func Truncate(answer Message) Message {
	m := append(Message(nil), answer[:answer.questionEnd()]...)
	binary.BigEndian.PutUint16(m[2:], m.flags()|flagTruncated)
	binary.BigEndian.PutUint16(m[4:], uint16(min(1, m.count(0))))
	clear(m[6:headerLen])
	return m
}

// In reports whether the name is a domain, or in it.
func (n Name) In(domain Name) bool {
	if len(domain) > len(n) || !strings.HasSuffix(string(n), string(domain)) {
		return false
	}
	for len(n) > len(domain) { // where labels begin is told from the front
		n = n[1+int(n[0]):]
	}
	return n == domain
}

// Under returns the label of a name that is right below a domain, and "" for others.
func (n Name) Under(domain Name) string {
	if len(n) == 0 || !n.In(domain) || 1+int(n[0])+len(domain) != len(n) {
		return ""
	}
	return string(n[1 : 1+int(n[0])])
}

// Reverse returns the address whose name is asked for by a name in in-addr.arpa (RFC 1035, Section 3.5) or ip6.arpa (RFC
// 3596, Section 2.5), or the zero Addr.
func (n Name) Reverse() netip.Addr {
	const v4, v6 = "\x07in-addr\x04arpa\x00", "\x03ip6\x04arpa\x00"
	switch {
	case n.In(v4):
		return reverse4(strings.Split(strings.TrimSuffix(n.String(), ".in-addr.arpa."), "."))
	case n.In(v6):
		return reverse6(string(n[:len(n)-len(v6)]))
	}
	return netip.Addr{}
}

func reverse4(labels []string) netip.Addr {
	if len(labels) != 4 {
		return netip.Addr{}
	}
	a, _ := netip.ParseAddr(labels[3] + "." + labels[2] + "." + labels[1] + "." + labels[0])
	return a
}

// reverse6 reads 32 labels of one hexadecimal digit, the last of the address first.
func reverse6(labels string) netip.Addr {
	const digits = "0123456789abcdef"
	var a [16]byte
	if len(labels) != 4*len(a) {
		return netip.Addr{}
	}
	for k := range 2 * len(a) {
		d := strings.IndexByte(digits, labels[2*k+1])
		if labels[2*k] != 1 || d < 0 {
			return netip.Addr{}
		}
		a[15-k/2] |= byte(d) << (4 * (k % 2))
	}
	return netip.AddrFrom16(a)
}

// IsAnswerTo reports whether m answers a question: it has its number, and is about the same.
func (m Message) IsAnswerTo(query Message) bool {
	name, t, ok := query.Question()
	return ok && m.IsResponse() && m.ID() == query.ID() && m.IsAbout(name, t)
}
