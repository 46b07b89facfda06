package landline

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
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
	// maxDatagram is the longest datagram that is read, in bytes: longer than any that was asked for.
	maxDatagram = 4096
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
	cut   bool // there is more than the answer had room for
	addrs []netip.Addr
	err   *net.DNSError
}

// askServer asks one server for the addresses of a name, both families at once.
func (h *Host) askServer(ctx context.Context, server netip.AddrPort, f family, name dns.Name) ([]netip.Addr, *net.DNSError) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	asked := h.questions(f)
	err := h.exchange(ctx, "udp", server, name, asked)
	// "When a DNS client receives a reply with TC set, it should ignore that response, and query again, using a
	// mechanism, such as a TCP connection, that will permit larger replies" (RFC 2181, Section 9).
	if again := forgetCut(asked); len(again) > 0 {
		if failed := h.exchange(ctx, "tcp", server, name, again); err == nil {
			err = failed
		}
	}
	return conclude(asked, err)
}

// questions returns what to ask for the addresses of a family.
func (h *Host) questions(f family) []*question {
	id := uint16(h.stack.Random())
	var asked []*question
	if f != v6only {
		asked = append(asked, &question{id: id, t: dns.TypeA})
	}
	if f != v4only {
		asked = append(asked, &question{id: id ^ 1, t: dns.TypeAAAA})
	}
	return asked
}

// forgetCut makes the questions whose answers were cut new ones, and returns them.
func forgetCut(asked []*question) (again []*question) {
	for _, q := range asked {
		if q.cut {
			*q = question{id: q.id, t: q.t}
			again = append(again, q)
		}
	}
	return again
}

// exchange asks a server on a network, "udp" or "tcp", and reads answers until all are there. The error
// says why some are not.
func (h *Host) exchange(ctx context.Context, network string, server netip.AddrPort, name dns.Name, asked []*question) *net.DNSError {
	conn, err := h.DialContext(ctx, network, server.String())
	if err != nil {
		return dnsError(err, server)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })()
	c := messageConn{conn, network == "tcp"}
	for _, q := range asked {
		if err := c.send(dns.AppendQuery(nil, q.id, name, q.t)); err != nil {
			return dnsError(err, server)
		}
	}
	return c.collect(asked, name, server)
}

// A messageConn carries messages: a datagram is one, and in a stream each comes after its length in two
// bytes (RFC 1035, Section 4.2.2).
type messageConn struct {
	net.Conn
	stream bool
}

// send sends a message. Its length goes with it: clients "SHOULD pass the two-octet length field, and the
// message described by that length field, to the TCP layer at the same time" (RFC 7766, Section 8).
func (c messageConn) send(m []byte) error {
	if c.stream {
		m = append(binary.BigEndian.AppendUint16(nil, uint16(len(m))), m...)
	}
	_, err := c.Write(m)
	return err
}

// receive reads a message into b, or into new space if it comes in a stream.
func (c messageConn) receive(b []byte) ([]byte, error) {
	if !c.stream {
		n, err := c.Read(b)
		return b[:n], err
	}
	if _, err := io.ReadFull(c, b[:2]); err != nil {
		return nil, err
	}
	b = make([]byte, binary.BigEndian.Uint16(b))
	_, err := io.ReadFull(c, b)
	return b, err
}

// collect reads answers until all are there, in any order. The error says why some are not.
func (c messageConn) collect(asked []*question, name dns.Name, server netip.AddrPort) *net.DNSError {
	b := make([]byte, maxDatagram)
	for left := len(asked); left > 0; {
		got, err := c.receive(b)
		if err != nil {
			return dnsError(err, server)
		}
		m, err := dns.ParseMessage(got)
		if err != nil || !m.IsResponse() {
			continue
		}
		for _, q := range asked {
			if !q.done && q.id == m.ID() && m.IsAbout(name, q.t) {
				q.take(m, name, server)
				left--
			}
		}
	}
	return nil
}

// take reads an answer.
func (q *question) take(m dns.Message, name dns.Name, server netip.AddrPort) {
	q.done, q.cut = true, m.Truncated()
	switch code := m.RCode(); code {
	case dns.NXDomain:
	case dns.Success:
		q.addrs = m.Addrs(name, q.t)
		if q.cut { // even over TCP
			q.err = &net.DNSError{Err: "server misbehaving: the answer is cut off", Server: server.String()}
		}
	default:
		q.err = &net.DNSError{Err: "server misbehaving: " + code.String(), Server: server.String(), IsTemporary: true}
	}
}

// conclude makes one of several answers. Addresses of one family are enough, even if the
// question for the other was not answered.
func conclude(asked []*question, err *net.DNSError) (addrs []netip.Addr, _ *net.DNSError) {
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
