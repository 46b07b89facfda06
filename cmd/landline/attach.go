package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"landline/internal/charset"
	"landline/remote"
)

// attachFlags are those of `landline attach`.
type attachFlags struct {
	lineFlags
	from       string
	stderrFrom string
	encoding   string
	escape     string
	view       bool // it does not take a terminal
	verdict    string
	reconnect  time.Duration
}

func (a *app) attachCommand() *cobra.Command {
	var f attachFlags
	cmd := &cobra.Command{
		Use:   "attach [flags] HOST JOB",
		Short: "See a job's output, from its start or an offset, until it ends",
		Long: `Attach prints what a job that was started with run --detach or --reconnect has written
and writes, until it has ended, and ends with the job's own exit code or one of
those that run has: 125 if the job was cancelled, too. It may be repeated as long as the server keeps the job: until its
output has been seen and 24 hours are over, a week if nobody has looked.

The server keeps the last 64 MiB of each output. What was dropped before that is
told; with --json as a line with "gap", the number of bytes.

Ctrl-C ends attach, not the job, which "landline cancel" does.

A shell, and what else has a terminal there (run --tty), is taken to yours, from wherever
else it is attached: see "landline sh". With --from, or where standard input or output
is no terminal, attach prints what it has written, as of other jobs.

JOB is a job's id, or the beginning of one if no other begins so.`,
		Example: `  landline attach shed kp2mzt5cyn4qha6dxr3vbe7wfs
  landline attach --from end shed kp2mzt5cyn4qha6dxr3vbe7wfs           what comes from now on
  landline attach --from 1048576 shed kp2mzt5cyn4qha6dxr3vbe7wfs >>log  what a log of that length lacks`,
		Args: exactly(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			f.view = a.json || cmd.Flags().Changed("from") || !isTerminal(os.Stdin) || !isTerminal(os.Stdout)
			return a.attach(&f, args)
		},
	}
	fl := cmd.Flags()
	f.register(cmd)
	fl.StringVar(&f.from, "from", "start", "`OFFSET` of standard output to begin at, in bytes, or start, or end")
	fl.StringVar(&f.stderrFrom, "stderr-from", "", "the same of standard error (default as --from if that is start or end, else start)")
	fl.Var(&period{"reconnect", &f.reconnect}, "reconnect", "when the line breaks, make it anew for this `TIME`, and go on (default not at all)")
	fl.StringVar(&f.encoding, "encoding", "", "what the output is written in, as in run")
	fl.StringVar(&f.escape, "escape", "~", "for a job on a terminal, "+escapeHelp)
	fl.StringVar(&f.verdict, "verdict", "", "write what happened to `FILE`, as JSON")
	cmd.RegisterFlagCompletionFunc("encoding", cobra.FixedCompletions(charset.Names(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

// farthest is beyond every output's end.
const farthest = 1<<53 - 1

// offset reads where to begin.
func offset(flag, s string) (int64, error) {
	switch s {
	case "start":
		return 0, nil
	case "end":
		return farthest, nil
	}
	n, err := strconv.ParseUint(s, 10, 53)
	if err != nil {
		return 0, fmt.Errorf("--%s %s: it is a number of bytes, or start, or end", flag, s)
	}
	return int64(n), nil
}

// offsets reads where to begin with either output.
func (f *attachFlags) offsets() (stdout, stderr int64, err error) {
	if stdout, err = offset("from", f.from); err != nil {
		return 0, 0, err
	}
	if f.stderrFrom == "" && f.from == "end" {
		return stdout, farthest, nil
	}
	stderr, err = offset("stderr-from", cmp.Or(f.stderrFrom, "start"))
	return stdout, stderr, err
}

func (a *app) attach(f *attachFlags, args []string) error {
	h, err := parseHost(args[0])
	if err != nil {
		return err
	}
	at := remote.Attachment{Job: args[1]}
	if at.StdoutOffset, at.StderrOffset, err = f.offsets(); err != nil {
		return err
	}
	if err := f.check(); err != nil {
		return err
	}
	if f.reconnect < 0 {
		return fmt.Errorf("--reconnect %v: no time runs backwards", f.reconnect)
	}
	if _, err := escapeChar(f.escape); err != nil {
		return err
	}
	set, err := charset.Lookup(cmp.Or(f.encoding, "auto"))
	if err != nil {
		return fmt.Errorf("--encoding: %w", err)
	}
	file, err := openVerdict(f.verdict)
	if err != nil {
		return err
	}
	out := &output{app: a, set: set, named: f.encoding != "", host: h}
	r, err := a.attachTo(f, h, at, out)
	v := newVerdict(h, &r, err)
	if a.json {
		printJSON(&a.out, v)
	}
	return cmp.Or(file.write(v), a.explain(h, &r, err))
}

// attachTo gives out a job's output. The error is what explain needs besides.
func (a *app) attachTo(f *attachFlags, h host, at remote.Attachment, out *output) (remote.Result, error) {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	stop := sync.OnceFunc(cancelOnSignal(cancel))
	defer stop()
	d := a.dialer(&f.lineFlags, h)
	cl, err := d.connect(ctx)
	if err != nil {
		r := neverStarted(err)
		r.Job = at.Job
		return r, err
	}
	defer cl.Close()
	j, r, err := lookUp(ctx, cl, at.Job)
	switch {
	case err != nil:
		return r, err
	case !f.view && j.Terminal && j.State == remote.Running:
		stop()
		return a.takeTo(f, d, cl, j.ID)
	}
	at.Job = j.ID
	a.sayBeyond(h, &j, "--from", "standard output", at.StdoutOffset, j.StdoutBytes)
	a.sayBeyond(h, &j, "--stderr-from", "standard error", at.StderrOffset, j.StderrBytes)
	out.client = cl
	stdout, stderr := out.writer("stdout", os.Stdout), out.writer("stderr", os.Stderr)
	at.Stdout, at.Stderr, at.OnGap, at.Acknowledge = stdout, stderr, out.gap, true
	r, err = d.lasting(f.reconnect).Attach(ctx, cl, at)
	switch {
	case r.Reason == remote.Running:
		return r, &left{context.Cause(ctx)}
	case r.Reason == remote.Lost && ctx.Err() != nil:
		return r, context.Cause(ctx)
	case r.Reason == remote.Lost:
		err = afterwards(err)
		r.Error = err.Error()
		return r, err
	}
	return r, errors.Join(err, stdout.Close(), stderr.Close())
}

// lookUp finds out what the server knows of a job. If there is an error, the result is what became of attach.
func lookUp(ctx context.Context, cl *remote.Client, id string) (j remote.Job, r remote.Result, err error) {
	list, err := cl.Jobs(ctx)
	switch {
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case err != nil:
		err = afterwards(err)
		return j, remote.Result{Job: id, Reason: remote.Lost, Error: err.Error()}, err
	default:
		j, err = jobOf(list, id)
	}
	if err != nil {
		r = neverStarted(err)
		r.Job = id
	}
	return j, r, err
}

// sayBeyond tells of an output that is not as long as the offset that it was to begin at.
func (a *app) sayBeyond(h host, j *remote.Job, flag, output string, from, length int64) {
	switch {
	case j.State == "" || from == farthest || from <= length:
	case j.State == remote.Running:
		a.say("%s: %s has %d bytes so far, %s %d is beyond them: what comes from now on", h.text, output, length, flag, from)
	default:
		a.say("%s: %s ends at %d, %s %d is beyond it", h.text, output, length, flag, from)
	}
}

// takeTo takes a job to the terminal here.
func (a *app) takeTo(f *attachFlags, d *dialer, cl *remote.Client, job string) (remote.Result, error) {
	char, err := escapeChar(f.escape)
	if err != nil {
		return neverStarted(err), err
	}
	within := cmp.Or(f.reconnect, seatWithin)
	s := &seat{a: a, d: d, job: job, escape: char, kept: true, within: within}
	return s.carry(func(ctx context.Context, terminal *remote.Terminal, keys *typed) (remote.Result, error) {
		return d.lasting(within).Attach(ctx, cl, remote.Attachment{
			Job: job, StdoutOffset: farthest, StderrOffset: farthest, Acknowledge: true,
			Take: true, Terminal: terminal, Stdin: keys, Stdout: os.Stdout,
		})
	})
}

// A left is why attach ended before the job.
type left struct{ why error }

func (e *left) Error() string { return "left; the job goes on" }
func (e *left) Unwrap() error { return e.why }
