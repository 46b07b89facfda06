package lan

import (
	"context"
	"errors"
	"net"
	"slices"
	"syscall"

	"landline/dns"
	"landline/link"
)

// serveUDP carries datagrams until the socket is closed.
func (g *Gateway) serveUDP(ctx context.Context) {
	b := make([]byte, link.MaxMTU)
	for {
		n, from, to, err := g.nat.udp.ReadFromTo(b)
		if err != nil {
			return
		}
		if c := g.nat.clientFor(from, to); c != nil {
			c.answer(b[:n])
			continue
		}
		k := flowKey{KindUDP, from, to}
		f := g.flowFor(ctx, k, "udp", func(f *flow) {
			f.idle, f.idleOn = idleUnanswered, idleTime
			if to.Port() == dns.Port {
				f.idle, f.idleOn = idleDNS, idleDNS
			}
			f.heard = func(_ net.Conn, b []byte) error { return g.nat.udp.WriteFromTo(b, to, from) }
			f.failed = func(n int, err error) { g.nat.udp.Refuse(from, to, n, errnoOf(err)) }
		})
		if f == nil {
			g.refused(Ask{Kind: KindUDP, Src: from, Dst: to}, ErrManyFlows)
			continue
		}
		f.send(b[:n], n)
	}
}

// isPassing reports whether an error is about one datagram, and the socket goes on: what a system makes of messages of ICMP.
func isPassing(err error) bool {
	return slices.ContainsFunc(passing, func(e syscall.Errno) bool { return errors.Is(err, e) })
}

var passing = []syscall.Errno{
	syscall.ECONNREFUSED, syscall.EHOSTUNREACH, syscall.ENETUNREACH, syscall.EHOSTDOWN, syscall.EACCES, syscall.EPROTO,
	syscall.ENOPROTOOPT, syscall.EOPNOTSUPP, errTooLong,
}

// errTooLong says that the way is narrower than was thought. The machine need not know: what is sent next is cut.
const errTooLong = syscall.EMSGSIZE
