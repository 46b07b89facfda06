package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"landline/internal/charset"
	"landline/remote"
)

// runFlags are those of `landline run`.
type runFlags struct {
	lineFlags
	manyFlags
	dir       string
	env       []string
	shell     bool
	timeout   time.Duration
	killAfter time.Duration
	encoding  string
	verdict   string
	detach    bool
	reconnect time.Duration
	group     bool
	keep      time.Duration
	tty       bool
	escape    string
}

func (a *app) runCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run [flags] HOST[,HOST...] [--] COMMAND [ARG...]",
		Short: "Run a command on another machine, or on many",
		Long: `Run runs a command on another machine. Standard input, output and error are the
command's. The arguments reach it as they are, no shell in between; with --shell
the words, joined by spaces, are one line for /bin/sh -c. Flags stand before HOST.

The exit code is the command's own, or
  124  its time (--timeout) ran out
  125  landline failed (no connection, not let in, output not whole, ...), or the
       command was cancelled: by landline cancel, or because the server ends
  126  the command was found but cannot be executed
  127  the command was not found
  128+n  the command was ended by signal n
A command may return these, too: --verdict writes down what happened. Its "code"
counts only if its "reason" is exited or refused.

The command has the environment that serve has there, and of yours no more than
--env gives it. Standard input is read for it: in a "while read" loop, which needs
that itself, give the command </dev/null.

Ctrl-C goes to the command; a second one has it ended, a third ends landline at once.

When the line breaks, the server ends the command. With --reconnect it goes on there, and
run makes the line anew and goes on at the byte where it stopped; the command runs once.
With --detach it goes on by itself, without standard input: see "landline jobs".

With --tty the command has a terminal: then all of its output is standard output, Ctrl-C
is a key as others, and ~ is what "landline sh" tells of it.

With --keep, a process in the background makes a second line and keeps it, so that later
runs with --keep need not make one: as long as somebody uses it in the time given. It is
for this user alone, at a socket in XDG_RUNTIME_DIR, and asks nobody: it needs a key that
can be used without. 64 commands at once can use it.

HOST may be a list (shed,desk), a range (web[01-40], n[1-3,7]), or a @group of
hosts.toml in the configuration folder (~/.config/landline), which has lines like
  [groups]
  web = ["web[01-40]", "old.lan:7374"]
Then each line of output has its host before it, and a line of over 64 KiB comes in
pieces. The commands have no standard input. Each host gets one verdict, which is a
line of --verdict; a summary counts them. The exit code is the worst: 125 if landline
failed at any host, else 124 if any time ran out, else the highest of the commands'
own. With --group equal outputs are shown once, at the end, the first 256 KiB of each,
and of the others how they differ from what most hosts gave; the hosts where landline
failed come last. Ctrl-C cancels them all, and a second one ends landline at once. With
--timeout a host that has not answered a second after its command should be dead is lost.`,
		Example: `  landline run shed -- uname -a
  landline run --shell shed 'cd /var/log && tail -n 3 *.log'
  tar c notes | landline run shed -- tar x
  landline run --reconnect 10m shed make world
  landline run --timeout 30s --verdict v.json shed:7374 make test
  landline run 'web[01-40],@db' -- uptime
  landline run --group @web -- cat /etc/resolv.conf`,
		Args: needs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.run(&f, args) },
	}
	fl := cmd.Flags()
	fl.SetInterspersed(false)
	f.lineFlags.register(cmd)
	f.manyFlags.register(cmd)
	fl.StringVar(&f.dir, "cwd", "", "`DIR` to run in (default the home directory there)")
	fl.StringArrayVar(&f.env, "env", nil, "`NAME=VALUE` to add to the environment (may repeat)")
	fl.BoolVar(&f.shell, "shell", false, "the words are one line for /bin/sh -c")
	fl.Var(&period{"timeout", &f.timeout}, "timeout", "end the command after this `TIME`, e.g. 30s (default never)")
	f.killAfter = remote.DefaultKillAfter
	fl.Var(&period{"kill-after", &f.killAfter}, "kill-after", "kill a command that should end and does not after this `TIME`, 0 at once")
	fl.StringVar(&f.encoding, "encoding", "", "what the output is written in: auto, raw, or a `NAME` such as gbk or shift_jis\n(default auto on a terminal: UTF-8 until it is not, then the host's own or GB18030; else raw)")
	fl.StringVar(&f.verdict, "verdict", "", "write what happened to `FILE`, as JSON")
	fl.BoolVar(&f.detach, "detach", false, "start the command, print the id of its job, and leave it running")
	fl.BoolVar(&f.group, "group", false, "of many hosts, show equal outputs once, with the hosts that gave them,\nand how the others differ from what most of them gave")
	fl.BoolVar(&f.tty, "tty", false, "give the command a terminal, like yours if you have one")
	fl.StringVar(&f.escape, "escape", "~", "with --tty, "+escapeHelp)
	fl.Var(&period{"keep", &f.keep}, "keep", "keep a line in the background until nobody has used it for this `TIME`, and use the one that is kept")
	fl.Var(&period{"reconnect", &f.reconnect}, "reconnect", "when the line breaks, make it anew for this `TIME`, and go on (default not at all)")
	cmd.RegisterFlagCompletionFunc("encoding", cobra.FixedCompletions(charset.Names(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (a *app) run(f *runFlags, args []string) error {
	if f.tty && (f.hosts != "" || isMany(args[0])) {
		return errors.New("--tty with many hosts: whose would the terminal be?")
	}
	if f.hosts != "" {
		return a.runMany(f, "", args)
	}
	if isMany(args[0]) {
		return a.runMany(f, args[0], args[1:])
	}
	h, err := parseHost(args[0])
	if err != nil {
		return err
	}
	words, set, err := f.prepare(args[1:])
	if err != nil {
		return err
	}
	if f.detach {
		return a.detach(f, h, words)
	}
	file, err := openVerdict(f.verdict)
	if err != nil {
		return err
	}
	out := &output{app: a, set: set, named: f.encoding != "", host: h}
	r, err := a.runOn(f, h, words, out)
	v := newVerdict(h, &r, err)
	err = a.explain(h, &r, err)
	if e, ok := errors.AsType[*exitError](err); ok && e.code == exitNotFound && r.Reason == remote.Refused && quoted(f, words) {
		e.err = &hinted{e.err, "one word with a space in it: leave out the quotes, or use --shell"}
	}
	if a.json {
		printJSON(&a.out, v)
	}
	return cmp.Or(file.write(v), err)
}

// prepare checks the flags and the words after HOST, and finds the encoding.
func (f *runFlags) prepare(rest []string) (words []string, set charset.Charset, err error) {
	if err := f.check(); err != nil {
		return nil, set, err
	}
	if words, err = commandWords(f, rest); err != nil {
		return nil, set, err
	}
	if set, err = charset.Lookup(cmp.Or(f.encoding, "auto")); err != nil {
		return nil, set, fmt.Errorf("--encoding: %w", err)
	}
	return words, set, nil
}

// check checks what the flags' own types do not.
func (f *runFlags) check() error {
	if err := f.lineFlags.check(); err != nil {
		return err
	}
	if err := f.manyFlags.check(); err != nil {
		return err
	}
	if _, err := escapeChar(f.escape); err != nil {
		return err
	}
	for _, e := range f.env {
		if name, _, ok := strings.Cut(e, "="); !ok || name == "" {
			return fmt.Errorf("--env %s: it is NAME=VALUE", e)
		}
	}
	if f.reconnect < 0 {
		return fmt.Errorf("--reconnect %v: no time runs backwards", f.reconnect)
	}
	if f.keep < 0 {
		return fmt.Errorf("--keep %v: no time runs backwards", f.keep)
	}
	if f.keep > 0 && (f.detach || f.reconnect > 0 || f.tty) {
		return errors.New("--keep is for commands without a terminal that end with their line")
	}
	if f.detach && f.reconnect > 0 {
		return &hinted{errors.New("--detach with --reconnect: a job needs no line"), "landline attach --reconnect TIME"}
	}
	if f.detach && f.verdict != "" {
		return &hinted{errors.New("--verdict with --detach: nothing has happened yet"), "landline attach --verdict FILE"}
	}
	if f.timeout < 0 {
		return fmt.Errorf("--timeout %v: no time runs backwards", f.timeout)
	}
	if f.killAfter < 0 {
		return fmt.Errorf("--kill-after %v: no time runs backwards", f.killAfter)
	}
	return nil
}

// commandWords checks the words after HOST.
func commandWords(f *runFlags, words []string) ([]string, error) {
	if len(words) > 0 && words[0] == "--" {
		words = words[1:]
	} else if len(words) > 0 && strings.HasPrefix(words[0], "-") {
		return nil, &hinted{fmt.Errorf("%s stands where the command belongs", words[0]), "flags stand before HOST"}
	}
	if len(words) == 0 {
		return nil, &hinted{errors.New("no command"), "landline run HOST -- COMMAND"}
	}
	if f.shell {
		words = []string{strings.Join(words, " ")}
	}
	return words, nil
}

// quoted says whether a command and its arguments seem to have come as one word.
func quoted(f *runFlags, words []string) bool {
	return !f.shell && len(words) == 1 && strings.Contains(words[0], " ")
}

// runOn runs the words on a host and says what became of them. The error is what
// explain needs besides.
func (a *app) runOn(f *runFlags, h host, words []string, out *output) (remote.Result, error) {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	stop := cancelOnSignal(cancel)
	d := a.dialer(&f.lineFlags, h)
	connect := d.connect
	if f.keep > 0 {
		connect = func(ctx context.Context) (*remote.Client, error) { return d.connectKept(ctx, f.keep) }
	}
	cl, err := connect(ctx)
	if err != nil {
		stop()
		return neverStarted(err), err
	}
	defer cl.Close()
	cmd := f.command(words)
	if f.tty {
		stop()
		return f.runSeated(d, cl, cmd, out)
	}
	signals, over := passSignals(cancel)
	defer over()
	stop() // now that nothing falls between
	cmd.Stdin, cmd.Signals = os.Stdin, signals
	return f.runOver(ctx, d, cl, cmd, out)
}

// command is what the flags say of a command.
func (f *runFlags) command(words []string) remote.Command {
	return remote.Command{
		Args: words, Shell: f.shell, Env: f.env, Dir: f.dir,
		Timeout: f.timeout, KillAfter: max(f.killAfter, 1),
	}
}

// runSeated runs a command on a terminal.
func (f *runFlags) runSeated(d *dialer, cl *remote.Client, cmd remote.Command, out *output) (remote.Result, error) {
	cmd.Job = remote.NewJobID()
	char, err := escapeChar(f.escape)
	if err != nil {
		return neverStarted(err), err
	}
	out.asItIs = true
	s := &seat{a: d.a, d: d, job: cmd.Job, escape: char, kept: f.reconnect > 0, within: f.reconnect}
	return s.carry(func(ctx context.Context, terminal *remote.Terminal, keys *typed) (remote.Result, error) {
		cmd.Terminal, cmd.Stdin = terminal, keys
		return f.runOver(ctx, d, cl, cmd, out)
	})
}

// runOver runs a command on a line that stands, and with --reconnect on those that d makes after it.
func (f *runFlags) runOver(ctx context.Context, d *dialer, cl *remote.Client, cmd remote.Command, out *output) (remote.Result, error) {
	out.client = cl
	stdout, stderr := out.writer("stdout", os.Stdout), out.writer("stderr", os.Stderr)
	cmd.Stdout, cmd.Stderr = stdout, stderr
	run := cl.Run
	if f.reconnect > 0 {
		lasting := d.lasting(f.reconnect)
		run = func(ctx context.Context, cmd remote.Command) (remote.Result, error) { return lasting.Run(ctx, cl, cmd) }
	}
	r, err := run(ctx, cmd)
	closed := errors.Join(stdout.Close(), stderr.Close())
	switch {
	case r.Reason == remote.Lost && (notLetIn(err) || cannot(err)):
		err = afterwards(err)
		return neverStarted(err), err
	case r.Reason == remote.Lost:
		err = afterwards(err)
		r.Error = err.Error()
		if f.reconnect > 0 {
			err = &hinted{err, "if it runs yet: landline attach " + d.host.text + " " + r.Job}
		}
		return r, err
	case r.Reason == remote.Cancelled && ctx.Err() != nil:
		return r, context.Cause(ctx)
	}
	return r, errors.Join(err, closed)
}

// neverStarted is the result when there was no line by which the command could
// have been asked for.
func neverStarted(err error) remote.Result {
	r := remote.Result{Reason: remote.Refused, Code: exitLandline, Error: err.Error()}
	if _, ok := errors.AsType[*interrupted](err); ok {
		r.Reason, r.Code = remote.Cancelled, 0
	}
	return r
}

// explain prints what the exit code alone does not say, and returns that.
func (a *app) explain(h host, r *remote.Result, err error) error {
	if errors.Is(err, syscall.EPIPE) && r.Reason != remote.Lost && r.Reason != remote.Refused {
		err = nil // whoever read our output wanted no more; the command met that, too
	}
	code := exitCode(r)
	switch {
	case r.Reason == remote.Running && err == nil:
		return nil // it was left, and that was said
	case r.Reason == remote.Lost:
		return fmt.Errorf("%s: %w; what became of the command is not known", h.text, err)
	case err != nil:
		return fmt.Errorf("%s: %w", h.text, flat(err))
	case r.Reason == remote.Refused || r.Reason == remote.Cancelled:
		return &exitError{code, fmt.Errorf("%s: %s", h.text, r.Error)}
	case r.Reason == remote.TimedOut:
		return &exitError{code, fmt.Errorf("%s: the command's time ran out after %v", h.text, r.Duration)}
	}
	if r.Held {
		a.say("%s: the command ended, but something it started still holds its output open", h.text)
	}
	if code != 0 {
		return &exitError{code, nil}
	}
	return nil
}
