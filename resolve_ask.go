package landline

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"

	"landline/dns"
)

var errNoServer = errors.New("no name server is known")

const (
	// askTime is how long a server may take to answer, and askRounds how often each is asked: as
	// in other resolvers.
	askTime   = 5 * time.Second
	askRounds = 2
	// maxAnswer is the longest answer that is read, in bytes: longer than any that was asked for.
	maxAnswer = 4096
)

// ask asks the name servers for the addresses of a name. No addresses and no error
// are a name that there is not, or one without addresses.
func (h *Host) ask(ctx context.Context, f family, name dns.Name) ([]netip.Addr, *net.DNSError) {
	servers := h.nameServers()
	if len(servers) == 0 {
		return nil, &net.DNSError{Err: errNoServer.Error()}
	}
	var last *net.DNSError
	for range askRounds {
		for _, server := range h.names.order(servers) {
			addrs, err := h.askServer(ctx, server, f, name)
			if err == nil {
				return addrs, nil
			}
			if ctx.Err() != nil {
				return nil, dnsError(ctx.Err(), server)
			}
			last = err
			h.names.failed(server, servers)
		}
	}
	return nil, last
}

// dnsError makes an error what package net says of it.
func dnsError(err error, server netip.AddrPort) *net.DNSError {
	e := &net.DNSError{Err: err.Error(), Server: server.String()}
	if mapped := mapContext(err); mapped != err {
		e.Err, e.UnwrapErr = mapped.Error(), mapped
	}
	if t, ok := errors.AsType[net.Error](err); ok && t.Timeout() {
		e.Err, e.IsTimeout, e.IsTemporary = errTimeout.Error(), true, true
	}
	return e
}

// A question is what is asked of a server, and what came back.
type question struct {
	id    uint16
	t     dns.Type
	done  bool
	addrs []netip.Addr
	err   *net.DNSError
}

// askServer asks one server for the addresses of a name, both families at once.
func (h *Host) askServer(ctx context.Context, server netip.AddrPort, f family, name dns.Name) ([]netip.Addr, *net.DNSError) {
	c, err := h.dial("udp", netip.AddrPort{}, server)
	if err != nil {
		return nil, dnsError(err, server)
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })()
	c.SetDeadline(time.Now().Add(askTime))

	asked := h.questions(f)
	var b []byte
	for i := range asked {
		b = dns.AppendQuery(b[:0], asked[i].id, name, asked[i].t)
		if _, err := c.Write(b); err != nil {
			return nil, dnsError(err, server)
		}
	}
	silent := c.collect(asked, name, server)
	return conclude(asked, silent)
}

// questions returns what to ask for the addresses of a family.
func (h *Host) questions(f family) []question {
	id := uint16(h.stack.Random())
	var asked []question
	if f != v6only {
		asked = append(asked, question{id: id, t: dns.TypeA})
	}
	if f != v4only {
		asked = append(asked, question{id: id ^ 1, t: dns.TypeAAAA})
	}
	return asked
}

// collect reads answers until all are there. The error says why some are not.
func (c *UDPConn) collect(asked []question, name dns.Name, server netip.AddrPort) *net.DNSError {
	b := make([]byte, maxAnswer)
	for left := len(asked); left > 0; {
		n, err := c.Read(b)
		if err != nil {
			return dnsError(err, server)
		}
		m, err := dns.ParseMessage(b[:n])
		if err != nil || !m.IsResponse() {
			continue
		}
		for i := range asked {
			if q := &asked[i]; !q.done && q.id == m.ID() && m.IsAbout(name, q.t) {
				q.take(m, name, server)
				left--
			}
		}
	}
	return nil
}

// take reads an answer.
func (q *question) take(m dns.Message, name dns.Name, server netip.AddrPort) {
	q.done = true
	switch code := m.RCode(); code {
	case dns.NXDomain:
	case dns.Success:
		q.addrs = m.Addrs(name, q.t)
		if m.Truncated() && len(q.addrs) == 0 {
			q.err = &net.DNSError{Err: "the answer does not fit a datagram", Server: server.String()}
		}
	default:
		q.err = &net.DNSError{Err: "server misbehaving: " + code.String(), Server: server.String(), IsTemporary: true}
	}
}

// conclude makes one of several answers. Addresses of one family are enough, even if the
// question for the other was not answered.
func conclude(asked []question, err *net.DNSError) (addrs []netip.Addr, _ *net.DNSError) {
	for _, q := range asked {
		addrs = append(addrs, q.addrs...)
		if err == nil {
			err = q.err
		}
	}
	if len(addrs) > 0 {
		return addrs, nil
	}
	return nil, err
}
