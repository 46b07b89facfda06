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
	cl, err := a.connect(ctx, &f.lineFlags, h)
	if err != nil {
		return fmt.Errorf("%s: %w", h.text, err)
	}
	defer cl.Close()
	r, err := cl.Start(ctx, remote.Command{
		Args: words, Shell: f.shell, Env: f.env, Dir: f.dir,
		Timeout: f.timeout, KillAfter: max(f.killAfter, 1),
	})
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
		fmt.Fprintln(&a.out, r.Job)
	}
	return nil
}
