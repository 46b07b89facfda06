package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"landline/frame"
)

// A Client is the client's end of one connection. It is safe for concurrent use:
// its calls run side by side.
type Client struct {
	c     *conn
	ready chan struct{} // closed when the server's hello has come
	hello Hello

	opening sync.Mutex // calls go out in the order of their numbers
	last    int64

	callsMu sync.Mutex
	open    map[int64]*clientCall
}

// A Hello is what a server says of itself.
type Hello struct {
	Software string
	Host     string // its host name, or ""
	Encoding string // the character set of its locale, or ""
	Features []string
}

// A clientCall is an open call as the client sees it.
type clientCall struct {
	id             int64
	resumes        bool
	stdin          *sendStream
	stdout, stderr *recvStream
	started        chan struct{} // closed when the server has said so, and how
	how            message       // then, its started
	exit           chan message  // gets one, unless the connection ends first
	failed         chan error    // gets the error of what stdin is read from
	inputErr       error         // that error, once await has seen it
}

// NewClient begins a conversation on nc, over which the client speaks as
// software (for people, e.g. "landline/0.1"). It does not wait: calls can be made
// at once, and the server acts on them if it lets the client in. Connected waits.
// The client owns nc.
func NewClient(nc net.Conn, software string) *Client {
	cl := &Client{c: newConn(nc), ready: make(chan struct{}), open: make(map[int64]*clientCall)}
	cl.c.receive = cl.handle
	cl.c.forgive = func(int64) bool { return false }
	cl.c.start()
	var h frame.Builder
	h.Str("kind", kindHello).Int("version", version).Str("software", plain(software, 128)).Strs("features", nil)
	// If the connection fails already, the calls say so.
	_ = cl.c.post(&h, nil)
	cl.c.wg.Go(cl.read)
	return cl
}

// Connected waits until the server has let this client in, and returns what it
// says of itself. It does so again when the connection has ended. A server that refuses gives a *GoodbyeError if it says why; over
// TLS the error is the handshake's, and identity.Refused knows it.
func (cl *Client) Connected(ctx context.Context) (Hello, error) {
	var err error
	select {
	case <-cl.ready:
	case <-cl.c.done:
		err = cl.err()
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	select {
	case <-cl.ready: // whatever has happened since
		return cl.hello, nil
	default:
		return Hello{}, err
	}
}

// Close takes leave and closes the connection. Calls that are open fail with
// ErrClosed.
func (cl *Client) Close() error {
	cl.c.goodbye("done", "", ErrClosed)
	cl.c.wg.Wait()
	return nil
}

// Done is closed when the connection has ended, whoever ended it.
func (cl *Client) Done() <-chan struct{} { return cl.c.done }

// Err is why the connection has ended, nil while it stands.
func (cl *Client) Err() error { return cl.err() }

func (cl *Client) err() error {
	cl.c.mu.Lock()
	defer cl.c.mu.Unlock()
	return cl.c.err
}

func (cl *Client) read() {
	start := time.Now()
	if err := cl.greet(start); err != nil {
		// ended keeps the reason where err and the calls find it.
		_ = cl.c.ended(err)
		return
	}
	_ = cl.c.read()
}

// greet takes the server's hello.
func (cl *Client) greet(start time.Time) error {
	h, err := cl.c.frames.Next()
	if err != nil {
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("the server closed the connection without a word: %w", io.ErrUnexpectedEOF)
		}
		return err
	}
	var m message
	if err := m.parse(h, cl.c.frames.Len()); err != nil {
		return err
	}
	switch {
	case m.kind == kindGoodbye:
		return &GoodbyeError{Reason: m.reason, Text: m.err}
	case m.kind != kindHello:
		return breach("%s before hello", m.kind)
	case m.version != version:
		return breach("version %d is not spoken here, only %d", m.version, version)
	}
	cl.hello = Hello{Software: m.software, Host: m.host, Encoding: m.encoding, Features: m.features}
	cl.c.mu.Lock()
	cl.c.rtt = max(time.Since(start), 1)
	cl.c.mu.Unlock()
	close(cl.ready)
	return nil
}

// handle acts on the messages about calls. The reading goroutine calls it.
func (cl *Client) handle(m *message, _ io.Reader) error {
	if m.kind != kindStarted && m.kind != kindExit {
		return breach("%s is for the client to send", m.kind)
	}
	cl.callsMu.Lock()
	call := cl.open[m.call]
	if m.kind == kindExit {
		delete(cl.open, m.call)
	}
	cl.callsMu.Unlock()
	switch {
	case call == nil:
		return breach("%s for call %d, which is not open", m.kind, m.call)
	case m.kind == kindStarted:
		return call.begin(m)
	}
	return cl.exited(call, m)
}

// begin takes a started: where the call's streams begin.
func (call *clientCall) begin(m *message) error {
	for _, s := range []*recvStream{call.stdout, call.stderr} {
		if s == nil {
			continue
		}
		if err := s.begin(m.begin[s.fd]); err != nil {
			return err
		}
	}
	if call.how.kind == "" {
		if call.resumes && call.stdin != nil {
			call.stdin.begin(m.begin[0])
		}
		call.how = *m
		close(call.started)
	}
	return nil
}

// exited ends a call. What has come of its output stays readable. An exit that is
// found behind the connection's end does not count: who read the output has given
// it up by then.
func (cl *Client) exited(call *clientCall, m *message) error {
	cl.c.mu.Lock()
	defer cl.c.mu.Unlock()
	if cl.c.err != nil {
		return cl.c.err
	}
	for _, s := range []*recvStream{call.stdout, call.stderr} {
		if s != nil && !s.ended {
			return breach("exit of call %d before the end of fd %d", call.id, s.fd)
		}
	}
	delete(cl.c.calls, call.id)
	if call.stdin != nil {
		call.stdin.releaseLocked()
	}
	call.exit <- *m
	return nil
}

// A callShape says which streams a call has besides fd 1.
type callShape struct {
	stdin, stderr bool
	resumes       bool // stdin begins where the server says
}

// openCall begins a call with the header that build makes, and a body of any
// length up to the bound of arguments.
func (cl *Client) openCall(build func(*frame.Builder), body []byte, shape callShape) (*clientCall, error) {
	if len(body) > maxArgs {
		return nil, fmt.Errorf("%d bytes of arguments and variables, allowed are %d", len(body), maxArgs)
	}
	cl.opening.Lock()
	defer cl.opening.Unlock()
	cl.last++
	call := &clientCall{id: cl.last, resumes: shape.resumes, started: make(chan struct{}), exit: make(chan message, 1), failed: make(chan error, 1)}
	var s streams
	call.stdout = cl.c.newRecvStream(call.id, 1)
	s.in[1] = call.stdout
	if shape.stderr {
		call.stderr = cl.c.newRecvStream(call.id, 2)
		s.in[2] = call.stderr
	}
	if shape.stdin {
		call.stdin = cl.c.newSendStream(call.id, 0)
		s.out[0] = call.stdin
	}
	if err := cl.c.open(call.id, &s); err != nil {
		return nil, err
	}
	cl.callsMu.Lock()
	cl.open[call.id] = call
	cl.callsMu.Unlock()
	return call, cl.sendOpening(call.id, build, body)
}

func (cl *Client) sendOpening(id int64, build func(*frame.Builder), body []byte) error {
	var h frame.Builder
	for len(body) > frame.MaxBody {
		h.Reset().Str("kind", kindArgs).Int("call", id)
		if err := cl.c.request(&h, body[:frame.MaxBody]); err != nil {
			return err
		}
		body = body[frame.MaxBody:]
	}
	build(h.Reset())
	h.Int("call", id)
	return cl.c.request(&h, body)
}

// whenLost has f called when the call's connection ends, until stop.
func (call *clientCall) whenLost(f func()) (stop func()) {
	over := make(chan struct{})
	go func() {
		select {
		case <-call.stdout.c.done:
			f()
		case <-over:
		}
	}()
	return func() { close(over) }
}

// cancel asks the server to end the call, and takes no more of its output.
func (cl *Client) cancel(call *clientCall) {
	var h frame.Builder
	_ = cl.c.post(h.Str("kind", kindCancel).Int("call", call.id), nil)
	call.stdout.abandon()
	if call.stderr != nil {
		call.stderr.abandon()
	}
}

// forget frees what the call's streams hold, when nobody reads them any more. A
// call whose exit has not come stays known, so that what still comes is no breach.
func (cl *Client) forget(call *clientCall) {
	cl.c.mu.Lock()
	defer cl.c.mu.Unlock()
	call.stdout.releaseLocked()
	if call.stderr != nil {
		call.stderr.releaseLocked()
	}
	if call.stdin != nil {
		call.stdin.releaseLocked()
	}
}
