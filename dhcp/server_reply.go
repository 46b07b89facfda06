package dhcp

import (
	"net/netip"
	"time"

	"landline/wire"
)

// reply makes an OFFER or ACK. The answer to a DHCPINFORM has no entry.
func (s *Server) reply(q *query, t Type, e *entry) Reply {
	h := s.header(q)
	r := Reply{Decision: Offered}
	if t == ACK {
		h.CIAddr = q.m.CIAddr()
		r.Decision = Informed
	}
	lease := time.Duration(0)
	if e != nil {
		h.YIAddr = e.addr
		lease = q.leaseTime()
		r.Binding = e.binding()
	} else {
		r.Binding = Binding{Addr: h.CIAddr, MAC: q.mac}
	}
	s.beginOptions(q, t)
	s.appendParameters(q, e, lease)
	r.Message = s.pack(&h, q.m.MaxLen())
	r.To = destination(q, h.YIAddr)
	return r
}

// deny makes a NAK, with the reason.
func (s *Server) deny(q *query, a netip.Addr, reason error) Reply {
	h := s.header(q)
	r := Reply{Decision: Denied, Err: reason, Binding: Binding{Addr: a, MAC: q.mac}, To: toAll}
	if !h.GIAddr.IsUnspecified() {
		h.Broadcast = true // or the relay would send it to an address that is not good
		r.To = destination(q, h.YIAddr)
	}
	s.beginOptions(q, NAK)
	text := reason.Error()
	s.options = AppendOption(s.options, OptText, text[:min(len(text), maxPart)])
	r.Message = s.pack(&h, q.m.MaxLen())
	return r
}

// header is what a reply takes from the question (RFC 2131, Table 3).
func (s *Server) header(q *query) Header {
	return Header{
		Op: OpReply, XID: q.m.XID(), Broadcast: q.m.Broadcast(), GIAddr: q.m.GIAddr(), CHAddr: q.mac,
	}
}

var toAll = Destination{Addr: netip.AddrPortFrom(everybody, ClientPort), MAC: wire.Broadcast}

// destination is where a reply goes, but for a DHCPNAK that no relay brings: "the server
// broadcasts any DHCPNAK messages to 0xffffffff" (RFC 2131, Section 4.1).
func destination(q *query, given netip.Addr) Destination {
	switch relay, uses := q.m.GIAddr(), q.m.CIAddr(); {
	case !relay.IsUnspecified():
		return Destination{Addr: netip.AddrPortFrom(relay, ServerPort)}
	case !uses.IsUnspecified():
		return Destination{Addr: netip.AddrPortFrom(uses, ClientPort)}
	case q.m.Broadcast():
		return toAll
	}
	return Destination{Addr: netip.AddrPortFrom(given, ClientPort), MAC: q.mac}
}

// beginOptions begins with what every reply has. The client's identifier is returned to
// it (RFC 6842, Section 3), and the relay's option to the relay (RFC 3046, Section
// 2.2).
func (s *Server) beginOptions(q *query, t Type) {
	b := AppendType(s.options[:0], t)
	b = AppendAddrs(b, OptServerID, s.config.ID)
	if id := q.m.Option(OptClientID); id != nil {
		b = AppendOption(b, OptClientID, id)
	}
	if relay := q.m.Option(OptRelay); relay != nil {
		b = AppendOption(b, OptRelay, relay)
	}
	s.options = b
}

// usualParameters are for clients that do not say what they want.
const usualParameters = "\x03\x06\x0c\x0f\x1a\x1c\x3a\x3b" // 3, 6, 12, 15, 26, 28, 58, 59

// appendParameters appends what the client asks for, in its order, but the subnet mask,
// which "MUST be first" (RFC 2132, Section 3.3).
func (s *Server) appendParameters(q *query, e *entry, lease time.Duration) {
	b := s.options
	if e != nil {
		b = AppendSeconds(b, OptLeaseTime, lease)
	}
	b = AppendMask(b, q.pool.Prefix.Bits())
	asked := q.m.Parameters()
	if asked == nil {
		asked = []byte(usualParameters)
	}
	var done [256]bool
	if len(q.pool.Routes) > 0 {
		// "When a DHCP client requests the Router option and the Classless Static Routes
		// option [...] the server SHOULD NOT include the Router option" (RFC 3442,
		// Section 4, shortened).
		done[OptRouters] = q.m.asksFor(OptRoutes)
	}
	for _, c := range asked {
		if !done[c] {
			done[c] = true
			b = q.pool.appendParameter(b, Code(c), e, lease)
		}
	}
	s.options = b
}

// appendParameter appends an option, if the server has something to say about it.
func (p *pool) appendParameter(b []byte, c Code, e *entry, lease time.Duration) []byte {
	switch c {
	case OptRouters:
		return appendList(b, c, p.Routers)
	case OptDNS:
		return appendList(b, c, p.DNS)
	case OptNTP:
		return appendList(b, c, p.NTP)
	case OptBroadcast:
		return AppendAddrs(b, c, lastAddr(p.Prefix))
	case OptDomain:
		return appendText(b, c, p.Domain)
	case OptSearch:
		return AppendSearch(b, p.Search...)
	}
	switch {
	case c == OptMTU && p.MTU > 0:
		return AppendUint16(b, c, uint16(p.MTU))
	case c == OptRoutes && len(p.Routes) > 0:
		return AppendRoutes(b, p.Routes...)
	case c == OptHostName && e != nil:
		return appendText(b, c, e.name)
	case c == OptT1 && e != nil && lease != Forever:
		return AppendSeconds(b, c, lease/2)
	case c == OptT2 && e != nil && lease != Forever:
		return AppendSeconds(b, c, lease/8*7)
	}
	return b
}

func appendList(b []byte, c Code, list []netip.Addr) []byte {
	if len(list) == 0 {
		return b
	}
	return AppendAddrs(b, c, list...)
}

func appendText(b []byte, c Code, text string) []byte {
	if text == "" {
		return b
	}
	return AppendOption(b, c, text)
}
