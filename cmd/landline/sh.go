package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"landline/remote"
)

// seatFlags are those of the verbs that take a terminal.
type seatFlags struct {
	escape    string
	reconnect time.Duration
}

const escapeHelp = "`CHARACTER` that at the beginning of a line is for landline: ~. hangs up, ~d leaves, ~? tells more; or none"

// shFlags are those of `landline sh`.
type shFlags struct {
	lineFlags
	seatFlags
	verdict string
}

func (a *app) shCommand() *cobra.Command {
	var f shFlags
	cmd := &cobra.Command{
		Use:   "sh [flags] HOST",
		Short: "A shell on another machine, which can be left and attached again",
		Long: `Sh is your login shell on another machine, on a terminal like yours: keys, colors and
the window's size go there, Ctrl-C and all. When it ends, so does sh, with its exit code
or one of those that run has.

At the beginning of a line, ~ is for landline:
  ~.  hang up: the shell is ended
  ~d  leave: the shell goes on, and "landline attach HOST JOB" comes back to it
  ~?  tell what there is
  ~~  ~ itself

When the line breaks, the shell goes on, and sh makes the line anew for an hour, or for
--reconnect. So it does if sh itself is killed or its window closed: then attach brings
it back within that time, and after it the shell is hung up. One that was left with ~d
goes on for as long as it likes. "landline jobs HOST" lists it.`,
		Example: `  landline sh shed
  landline sh --escape none shed
  landline attach shed kp2mzt5cyn4qha6dxr3vbe7wfs      a shell that was left`,
		Args: exactly(1),
		RunE: func(_ *cobra.Command, args []string) error { return a.sh(&f, args) },
	}
	fl := cmd.Flags()
	f.register(cmd)
	f.reconnect = seatWithin
	fl.Var(&period{"reconnect", &f.reconnect}, "reconnect", "when the line breaks, make it anew for this `TIME`, and go on")
	fl.StringVar(&f.escape, "escape", "~", escapeHelp)
	fl.StringVar(&f.verdict, "verdict", "", "write what happened to `FILE`, as JSON")
	return cmd
}

func (a *app) sh(f *shFlags, args []string) error {
	h, err := parseHost(args[0])
	if err != nil {
		return err
	}
	if err := f.lineFlags.check(); err != nil {
		return err
	}
	char, err := escapeChar(f.escape)
	switch {
	case err != nil:
		return err
	case f.reconnect <= 0:
		return &hinted{fmt.Errorf("--reconnect %v: a shell is kept for some time", f.reconnect), "landline run --tty HOST -- sh -l"}
	case a.json:
		return errors.New("--json: a shell is for a terminal")
	case !isTerminal(os.Stdin) || !isTerminal(os.Stdout):
		return &hinted{errors.New("sh is for a terminal"), "landline run HOST -- COMMAND"}
	}
	file, err := openVerdict(f.verdict)
	if err != nil {
		return err
	}
	r, err := a.shOn(f, h, char)
	v := newVerdict(h, &r, err)
	return cmp.Or(file.write(v), a.explain(h, &r, err))
}

// shOn runs a shell on a host. The error is what explain needs besides.
func (a *app) shOn(f *shFlags, h host, escape byte) (remote.Result, error) {
	d := a.dialer(&f.lineFlags, h)
	cl, err := d.connectUnlessInterrupted()
	if err != nil {
		return neverStarted(err), err
	}
	defer cl.Close()
	cmd := remote.Command{Login: true, Job: remote.NewJobID(), Stdout: os.Stdout}
	s := &seat{a: a, d: d, job: cmd.Job, escape: escape, kept: true, within: f.reconnect}
	return s.carry(func(ctx context.Context, terminal *remote.Terminal, keys *typed) (remote.Result, error) {
		cmd.Terminal, cmd.Stdin = terminal, keys
		return d.lasting(f.reconnect).Run(ctx, cl, cmd)
	})
}

// connectUnlessInterrupted makes a line, and ends at the first interrupt.
func (d *dialer) connectUnlessInterrupted() (*remote.Client, error) {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	stop := cancelOnSignal(cancel)
	defer stop()
	return d.connect(ctx)
}
