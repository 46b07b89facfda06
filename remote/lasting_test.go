//go:build unix

package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// echoing writes what it reads to both outputs, and notes that it was started.
const echoing = `echo x >>"$1"; tee /dev/stderr; exit 9`

// lines returns so many bytes of numbered lines, no two pieces of which are alike.
func lines(n int) []byte {
	b := make([]byte, 0, n+16)
	for i := 1; len(b) < n; i++ {
		b = append(strconv.AppendInt(b, int64(i), 10), '\n')
	}
	return b[:n]
}

// An errandEnd is what came of a command over lines that break.
type errandEnd struct {
	r         Result
	err       error
	out, errs bytes.Buffer
}

// wantWhole fails unless the command ran once and everything came, byte for byte.
func (o *errandEnd) wantWhole(t *testing.T, text []byte, starts string) {
	t.Helper()
	if o.err != nil || o.r.Reason != Exited || o.r.Code != 9 {
		t.Errorf("%+v, %v", o.r, o.err)
	}
	for name, got := range map[string][]byte{"stdout": o.out.Bytes(), "stderr": o.errs.Bytes()} {
		if !bytes.Equal(got, text) {
			t.Errorf("%s: %d bytes of %d, the first that differs at %d", name, len(got), len(text), differsAt(got, text))
		}
	}
	if b, err := os.ReadFile(starts); string(b) != "x\n" {
		t.Errorf("it was started %d times, %v", bytes.Count(b, []byte("x")), err)
	}
}

func differsAt(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// A faultyLine is a network on which every connection is cut, reset or stalled, sooner or later.
type faultyLine struct {
	t      *testing.T
	d      *dialer
	server *Server
	socket string // of the server, if that is another process

	mu    sync.Mutex
	r     *rand.Rand
	most  int64 // bytes until the harm
	back  int64 // the same toward the server
	harms int   // how many are left; then connections are left alone
	dials int
	ended sync.WaitGroup
	leave context.CancelFunc
	ctx   context.Context
}

func newFaultyLine(t *testing.T, s *Server, r *rand.Rand, harms int, most int64) *faultyLine {
	f := &faultyLine{t: t, d: newDialer(t), server: s, r: r, harms: harms, most: most, back: most}
	f.ctx, f.leave = context.WithCancel(context.Background())
	return f
}

// next says what will happen to the next connection.
func (f *faultyLine) next() *cable {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dials++
	c := &cable{toServer: f.r.IntN(2) == 0, at: f.r.Int64N(f.most), harmed: make(chan struct{}), gone: make(chan struct{}), forgets: true}
	if c.toServer {
		c.at = f.r.Int64N(f.back)
	}
	if f.r.IntN(4) == 0 {
		c.at = f.r.Int64N(1000) // amid the beginning
	}
	switch f.r.IntN(3) {
	case 0:
		c.harm = closeEnds
	case 1:
		c.harm = resetEnds
	case 2:
		c.harm, c.stalls = stall, true
	}
	if f.harms == 0 {
		c.at = -1
	} else {
		f.harms--
	}
	return c
}

// left is how many harms are left.
func (f *faultyLine) left() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.harms
}

// dial makes a connection. Where it stalls, the client is told at once what else it
// finds out after 45 seconds, and the server finds out later.
func (f *faultyLine) dial(context.Context) (*Client, error) {
	c := f.next()
	near, a, err := f.d.pair()
	if err != nil {
		return nil, err
	}
	b, far, err := f.d.pair()
	if err != nil {
		return nil, err
	}
	c.ends = [2]*net.TCPConn{a, b}
	f.ended.Go(func() { c.carry(0) })
	f.ended.Go(func() { c.carry(1) })
	f.ended.Go(func() { f.serve(far) })
	cl := NewClient(near, "test")
	f.ended.Go(func() {
		select {
		case <-c.harmed:
			if c.stalls {
				cl.c.fail(ErrSilent)
			}
		case <-cl.Done():
		}
		<-cl.Done()
		close(c.gone)
		closeEnds(c, nil)
	})
	return cl, nil
}

// serve has the server answer a connection.
func (f *faultyLine) serve(nc net.Conn) {
	if f.socket == "" {
		f.server.ServeConn(f.ctx, nc, Guest{Name: "test"})
		return
	}
	defer nc.Close()
	to, err := net.Dial("unix", f.socket)
	if err != nil {
		return // it has been killed
	}
	f.ended.Go(func() {
		io.Copy(to, nc)
		to.Close()
	})
	io.Copy(nc, to)
	to.Close()
}

// close ends what is left of the connections.
func (f *faultyLine) close() {
	f.leave()
	f.ended.Wait()
}

// TestRunOverABreakingLineIsWholeAndRunsOnce has the line of a run break at random, again and
// again.
func TestRunOverABreakingLineIsWholeAndRunsOnce(t *testing.T) { breakingLine(t, 60) }

func breakingLine(t *testing.T, harms int) {
	r := random(t)
	s := newKeepingServer(t)
	s.Spool = leastSpool // so that what is dropped too early is gone
	text := lines(3_000_000)
	for left := harms; left > 0; {
		f := newFaultyLine(t, s, r, left, 400_000)
		starts := filepath.Join(t.TempDir(), "starts")
		var o errandEnd
		l := &Lasting{Dial: f.dial, Within: time.Minute}
		cmd := sh(echoing, starts)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(text), &o.out, &o.errs
		cl, err := f.dial(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		o.r, o.err = l.Run(t.Context(), cl, cmd)
		cl.Close()
		f.close()
		o.wantWhole(t, text, starts)
		if t.Failed() || f.harms == left {
			t.Fatalf("with %d of %d harms left", f.harms, harms)
		}
		left = f.harms
	}
}

// TestRunWhoseServerIsKilledIsWholeAndRunsOnce kills the server at random, again and
// again, and starts another.
func TestRunWhoseServerIsKilledIsWholeAndRunsOnce(t *testing.T) { killedServers(t, 8) }

func killedServers(t *testing.T, kills int) {
	r := random(t)
	socket := t.TempDir() + "/s"
	state := socket + ".state"
	t.Cleanup(func() { endJobs(t, &Server{State: state}) })
	text := lines(2_000_000)
	starts := filepath.Join(t.TempDir(), "starts")
	kill := serveAt(t, socket)
	var killed sync.WaitGroup
	var o errandEnd
	step := int64(len(text) / kills)
	paced := &pacedWriter{w: &o.out, stop: func() int64 {
		if kills == 0 {
			return int64(len(text)) + 1
		}
		kills--
		killed.Wait() // so that there is a server to kill
		kill()
		os.Remove(socket)
		killed.Go(func() { kill = serveAt(t, socket) })
		return 1 + r.Int64N(step)
	}}
	dial := func(context.Context) (*Client, error) {
		nc, err := net.Dial("unix", socket)
		if err != nil {
			return nil, err
		}
		return NewClient(nc, "test"), nil
	}
	cl, err := dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cmd := sh(echoing, starts)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(text), paced, &o.errs
	o.r, o.err = (&Lasting{Dial: dial, Within: time.Minute}).Run(t.Context(), cl, cmd)
	cl.Close()
	killed.Wait()
	kill()
	if o.wantWhole(t, text, starts); kills > 0 {
		t.Errorf("%d kills were not done", kills)
	}
}

// TestLongRunSurvivesItsLineAndItsServer has one command read and write for long, while its
// line is harmed and its server killed, at random.
func TestLongRunSurvivesItsLineAndItsServer(t *testing.T) { longRun(t, 8_000_000, 30, 3) }

func longRun(t *testing.T, total int64, harms, kills int) {
	r := random(t)
	socket := t.TempDir() + "/s"
	t.Cleanup(func() { endJobs(t, &Server{State: socket + ".state"}) })
	starts := filepath.Join(t.TempDir(), "starts")
	kill := serveAt(t, socket)
	f := newFaultyLine(t, nil, r, harms, 3*total/int64(2*harms)) // so that all are done before its end
	f.socket = socket
	step := total / int64(kills+1)
	var out, errs numbered
	var calm int64 // how far it had come when all harm was done
	paced := &pacedWriter{w: &out, stop: func() int64 {
		if out.n > 0 && kills > 0 {
			kills--
			kill()
			os.Remove(socket)
			kill = serveAt(t, socket)
		}
		if f.left() > 0 {
			calm = out.n
		}
		return 1 + step/2 + r.Int64N(step/2)
	}}
	cl, err := f.dial(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cmd := sh(echoing, starts)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = io.LimitReader(new(numbers), total), paced, &errs
	began := time.Now()
	res, err := (&Lasting{Dial: f.dial, Within: time.Minute}).Run(t.Context(), cl, cmd)
	cl.Close()
	f.close()
	kill()
	t.Logf("%d bytes three ways in %v, harmed at least as far as %d, over %d connections",
		total, time.Since(began).Round(time.Second), calm, f.dials)
	if err != nil || res.Reason != Exited || res.Code != 9 || res.StdoutBytes != total || res.StderrBytes != total {
		t.Errorf("%+v, %v", res, err)
	}
	for name, got := range map[string]numbered{"stdout": out, "stderr": errs} {
		if got.n != total || got.wrong != 0 {
			t.Errorf("%s: %d bytes of %d, the first that is wrong at %d", name, got.n, total, got.wrong-1)
		}
	}
	if b, err := os.ReadFile(starts); string(b) != "x\n" || f.harms > 0 || kills > 0 {
		t.Errorf("started %d times (%v); %d harms and %d kills were not done", bytes.Count(b, []byte("x")), err, f.harms, kills)
	}
}

// Numbers are what lines gives, without an end.
type numbers struct {
	line int
	rest []byte // of the line
}

func (r *numbers) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = r.next()
	}
	return len(p), nil
}

func (r *numbers) next() byte {
	if len(r.rest) == 0 {
		r.line++
		r.rest = append(strconv.AppendInt(r.rest[:0], int64(r.line), 10), '\n')
	}
	b := r.rest[0]
	r.rest = r.rest[1:]
	return b
}

// A numbered is a writer that expects numbers.
type numbered struct {
	numbers
	n     int64
	wrong int64 // 1 and where the first byte was that is wrong, or 0
}

func (w *numbered) Write(p []byte) (int, error) {
	for _, b := range p {
		if w.n++; b != w.next() && w.wrong == 0 {
			w.wrong = w.n
		}
	}
	return len(p), nil
}

// serveAt plays a server that keeps jobs.
func serveAt(t *testing.T, socket string) (kill func()) {
	out, kill := playRole(t, "keeping", socket)
	if line, err := out.ReadString('\n'); line != "ready\n" {
		t.Error(line, err)
	}
	return kill
}

// A pacedWriter calls stop before the first byte, and then after as many bytes as
// that says.
type pacedWriter struct {
	w    io.Writer
	left int64
	stop func() int64
}

func (p *pacedWriter) Write(b []byte) (n int, err error) {
	for len(b) > 0 {
		if p.left == 0 {
			p.left = p.stop()
		}
		m, err := p.w.Write(b[:min(int64(len(b)), p.left)])
		n, b, p.left = n+m, b[m:], p.left-int64(m)
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// TestAttachAfterAKilledClientGivesTheRest kills clients at random, and sees what is left of
// their jobs by attaching to them.
func TestAttachAfterAKilledClientGivesTheRest(t *testing.T) { killedClients(t, 6) }

func killedClients(t *testing.T, times int) {
	r := random(t)
	s := newKeepingServer(t)
	socket := t.TempDir() + "/s"
	ln, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	s.Admit = func(_ context.Context, raw net.Conn) (net.Conn, Guest, error) { return raw, Guest{}, nil }
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, ln) }()
	defer func() {
		cancel()
		<-served
	}()
	const whole = 3_000_000
	want := lines(whole)
	for range times {
		out, kill := playRole(t, "leaving", socket)
		var had bytes.Buffer
		if _, err := io.CopyN(&had, out, 1+r.Int64N(whole/2)); err != nil {
			t.Fatal(err)
		}
		kill()
		io.Copy(&had, out) // what the client had written before
		nc, err := net.Dial("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		cl := NewClient(nc, "test")
		list, err := cl.Jobs(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		job := list[len(list)-1].ID
		got, all, _ := attach(t, cl, Attachment{Job: job})
		if got.Reason != Exited || got.Code != 4 || all != string(want) {
			t.Errorf("from the start: %+v, %d bytes of %d", got, len(all), whole)
		}
		_, rest, _ := attach(t, cl, Attachment{Job: job, StdoutOffset: int64(had.Len())})
		if had.String()+rest != string(want) {
			t.Errorf("%d bytes and the rest, %d, are not the whole", had.Len(), len(rest))
		}
		cl.Close()
	}
}

func TestLineThatDoesNotComeBackIsLost(t *testing.T) {
	l := newKeepingLine(t)
	lasting := &Lasting{Within: 300 * time.Millisecond, Dial: func(context.Context) (*Client, error) { return nil, errFull }}
	told := 0
	lasting.Broke = func(error) { told++ }
	cmd := sh("echo ready; exec sleep 600")
	cmd.Stdout = writerFunc(func(p []byte) (int, error) {
		go l.c.fail(ErrSilent)
		return len(p), nil
	})
	r, err := lasting.Run(t.Context(), l.Client, cmd)
	if r.Reason != Lost || !errors.Is(err, errFull) || told != 1 {
		t.Errorf("%+v, %v, told %d times", r, err, told)
	}
	if r.StdoutBytes != int64(len("ready\n")) || r.Duration <= 0 {
		t.Errorf("of what has come it tells %+v", r)
	}
}

// TestCommandThatIsForgottenIsLostAndNotRefused has a command's server forget it, when it runs.
// Another line mends nothing then.
func TestCommandThatIsForgottenIsLostAndNotRefused(t *testing.T) {
	l, other := newKeepingLine(t), newKeepingLine(t)
	cmd := sh("echo ready; exec sleep 600")
	cmd.Stdout = writerFunc(func(p []byte) (int, error) {
		go l.c.fail(ErrSilent)
		return len(p), nil
	})
	dials := 0
	lasting := &Lasting{Within: time.Minute, Dial: func(context.Context) (*Client, error) { dials++; return other.dial(t), nil }}
	r, err := lasting.Run(t.Context(), l.Client, cmd)
	if dials != 1 || r.Reason != Lost || r.Code != 0 || r.Error != errNoJob.Error() || err == nil || r.StdoutBytes != int64(len("ready\n")) {
		t.Errorf("%+v, %v, after %d dials", r, err, dials)
	}
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestHopelessDialIsNotRepeated(t *testing.T) {
	l := newKeepingLine(t)
	dials := 0
	lasting := &Lasting{
		Within: time.Hour, Hopeless: func(err error) bool { return err == errFull },
		Dial: func(context.Context) (*Client, error) { dials++; return nil, errFull },
	}
	cmd := sh("echo ready; exec sleep 600")
	cmd.Stdout = writerFunc(func(p []byte) (int, error) {
		go l.c.fail(ErrSilent)
		return len(p), nil
	})
	if r, err := lasting.Run(t.Context(), l.Client, cmd); r.Reason != Lost || err != errFull || dials != 1 {
		t.Errorf("%+v, %v, after %d dials", r, err, dials)
	}
}

// leaving is what the role of a client that is killed does.
func leaving(socket string) error {
	nc, err := net.Dial("unix", socket)
	if err != nil {
		return err
	}
	cmd := sh("seq 1 500000 | head -c 3000000; exit 4")
	cmd.Linger = time.Minute
	cmd.Stdout = os.Stdout
	_, err = NewClient(nc, "test").Run(context.Background(), cmd)
	return err
}

func TestHelloIsKnownAfterTheConnectionsEnd(t *testing.T) {
	l := newLine(t)
	if _, err := l.Connected(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.Close()
	for range 100 {
		if hello, err := l.Connected(t.Context()); err != nil || hello.Software != "test" {
			t.Fatalf("%+v, %v", hello, err)
		}
	}
}

// TestStoppedInputEndsWhereItBegan has a server take up a command's input late, and at once
// want no more of it.
func TestStoppedInputEndsWhereItBegan(t *testing.T) {
	near, far := socketPair(t)
	cl := NewClient(near, "test")
	p := newPeer(t, far)
	t.Cleanup(func() {
		far.Close()
		cl.Close()
	})
	p.expect(kindHello)
	p.send(`{"kind":"hello","version":1,"features":["attach"]}`, "")
	in := newReplay(strings.NewReader(""))
	e := &errand{Command: Command{Job: "a"}, rank: 2, feed: in.feed}
	ended := make(chan error, 1)
	go func() {
		_, err := cl.attach(t.Context(), e, false)
		ended <- err
	}()
	p.expect(kindAttach)
	p.nc.Write(append(encode(`{"kind":"started","call":1,"job":"a","stdin_offset":100}`, ""), encode(`{"kind":"stop","call":1,"fd":0}`, "")...))
	if m := p.expect(kindEnd); m.fd != 0 || m.offset != 100 {
		t.Errorf("%+v", m)
	}
	far.Close()
	<-ended
}

// TestBreakAmidStartedForgetsNoPosition has a connection break when its reader is at
// started: the outputs are given up before they begin.
func TestBreakAmidStartedForgetsNoPosition(t *testing.T) {
	_, cl := peerOfClient(t)
	call, err := cl.openCall((&Command{Args: []string{"x"}, Job: "a"}).header, []byte("x\x00"), callShape{stderr: true})
	if err != nil {
		t.Fatal(err)
	}
	defer cl.forget(call)
	call.stderr.abandon()
	if err := call.begin(&message{kind: kindStarted, begin: [3]int64{0, 5, 7}}); err != nil {
		t.Fatal(err)
	}
	e := errand{started: true, at: [2]int64{5, 7}}
	if e.account(call); e.at != [2]int64{5, 7} || e.gap != [2]int64{} {
		t.Errorf("at %v, gaps %v", e.at, e.gap)
	}
	less := errand{started: true, at: [2]int64{9, 9}} // a server that has less
	if less.account(call); less.at != [2]int64{9, 9} {
		t.Errorf("at %v", less.at)
	}
}

// TestStreamThatIsStoppedBeforeItsStartedStaysAtZero asks for a job's output from a
// position on, and at once does not want it: where the stream ends is where started says
// that it is, in whatever order the server hears of both.
func TestStreamThatIsStoppedBeforeItsStartedStaysAtZero(t *testing.T) {
	l := newKeepingLine(t)
	id := start(t, l, sh("echo 0123456789; exec sleep 600"))
	over := start(t, l, sh("echo 0123456789"))
	waitFor(t, "its end", func() bool { return state(t, l, over) == Exited })
	p, _ := peerOfServer(t, l.server, Guest{})
	p.send(`{"kind":"hello","version":1}`, "")
	call := 0
	for range 10 {
		for _, job := range []string{id, over} {
			call++
			p.nc.Write(append(encode(fmt.Sprintf(`{"kind":"attach","call":%d,"job":%q,"stdout_offset":5}`, call, job), ""),
				encode(fmt.Sprintf(`{"kind":"stop","call":%d,"fd":1}`, call), "")...))
			var begun, ended *message
			came := int64(0) // before the server read of the stop
			for begun == nil || ended == nil {
				switch m, body, err := p.next(); {
				case err != nil:
					t.Fatal(err)
				case m.kind == kindStarted:
					begun = &m
				case m.kind == kindData && m.call == int64(call) && m.fd == 1:
					came += int64(len(body))
				case m.kind == kindEnd && m.call == int64(call) && m.fd == 1:
					ended = &m
				}
			}
			if ended.offset != begun.begin[1]+came {
				t.Fatalf("started at %d, %d came, ended at %d", begun.begin[1], came, ended.offset)
			}
		}
	}
}
