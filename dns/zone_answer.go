package dns

import (
	"encoding/binary"
	"net/netip"
)

// A Verdict is what came of a question to a Zone.
type Verdict uint8

const (
	// Answered: there is an answer, be it that something is wrong with the question.
	Answered Verdict = iota
	// Elsewhere: the question is a good one, and about what another zone has.
	Elsewhere
	// Ignored: it is no question, and gets no answer.
	Ignored
)

// Answer appends the answer to a message. Over TCP it may be of any length; otherwise it is as long as who asks
// takes, and MaxUDP at most, and says so if there is more.
//
// A name that is there without records of the type has none, which is another answer (NODATA) than that
// the name is not there (NXDomain). Both come with the start of the zone, which says for how long they may be
// remembered (RFC 2308, Section 2).
func (z *Zone) Answer(b, message []byte, overTCP bool) ([]byte, Verdict) {
	q, code, ok := parseQuery(message)
	if !ok {
		return b, Ignored
	}
	limit := maxTCP
	if !overTCP {
		limit = min(q.size, MaxUDP)
	}
	var r reply
	r.begin(b, &q, limit, z.config.Recursion)
	switch {
	case code != Success:
		return r.end(code), Answered
	case q.class != classIN && q.class != classANY, q.kind.isMeta():
		return r.end(Refused), Answered
	case q.name.within(z.config.Domain):
		code = z.answer(&r, &q)
	default:
		apex, addrs, ok := z.network(q.name)
		if !ok {
			return b, Elsewhere
		}
		code = z.answerReverse(&r, &q, apex, addrs)
	}
	r.flags |= flagAuthority
	return r.end(code), Answered
}

// answer answers about a name of the domain.
func (z *Zone) answer(r *reply, q *query) RCode {
	records, there := z.lookup(q.name)
	for i := range records {
		if q.kind.matches(records[i].Type) {
			z.tell(r, answers, q.name, &records[i])
		}
	}
	if q.name == z.config.Domain {
		z.answerApex(r, q, q.name)
	}
	if r.counts[answers] == 0 {
		return z.answerNothing(r, z.config.Domain, there)
	}
	for i := range records {
		if records[i].Type == TypeSRV && q.kind.matches(TypeSRV) {
			z.addAddresses(r, records[i].Target)
		}
	}
	return Success
}

// tell adds a record of the zone.
func (z *Zone) tell(r *reply, s section, owner Name, record *Record) {
	ttl := record.TTL
	if ttl == 0 {
		ttl = z.config.TTL
	}
	r.record(s, owner, record, ttl)
}

// addAddresses adds those of where a service is: "Implementors are urged, but not required, to return the address
// record(s) in the Additional Data section" (RFC 2782).
func (z *Zone) addAddresses(r *reply, name Name) {
	if !name.within(z.config.Domain) {
		return
	}
	records, _ := z.lookup(name)
	for i := range records {
		if records[i].Addr.IsValid() {
			z.tell(r, additional, name, &records[i])
		}
	}
}

// answerReverse answers about the addresses that end in a name, in the part of the reverse tree that begins at apex.
func (z *Zone) answerReverse(r *reply, q *query, apex Name, addrs netip.Prefix) RCode {
	if q.kind.matches(TypePTR) && addrs.IsSingleIP() {
		for _, n := range z.lookupAddr(addrs.Addr()) {
			z.tell(r, answers, q.name, &Record{Type: TypePTR, Target: n})
		}
	}
	if q.name == apex {
		z.answerApex(r, q, apex)
	}
	if r.counts[answers] == 0 {
		return z.answerNothing(r, apex, q.name == apex || z.isUsed(addrs))
	}
	return Success
}

// answerApex says what only the name that a zone begins at has.
func (z *Zone) answerApex(r *reply, q *query, apex Name) {
	if q.kind.matches(TypeSOA) {
		z.start(r, answers, apex, z.config.TTL)
	}
	if q.kind.matches(TypeNS) {
		z.tell(r, answers, apex, &Record{Type: TypeNS, Target: z.config.Server})
	}
}

// answerNothing says for how long it may be remembered that there is no answer: for "the minimum of the
// MINIMUM field of the SOA record and the TTL of the SOA itself" (RFC 2308, Section 3), which are the same here.
func (z *Zone) answerNothing(r *reply, apex Name, there bool) RCode {
	z.start(r, authority, apex, z.config.NegativeTTL)
	if !there {
		return NXDomain
	}
	return Success
}

// start adds the start of a zone. Nobody copies the zone, so when to do that again is said as RFC 1912,
// Section 2.2, advises.
func (z *Zone) start(r *reply, s section, apex Name, ttl uint32) {
	const refresh, retry, expire = 3600, 600, 14 * 86400
	m, ok := r.head(apex, TypeSOA, ttl)
	if !ok {
		return
	}
	r.name(z.config.Server)
	r.name(z.mailbox)
	for _, v := range [...]uint32{z.currentSerial(), refresh, retry, expire, z.config.NegativeTTL} {
		r.b = binary.BigEndian.AppendUint32(r.b, v)
	}
	r.tail(s, m)
}
