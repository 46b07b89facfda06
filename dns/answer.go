package dns

import "encoding/binary"

// AppendAnswer appends an answer to a question by who knows best. The records are about the name that was asked
// for. If there are none, the code tells a name that there is, and has no such records, from one that there is not.
// Those that do not fit 64 KiB are not told, and that is.
//
// A Zone answers by itself; this is for other answers, such as failures.
func AppendAnswer(b []byte, query Message, code RCode, records ...Record) []byte {
	q := query.query()
	var r reply
	r.begin(b, &q, maxTCP, true)
	r.flags |= flagAuthority
	if q.question != nil {
		for i := range records {
			r.record(answers, q.name, &records[i], records[i].TTL)
		}
	}
	return r.end(code)
}

// Truncate returns an answer that says only that it had no room: who asks is to ask by TCP.
func Truncate(answer Message) Message {
	q := answer.query()
	var r reply
	r.begin(nil, &q, maxTCP, false)
	r.flags = answer.flags() | flagTruncated
	return r.end(0)
}

// SetID gives m another number, in place.
func (m Message) SetID(id uint16) { binary.BigEndian.PutUint16(m, id) }

// IsAnswerTo reports whether m answers a question: it has its number, and is about the same.
func (m Message) IsAnswerTo(query Message) bool {
	name, t, ok := query.Question()
	return ok && m.IsResponse() && m.ID() == query.ID() && m.IsAbout(name, t)
}
