package remote

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"time"

	"landline/frame"
)

// ErrNoPorts means that the server is too old to carry ports.
var ErrNoPorts = errors.New("this server carries no ports")

// ErrPortDenied means that the server does not let this client carry ports.
var ErrPortDenied = errors.New("carrying ports is not allowed to this key")

func (cl *Client) needPorts(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return cl.need(ctx, featurePorts, ErrNoPorts)
}

// A Port is a connection that the server carries, from or to a place that it can reach. It is a net.Conn whose directions
// end one by one. It has no deadlines: they fail with os.ErrNoDeadline.
type Port struct {
	cl    *Client
	call  *clientCall
	local net.Addr
	far   net.Addr
	over  chan struct{} // closed when the call has ended

	closing sync.Once
}

// Dial has the server open a connection: network is "tcp" or "unix". It returns when that stands. The error is a *net.OpError:
// around syscall.ECONNREFUSED if nobody listens there, syscall.EHOSTUNREACH if there is no way, syscall.ETIMEDOUT if nobody
// answers, a *net.DNSError if the server knows no such name, and ErrPortDenied.
func (cl *Client) Dial(ctx context.Context, network, address string) (*Port, error) {
	far := portAddr{network, address}
	p, err := cl.openPort(ctx, far, func(h *frame.Builder) {
		h.Str("kind", kindDial).Str("network", network).Str("address", address)
	})
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Addr: far, Err: err}
	}
	return p, nil
}

// openPort opens a call that carries a connection, and waits until it does.
func (cl *Client) openPort(ctx context.Context, far portAddr, header func(*frame.Builder)) (*Port, error) {
	if len(far.address) > maxText {
		return nil, errors.New("an address that long is none")
	}
	if err := cl.needPorts(ctx); err != nil {
		return nil, err
	}
	call, err := cl.openCall(header, nil, callShape{stdin: true})
	if err != nil {
		return nil, err
	}
	p := &Port{cl: cl, call: call, local: portAddr{far.network, ""}, far: far, over: make(chan struct{})}
	if _, err := cl.portStarted(ctx, call, far); err != nil {
		cl.forget(call)
		return nil, err
	}
	go p.watch()
	return p, nil
}

// portStarted waits until the server has answered, and returns the address that it says.
func (cl *Client) portStarted(ctx context.Context, call *clientCall, far portAddr) (string, error) {
	select {
	case <-call.started:
		return call.how.address, nil
	case m := <-call.exit:
		select {
		case <-call.started:
			call.exit <- m // it was there, and is over already
			return call.how.address, nil
		default:
		}
		return "", portError(&m, far)
	case <-cl.c.done:
		return "", cl.err()
	case <-ctx.Done():
		cl.cancel(call)
		return "", context.Cause(ctx)
	}
}

// portError is why the server could not connect.
func portError(m *message, far portAddr) error {
	switch m.cause {
	case causeRefused:
		return os.NewSyscallError("connect", syscall.ECONNREFUSED)
	case causeUnreachable:
		return os.NewSyscallError("connect", syscall.EHOSTUNREACH)
	case causeTimeout:
		return os.NewSyscallError("connect", syscall.ETIMEDOUT)
	case causeUnknown:
		host, _, err := net.SplitHostPort(far.address)
		if err != nil {
			host = far.address
		}
		return &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	case causeDenied:
		return ErrPortDenied
	}
	return errors.New(m.err)
}

// watch frees the call when it has ended.
func (p *Port) watch() {
	defer close(p.over)
	select {
	case <-p.call.exit:
	case <-p.cl.c.done:
	}
	// What has come stays readable.
	p.cl.c.mu.Lock()
	defer p.cl.c.mu.Unlock()
	p.call.stdin.releaseLocked()
}

func (p *Port) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	return p.call.stdout.Read(b)
}

func (p *Port) Write(b []byte) (int, error) {
	n, err := p.call.stdin.Write(b)
	if errors.Is(err, errStopped) {
		err = syscall.EPIPE
	}
	return n, err
}

// WriteTo writes what comes to w, until it ends.
func (p *Port) WriteTo(w io.Writer) (int64, error) { return p.call.stdout.WriteTo(w) }

// CloseWrite ends what is sent; what comes still comes.
func (p *Port) CloseWrite() error { return p.call.stdin.Close() }

// CloseRead ends what comes.
func (p *Port) CloseRead() error {
	p.call.stdout.abandon()
	return nil
}

// Close ends both directions. What was written still goes out.
func (p *Port) Close() error {
	p.closing.Do(func() {
		p.call.stdin.Close()
		p.call.stdout.abandon()
	})
	return nil
}

// Abort breaks the connection, so that its other end learns that it was not whole.
func (p *Port) Abort() {
	p.closing.Do(func() { p.cl.cancel(p.call) })
}

func (p *Port) LocalAddr() net.Addr              { return p.local }
func (p *Port) RemoteAddr() net.Addr             { return p.far }
func (p *Port) SetDeadline(time.Time) error      { return os.ErrNoDeadline }
func (p *Port) SetReadDeadline(time.Time) error  { return os.ErrNoDeadline }
func (p *Port) SetWriteDeadline(time.Time) error { return os.ErrNoDeadline }

// A portAddr is an address as the server has it.
type portAddr struct{ network, address string }

func (a portAddr) Network() string { return a.network }
func (a portAddr) String() string  { return a.address }

// A PortListener is an address at which the server listens for this client. It is a net.Listener.
type PortListener struct {
	cl     *Client
	call   *clientCall
	addr   portAddr
	frames *frame.Reader

	accepting sync.Mutex // held while the next arrival is read
	closing   sync.Once
}

// Listen has the server listen at an address of TCP. It goes on until Close, or the end of the connection.
func (cl *Client) Listen(ctx context.Context, address string) (*PortListener, error) {
	addr := portAddr{"tcp", address}
	l, err := cl.listen(ctx, addr)
	if err != nil {
		return nil, &net.OpError{Op: "listen", Net: "tcp", Addr: addr, Err: err}
	}
	return l, nil
}

func (cl *Client) listen(ctx context.Context, addr portAddr) (*PortListener, error) {
	if len(addr.address) > maxText {
		return nil, errors.New("an address that long is none")
	}
	if err := cl.needPorts(ctx); err != nil {
		return nil, err
	}
	call, err := cl.openCall(func(h *frame.Builder) { h.Str("kind", kindListen).Str("address", addr.address) }, nil, callShape{})
	if err != nil {
		return nil, err
	}
	if addr.address, err = cl.portStarted(ctx, call, addr); err != nil {
		cl.forget(call)
		return nil, err
	}
	return &PortListener{cl: cl, call: call, addr: addr, frames: frame.NewReader(bufio.NewReader(call.stdout))}, nil
}

// Addr is where the server listens.
func (l *PortListener) Addr() net.Addr { return l.addr }

// Close ends the listening. Connections that were accepted stay.
func (l *PortListener) Close() error {
	l.closing.Do(func() {
		l.cl.cancel(l.call)
		l.cl.forget(l.call)
	})
	return nil
}

// Accept waits for the next connection. One that is gone before it could be accepted is passed over.
func (l *PortListener) Accept() (net.Conn, error) {
	for {
		m, err := l.next()
		if err != nil {
			return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.addr, Err: err}
		}
		p, err := l.cl.openPort(context.Background(), portAddr{"tcp", m.address}, func(h *frame.Builder) {
			h.Str("kind", kindAccept).Int("listener", l.call.id).Int("connection", m.connection)
		})
		if err == nil {
			p.local = l.addr
			return p, nil
		}
		if err := l.cl.err(); err != nil {
			return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.addr, Err: err}
		}
	}
}

// next reads of the next arrival.
func (l *PortListener) next() (m message, err error) {
	l.accepting.Lock()
	defer l.accepting.Unlock()
	h, err := l.frames.Next()
	switch {
	case errors.Is(err, io.EOF):
		return m, net.ErrClosed
	case err != nil:
		return m, err
	}
	if err := m.parse(h, l.frames.Len()); err != nil {
		return m, err
	}
	if m.kind != kindArrival {
		return m, breach("%s among the arrivals of a listen", m.kind)
	}
	return m, nil
}

var _ net.Conn = (*Port)(nil)
