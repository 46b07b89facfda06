package lan

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"landline"
	"landline/dns"
	"landline/wire"
)

const (
	// localTTL is for how long machines may remember a name of the LAN, in seconds: it may be another's soon.
	localTTL = 10
	// maxLookups is how many questions are answered at once, and connections for them there are. Who asks more, or more than is
	// its share, gets no answer, and asks again.
	maxLookups = 1024
	// dnsPatience is how long a connection for questions may be idle.
	dnsPatience = 20 * time.Second
)

// A nameServer answers questions for names: those of the LAN's domain itself, and others by asking the
// computer's name servers.
type nameServer struct {
	zone      *dns.Zone
	sockets   []*landline.UDPConn
	listeners []*landline.TCPListener
	shares    shares // of lookups
	upstream  upstream
}

func (s *nameServer) close() {
	for _, c := range s.sockets {
		c.Close()
	}
	for _, l := range s.listeners {
		l.Close()
	}
}

// startNames begins to answer at all of the gateway's addresses.
func (g *Gateway) startNames(ctx context.Context) error {
	g.names.shares.init(maxLookups)
	g.names.zone = g.newZone()
	for name, records := range g.cfg.Records {
		if err := g.setRecords(name, records); err != nil {
			return fmt.Errorf("records of %q: %w", name, err)
		}
	}
	for _, own := range g.cfg.Addresses {
		at := netip.AddrPortFrom(own.Addr(), dns.Port)
		c, err := g.host.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
		if err != nil {
			return err
		}
		g.names.sockets = append(g.names.sockets, c)
		g.busy.Go(func() { g.serveDatagrams(ctx, c) })
		l, err := g.host.ListenTCP("tcp", net.TCPAddrFromAddrPort(at))
		if err != nil {
			return err
		}
		g.names.listeners = append(g.names.listeners, l)
		g.busy.Go(func() { g.serveStreams(ctx, l) })
	}
	return nil
}

// maxQuestion is the longest question by UDP that is looked at, in bytes.
const maxQuestion = 4096

// serveDatagrams answers questions by UDP.
func (g *Gateway) serveDatagrams(ctx context.Context, c *landline.UDPConn) {
	b := make([]byte, maxQuestion)
	for {
		n, from, err := c.ReadFromUDPAddrPort(b)
		if err != nil {
			return
		}
		if !g.names.shares.take(from.Addr()) {
			continue
		}
		question := slices.Clone(b[:n])
		g.busy.Go(func() {
			defer g.names.shares.release(from.Addr())
			if a := g.answer(ctx, from, question, false); a != nil {
				c.WriteToUDPAddrPort(a, from)
			}
		})
	}
}

// serveStreams answers questions by TCP.
func (g *Gateway) serveStreams(ctx context.Context, l *landline.TCPListener) {
	for {
		c, err := l.AcceptTCP()
		if err != nil {
			return
		}
		from := c.RemoteAddr().(*net.TCPAddr).AddrPort().Addr()
		if !g.names.shares.take(from) {
			reset(c)
			continue
		}
		g.busy.Go(func() {
			defer g.names.shares.release(from)
			defer c.Close()
			defer context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })()
			for g.answerNext(ctx, c) {
			}
		})
	}
}

// answerNext answers one question of a connection, and reports whether there may be more.
func (g *Gateway) answerNext(ctx context.Context, c *landline.TCPConn) bool {
	c.SetDeadline(time.Now().Add(dnsPatience))
	b, err := readMessage(c)
	if err != nil || ctx.Err() != nil {
		return false
	}
	a := g.answer(ctx, c.RemoteAddr().(*net.TCPAddr).AddrPort(), b, true)
	if a == nil {
		return false
	}
	_, err = c.Write(frameMessage(a))
	return err == nil
}

// readMessage reads a message from a stream, where each comes after its length (RFC 1035, Section 4.2.2).
func readMessage(r io.Reader) ([]byte, error) {
	var n [2]byte
	if _, err := io.ReadFull(r, n[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint16(n[:]))
	_, err := io.ReadFull(r, b)
	return b, err
}

func frameMessage(m dns.Message) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(m))), m...)
}

// newZone makes what the gateway knows of names itself, or is the one to know. It asks for the machines' names as
// they are at the time.
func (g *Gateway) newZone() *dns.Zone {
	return dns.NewZone(dns.ZoneConfig{
		Domain: g.domain, Networks: g.cfg.Addresses, TTL: localTTL, NegativeTTL: localTTL, Recursion: true,
		Server: g.nameIn(g.cfg.Name),
		Addresses: func(name dns.Name) ([]netip.Addr, bool) {
			addrs := g.addressesOf(name.Under(g.domain))
			return addrs, addrs != nil
		},
		Names: func(a netip.Addr) []dns.Name {
			if name := g.nameIn(g.nameOf(a)); name != "" {
				return []dns.Name{name}
			}
			return nil
		},
	})
}

// setRecords makes known what the configuration says of a name.
func (g *Gateway) setRecords(name string, records []dns.Record) error {
	full, err := dns.ParseName(strings.TrimPrefix(name+"."+g.cfg.Domain, "."))
	if err != nil {
		return err
	}
	return g.names.zone.Set(full, records...)
}

// nameIn returns the name of a machine in the domain, or the zero Name if there is none.
func (g *Gateway) nameIn(label string) dns.Name {
	name, err := dns.ParseName(label + "." + g.cfg.Domain)
	if err != nil {
		return ""
	}
	return name
}

// answer answers a question, or returns nil if it is none.
func (g *Gateway) answer(ctx context.Context, from netip.AddrPort, b []byte, stream bool) dns.Message {
	q, err := dns.ParseMessage(b)
	if err == nil && q.IsQuery() {
		name, t, ok := q.Question()
		if ok && g.allow(Ask{Kind: KindLookup, Src: from, Name: strings.TrimSuffix(name.String(), "."), Type: t}) != nil {
			return dns.AppendAnswer(nil, q, dns.Refused)
		}
	}
	a, verdict := g.names.zone.Answer(nil, b, stream)
	switch verdict {
	case dns.Answered:
		return a
	case dns.Ignored:
		return nil
	}
	a = g.askWorld(ctx, q, stream)
	switch {
	case a == nil:
		return dns.AppendAnswer(nil, q, dns.ServFail)
	case !stream && len(a) > q.Room():
		return dns.Truncate(a)
	}
	return a
}

// isOnLAN reports whether an address is one of the LAN's networks.
func (g *Gateway) isOnLAN(a netip.Addr) bool {
	for _, p := range g.cfg.Addresses {
		if p.Contains(a) {
			return true
		}
	}
	return false
}

// addressesOf returns the addresses of the machine with a name, or nil.
func (g *Gateway) addressesOf(label string) (addrs []netip.Addr) {
	if label == g.cfg.Name {
		for _, p := range g.cfg.Addresses {
			addrs = append(addrs, p.Addr())
		}
		return addrs
	}
	b, ok := g.leases.table.ofName(label)
	if !ok {
		return nil
	}
	return append([]netip.Addr{b.Addr}, g.neighborsWith(b.MAC)...)
}

// neighborsWith returns the IPv6 addresses of the LAN that a machine with a lease was last seen to have.
func (g *Gateway) neighborsWith(mac wire.MAC) (addrs []netip.Addr) {
	if !g.cfg.addressOf(false).IsValid() {
		return nil
	}
	for _, n := range g.host.Neighbors() {
		if n.MAC == mac && n.Addr.Is6() && g.isOnLAN(n.Addr) {
			addrs = append(addrs, n.Addr)
		}
	}
	return addrs
}

// nameOf returns the name of the machine that has an address, or "".
func (g *Gateway) nameOf(a netip.Addr) string {
	for _, p := range g.cfg.Addresses {
		if p.Addr() == a {
			return g.cfg.Name
		}
	}
	if b, ok := g.leases.table.ofAddr(a); ok {
		return b.Name
	}
	for _, n := range g.host.Neighbors() {
		if n.Addr == a {
			b, _ := g.leases.table.ofMAC(n.MAC)
			return b.Name
		}
	}
	return ""
}
