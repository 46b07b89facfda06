package remote

import (
	"context"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A cable lies between a client and a server and does harm at one place.
type cable struct {
	toServer bool  // which way it harms
	at       int64 // the byte before which it does; -1 is never
	harm     func(c *cable, p []byte)
	stalls   bool          // nothing moves any more after the harm
	step     int           // bytes that pass at a time, 0 for any
	patience time.Duration // after which it closes by itself, 0 for never

	ends    [2]*net.TCPConn // toward the client, toward the server
	passed  [2]atomic.Int64 // bytes toward the client, toward the server
	seen    [2][]byte       // those bytes
	forgets bool            // them
	harmed  chan struct{}
	gone    chan struct{}
}

func closeEnds(c *cable, _ []byte) {
	c.ends[0].Close()
	c.ends[1].Close()
}

func resetEnds(c *cable, p []byte) {
	c.ends[0].SetLinger(0)
	c.ends[1].SetLinger(0)
	closeEnds(c, p)
}

func flipByte(_ *cable, p []byte) { p[0] ^= 0x04 }

func stall(c *cable, _ []byte) { <-c.gone }

// carry moves bytes one way: i is 0 toward the client, 1 toward the server.
func (c *cable) carry(i int) {
	src, dst := c.ends[1-i], c.ends[i]
	defer dst.CloseWrite()
	size := 4096
	if c.step > 0 {
		size = c.step
	}
	buf := make([]byte, size)
	for {
		n, err := src.Read(buf)
		p := buf[:n]
		if left := c.at - c.passed[i].Load(); c.at >= 0 && c.toServer == (i == 1) && left >= 0 && left < int64(n) {
			c.pass(i, p[:left])
			p = p[left:]
			close(c.harmed)
			c.harm(c, p)
		}
		if c.pass(i, p) != nil || err != nil {
			return
		}
	}
}

func (c *cable) pass(i int, p []byte) error {
	c.passed[i].Add(int64(len(p)))
	if !c.forgets {
		c.seen[i] = append(c.seen[i], p...)
	}
	_, err := c.ends[i].Write(p)
	return err
}

// A dialer makes pairs of connections over loopback.
type dialer struct {
	mu sync.Mutex // so that what is accepted is what was dialled
	ln net.Listener
}

func newDialer(t testing.TB) *dialer {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return &dialer{ln: ln}
}

func (d *dialer) pair() (a, b *net.TCPConn, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	near, err := net.Dial("tcp", d.ln.Addr().String())
	if err != nil {
		return nil, nil, err
	}
	far, err := d.ln.Accept()
	if err != nil {
		near.Close()
		return nil, nil, err
	}
	return near.(*net.TCPConn), far.(*net.TCPConn), nil
}

// A sessionEnd is how both sides saw a session.
type sessionEnd struct {
	result    Result
	err       error
	out, errs string
	served    error
}

// right says whether the client got what there was, and all of it.
func (o *sessionEnd) right() bool {
	return o.err == nil && o.result.Reason == Exited && o.result.Code == 3 && o.out == "to-stdin\n" && o.errs == "to-stderr\n"
}

// lost says whether the client knows that it got nothing to rely on.
func (o *sessionEnd) lost() bool { return o.err != nil && o.result.Reason == Lost }

// A wrapper makes the connections that both sides use of those that the cable joins.
type wrapper func(client, server net.Conn) (net.Conn, net.Conn, error)

// session runs one command over the cable. When the cable stalls, both sides are
// told at once what else they find out after 45 seconds.
func (c *cable) session(t testing.TB, d *dialer, wrap wrapper) (o sessionEnd) {
	c.harmed, c.gone = make(chan struct{}), make(chan struct{})
	near, a, err := d.pair()
	if err != nil {
		t.Error(err)
		return o
	}
	b, far, err := d.pair()
	if err != nil {
		t.Error(err)
		return o
	}
	c.ends = [2]*net.TCPConn{a, b}
	if c.patience > 0 {
		given := time.AfterFunc(c.patience, func() { closeEnds(c, nil) })
		defer given.Stop()
	}
	var carrying sync.WaitGroup
	carrying.Go(func() { c.carry(0) })
	carrying.Go(func() { c.carry(1) })
	o = c.talk(near, far, wrap)
	close(c.gone)
	closeEnds(c, nil)
	near.Close()
	far.Close()
	carrying.Wait()
	return o
}

func (c *cable) talk(near, far net.Conn, wrap wrapper) (o sessionEnd) {
	if wrap != nil {
		var err error
		if near, far, err = wrap(near, far); err != nil {
			return sessionEnd{err: err, result: Result{Reason: Lost}, served: err}
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	served := make(chan error, 1)
	go func() { served <- (&Server{Home: "/"}).ServeConn(ctx, far, Guest{}) }()
	cl := NewClient(near, "test")
	ended := make(chan struct{})
	go func() {
		select {
		case <-c.harmed:
			if c.stalls {
				cl.c.fail(ErrSilent)
				cancel()
			}
		case <-ended:
		}
	}()
	cmd := sh("read x; echo $x; echo to-stderr >&2; exit 3")
	cmd.Stdin = strings.NewReader("to-stdin\n")
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	o.result, o.err = cl.Run(context.Background(), cmd)
	o.out, o.errs = out.String(), errs.String()
	cl.Close()
	o.served = <-served
	close(ended)
	return o
}
