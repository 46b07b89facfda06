// Package dns turns names into addresses, and the other way: the messages of the Domain Name System, as far as
// somebody needs them who asks a server that does the work, and a Zone, which answers for the names of a
// LAN.
//
// A Message is a view of bytes, as those of package wire are: ParseMessage walks over
// all of it once, and after that no method panics. There is no socket and no clock here.
//
//	name, err := dns.ParseName("desk.lan")
//	query := dns.AppendQuery(nil, id, name, dns.TypeA)
//	m, err := dns.ParseMessage(answer)
//	for r := m.Answers(); r.Next(); {
//		addr := r.Addr() // if r.Type() is TypeA
//	}
//
// A Zone holds names with their records, or asks who knows of them. What it is asked, it answers, or says that it is
// for others to answer.
//
//	zone := dns.NewZone(dns.ZoneConfig{Domain: lan, Networks: networks})
//	err := zone.Set(desk, dns.AddrRecord(addr))
//	answer, verdict := zone.Answer(nil, question, false)
//
// # Standards
//
//   - messages and names: RFC 1035; names are compared by RFC 4343
//   - IPv6 addresses: RFC 3596; services: RFC 2782
//   - what is not there: RFC 2308, 8020
//   - long answers by UDP: RFC 6891; the size that is asked for is the one of the operators' "flag day" of 2020
//
// Not here yet: a cache, aliases in a zone, signatures. There are no transfers of zones.
package dns
