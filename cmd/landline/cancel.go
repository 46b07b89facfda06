package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"landline/remote"
)

func (a *app) cancelCommand() *cobra.Command {
	var f lineFlags
	cmd := &cobra.Command{
		Use:   "cancel [flags] HOST JOB",
		Short: "End a job",
		Long: `Cancel ends a job that was started with run --detach or --reconnect, and waits until it
has ended: it gets TERM, and KILL after the time that run --kill-after gave it (5s
if none). A job that has ended already is left as it is. What it wrote can still be
seen with "landline attach".

JOB is a job's id, or the beginning of one if no other begins so. The exit code is 0 once
the job has ended; that of a run or attach which sees it end so is 125.`,
		Example: "  landline cancel shed kp2mzt5cyn4qha6dxr3vbe7wfs",
		Args:    exactly(2),
		RunE:    func(_ *cobra.Command, args []string) error { return a.cancel(&f, args) },
	}
	f.register(cmd)
	return cmd
}

func (a *app) cancel(f *lineFlags, args []string) error {
	h, err := parseHost(args[0])
	if err != nil {
		return err
	}
	if err := f.check(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	stop := cancelOnSignal(cancel)
	defer stop()
	cl, err := a.connect(ctx, f, h)
	if err != nil {
		return fmt.Errorf("%s: %w", h.text, err)
	}
	defer cl.Close()
	j, _, err := lookUp(ctx, cl, args[1])
	if err != nil {
		return fmt.Errorf("%s: %w", h.text, err)
	}
	r, err := cl.Attach(ctx, remote.Attachment{Job: j.ID, StdoutOffset: farthest, StderrOffset: farthest, Cancel: true})
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return fmt.Errorf("%s: %w", h.text, afterwards(err))
	case r.Reason == remote.Refused && r.Job == j.ID:
		return &exitError{exitLandline, fmt.Errorf("%s: %s", h.text, r.Error)}
	}
	a.say("%s: %s: %s", h.text, r.Job, outcome(r.Reason, r.Code, r.Signal))
	if a.json {
		printJSON(&a.out, newVerdict(h, &r, nil))
	}
	return nil
}
