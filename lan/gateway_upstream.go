package lan

import (
	"context"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"landline/dns"
)

const (
	// askTime is how long a name server may take to answer before another is asked, and askRounds how often each
	// is.
	askTime   = 2 * time.Second
	askRounds = 2
	// maxServers is how many name servers are asked: as many as in other resolvers.
	maxServers = 3
)

// upstream knows which of the computer's name servers answered last.
type upstream struct {
	last atomic.Pointer[netip.Addr] // nil if there is none
}

// resolvers returns the computer's name servers as they are now, the one that answered last first. The gateway is none of them.
func (g *Gateway) resolvers() (servers []netip.Addr) {
	text, err := os.ReadFile(g.cfg.ResolvConf)
	if err != nil {
		g.log.Debug("dns", "error", err)
	}
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) < 2 || words[0] != "nameserver" || len(servers) == maxServers {
			continue
		}
		if a, err := netip.ParseAddr(words[1]); err == nil {
			servers = append(servers, a)
		}
	}
	if len(servers) == 0 {
		servers = []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1})} // as other resolvers do
	}
	// The computer may have a lease of the LAN itself, by a TAP: the gateway would ask itself, again and again.
	servers = slices.DeleteFunc(servers, g.isOwn)
	if last := g.names.upstream.last.Load(); last != nil {
		if k := slices.Index(servers, *last); k > 0 {
			servers = append(servers[k:], servers[:k]...)
		}
	}
	return servers
}

// askWorld asks the computer's name servers, one after the other, and returns the first answer that is one; a failure if that is
// all that came, or nil if nothing did. stream says that the answer may be of any length.
func (g *Gateway) askWorld(ctx context.Context, q dns.Message, stream bool) (answer dns.Message) {
	servers := g.resolvers()
	for range askRounds {
		for _, server := range servers {
			a, err := g.askServer(ctx, server, q, stream)
			if ctx.Err() != nil {
				return nil
			}
			if err != nil {
				g.log.Debug("dns", "server", server, "error", err)
				continue
			}
			answer = a
			if code := a.RCode(); code == dns.Success || code == dns.NXDomain {
				g.names.upstream.last.Store(&server)
				return answer
			}
		}
		if answer != nil {
			return answer // all who answer say that they cannot
		}
	}
	return nil
}

// askServer asks one server: by UDP, and by TCP if that was too short and more can be used.
func (g *Gateway) askServer(ctx context.Context, server netip.Addr, q dns.Message, stream bool) (dns.Message, error) {
	a, err := g.exchange(ctx, "udp", server, q)
	if err == nil && a.Truncated() && stream {
		return g.exchange(ctx, "tcp", server, q)
	}
	return a, err
}

// exchange sends a question under a number of its own, and waits for the answer.
func (g *Gateway) exchange(ctx context.Context, network string, server netip.Addr, q dns.Message) (dns.Message, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	c, err := g.cfg.DialContext(ctx, network, net.JoinHostPort(server.String(), strconv.Itoa(dns.Port)))
	if err != nil {
		return nil, err
	}
	defer c.Close()
	defer context.AfterFunc(ctx, func() { c.SetDeadline(time.Unix(1, 0)) })()
	asked := slices.Clone(q)
	asked.SetID(uint16(rand.Uint32()))
	out := []byte(asked)
	if network == "tcp" {
		out = frameMessage(asked)
	}
	if _, err := c.Write(out); err != nil {
		return nil, err
	}
	for {
		b, err := readAnswer(c, network, max(maxQuestion, q.Room()))
		if err != nil {
			return nil, err
		}
		if a, err := dns.ParseMessage(b); err == nil && a.IsAnswerTo(asked) {
			a.SetID(q.ID())
			return a, nil
		}
	}
}

func readAnswer(c net.Conn, network string, room int) ([]byte, error) {
	if network == "tcp" {
		return readMessage(c)
	}
	b := make([]byte, room)
	n, err := c.Read(b)
	return b[:n], err
}
