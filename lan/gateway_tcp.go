package lan

import (
	"context"
	"io"
	"net"
	"sync"

	"landline"
)

// serveTCP carries connections until the listener is closed.
func (g *Gateway) serveTCP(ctx context.Context) {
	for {
		p, err := g.nat.tcp.Accept(ctx)
		if err != nil {
			return
		}
		a := Ask{Kind: KindTCP, Src: p.Src(), Dst: p.Dst()}
		if !g.nat.connShares.take(a.Src.Addr()) {
			g.refused(a, ErrManyFlows)
			p.Reject(errnoOf(ErrManyFlows))
			continue
		}
		g.busy.Go(func() {
			defer g.nat.connShares.release(a.Src.Addr())
			g.connect(ctx, p, a)
		})
	}
}

// connect opens the far side of a connection, and only then the near one.
func (g *Gateway) connect(ctx context.Context, p *landline.TCPPending, a Ask) {
	to, err := g.reach(a)
	if err != nil {
		p.Reject(errnoOf(err))
		return
	}
	out, err := g.dialFor(ctx, p, to.String())
	if err != nil {
		p.Reject(errnoOf(err))
		g.tell(Event{Ask: a, Verdict: Ended, Err: err})
		return
	}
	in, err := p.Accept()
	if err != nil {
		out.Close()
		g.tell(Event{Ask: a, Verdict: Ended, Err: err})
		return
	}
	g.pipe(ctx, a, in, out)
}

// dialFor dials as long as somebody waits for it.
func (g *Gateway) dialFor(ctx context.Context, p *landline.TCPPending, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	done := make(chan struct{})
	defer close(done)
	g.busy.Go(func() {
		select {
		case <-p.Gone():
			cancel()
		case <-done:
		}
	})
	return g.cfg.DialContext(ctx, "tcp", address)
}

// pipe carries bytes both ways between who asked and who was asked, until both have ended.
func (g *Gateway) pipe(ctx context.Context, a Ask, in, out net.Conn) {
	stop := context.AfterFunc(ctx, func() { reset(in); reset(out) })
	e := Event{Ask: a, Verdict: Ended}
	var back error
	var there sync.WaitGroup
	there.Go(func() { e.Received, back = carry(in, out) })
	e.Sent, e.Err = carry(out, in)
	there.Wait()
	if e.Err == nil {
		e.Err = back
	}
	stop()
	in.Close()
	out.Close()
	g.tell(e)
}

// carry carries what one end sends to the other, and its end as well: an orderly one as such, and an error as a reset.
func carry(to, from net.Conn) (uint64, error) {
	n, err := copyAll(to, from)
	if err == nil {
		err = closeWrite(to)
	}
	if err != nil {
		reset(to)
		reset(from)
	}
	return n, err
}

// copyAll copies until from ends. What machines send is written from where it lies, and what sockets bring is read to
// where it is sent from.
func copyAll(to, from net.Conn) (uint64, error) {
	var n int64
	var err error
	if c, ok := to.(*landline.TCPConn); ok {
		n, err = c.ReadFrom(from) // io.Copy would hide from it what from is
	} else {
		n, err = io.Copy(to, from)
	}
	return uint64(n), err
}

func closeWrite(c net.Conn) error {
	if c, ok := c.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return c.Close()
}

// reset ends a connection so that its peer hears of it.
func reset(c net.Conn) {
	if c, ok := c.(interface{ SetLinger(int) error }); ok {
		c.SetLinger(0)
	}
	c.Close()
}
