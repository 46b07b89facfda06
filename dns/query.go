package dns

import "encoding/binary"

// A query is what a server has to know of a message.
type query struct {
	message  Message
	question []byte // as it came, since who asks may look at the case of its letters; nil if there is no good one
	name     Name
	kind     Type
	class    uint16

	edns    bool
	badEDNS bool
	version byte
	dnssec  bool // who asks wants to be told of signatures
	size    int  // the longest answer by UDP that is taken
}

const (
	minUDP = 512 // which everybody takes (RFC 1035, Section 2.3.4)
	maxTCP = 65535

	classANY = 255
	dnssecOK = 1 << 15 // in what is the TTL of other records (RFC 3225, Section 3)
)

// parseQuery reads a question, and reports whether it is one that wants an answer. If there is something wrong with
// it, the code says what to answer.
func parseQuery(b []byte) (q query, code RCode, ok bool) {
	q.size = minUDP
	if len(b) < headerLen || Message(b).flags()&flagResponse != 0 {
		return q, 0, false
	}
	m, err := ParseMessage(b)
	if err != nil {
		q.message = Message(b[:headerLen])
		return q, FormError, true
	}
	q = m.query()
	switch {
	case m.flags()&maskOpcode != 0:
		code = NotImpl
	case m.count(0) != 1 || q.question == nil || q.badEDNS:
		code = FormError
	case q.version != 0:
		code = badVersion
	}
	return q, code, true
}

// query reads the first question of m, and what m says of how it may be answered.
func (m Message) query() query {
	q := query{message: m, size: minUDP}
	if m.count(0) > 0 {
		end := skipName(m, headerLen) + 4
		q.kind = Type(binary.BigEndian.Uint16(m[end-4:]))
		q.class = binary.BigEndian.Uint16(m[end-2:])
		if q.name = readName(m, headerLen); q.name != "" {
			q.question = m[headerLen:end]
		}
	}
	q.readOptions()
	return q
}

// readOptions looks for the record that extends the header (RFC 6891, Section 6.1).
func (q *query) readOptions() {
	all := q.message.Answers()
	skip := all.left + q.message.count(2)
	all.left = skip + q.message.count(3)
	for i := 0; all.Next(); i++ {
		if i < skip || Type(binary.BigEndian.Uint16(all.m[all.data-recordLen:])) != typeOPT {
			continue
		}
		// "If a query message with more than one OPT RR is received, a FORMERR (RCODE=1) MUST be returned"
		// (Section 6.1.1). And its owner "MUST be 0 (root domain)" (Section 6.1.2).
		if q.edns || all.m[all.at] != 0 {
			q.badEDNS = true
		}
		q.edns = true
		// "Values lower than 512 MUST be treated as equal to 512" (Section 6.2.3).
		q.size = max(minUDP, int(binary.BigEndian.Uint16(all.m[all.data-8:])))
		q.version = all.m[all.data-5]
		q.dnssec = binary.BigEndian.Uint16(all.m[all.data-4:])&dnssecOK != 0
	}
}

// IsQuery reports whether m is an ordinary question.
func (m Message) IsQuery() bool { return m.flags()&(flagResponse|maskOpcode) == 0 }

// Question returns what is asked, if it is one question of class IN.
func (m Message) Question() (name Name, t Type, ok bool) {
	q := m.query()
	return q.name, q.kind, m.count(0) == 1 && q.name != "" && q.class == classIN
}

// Room returns how long an answer to m by UDP may be, in bytes.
func (m Message) Room() int { return m.query().size }
