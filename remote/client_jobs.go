package remote

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"landline/frame"
)

// featureJobs is what a server calls it that it keeps jobs.
const featureJobs = "attach"

// ErrNoJobs means that the server keeps no jobs.
var ErrNoJobs = errors.New("the server keeps no jobs")

// needJobs makes sure that the server keeps jobs.
func (cl *Client) needJobs(ctx context.Context) error { return cl.need(ctx, featureJobs, ErrNoJobs) }

// need makes sure that the server has a feature; without it, the error is lacks.
func (cl *Client) need(ctx context.Context, feature string, lacks error) error {
	hello, err := cl.Connected(ctx)
	if err == nil && !slices.Contains(hello.Features, feature) {
		err = lacks
	}
	return err
}

// Start starts a command that goes on without a client, and returns when it runs:
// then the Reason is Running. Of cmd it uses neither the streams nor Signals. The error
// is not nil if and only if the Reason is Lost.
func (cl *Client) Start(ctx context.Context, cmd Command) (Result, error) {
	if cmd.Job == "" {
		cmd.Job = NewJobID()
	}
	cmd.Stdin = nil
	body, refused := cmd.prepare(ctx)
	if refused != nil {
		return *refused, nil
	}
	if err := cl.needJobs(ctx); err != nil {
		return lost(cmd.Job, err)
	}
	if err := cl.needTerminals(ctx, &cmd); err != nil {
		return lost(cmd.Job, err)
	}
	header := func(h *frame.Builder) {
		cmd.header(h)
		h.Bool("detach", true)
	}
	call, err := cl.openCall(header, body, callShape{stderr: true})
	if err != nil {
		return lost(cmd.Job, err)
	}
	defer cl.forget(call)
	defer cl.cancel(call) // which ends the call alone
	select {
	case <-call.started:
		return Result{Job: cmd.Job, Reason: Running}, nil
	case m := <-call.exit:
		e := errand{Command: cmd}
		return e.result(call, &m)
	case <-cl.Done():
		return lost(cmd.Job, cl.err())
	case <-ctx.Done():
		return lost(cmd.Job, context.Cause(ctx))
	}
}

// An Attachment is what to see of a job that the server keeps.
type Attachment struct {
	Job string
	// Stdout and Stderr get what the job wrote and writes, as in a Command.
	Stdout, Stderr io.Writer
	// StdoutOffset and StderrOffset are where to begin. What is not kept any more from
	// there on is missing, and told in the result's gaps.
	StdoutOffset, StderrOffset int64
	// OnGap, if not nil, is called before what comes after a gap in an output (1 or 2) is
	// written, with the gap's bounds.
	OnGap func(fd int, from, to int64)
	// Acknowledge tells the server, once the job has ended and all has come, that it need
	// not keep it for much longer.
	Acknowledge bool
	// Cancel has the job ended, as if the context of its Run ended.
	Cancel bool
	// Signals are sent to the job's process group. It may be nil.
	Signals <-chan string
	// Take puts this client in the place of the one that started the job, or took it last:
	// that one's call ends, Stdin is the job's standard input from now on, and if ctx ends,
	// the job is ended, unless with ErrLeave.
	Take  bool
	Stdin io.Reader
	// Terminal is the terminal at which a client is that takes a job on a terminal. The
	// program is told its size, and to draw all anew. Its Type is not used.
	Terminal *Terminal
}

// Attach gives out a job's output until the job has ended, and then its result, in
// which the numbers of bytes are the whole outputs'. If ctx ends first, the
// job goes on: then the Reason is Running. The error is as Run's.
func (cl *Client) Attach(ctx context.Context, a Attachment) (Result, error) {
	e, done := a.errand()
	defer done()
	return cl.attach(ctx, e, a.Cancel)
}

func (a *Attachment) errand() (e *errand, done func()) {
	e = &errand{
		Command: Command{Job: a.Job, Stdout: a.Stdout, Stderr: a.Stderr, Signals: a.Signals},
		view:    true, take: a.Take, acks: a.Acknowledge, onGap: a.OnGap, at: [2]int64{a.StdoutOffset, a.StderrOffset},
	}
	if !a.Take {
		return e, func() {}
	}
	e.Terminal = a.Terminal.copy()
	if a.Stdin == nil {
		return e, func() {}
	}
	in := newReplay(a.Stdin)
	in.unplaced = true
	e.feed = in.feed
	return e, in.close
}

// attach goes on with an errand, from where it is.
func (cl *Client) attach(ctx context.Context, e *errand, cancel bool) (Result, error) {
	if !validJob(e.Job) {
		return Result{Job: e.Job, Reason: Refused, Code: 125, Error: fmt.Sprintf("not a job's id: %q", clip(e.Job, 80))}, nil
	}
	if err := cl.needJobs(ctx); err != nil {
		return lost(e.Job, err)
	}
	r, err := cl.carry(ctx, e, func(h *frame.Builder) {
		h.Str("kind", kindAttach).Str("job", e.Job).Int("stdout_offset", e.at[0]).Int("stderr_offset", e.at[1])
		h.Int("own", e.rank).Bool("take", e.take && e.rank == 0)
		h.Bool("stdin", e.feed != nil).Bool("cancel", cancel)
		if t := e.Terminal; t != nil && t.Window.valid() {
			h.Int("rows", int64(t.Window.Rows)).Int("cols", int64(t.Window.Cols))
		}
	}, nil, true)
	if e.view && !e.take && r.Reason == Cancelled && ctx.Err() != nil {
		return Result{Job: r.Job, Reason: Running, StdoutGap: r.StdoutGap, StderrGap: r.StderrGap}, err
	}
	return r, err
}

// acknowledge tells the server that all that is wanted of a job has come. If that gets
// lost, the server keeps the job longer.
func (cl *Client) acknowledge(job string) {
	var h frame.Builder
	_ = cl.c.post(h.Str("kind", kindAck).Str("job", job), nil)
}

// A Job is what a server says of one that it keeps.
type Job struct {
	ID           string
	Args         []string // as much of it as a server cares to tell
	State        string   // Running, or the Reason of its result
	Code         int
	Signal       string
	SignalNumber int
	Error        string // for people; as it came, so escape it for a terminal
	Start        time.Time
	Duration     time.Duration
	// StdoutBytes and StderrBytes are the outputs' lengths, StdoutOffset and
	// StderrOffset where what is kept of them begins.
	StdoutBytes, StderrBytes   int64
	StdoutOffset, StderrOffset int64
	Acknowledged               bool
	Terminal                   bool // it runs on one
}

// Jobs lists the jobs that the server keeps and this client may see, oldest first.
func (cl *Client) Jobs(ctx context.Context) ([]Job, error) {
	if err := cl.needJobs(ctx); err != nil {
		return nil, err
	}
	call, err := cl.openCall(func(h *frame.Builder) { h.Str("kind", kindJobs) }, nil, callShape{})
	if err != nil {
		return nil, err
	}
	defer cl.forget(call)
	stop := context.AfterFunc(ctx, func() { cl.cancel(call) })
	defer stop()
	list, err := readJobs(call.stdout)
	if err != nil {
		cl.cancel(call)
	}
	m, lost := cl.await(ctx, call, &Command{})
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case lost != nil:
		return nil, lost
	case err != nil:
		return nil, err
	case m.reason != Exited:
		return nil, errors.New(m.err)
	}
	return list, nil
}

func readJobs(r io.Reader) (list []Job, err error) {
	frames := frame.NewReader(bufio.NewReader(r))
	for {
		h, err := frames.Next()
		if err == io.EOF {
			return list, nil
		}
		if err != nil {
			return nil, streamError(err)
		}
		var j Job
		if err := j.parse(h); err != nil {
			return nil, err
		}
		words, err := io.ReadAll(io.LimitReader(frames, maxArgs))
		if err != nil {
			return nil, err
		}
		for s := range bytes.SplitSeq(bytes.TrimSuffix(words, []byte{0}), []byte{0}) {
			j.Args = append(j.Args, string(s))
		}
		list = append(list, j)
	}
}

// parse takes a job's record.
func (j *Job) parse(h frame.Header) error {
	for name, v := range h.All() {
		if err := j.set(string(name), v); err != nil {
			return breach("job: %s: %v", name, err)
		}
	}
	if !validJob(j.ID) || j.State == "" {
		return breach("job without an id or a state")
	}
	return nil
}

func (j *Job) set(name string, v frame.Value) (err error) {
	ms := func(take func(int64)) error {
		n, err := v.Int(0, maxInt)
		take(n)
		return err
	}
	switch name {
	case "job":
		j.ID, err = v.Text(64)
	case "state":
		j.State, err = v.Text(32)
	case "code":
		j.Code, err = small(v, 0, 255)
	case "signal":
		j.Signal, err = v.Text(maxSignal)
	case "signal_number":
		j.SignalNumber, err = small(v, 1, 127)
	case "error":
		j.Error, err = v.Text(maxText)
	case "start_ms":
		err = ms(func(n int64) { j.Start = time.UnixMilli(n) })
	case "duration_ms":
		err = ms(func(n int64) { j.Duration = milliseconds(n) })
	case "stdout_bytes":
		j.StdoutBytes, err = v.Int(0, maxInt)
	case "stderr_bytes":
		j.StderrBytes, err = v.Int(0, maxInt)
	case "stdout_offset":
		j.StdoutOffset, err = v.Int(0, maxInt)
	case "stderr_offset":
		j.StderrOffset, err = v.Int(0, maxInt)
	case "tty":
		j.Terminal, err = v.Bool()
	case "acked":
		j.Acknowledged, err = v.Bool()
	}
	return err
}
