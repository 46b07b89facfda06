package remote

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	"landline/frame"
)

// featurePorts is what a server calls it that it carries ports.
const featurePorts = "ports"

const (
	maxCarried   = 1024 // open calls of dial and accept, besides the others
	dialWithin   = 20 * time.Second
	maxArrivals  = 64 // connections of a listen that wait for accept
	acceptWithin = 10 * time.Second
)

// Why a port is not carried: the values of "cause" in SPEC.md, section 9.
const (
	causeRefused     = "refused"
	causeUnreachable = "unreachable"
	causeTimeout     = "timeout"
	causeUnknown     = "unknown"
	causeDenied      = "denied"
)

var errNoPorts = errors.New("this key may not carry ports")

// isCarried says whether a kind of call carries one connection.
func isCarried(kind string) bool { return kind == kindDial || kind == kindAccept }

// dial connects to an address and carries the connection.
func (call *serverCall) dial(m *message) ending {
	network, e := call.port(m, "tcp", "unix")
	if network == "" {
		return e
	}
	d := net.Dialer{Timeout: dialWithin}
	nc, err := d.DialContext(call.ctx, network, m.address)
	if err != nil {
		return portRefusal(err)
	}
	call.startedPort("")
	return call.carry(nc)
}

// port checks that the guest may carry ports, and which network is asked for; it is "" if that is refused.
func (call *serverCall) port(m *message, networks ...string) (string, ending) {
	g := &call.c.guest
	if g.NoPorts || g.Command != "" {
		return "", ending{reason: Refused, code: 125, cause: causeDenied, err: errNoPorts.Error()}
	}
	if m.network == "" {
		return "tcp", ending{}
	}
	for _, n := range networks {
		if n == m.network {
			return n, ending{}
		}
	}
	return "", refusal(125, "this network is not for ports: "+m.network)
}

// portRefusal tells why a connection could not be made.
func portRefusal(err error) ending {
	e := refusal(125, err.Error())
	dns, isDNS := errors.AsType[*net.DNSError](err)
	op, isOp := errors.AsType[*net.OpError](err)
	switch {
	case isDNS && dns.IsNotFound:
		e.cause = causeUnknown
	case errors.Is(err, syscall.ECONNREFUSED):
		e.cause = causeRefused
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		e.cause = causeUnreachable
	case isOp && op.Timeout():
		e.cause = causeTimeout
	}
	return e
}

// startedPort tells the client that its port is there.
func (call *serverCall) startedPort(address string) {
	var h frame.Builder
	h.Str("kind", kindStarted).Int("call", call.id)
	if address != "" {
		h.Str("address", address)
	}
	_ = call.c.post(&h, nil) // if the connection is gone, so is who would read this
}

// A halfCloser is a connection whose directions end one by one.
type halfCloser interface {
	net.Conn
	CloseWrite() error
}

// carry moves bytes both ways until both directions have ended, or one breaks.
func (call *serverCall) carry(nc net.Conn) ending {
	defer nc.Close()
	var broken breakage
	stop := context.AfterFunc(call.ctx, func() { broken.set(nc, context.Cause(call.ctx)) })
	defer stop()
	var both sync.WaitGroup
	both.Go(func() { call.carryOut(nc, &broken) })
	both.Go(func() {
		// A client that wants no more has hung up; there is no use in waiting for what comes.
		call.stdout.wait()
		nc.SetReadDeadline(time.Unix(1, 0))
	})
	call.carryIn(nc, &broken)
	both.Wait()
	if err := broken.why(); err != nil {
		return ending{reason: Cancelled, err: plainError(err).Error()}
	}
	return ending{reason: Exited}
}

// carryIn moves what comes from the client to the connection.
func (call *serverCall) carryIn(nc net.Conn, broken *breakage) {
	_, err := call.stdin.WriteTo(onlyWriter{nc})
	switch {
	case err != nil && call.stdin.failed():
		broken.set(nc, err)
	case err != nil && !errors.Is(err, syscall.EPIPE):
		broken.set(nc, err)
	case err != nil:
		call.stdin.abandon() // whoever is there reads no more
	case call.stdin.whole():
		if half, ok := nc.(halfCloser); ok {
			_ = half.CloseWrite() // what breaks it is met by who reads
		}
	}
}

// carryOut moves what comes from the connection to the client.
func (call *serverCall) carryOut(nc net.Conn, broken *breakage) {
	b := pipeBuffers.Get().(*[pipeBuffer]byte)
	defer pipeBuffers.Put(b)
	for {
		n, err := nc.Read(b[:])
		if n > 0 {
			if _, werr := call.stdout.Write(b[:n]); werr != nil {
				return
			}
		}
		switch {
		case err == nil:
			continue
		case errors.Is(err, io.EOF) || call.stdout.fault() != nil:
			call.stdout.Close()
		default:
			broken.set(nc, err)
			call.stdout.breakOff(plainError(broken.why()))
			call.stdin.abandon()
		}
		return
	}
}

// A breakage is why a carried connection did not come to its end: the first reason counts.
type breakage struct {
	mu  sync.Mutex
	err error
}

// set breaks the connection: who is at its other end learns that it is not whole.
func (b *breakage) set(nc net.Conn, why error) {
	b.mu.Lock()
	if b.err == nil {
		b.err = why
	}
	b.mu.Unlock()
	if tcp, ok := nc.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	nc.Close()
}

func (b *breakage) why() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}

// A listening is a call that listens.
type listening struct {
	ln net.Listener

	mu       sync.Mutex
	last     int64
	arrivals map[int64]net.Conn // that wait for accept
	room     chan struct{}      // one for each
}

// listen listens for the client, and tells it who comes.
func (call *serverCall) listen(m *message) ending {
	network, e := call.port(m, "tcp")
	if network == "" {
		return e
	}
	ln, err := net.Listen(network, m.address)
	if err != nil {
		if errno, ok := errors.AsType[syscall.Errno](err); ok {
			err = errno // the client knows what it asked for
		}
		return refusal(125, err.Error())
	}
	l := &listening{ln: ln, arrivals: make(map[int64]net.Conn), room: make(chan struct{}, maxArrivals)}
	c := call.c
	c.callsMu.Lock()
	c.listening[call.id] = l
	c.callsMu.Unlock()
	stop := context.AfterFunc(call.ctx, func() { ln.Close() })
	defer stop()
	call.startedPort(ln.Addr().String())
	err = l.accept(call)
	ln.Close()
	c.callsMu.Lock()
	delete(c.listening, call.id)
	c.callsMu.Unlock()
	l.end()
	if cause := context.Cause(call.ctx); cause != nil {
		err = cause
	}
	return ending{reason: Cancelled, err: plainError(err).Error()}
}

// accept tells the client of each connection, until the listener fails or is closed.
func (l *listening) accept(call *serverCall) error {
	for {
		select {
		case l.room <- struct{}{}:
		case <-call.ctx.Done():
			return context.Cause(call.ctx)
		}
		nc, err := l.ln.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return err
			}
			<-l.room
			if err := wait(call.ctx, acceptRetry); err != nil {
				return err
			}
			continue
		}
		var h frame.Builder
		h.Str("kind", kindArrival).Int("connection", l.add(nc)).Str("address", plain(addressOf(nc), maxText))
		b, err := frame.Append(nil, &h, nil)
		if err == nil {
			_, err = call.stdout.Write(b)
		}
		if err != nil {
			return err
		}
	}
}

// add keeps a connection for accept, but not for long.
func (l *listening) add(nc net.Conn) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	n := l.last
	l.arrivals[n] = nc
	time.AfterFunc(acceptWithin, func() {
		if nc := l.take(n); nc != nil {
			nc.Close()
		}
	})
	return n
}

// take returns a connection that waits, nil if it does not any more.
func (l *listening) take(n int64) net.Conn {
	l.mu.Lock()
	defer l.mu.Unlock()
	nc := l.arrivals[n]
	if nc != nil {
		delete(l.arrivals, n)
		<-l.room
	}
	return nc
}

func (l *listening) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, nc := range l.arrivals {
		nc.Close()
	}
	clear(l.arrivals)
}

// accept carries a connection that a listen has told of.
func (call *serverCall) accept(m *message) ending {
	c := call.c
	c.callsMu.Lock()
	l := c.listening[m.listener]
	c.callsMu.Unlock()
	if l == nil {
		return refusal(125, "nobody listens there any more")
	}
	nc := l.take(m.connection)
	if nc == nil {
		return refusal(125, "this connection is not there any more")
	}
	call.startedPort("")
	return call.carry(nc)
}
