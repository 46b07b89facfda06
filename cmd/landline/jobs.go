package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"landline/remote"
)

func (a *app) jobsCommand() *cobra.Command {
	var f lineFlags
	cmd := &cobra.Command{
		Use:   "jobs [flags] HOST",
		Short: "List what runs or ran on another machine",
		Long: `Jobs lists the commands that were started on another machine with run --detach or
--reconnect, and shells (sh), which run, or have run and are kept: until their output has been seen and 24
hours are over, a week if nobody has looked. The columns are the job's id, what it does
or how it ended, when it was started, how long it ran, the lengths of its standard
output and standard error, and its command.`,
		Example: `  landline jobs shed
  landline jobs --json shed | jq -r 'select(.state=="running").job'`,
		Args: exactly(1),
		RunE: func(_ *cobra.Command, args []string) error { return a.jobs(&f, args) },
	}
	f.register(cmd)
	return cmd
}

func (a *app) jobs(f *lineFlags, args []string) error {
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
	list, err := cl.Jobs(ctx)
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return fmt.Errorf("%s: %w", h.text, afterwards(err))
	case a.json:
		a.printJobsJSON(h, list)
	default:
		a.printJobs(list)
	}
	return nil
}

// jobOf returns the job of an id, or the one whose id begins so. If there is none, it is one of that id of which
// nothing is known: the server says why.
func jobOf(list []remote.Job, id string) (remote.Job, error) {
	var found []remote.Job
	var ids []string
	for _, j := range list {
		if j.ID == id {
			return j, nil
		}
		if id != "" && strings.HasPrefix(j.ID, id) {
			found, ids = append(found, j), append(ids, j.ID)
		}
	}
	switch len(found) {
	case 0:
		return remote.Job{ID: id}, nil
	case 1:
		return found[0], nil
	}
	return remote.Job{}, fmt.Errorf("the ids of several jobs begin with %s: %s", id, strings.Join(ids, ", "))
}

func (a *app) printJobs(list []remote.Job) {
	if len(list) == 0 {
		return
	}
	w := tabwriter.NewWriter(&a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "JOB\tSTATE\tSTARTED\tTOOK\tSTDOUT\tSTDERR\tCOMMAND")
	for _, j := range list {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", j.ID, escape(outcome(j.State, j.Code, j.Signal)),
			j.Start.Format(time.DateTime), round(j.Duration), size(j.StdoutBytes), size(j.StderrBytes), words(j.Args))
	}
	// What fails is standard output, which remembers.
	_ = w.Flush()
}

// outcome is how a job ended, in two words.
func outcome(reason string, code int, signal string) string {
	switch reason {
	case remote.Exited, remote.Refused:
		return fmt.Sprintf("%s %d", reason, code)
	case remote.Signalled:
		return reason + " " + signal
	}
	return reason
}

// words is a command as one would type it, more or less: it is for people.
func words(args []string) string {
	quoted := make([]string, len(args))
	for i, s := range args {
		quoted[i] = escape(s)
		if s == "" || strings.ContainsAny(s, " \t\n'\"\\$&|;<>()*?`") {
			quoted[i] = "'" + quoted[i] + "'"
		}
	}
	return strings.Join(quoted, " ")
}

func (a *app) printJobsJSON(h host, list []remote.Job) {
	for _, j := range list {
		printJSON(&a.out, struct {
			Host         string    `json:"host"`
			Job          string    `json:"job"`
			State        string    `json:"state"`
			Code         int       `json:"code"`
			Signal       string    `json:"signal"`
			Started      time.Time `json:"started"`
			DurationMS   int64     `json:"duration_ms"`
			StdoutBytes  int64     `json:"stdout_bytes"`
			StderrBytes  int64     `json:"stderr_bytes"`
			StdoutOffset int64     `json:"stdout_offset"`
			StderrOffset int64     `json:"stderr_offset"`
			Acked        bool      `json:"acked"`
			Args         []string  `json:"args"`
			Error        string    `json:"error"`
		}{
			h.text, j.ID, j.State, j.Code, j.Signal, j.Start, j.Duration.Milliseconds(),
			j.StdoutBytes, j.StderrBytes, j.StdoutOffset, j.StderrOffset, j.Acknowledged, j.Args, j.Error,
		})
	}
}
