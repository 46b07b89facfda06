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
	there.Go(func() { e.Received, back = g.carry(in, out) })
	e.Sent, e.Err = g.carry(out, in)
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
func (g *Gateway) carry(to, from net.Conn) (uint64, error) {
	n, err := g.copy(to, from)
	if err == nil {
		err = closeWrite(to)
	}
	if err != nil {
		reset(to)
		reset(from)
	}
	return n, err
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

const (
	// bufferSize is how much is read at once while much comes, and idleSize is what a silent connection keeps for it.
	bufferSize = 64 << 10
	idleSize   = 2 << 10
)

// copy copies until from ends. The large buffers are those of connections that are busy.
func (g *Gateway) copy(to io.Writer, from io.Reader) (total uint64, err error) {
	small := make([]byte, idleSize)
	for b := small; ; {
		n, err := from.Read(b)
		if n > 0 {
			if _, err := to.Write(b[:n]); err != nil {
				g.release(b)
				return total, err
			}
			total += uint64(n)
		}
		if err != nil {
			g.release(b)
			if err == io.EOF {
				err = nil
			}
			return total, err
		}
		switch {
		case n == len(b) && n == idleSize:
			b = g.nat.buffers.Get().(*[bufferSize]byte)[:]
		case n < idleSize && len(b) == bufferSize:
			g.release(b)
			b = small
		}
	}
}

// release gives a buffer back that came from the pool.
func (g *Gateway) release(b []byte) {
	if len(b) == bufferSize {
		g.nat.buffers.Put((*[bufferSize]byte)(b))
	}
}
