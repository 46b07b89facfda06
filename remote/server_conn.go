package remote

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"sync"
	"time"

	"landline/frame"
)

var (
	errShutDown = errors.New("the server is shutting down")
	errLeft     = errors.New("the client is gone")
	errAsked    = errors.New("cancelled by the client")
)

// A serverConn is the server's end of a connection.
type serverConn struct {
	*conn
	s      *Server
	guest  Guest
	from   string // the address of its other end
	number uint64 // since the server began

	// The reading goroutine's own:
	highest int64  // the last call's number
	parts   []byte // the bodies of args messages
	partsOf int64  // the call that they are for

	callsMu   sync.Mutex
	open      map[int64]*serverCall
	carried   int                  // how many of open carry a port's connection
	listening map[int64]*listening // those of open that listen
	shutting  bool                 // no more calls are opened
	down      chan struct{}        // closed when the server ends
	callsWG   sync.WaitGroup
}

// A serverCall is an open call as the server sees it.
type serverCall struct {
	c     *serverConn
	id    int64
	kind  string
	start time.Time
	ctx   context.Context // ends with the reason why the call must
	end   context.CancelCauseFunc
	// signals carries the client's signals; one that finds it full is dropped, as
	// the kernel drops a signal that is already pending.
	signals chan string
	windows chan Window // the last one that the client has told and nobody has taken

	stdin          *recvStream
	stdout, stderr *sendStream
}

func newServerConn(s *Server, nc net.Conn, guest Guest) *serverConn {
	c := &serverConn{conn: newConn(nc), s: s, guest: guest, from: addressOf(nc), open: make(map[int64]*serverCall), listening: make(map[int64]*listening), down: make(chan struct{})}
	c.receive = c.handle
	c.forgive = func(call int64) bool { return call <= c.highest }
	return c
}

// greet takes the client's hello and answers it.
func (c *serverConn) greet(by time.Time) error {
	c.nc.SetReadDeadline(by)
	c.frames.Limit(helloHeader, 0)
	c.start()
	var m message
	h, err := c.frames.Next()
	if err != nil {
		return err
	}
	if err := m.parse(h, 0); err != nil {
		return err
	}
	switch {
	case m.kind == kindGoodbye:
		return &GoodbyeError{Reason: m.reason, Text: m.err}
	case m.kind != kindHello:
		return breach("%s before hello", m.kind)
	case m.version != version:
		err := breach("version %d is not spoken here, only %d", m.version, version)
		c.goodbye("version", err.Error(), err)
		return err
	}
	c.nc.SetDeadline(time.Time{})
	c.frames.Limit(frame.MaxHeader, frame.MaxBody)
	return c.sayHello()
}

func (c *serverConn) sayHello() error {
	var b frame.Builder
	b.Str("kind", kindHello).Int("version", version).Str("software", plain(c.s.Software, 128))
	if up := c.s.Upstream; up != nil {
		return c.passHello(up.hello)
	}
	features := []string{featurePorts}
	if canTerminals {
		features = append(features, featureTerminals)
	}
	if c.s.State != "" || c.s.keeper != nil {
		features = append(features, featureJobs)
	}
	b.Strs("features", features)
	if name, err := os.Hostname(); err == nil {
		b.Str("host", plain(name, 255))
	}
	if set := charset(); set != "" {
		b.Str("encoding", set)
	}
	return c.postHello(&b)
}

// passHello says what another server has said of itself.
func (c *serverConn) passHello(h Hello) error {
	var b frame.Builder
	b.Str("kind", kindHello).Int("version", version).Str("software", h.Software).Str("host", h.Host).Str("encoding", h.Encoding)
	return c.postHello(&b)
}

func (c *serverConn) postHello(b *frame.Builder) error {
	if err := c.post(b, nil); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pingLocked(time.Now())
	return nil
}

// handle acts on the messages about calls. The reading goroutine calls it.
func (c *serverConn) handle(m *message, body io.Reader) error {
	switch m.kind {
	case kindArgs:
		return c.takePart(m, body)
	case kindRun, kindAttach, kindJobs, kindGet, kindPut, kindDial, kindListen, kindAccept:
		return c.openCall(m, body)
	case kindAck:
		c.s.acknowledge(c.guest, m.job)
		return nil
	case kindSignal, kindWindow, kindCancel:
		return c.steer(m)
	}
	return breach("%s is for the server to send", m.kind)
}

func (c *serverConn) takePart(m *message, body io.Reader) error {
	if m.call <= c.highest || len(c.parts) > 0 && m.call != c.partsOf {
		return breach("args for call %d", m.call)
	}
	c.partsOf = m.call
	return c.appendPart(body)
}

func (c *serverConn) appendPart(body io.Reader) error {
	n := c.frames.Len()
	if len(c.parts)+n > maxArgs {
		return breach("more than %d bytes of arguments", maxArgs)
	}
	start := len(c.parts)
	c.parts = slices.Grow(c.parts, n)[:start+n]
	_, err := io.ReadFull(body, c.parts[start:])
	return err
}

// openCall begins a call: its streams are there before the next message is read.
func (c *serverConn) openCall(m *message, body io.Reader) error {
	if m.call <= c.highest || len(c.parts) > 0 && m.call != c.partsOf {
		return breach("call %d after %d", m.call, max(c.highest, c.partsOf))
	}
	if err := c.appendPart(body); err != nil {
		return err
	}
	list, err := splitStrings(c.parts)
	c.parts = nil
	if err != nil {
		return err
	}
	c.highest = m.call
	call := c.newCall(m)
	if call == nil {
		return c.refuseCall(m)
	}
	request := *m
	go func() {
		defer c.callsWG.Done()
		call.serve(&request, list)
		call.end(nil)
	}()
	return nil
}

// splitStrings takes strings of which each is ended by a NUL.
func splitStrings(b []byte) ([]string, error) {
	if len(b) == 0 {
		return nil, nil
	}
	if b[len(b)-1] != 0 {
		return nil, breach("the last string of a body is not ended by NUL")
	}
	n := bytes.Count(b, []byte{0})
	if n > maxStrings {
		return nil, breach("%d strings in a body, allowed are %d", n, maxStrings)
	}
	list := make([]string, 0, n)
	for s := range bytes.SplitSeq(b[:len(b)-1], []byte{0}) {
		list = append(list, string(s))
	}
	return list, nil
}

// newCall registers a call and its streams, or returns nil if there are too many.
func (c *serverConn) newCall(m *message) *serverCall {
	call := &serverCall{c: c, id: m.call, kind: m.kind, start: time.Now(), signals: make(chan string, 16), windows: make(chan Window, 1)}
	call.ctx, call.end = context.WithCancelCause(context.Background())
	var s streams
	call.stdout = c.newSendStream(m.call, 1)
	s.out[1] = call.stdout
	if hasStderr(m.kind) {
		call.stderr = c.newSendStream(m.call, 2)
		s.out[2] = call.stderr
	}
	if m.stdin && (m.kind == kindRun || m.kind == kindAttach && (m.own > 0 || m.take)) || m.kind == kindGet || m.kind == kindPut || isCarried(m.kind) {
		call.stdin = c.newRecvStream(m.call, 0)
		s.in[0] = call.stdin
	}
	c.callsMu.Lock()
	defer c.callsMu.Unlock()
	full := len(c.open)-c.carried >= maxCalls
	if isCarried(m.kind) {
		full = c.carried >= maxCarried
	}
	if c.shutting || full || c.conn.open(m.call, &s) != nil {
		return nil
	}
	if isCarried(m.kind) {
		c.carried++
	}
	c.open[m.call] = call
	c.callsWG.Add(1) // under the lock, so never beside a Wait that follows shutting
	return call
}

// hasStderr says whether a kind of call has an fd 2.
func hasStderr(kind string) bool { return kind == kindRun || kind == kindAttach }

// refuseCall answers a call that there is no room for.
func (c *serverConn) refuseCall(m *message) error {
	var h frame.Builder
	for fd := int64(1); fd == 1 || fd == 2 && hasStderr(m.kind); fd++ {
		h.Reset().Str("kind", kindEnd).Int("call", m.call).Int("fd", fd).Int("offset", 0)
		if err := c.post(&h, nil); err != nil {
			return err
		}
	}
	h.Reset().Str("kind", kindExit).Int("call", m.call).Str("reason", Refused).Int("code", 125)
	return c.post(h.Str("error", "too many open calls, or the connection is ending"), nil)
}

func (c *serverConn) steer(m *message) error {
	c.callsMu.Lock()
	call := c.open[m.call]
	c.callsMu.Unlock()
	switch {
	case call == nil && c.forgive(m.call):
		return nil
	case call == nil:
		return breach("%s for call %d, which is not open", m.kind, m.call)
	case m.kind == kindCancel:
		call.end(errAsked)
	case m.kind == kindWindow:
		replaceWindow(call.windows, m.window())
	default:
		select {
		case call.signals <- m.signal:
		default:
		}
	}
	return nil
}

// serve does what the call asks for, and sends its exit.
func (call *serverCall) serve(m *message, list []string) {
	log := call.c.s.logger().With("who", call.c.guest.Name, "call", m.kind)
	event := call.event(m, list)
	call.c.s.audit(event)
	var e ending
	switch {
	case call.c.s.keeper != nil:
		e = call.c.s.keeper.serve(call, m)
	case call.c.s.Upstream != nil:
		e = call.pass(m, list)
	case m.kind == kindRun:
		log = log.With("job", m.job)
		e = call.run(m, list)
	case m.kind == kindAttach:
		log = log.With("job", m.job)
		e = call.attach(m, nil)
	case m.kind == kindJobs:
		e = call.listJobs()
	case m.kind == kindGet:
		e = call.get(m, list)
	case m.kind == kindPut:
		e = call.put(m, list)
	case m.kind == kindDial:
		e = call.dial(m)
	case m.kind == kindListen:
		e = call.listen(m)
	case m.kind == kindAccept:
		e = call.accept(m)
	}
	if e.reason == "" {
		call.vanish()
	} else {
		call.exit(&e)
	}
	event.ended(call, &e)
	call.c.s.audit(event)
	log.Info("ended", "reason", e.reason, "code", e.code, "signal", e.signal, "err", e.err, "took", time.Since(call.start).Round(time.Microsecond))
}

// An ending is how a call ended, as exit tells it. The zero value is a call that ends
// without one, as its connection does.
type ending struct {
	reason   string
	code     int
	signal   string
	signalNo int
	held     bool
	err      string
	cause    string        // of a port that is refused
	took     time.Duration // of a job; if zero, as long as the call
}

func refusal(code int, why string) ending {
	return ending{reason: Refused, code: code, err: why}
}

// exit ends the streams, waits until all output is on its way, and sends the
// call's last message.
func (call *serverCall) exit(e *ending) {
	out := [...]*sendStream{call.stdout, call.stderr}
	for _, s := range out {
		if s != nil {
			s.Close()
		}
	}
	if call.stdin != nil {
		call.stdin.abandon()
	}
	var total [len(out)]int64
	for i, s := range out {
		if s != nil {
			total[i] = s.wait()
		}
	}
	if e.took == 0 {
		e.took = time.Since(call.start)
	}
	h := e.header(call.id, total)
	call.vanish()
	// If the connection is gone, so is who would read this.
	_ = call.c.post(h, nil)
}

// vanish forgets the call. Without an exit, it is the end of its connection that
// tells the client.
func (call *serverCall) vanish() {
	c := call.c
	c.drop(call.id)
	c.callsMu.Lock()
	if _, ok := c.open[call.id]; ok && isCarried(call.kind) {
		c.carried--
	}
	delete(c.open, call.id)
	c.callsMu.Unlock()
}

// header is the exit message of a call whose streams had so many bytes.
func (e *ending) header(call int64, total [2]int64) *frame.Builder {
	h := new(frame.Builder)
	h.Str("kind", kindExit).Int("call", call).Str("reason", e.reason).Int("code", int64(e.code))
	if e.signalNo != 0 {
		h.Str("signal", e.signal).Int("signal_number", int64(e.signalNo))
	}
	h.Int("stdout_bytes", total[0]).Int("stderr_bytes", total[1]).Bool("held", e.held)
	h.Int("duration_ms", e.took.Milliseconds())
	if e.err != "" {
		h.Str("error", plain(e.err, maxText))
	}
	if e.cause != "" {
		h.Str("cause", e.cause)
	}
	return h
}

// ending is what an exit message says.
func (m *message) ending() ending {
	return ending{
		reason: m.reason, code: m.code, signal: m.signal, signalNo: m.signalNo,
		held: m.held, err: m.err, took: max(milliseconds(m.duration), 1),
	}
}

// shutDown ends every call, and the connection once they have ended.
func (c *serverConn) shutDown() {
	c.cancelCalls(errShutDown)
	close(c.down)
	ended := make(chan struct{})
	go func() {
		c.callsWG.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-c.done:
	case <-time.After(shutdownWithin):
	}
	c.goodbye("shutdown", errShutDown.Error(), errShutDown)
}

func (c *serverConn) cancelCalls(why error) {
	c.callsMu.Lock()
	defer c.callsMu.Unlock()
	c.shutting = true
	for _, call := range c.open {
		call.end(why)
	}
}

// end cleans up after the connection: its calls end as SPEC.md says, and no
// goroutine stays.
func (c *serverConn) end() {
	c.fail(ErrClosed)
	c.cancelCalls(errLeft)
	c.callsWG.Wait()
	c.wg.Wait()
}
