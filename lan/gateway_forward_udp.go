package lan

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"landline/link"
)

// A datagramConn is what package net and package landline have for datagrams.
type datagramConn interface {
	ReadFromUDPAddrPort(b []byte) (int, netip.AddrPort, error)
	WriteToUDPAddrPort(b []byte, to netip.AddrPort) (int, error)
}

// A udpForward is the clients of a Forward of datagrams.
type udpForward struct {
	g *Gateway
	f *forward
	c datagramConn

	mu      sync.Mutex
	clients map[netip.AddrPort]*udpClient
}

// A udpClient is one who sends to a Forward. On the LAN it has no socket: what a machine answers comes to that of all
// flows.
type udpClient struct {
	forward        *udpForward
	at             netip.AddrPort // the client itself
	ask            Ask
	as             netip.AddrPort // whom the machine sees
	used           atomic.Bool
	sent, received atomic.Uint64
}

// A pair is a machine and whom it answers.
type pair struct{ machine, as netip.AddrPort }

func (g *Gateway) forwardUDP(ctx context.Context, f *forward, c datagramConn) {
	u := &udpForward{g: g, f: f, c: c, clients: map[netip.AddrPort]*udpClient{}}
	b := make([]byte, link.MaxMTU)
	for ctx.Err() == nil {
		n, from, err := c.ReadFromUDPAddrPort(b)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // about an answer that somebody did not want
		}
		if client := u.client(ctx, from); client != nil {
			client.used.Store(true)
			client.sent.Add(uint64(n)) // before anybody can have answered
			if g.nat.udp.WriteFromTo(b[:n], client.as, client.ask.Dst) != nil {
				client.sent.Add(-uint64(n))
			}
		}
	}
}

// client returns the client at an address, or nil if it is refused.
func (u *udpForward) client(ctx context.Context, from netip.AddrPort) *udpClient {
	u.mu.Lock()
	client, n := u.clients[from], len(u.clients)
	u.mu.Unlock()
	if client != nil {
		return client
	}
	client = &udpClient{forward: u, at: from, ask: Ask{Kind: KindForward, Src: unmapped(from)}}
	if n >= u.g.cfg.MaxFlows {
		u.g.refused(client.ask, ErrManyFlows)
		return nil
	}
	as, err := u.g.findMachine(u.f, &client.ask)
	if err != nil {
		return nil
	}
	client.as = as
	if err := u.g.nat.addClient(client, u.g.cfg.addressOf(client.ask.Dst.Addr().Is4()).Addr()); err != nil {
		u.g.tell(Event{Ask: client.ask, Verdict: Ended, Err: err})
		return nil
	}
	u.mu.Lock()
	u.clients[from] = client
	u.mu.Unlock()
	u.f.busy.Go(func() { client.run(ctx) })
	return client
}

// run is the life of a client: until it has been idle.
func (c *udpClient) run(ctx context.Context) {
	idle := time.NewTicker(idleUnanswered)
	defer idle.Stop()
	for alive := true; alive; {
		select {
		case <-idle.C:
			alive = c.used.Swap(false)
		case <-ctx.Done():
			alive = false
		}
	}
	u := c.forward
	u.g.nat.removeClient(c)
	u.mu.Lock()
	delete(u.clients, c.at)
	u.mu.Unlock()
	u.g.tell(Event{Ask: c.ask, Verdict: Ended, Sent: c.sent.Load(), Received: c.received.Load()})
}

// answer brings a client what the machine answers.
func (c *udpClient) answer(b []byte) {
	c.used.Store(true)
	if _, err := c.forward.c.WriteToUDPAddrPort(b, c.at); err == nil {
		c.received.Add(uint64(len(b)))
	}
}

// addClient lets what a machine answers find a client. If the client has no address of its own there, it gets a port of the
// gateway's address, and there may be none left: anybody can make up clients. It refuses one that would be another.
func (n *nat) addClient(c *udpClient, own netip.Addr) error {
	n.clientsMu.Lock()
	defer n.clientsMu.Unlock()
	err := ErrNotKept
	if !c.as.IsValid() {
		err = ErrManyFlows
		c.as = freePort(own)
		for k := 0; k < tries && n.clients[c.pair()] != nil; k++ {
			c.as = freePort(own)
		}
	}
	if n.clients[c.pair()] != nil {
		return err
	}
	n.clients[c.pair()] = c
	return nil
}

func (n *nat) removeClient(c *udpClient) {
	n.clientsMu.Lock()
	defer n.clientsMu.Unlock()
	delete(n.clients, c.pair())
}

// clientFor returns the client that a machine answers, or nil.
func (n *nat) clientFor(machine, as netip.AddrPort) *udpClient {
	n.clientsMu.RLock()
	defer n.clientsMu.RUnlock()
	return n.clients[pair{machine, as}]
}

func (c *udpClient) pair() pair { return pair{c.ask.Dst, c.as} }

// freePort returns one of an address's ports that nobody listens at.
func freePort(a netip.Addr) netip.AddrPort {
	const first, ports = 49152, 1 << 14 // RFC 6335, Section 6
	return netip.AddrPortFrom(a, first+uint16(rand.N(ports)))
}
