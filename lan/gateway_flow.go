package lan

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// How long flows without datagrams are kept: "A NAT UDP mapping timer MUST NOT expire in less than two minutes", and "a default
	// of five minutes or more [...] is RECOMMENDED", but for well-known ports (RFC 4787, Section 4.3). Those that nobody has
	// answered are kept for the shorter time, so that who looks for machines that are not there fills no table.
	idleTime       = 5 * time.Minute
	idleUnanswered = 2 * time.Minute
	idleDNS        = 20 * time.Second
	idleEcho       = time.Minute // RFC 5508, Section 3.2, REQ-2
	// maxWaiting is how many datagrams wait until the far side of their flow is open.
	maxWaiting = 16
)

// A flowKey tells a flow from others.
type flowKey struct {
	kind     Kind
	src, dst netip.AddrPort // as in Ask; the src port of pings is their identifier
}

// A flow is datagrams, or pings, from one place to another and back.
type flow struct {
	g   *Gateway
	ask Ask
	// heard takes what comes back, and failed hears of errors, with the mark of what the machine sent last.
	heard  func(out net.Conn, b []byte) error
	failed func(mark int, err error)
	idle   time.Duration // how long it is kept without use, and once it was answered if that is longer
	idleOn time.Duration
	echoID uint16 // of pings, in the world

	sent, received atomic.Uint64 // bytes
	mark           atomic.Int64
	used           atomic.Bool // since the last look
	worked         atomic.Bool // something was sent by the socket

	mu      sync.Mutex
	out     net.Conn // nil until it is open
	lost    bool     // out was of no use any more
	waiting [][]byte
	over    bool
	err     error // that ended it
}

// flowFor returns the flow of a key, and begins one if there is none; it is nil if there are too many.
func (g *Gateway) flowFor(ctx context.Context, k flowKey, network string, begin func(*flow)) *flow {
	g.nat.mu.Lock()
	defer g.nat.mu.Unlock()
	if f := g.nat.flows[k]; f != nil {
		return f
	}
	if g.nat.flows == nil || k.kind == KindEcho && len(g.nat.echoIDs) == maxEchoes || !g.nat.flowShares.take(k.src.Addr()) {
		return nil
	}
	f := &flow{g: g, ask: Ask{Kind: k.kind, Src: k.src, Dst: k.dst}}
	if k.kind == KindEcho {
		f.echoID = g.nat.takeEchoLocked()
	}
	begin(f)
	g.nat.flows[k] = f
	g.busy.Go(func() {
		f.run(ctx, network)
		g.nat.mu.Lock()
		delete(g.nat.flows, k)
		delete(g.nat.echoIDs, f.echoID)
		g.nat.mu.Unlock()
		g.nat.flowShares.release(k.src.Addr())
	})
	return f
}

// send sends a datagram, or keeps it until the far side is open. If it goes wrong, failed gets the mark.
func (f *flow) send(b []byte, mark int) {
	f.used.Store(true)
	f.mark.Store(int64(mark))
	f.mu.Lock()
	out, err := f.out, f.err
	if out == nil && !f.over && len(f.waiting) < maxWaiting {
		f.waiting = append(f.waiting, slices.Clone(b))
	}
	f.mu.Unlock()
	switch {
	case out != nil:
		f.write(out, b)
	case err != nil:
		f.failed(mark, err)
	}
}

func (f *flow) write(out net.Conn, b []byte) {
	f.sent.Add(uint64(len(b))) // before anybody can have answered
	_, err := out.Write(b)
	if err != nil {
		f.sent.Add(-uint64(len(b)))
	}
	switch {
	case err == nil:
		f.worked.Store(true)
	case isLost(err) && f.worked.Load():
		f.lose(out, b)
	default:
		f.failed(int(f.mark.Load()), err)
	}
}

// isLost reports whether a socket is of no use any more, though there may be another way: the computer has another network than
// when it was opened.
func isLost(err error) bool {
	return slices.ContainsFunc([]syscall.Errno{syscall.EINVAL, syscall.EADDRNOTAVAIL, syscall.ENETUNREACH, syscall.ENETDOWN},
		func(e syscall.Errno) bool { return errors.Is(err, e) })
}

// lose closes a socket that is of no use, and keeps a datagram for the next one, which run opens.
func (f *flow) lose(out net.Conn, b []byte) {
	f.mu.Lock()
	if f.out == out {
		f.out, f.lost = nil, true
	}
	if f.lost && len(f.waiting) < maxWaiting {
		f.waiting = append(f.waiting, slices.Clone(b))
	}
	f.mu.Unlock()
	out.Close()
}

// wasLost reports whether a socket was lost since the last one was opened.
func (f *flow) wasLost() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	lost := f.lost
	f.lost = false
	return lost
}

// run is the life of a flow.
func (f *flow) run(ctx context.Context, network string) {
	to, err := f.g.reach(f.ask)
	if err != nil {
		f.end(err)
		return
	}
	address := to.String()
	if f.ask.Kind == KindEcho {
		address = to.Addr().String()
	}
	err = f.carry(ctx, network, address)
	for err == nil && ctx.Err() == nil && f.wasLost() {
		err = f.carry(ctx, network, address)
	}
	f.end(err)
	f.g.tell(Event{Ask: f.ask, Verdict: Ended, Err: err, Sent: f.sent.Load(), Received: f.received.Load()})
}

// carry opens a socket, and is done when that has been idle, or is lost.
func (f *flow) carry(ctx context.Context, network, address string) error {
	dialing, cancel := context.WithTimeout(ctx, dialTime)
	out, err := f.g.dialFlow(dialing, &f.ask, network, address)
	cancel()
	if err != nil {
		return err
	}
	defer out.Close()
	defer context.AfterFunc(ctx, func() { out.Close() })()
	f.worked.Store(false)
	f.open(out)
	return f.listen(out)
}

// open sends what waits, and lets send do so from then on.
func (f *flow) open(out net.Conn) {
	for {
		f.mu.Lock()
		waiting := f.waiting
		f.waiting = nil
		if len(waiting) == 0 {
			f.out = out
		}
		f.mu.Unlock()
		if len(waiting) == 0 {
			return
		}
		for _, b := range waiting {
			f.write(out, b)
		}
	}
}

// listen hands over what comes back, until the flow has been idle.
func (f *flow) listen(out net.Conn) error {
	hear := func(b []byte) {
		if f.heard(out, b) == nil {
			f.used.Store(true)
			f.idle = max(f.idle, f.idleOn)
			f.received.Add(uint64(len(b)))
		}
	}
	for {
		out.SetReadDeadline(time.Now().Add(f.idle))
		err := f.g.readDatagram(out, hear)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			if !f.used.Swap(false) {
				return nil
			}
		case errors.Is(err, net.ErrClosed):
			return nil
		case errors.Is(err, errTooLong):
		case err != nil && isPassing(err):
			f.failed(int(f.mark.Load()), err)
		case err != nil:
			return err
		}
	}
}

// readInto is readDatagram for connections of any kind.
func (g *Gateway) readInto(c net.Conn, hear func([]byte)) error {
	b := g.nat.buffers.Get().(*[bufferSize]byte)
	defer g.nat.buffers.Put(b)
	n, err := c.Read(b[:])
	if err == nil {
		hear(b[:n])
	}
	return err
}

// end says that the flow is over, and tells the machine if it never was.
func (f *flow) end(err error) {
	f.mu.Lock()
	unsent := len(f.waiting) > 0
	f.waiting, f.out, f.over, f.err = nil, nil, true, err
	f.mu.Unlock()
	if err != nil && unsent {
		f.failed(int(f.mark.Load()), err)
	}
}
