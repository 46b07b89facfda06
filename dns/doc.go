// Package dns turns names into addresses: the messages of the Domain Name System,
// as far as somebody needs them who asks a server that does the work, or is one for few names.
//
// A Message is a view of bytes, as those of package wire are: ParseMessage walks over
// all of it once, and after that no method panics. There is no state, no socket and no
// clock here.
//
//	name, err := dns.ParseName("desk.lan")
//	query := dns.AppendQuery(nil, id, name, dns.TypeA)
//	m, err := dns.ParseMessage(answer)
//	for r := m.Answers(); r.Next(); {
//		addr := r.Addr() // if r.Type() is TypeA
//	}
//
// # Standards
//
//   - messages and names: RFC 1035; names are compared by RFC 4343
//   - IPv6 addresses: RFC 3596
//   - long answers by UDP: RFC 6891; the size that is asked for is the one of the operators' "flag day" of 2020
//
// Not here yet: a cache, and records other than addresses, aliases and names of addresses.
package dns
