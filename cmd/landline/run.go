package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"landline/internal/charset"
	"landline/remote"
)

// runFlags are those of `landline run`.
type runFlags struct {
	lineFlags
	dir       string
	env       []string
	shell     bool
	timeout   time.Duration
	killAfter time.Duration
	encoding  string
	verdict   string
}

func (a *app) runCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run [flags] HOST [--] COMMAND [ARG...]",
		Short: "Run a command on another machine",
		Long: `Run runs a command on another machine. Standard input, output and error are the
command's. The arguments reach it as they are, no shell in between; with --shell
the words, joined by spaces, are one line for /bin/sh -c. Flags stand before HOST.

The exit code is the command's own, or
  124  its time (--timeout) ran out
  125  landline failed: no connection, not let in, output not whole, ...
  126  the command was found but cannot be executed
  127  the command was not found
  128+n  the command was ended by signal n
A command may return these, too: --verdict writes down what happened.

Ctrl-C goes to the command; a second one ends it and landline.`,
		Example: `  landline run shed -- uname -a
  landline run --shell shed 'cd /var/log && tail -n 3 *.log'
  tar c notes | landline run shed -- tar x
  landline run --timeout 30s --verdict v.json shed:7374 make test`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return a.run(&f, args) },
	}
	fl := cmd.Flags()
	fl.SetInterspersed(false)
	f.register(cmd)
	fl.StringVar(&f.dir, "cwd", "", "`DIR` to run in (default the home directory there)")
	fl.StringArrayVar(&f.env, "env", nil, "`NAME=VALUE` to add to the environment (may repeat)")
	fl.BoolVar(&f.shell, "shell", false, "the words are one line for /bin/sh -c")
	fl.DurationVar(&f.timeout, "timeout", 0, "end the command after this `TIME`, e.g. 30s (default never)")
	fl.DurationVar(&f.killAfter, "kill-after", remote.DefaultKillAfter, "kill a command that should end and does not after this `TIME`")
	fl.StringVar(&f.encoding, "encoding", "", "what the output is written in: auto, raw, or a `NAME` such as gbk or shift_jis\n(default auto on a terminal: UTF-8 until it is not, then the host's own or GB18030; else raw)")
	fl.StringVar(&f.verdict, "verdict", "", "write what happened to `FILE`, as JSON")
	cmd.RegisterFlagCompletionFunc("encoding", cobra.FixedCompletions(charset.Names(), cobra.ShellCompDirectiveNoFileComp))
	return cmd
}

func (a *app) run(f *runFlags, args []string) error {
	h, err := parseHost(args[0])
	if err != nil {
		return err
	}
	words, err := commandWords(f, args[1:])
	if err != nil {
		return err
	}
	r, err := a.runOn(f, h, words)
	v := newVerdict(h, &r)
	if werr := writeVerdict(f.verdict, v); werr != nil {
		a.fail(werr)
	}
	if a.json {
		printJSON(os.Stdout, v)
	}
	return a.explain(h, &r, err)
}

// commandWords checks the words after HOST.
func commandWords(f *runFlags, words []string) ([]string, error) {
	for _, e := range f.env {
		if !strings.Contains(e, "=") {
			return nil, fmt.Errorf("--env %s: it is NAME=VALUE", e)
		}
	}
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

// runOn runs the words on a host and says what became of them. The error is what
// explain needs besides.
func (a *app) runOn(f *runFlags, h host, words []string) (remote.Result, error) {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	signals, stop := passSignals(cancel)
	defer stop()
	failed := func(err error) (remote.Result, error) {
		return remote.Result{Reason: remote.Lost, Error: err.Error()}, err
	}
	out, err := a.output(f.encoding, h)
	if err != nil {
		return failed(err)
	}
	cl, err := a.connect(ctx, &f.lineFlags, h)
	if err != nil {
		return failed(err)
	}
	defer cl.Close()
	out.client = cl
	stdout, stderr := out.writer("stdout", os.Stdout), out.writer("stderr", os.Stderr)
	r, err := cl.Run(ctx, remote.Command{
		Args: words, Shell: f.shell, Env: f.env, Dir: f.dir,
		Stdin: os.Stdin, Stdout: stdout, Stderr: stderr,
		Timeout: f.timeout, KillAfter: f.killAfter, Signals: signals,
	})
	return r, errors.Join(err, stdout.Close(), stderr.Close())
}

// passSignals hands signals to the command. A second interrupt ends it.
func passSignals(cancel context.CancelCauseFunc) (names <-chan string, stop func()) {
	in := make(chan os.Signal, 8)
	out := make(chan string, 8)
	signal.Notify(in, passedOn...)
	go func() {
		interrupts := 0
		for s := range in {
			name := signalName(s)
			if name == "INT" {
				interrupts++
			}
			if interrupts > 1 {
				cancel(errors.New("interrupted"))
			}
			select {
			case out <- name:
			default: // a signal that is still on its way
			}
		}
	}()
	return out, func() {
		signal.Stop(in)
		close(in)
	}
}

// explain prints what the exit code alone does not say, and returns that.
func (a *app) explain(h host, r *remote.Result, err error) error {
	if errors.Is(err, syscall.EPIPE) && r.Reason != remote.Lost {
		err = nil // whoever read our output wanted no more; the command met that, too
	}
	code := exitCode(r)
	switch {
	case err != nil:
		if e, ok := errors.AsType[*exitError](err); ok {
			return e
		}
		return &exitError{exitLandline, fmt.Errorf("%s: %w", h.text, err)}
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

// An output is how the command's output reaches the user.
type output struct {
	set    charset.Charset
	named  bool // by the user
	json   bool
	host   host
	client *remote.Client
	mu     sync.Mutex // one JSON line at a time
}

func (a *app) output(encoding string, h host) (*output, error) {
	set, err := charset.Lookup(encodingOrAuto(encoding))
	return &output{set: set, named: encoding != "", json: a.json, host: h}, err
}

func encodingOrAuto(name string) string {
	if name == "" {
		return "auto"
	}
	return name
}

// writer returns where a stream goes: decoded where a person reads, or where the
// user named an encoding; else as it is.
func (o *output) writer(stream string, f *os.File) io.WriteCloser {
	var w io.Writer = f
	if o.json {
		w = &jsonStream{o: o, stream: stream}
	}
	if !o.named && !isTerminal(f) {
		return nopCloser{w}
	}
	return &lateDecoder{o: o, w: w}
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// A lateDecoder learns the host's encoding when the first output comes: by then
// the host has said hello.
type lateDecoder struct {
	o   *output
	w   io.Writer
	dec io.WriteCloser
}

func (d *lateDecoder) Write(p []byte) (int, error) {
	if d.dec == nil {
		hello, err := d.o.client.Connected(context.Background())
		if err != nil {
			return 0, err
		}
		d.dec = d.o.set.NewWriter(d.w, hello.Encoding)
	}
	return d.dec.Write(p)
}

func (d *lateDecoder) Close() error {
	if d.dec == nil {
		return nil
	}
	return d.dec.Close()
}

// A jsonStream prints each piece of output as a line of JSON.
type jsonStream struct {
	o      *output
	stream string
}

func (j *jsonStream) Write(p []byte) (int, error) {
	line := struct {
		Host   string `json:"host"`
		Stream string `json:"stream"`
		Text   string `json:"text,omitempty"`
		Bytes  []byte `json:"base64,omitempty"`
	}{Host: j.o.host.text, Stream: j.stream}
	if utf8.Valid(p) {
		line.Text = string(p)
	} else {
		line.Bytes = p
	}
	j.o.mu.Lock()
	defer j.o.mu.Unlock()
	return len(p), printJSON(os.Stdout, line)
}
