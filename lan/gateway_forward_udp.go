package lan

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"landline/link"
)

// A udpForward is the clients of a Forward of datagrams. Each has a socket of its own on the LAN.
type udpForward struct {
	g *Gateway
	f *forward
	c *net.UDPConn

	mu      sync.Mutex
	clients map[netip.AddrPort]*udpClient
}

// A udpClient is one who sends to a Forward.
type udpClient struct {
	to             net.Conn
	ask            Ask
	used           atomic.Bool
	sent, received atomic.Uint64
}

func (g *Gateway) forwardUDP(ctx context.Context, f *forward, c *net.UDPConn) {
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
			if _, err := client.to.Write(b[:n]); err == nil {
				client.sent.Add(uint64(n))
			}
		}
	}
}

// client returns the client at an address, or nil if it is refused. It waits for nobody: to open a socket for datagrams
// sends nothing.
func (u *udpForward) client(ctx context.Context, from netip.AddrPort) *udpClient {
	u.mu.Lock()
	client, n := u.clients[from], len(u.clients)
	u.mu.Unlock()
	if client != nil {
		return client
	}
	a := Ask{Kind: KindForward, Src: netip.AddrPortFrom(from.Addr().Unmap(), from.Port())}
	if n >= u.g.cfg.MaxFlows {
		u.g.refused(a, ErrManyFlows)
		return nil
	}
	to, err := u.g.dialMachine(ctx, u.f, &a)
	if err != nil {
		return nil
	}
	client = &udpClient{to: to, ask: a}
	u.mu.Lock()
	u.clients[from] = client
	u.mu.Unlock()
	u.f.busy.Go(func() { u.answer(ctx, from, client) })
	return client
}

// answer brings a client what the machine answers, until nothing comes or goes any more.
func (u *udpForward) answer(ctx context.Context, from netip.AddrPort, client *udpClient) {
	defer context.AfterFunc(ctx, func() { client.to.Close() })()
	buffer := u.g.nat.buffers.Get().(*[bufferSize]byte)
	defer u.g.nat.buffers.Put(buffer)
	for {
		client.to.SetReadDeadline(time.Now().Add(idleTime))
		n, err := client.to.Read(buffer[:])
		if errors.Is(err, net.ErrClosed) || errors.Is(err, os.ErrDeadlineExceeded) && !client.used.Swap(false) {
			break
		}
		if err == nil {
			client.used.Store(true)
			u.c.WriteToUDPAddrPort(buffer[:n], from)
			client.received.Add(uint64(n))
		}
	}
	u.mu.Lock()
	delete(u.clients, from)
	u.mu.Unlock()
	client.to.Close()
	u.g.tell(Event{Ask: client.ask, Verdict: Ended, Sent: client.sent.Load(), Received: client.received.Load()})
}
