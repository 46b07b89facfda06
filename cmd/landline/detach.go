package main

import (
	"context"
	"fmt"

	"landline/remote"
)

// detach starts the words on a host as a job, and prints its id.
func (a *app) detach(f *runFlags, h host, words []string) error {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	stop := cancelOnSignal(cancel)
	defer stop()
	return a.detachOn(ctx, a.dialer(&f.lineFlags, h), f, words, "")
}

// detachOn starts the words on d's host, and prints the job's id after a prefix.
func (a *app) detachOn(ctx context.Context, d *dialer, f *runFlags, words []string, prefix string) error {
	h := d.host
	cl, err := d.connect(ctx)
	if err != nil {
		return fmt.Errorf("%s: %w", h.text, err)
	}
	defer cl.Close()
	cmd := f.command(words)
	if f.tty {
		cmd.Terminal = &remote.Terminal{Type: terminalType(), Window: windowNow()}
	}
	r, err := cl.Start(ctx, cmd)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return fmt.Errorf("%s: %w", h.text, afterwards(err))
	case r.Reason != remote.Running:
		return &exitError{exitCode(&r), fmt.Errorf("%s: %s", h.text, r.Error)}
	}
	if a.json {
		printJSON(&a.out, map[string]string{"host": h.text, "job": r.Job})
	} else {
		fmt.Fprintln(&a.out, prefix+r.Job)
	}
	return nil
}
