package remote

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"landline/frame"
)

// How a command ended: the values of Result.Reason, and of "reason" in SPEC.md.
const (
	Exited    = "exited"    // by itself, with Code
	Signalled = "signalled" // by Signal
	TimedOut  = "timeout"   // by the server, when Timeout was over
	Cancelled = "cancelled" // by the server, because it was asked to or shuts down
	Refused   = "refused"   // it was never started; Code and Error say why
	Lost      = "lost"      // nobody knows: no exit came; Error says why
	Running   = "running"   // not at all yet: it was left running
)

// A Command is what to run.
type Command struct {
	// Args is the program and its arguments, which reach it as they are. With
	// Shell it is one line for /bin/sh -c.
	Args  []string
	Shell bool
	// Env has entries of the form NAME=value, added to the server's environment.
	Env []string
	// Dir is the working directory. If empty, the server's home directory, where
	// a relative one begins too.
	Dir string
	// Stdin is the command's standard input. If nil, it reads from /dev/null. Run
	// does not wait for a Read that is under way when the command ends. An error
	// of its is not passed off as its end: the command is cancelled.
	Stdin io.Reader
	// Stdout and Stderr get what the command writes, as it comes, each from one
	// goroutine. If nil, it is thrown away. An error of theirs ends that stream at
	// the server, so that the command meets a closed pipe. Run waits for a Write
	// that is under way, even when its context has ended.
	Stdout, Stderr io.Writer
	// Timeout is how long the command may run. If zero, for ever.
	Timeout time.Duration
	// KillAfter is how long after TERM it is killed. If zero, DefaultKillAfter.
	KillAfter time.Duration
	// Job is the id that the server knows the command by: 1 to 64 letters, digits,
	// '.', '_' and '-'. One id starts one command, ever. If empty, a new one.
	Job string
	// Linger is how long the server keeps the command running after the connection
	// broke, for a client to come back: see [Lasting]. If zero, it ends the command
	// at once.
	Linger time.Duration
	// Signals are sent to the command's process group: names without SIG, or
	// numbers. It may be nil.
	Signals <-chan string
	// Terminal, if not nil, is what the command gets in place of pipes. Then all of its
	// output comes to Stdout, and the end of Stdin is typed as Ctrl-D.
	Terminal *Terminal
	// Login has the login shell of the user run in place of Args, which must be empty.
	Login bool
}

// ErrLeave is the cause of a context that is to leave a command and not to end it: it then
// goes on without a client for as long as it likes, and the Reason is Running. It must be
// one that the server keeps.
var ErrLeave = errors.New("left")

// A Result is what became of a command.
type Result struct {
	Job                      string
	Reason                   string // Exited and so on
	Code                     int    // with Exited: 0 to 255; with Refused: 125, 126, 127; else 0 and without meaning
	Signal                   string // without SIG, if a signal ended it
	SignalNumber             int
	StdoutBytes, StderrBytes int64 // that arrived here
	StdoutGap, StderrGap     int64 // bytes before these that were asked for and not kept there any more
	Held                     bool  // something it started kept an output open
	Duration                 time.Duration
	Error                    string // for people; as it came, so escape it for a terminal
}

// Success says whether the command ran, ended by itself, and with code 0. A nil
// error of Run does not say that, and neither does Code.
func (r *Result) Success() bool { return r.Reason == Exited && r.Code == 0 }

// NewJobID returns a new id: 128 random bits.
func NewJobID() string { return strings.ToLower(rand.Text()) }

// Run runs a command and returns when it has ended and all its output has been
// written. If ctx ends first, the command is ended and the rest of its output
// thrown away. The error is not nil if and only if the Reason is Lost, or if
// Stdin, Stdout or Stderr failed; a command that was refused is a Result.
func (cl *Client) Run(ctx context.Context, cmd Command) (Result, error) {
	if cmd.Job == "" {
		cmd.Job = NewJobID()
	}
	body, refused := cmd.prepare(ctx)
	if refused != nil {
		return *refused, nil
	}
	e := errand{Command: cmd, acks: cmd.Linger > 0}
	if cmd.Stdin != nil {
		e.feed = func(call *clientCall, _ bool) { send(call, cmd.Stdin) }
	}
	return cl.start(ctx, &e, body)
}

// start has an errand's command started.
func (cl *Client) start(ctx context.Context, e *errand, body []byte) (Result, error) {
	if e.Linger > 0 {
		if err := cl.needJobs(ctx); err != nil {
			return lost(e.Job, err)
		}
	}
	if err := cl.needTerminals(ctx, &e.Command); err != nil {
		return lost(e.Job, err)
	}
	e.Terminal = e.Terminal.copy()
	return cl.carry(ctx, e, func(h *frame.Builder) {
		e.header(h)
		if e.rank > 0 {
			h.Int("own", e.rank)
		}
	}, body, false)
}

// An errand is what a client wants of a command, over one call or several.
type errand struct {
	Command
	view    bool                                 // the command is not this client's own: it only looks on
	take    bool                                 // ... until it has taken the place of who it belongs to
	acks    bool                                 // the server is told when all has come
	feed    func(call *clientCall, resumes bool) // gives the call its standard input; nil if there is none
	rank    int64                                // of its next call as the command's own
	started bool                                 // the server has said so
	at      [2]int64                             // how far the outputs have come
	gap     [2]int64                             // bytes of them that were gone before they were asked for
	broken  [2]error                             // of Stdout and Stderr
	onGap   func(fd int, from, to int64)
	began   time.Time // when it was first asked for
	first   [2]int64  // from where on its outputs were asked for then
}

// carry opens a call for an errand and sees it to its end, or to its connection's. A
// call resumes if it goes on with what another has begun.
func (cl *Client) carry(ctx context.Context, e *errand, header func(*frame.Builder), body []byte, resumes bool) (Result, error) {
	if e.began.IsZero() {
		e.began, e.first = time.Now(), e.at
	}
	call, err := cl.openCall(header, body, callShape{stdin: e.feed != nil, stderr: true, resumes: resumes})
	if err != nil {
		return e.lost(err)
	}
	defer cl.forget(call)
	outs := [2]*recvStream{call.stdout, call.stderr}
	var copies sync.WaitGroup
	for i, w := range []io.Writer{e.Stdout, e.Stderr} {
		if e.Linger > 0 || resumes {
			outs[i].confirms()
		}
		copies.Go(func() {
			if e.broken[i] != nil {
				outs[i].abandon()
			} else {
				e.broken[i] = receive(outs[i], e.told(outs[i], w))
			}
		})
	}
	if e.feed != nil {
		go e.feed(call, resumes)
	}
	m, err := cl.await(ctx, call, &e.Command)
	copies.Wait()
	e.account(call)
	if err != nil {
		return e.lost(err)
	}
	if m.reason == Cancelled && left(ctx) {
		return Result{Job: e.Job, Reason: Running}, nil
	}
	r, err := e.result(call, &m)
	if err == nil && e.acks {
		cl.acknowledge(r.Job)
	}
	return r, err
}

// told makes w an output's writer that first tells of a gap before it, and takes
// nothing twice.
func (e *errand) told(s *recvStream, w io.Writer) io.Writer {
	if w == nil {
		w = io.Discard
	}
	return &beginning{w: w, e: e, s: s, asked: e.at[s.fd-1], again: e.started}
}

// A beginning is the writer of an output, and looks at where it begins.
type beginning struct {
	w     io.Writer
	e     *errand
	s     *recvStream
	asked int64
	again bool // what comes before asked has been written
	begun bool
}

func (b *beginning) Write(p []byte) (int, error) {
	switch {
	case b.begun:
	case b.again && b.s.origin < b.asked:
		return 0, errWentBack
	case b.s.origin > b.asked && b.e.onGap != nil:
		b.e.onGap(b.s.fd, b.asked, b.s.origin)
	}
	b.begun = true
	return b.w.Write(p)
}

var errWentBack = errors.New("the server has less of the output than it had")

// account notes how far the call has brought the errand.
func (e *errand) account(call *clientCall) {
	select {
	case <-call.started:
	default:
		return // nothing has come
	}
	for i, s := range []*recvStream{call.stdout, call.stderr} {
		e.gap[i] += max(s.origin-e.at[i], 0)
		if at := s.position(); !e.started || at > e.at[i] { // what has come is not forgotten
			e.at[i] = at
		}
	}
	e.started = true
	e.rank = max(e.rank, call.how.own)
}

// result is what an exit says.
func (e *errand) result(call *clientCall, m *message) (Result, error) {
	r := Result{
		Job: e.Job, Reason: m.reason, Code: m.code, Signal: m.signal, SignalNumber: m.signalNo,
		StdoutBytes: call.stdout.arrived, StderrBytes: call.stderr.arrived, StdoutGap: e.gap[0], StderrGap: e.gap[1],
		Held: m.held, Duration: milliseconds(m.duration), Error: m.err,
	}
	switch {
	case r.Reason == Lost:
		r.Error = cmp.Or(r.Error, "nobody saw its end")
		return r, &unseenError{r.Error}
	case r.Reason == Refused && e.started && !e.view: // it ran, and is not known there any more
		return e.lost(&unseenError{cmp.Or(r.Error, "the server refuses to go on with it")})
	case r.StdoutBytes != m.stdoutBytes || r.StderrBytes != m.stderrBytes:
		return e.lost(ErrTruncated)
	case !e.view && e.gap != [2]int64{}:
		return r, ErrTruncated
	}
	return r, errors.Join(call.inputErr, e.broken[0], e.broken[1])
}

// An unseenError is why a server does not know how a job ended either.
type unseenError struct{ why string }

func (e *unseenError) Error() string { return e.why }

// lost is the result of a command of which no more is known than what has come.
func (e *errand) lost(err error) (Result, error) {
	r, err := lost(e.Job, err)
	r.StdoutGap, r.StderrGap = e.gap[0], e.gap[1]
	r.StdoutBytes, r.StderrBytes = e.at[0]-e.first[0]-e.gap[0], e.at[1]-e.first[1]-e.gap[1]
	if !e.began.IsZero() {
		r.Duration = time.Since(e.began).Truncate(time.Millisecond)
	}
	return r, err
}

func lost(job string, err error) (Result, error) {
	return Result{Job: job, Reason: Lost, Error: err.Error()}, err
}

// prepare makes the body of the command's run, or says why it is not to be sent.
func (cmd *Command) prepare(ctx context.Context) ([]byte, *Result) {
	if err := cmd.check(); err != nil {
		return nil, &Result{Job: cmd.Job, Reason: Refused, Code: 125, Error: err.Error()}
	}
	if ctx.Err() != nil {
		return nil, &Result{Job: cmd.Job, Reason: Cancelled, Error: context.Cause(ctx).Error()}
	}
	body, err := cmd.body()
	if err != nil {
		return nil, &Result{Job: cmd.Job, Reason: Refused, Code: 126, Error: err.Error()}
	}
	return body, nil
}

// check says what the server would take for a breach.
func (cmd *Command) check() error {
	switch {
	case cmd.Login && (cmd.Shell || len(cmd.Args) > 0):
		return errors.New("a login shell takes no arguments")
	case !cmd.Login && (len(cmd.Args) == 0 || cmd.Shell && len(cmd.Args) != 1):
		return errors.New("no command")
	case cmd.Terminal != nil && (cmd.Terminal.Window != Window{} && !cmd.Terminal.Window.valid() || len(cmd.Terminal.Type) > maxTerm):
		return errors.New("no terminal is of that size or type")
	case !validJob(cmd.Job):
		return fmt.Errorf("not a job's id: %q", clip(cmd.Job, 80))
	case len(cmd.Dir) > maxPath:
		return fmt.Errorf("a directory's name of %d bytes, allowed are %d", len(cmd.Dir), maxPath)
	case strings.IndexByte(cmd.Dir, 0) >= 0:
		return fmt.Errorf("a NUL byte cannot be in a directory's name: %q", clip(cmd.Dir, 80))
	}
	return nil
}

// body is the arguments, then the variables, each ended by NUL.
func (cmd *Command) body() ([]byte, error) {
	var b bytes.Buffer
	for _, list := range [][]string{cmd.words(), cmd.Env} {
		for _, s := range list {
			if strings.IndexByte(s, 0) >= 0 {
				return nil, fmt.Errorf("a NUL byte cannot be in an argument or variable: %q", clip(s, 40))
			}
			b.WriteString(s)
			b.WriteByte(0)
		}
	}
	if n := len(cmd.Args) + len(cmd.Env); n > maxStrings {
		return nil, fmt.Errorf("%d arguments and variables, allowed are %d", n, maxStrings)
	}
	if b.Len() > maxArgs {
		return nil, fmt.Errorf("%d bytes of arguments and variables, allowed are %d", b.Len(), maxArgs)
	}
	return b.Bytes(), nil
}

// words are the arguments that are sent.
func (cmd *Command) words() []string {
	if cmd.Login {
		return []string{""}
	}
	return cmd.Args
}

func (cmd *Command) header(h *frame.Builder) {
	h.Str("kind", kindRun).Str("job", cmd.Job).Int("args", int64(len(cmd.words())))
	if cmd.Login {
		h.Bool("login", true)
	}
	if t := cmd.Terminal; t != nil {
		h.Bool("tty", true)
		if t.Type != "" {
			h.Str("term", t.Type)
		}
		if t.Window.valid() {
			h.Int("rows", int64(t.Window.Rows)).Int("cols", int64(t.Window.Cols))
		}
	}
	if cmd.Shell {
		h.Bool("shell", true)
	}
	if cmd.Dir != "" {
		strOrBase64(h, "dir", cmd.Dir)
	}
	if cmd.Stdin != nil {
		h.Bool("stdin", true)
	}
	if cmd.Timeout > 0 {
		h.Int("timeout_ms", max(cmd.Timeout.Milliseconds(), 1))
	}
	if cmd.KillAfter > 0 {
		h.Int("kill_after_ms", max(cmd.KillAfter.Milliseconds(), 1))
	}
	if cmd.Linger > 0 {
		h.Int("linger_ms", max(cmd.Linger.Milliseconds(), 1))
	}
}

// strOrBase64 adds a text, or its base64 under another name if it is not UTF-8.
func strOrBase64(h *frame.Builder, name, s string) {
	if utf8.ValidString(s) {
		h.Str(name, s)
	} else {
		h.Str(name+"_b64", base64.StdEncoding.EncodeToString([]byte(s)))
	}
}

// receive writes a stream to w. If w fails, the sender is told to stop.
func receive(s *recvStream, w io.Writer) error {
	if w == nil {
		w = io.Discard
	}
	_, err := s.WriteTo(w)
	s.abandon() // nothing, if it has ended
	if s.failed() {
		return nil // the connection's error is told once, by await
	}
	return err
}

// failed says whether the connection ended before the stream did.
func (s *recvStream) failed() bool {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	return !s.ended && s.c.err != nil
}

// send writes r to the call's stdin, and ends it. If r fails, the call is told, and
// the stream stays open: what is cut short must not look whole.
func send(call *clientCall, r io.Reader) {
	in := input{r: r}
	// What keeps the command from getting it is told by the command's end.
	_, _ = io.Copy(call.stdin, &in)
	if in.err != nil {
		call.failed <- fmt.Errorf("standard input: %w", in.err)
		return
	}
	call.stdin.Close()
}

// An input keeps a reader's error apart from the writer's.
type input struct {
	r   io.Reader
	err error
}

func (in *input) Read(p []byte) (int, error) {
	n, err := in.r.Read(p)
	if err != io.EOF {
		in.err = err
	}
	return n, err
}

// await waits for the call's exit, passing signals on. The error says why there is
// none.
func (cl *Client) await(ctx context.Context, call *clientCall, cmd *Command) (message, error) {
	done := ctx.Done()
	var late <-chan time.Time
	signals := cmd.Signals
	var resized <-chan Window
	if cmd.Terminal != nil {
		resized = cmd.Terminal.Resized
	}
	for {
		select {
		case m := <-call.exit:
			return m, nil
		case name, ok := <-signals:
			if !ok {
				signals = nil
			}
			cl.signal(call, name)
			continue
		case w, ok := <-resized:
			if !ok {
				resized = nil
			} else if w.valid() {
				cmd.Terminal.Window = w
				cl.resize(call, w)
			}
			continue
		case call.inputErr = <-call.failed:
		case <-done:
		case <-late:
			return message{}, errors.New("the server does not end the command")
		case <-cl.c.done:
			select {
			case m := <-call.exit:
				return m, nil
			default:
				return message{}, cl.err()
			}
		}
		// Input or patience is at its end.
		done = nil
		if call.inputErr == nil && left(ctx) {
			cl.detach(call, cmd.Job)
		} else {
			cl.cancel(call)
		}
		late = time.After(max(cmd.KillAfter, DefaultKillAfter) + DefaultKillAfter)
	}
}

// signal sends a signal. One whose name is longer than any is unknown to everybody.
func (cl *Client) signal(call *clientCall, name string) {
	if name == "" || len(name) > maxSignal {
		return
	}
	var h frame.Builder
	_ = cl.c.post(h.Str("kind", kindSignal).Int("call", call.id).Str("signal", name), nil)
}
