package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"landline/remote"
)

// copyFlags are those of `landline get` and `landline put`.
type copyFlags struct {
	lineFlags
	exclude []string
	dryRun  bool
	durable bool
	limit   string
	verdict string
}

const copyHelp = `

Folders are copied whole, with modes, times and links (as links). A file is written
beside its target and renamed when its hash is right, so the target is the old or
the new one, never a mixture. FIFOs, devices and sockets are not copied. What
fails is named, the rest goes on, and the exit code is 1; it is 125 if landline
itself failed. A copy that was interrupted goes on where it stopped when the same
command is given again.`

func (a *app) getCommand() *cobra.Command {
	var f copyFlags
	cmd := &cobra.Command{
		Use:   "get [flags] HOST:PATH... DEST",
		Short: "Copy files and folders from another machine",
		Long: `Get copies files and folders from another machine to this one. PATH begins at
the home directory there unless it is absolute. DEST is a folder to copy into, or
a new name.` + copyHelp,
		Example: `  landline get shed:/var/log/syslog .
  landline get --exclude '*.o' shed:project backups/`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error { return a.get(&f, args) },
	}
	f.register(cmd)
	return cmd
}

func (a *app) putCommand() *cobra.Command {
	var f copyFlags
	cmd := &cobra.Command{
		Use:   "put [flags] PATH... HOST:DEST",
		Short: "Copy files and folders to another machine",
		Long: `Put copies files and folders from this machine to another one. DEST is a folder
to copy into, or a new name; it begins at the home directory there unless it is
absolute, and may be empty.` + copyHelp,
		Example: `  landline put notes.txt shed:
  landline put --durable site 'shed:/srv/www/'`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error { return a.put(&f, args) },
	}
	f.register(cmd)
	return cmd
}

func (f *copyFlags) register(cmd *cobra.Command) {
	f.lineFlags.register(cmd)
	fl := cmd.Flags()
	fl.StringArrayVar(&f.exclude, "exclude", nil, "leave out what matches `GLOB`: a last component, or a whole name if there is a slash in it (may repeat)")
	fl.BoolVar(&f.dryRun, "dry-run", false, "change nothing, print what would be copied")
	fl.BoolVar(&f.durable, "durable", false, "have the disk write each file (fsync) before it takes its name")
	fl.StringVar(&f.limit, "limit", "", "bytes a second at most, e.g. 500k, 10M (`RATE`)")
	fl.StringVar(&f.verdict, "verdict", "", "write what happened to `FILE`, as JSON")
}

func (a *app) get(f *copyFlags, args []string) error {
	sources, dest := args[:len(args)-1], args[len(args)-1]
	var h host
	paths := make([]string, len(sources))
	for i, s := range sources {
		from, path, err := splitPlace(s)
		if err != nil {
			return err
		}
		if i > 0 && from != h {
			return fmt.Errorf("%s and %s: one host at a time", h.text, from.text)
		}
		h, paths[i] = from, path
	}
	return a.copy(f, h, remote.Copy{Paths: paths, Dest: dest}, (*remote.Client).Get)
}

func (a *app) put(f *copyFlags, args []string) error {
	h, dest, err := splitPlace(args[len(args)-1])
	if err != nil {
		return err
	}
	return a.copy(f, h, remote.Copy{Paths: args[:len(args)-1], Dest: dest}, (*remote.Client).Put)
}

type copyMethod func(*remote.Client, context.Context, remote.Copy) (remote.CopyResult, error)

// A copyVerdict is what happened to a copy, as --verdict writes it.
type copyVerdict struct {
	Host       string `json:"host"`
	Files      int64  `json:"files"`
	Dirs       int64  `json:"dirs"`
	Links      int64  `json:"links"`
	Bytes      int64  `json:"bytes"`
	Resumed    int64  `json:"resumed_bytes"`
	Failed     int64  `json:"failed"`
	DurationMS int64  `json:"duration_ms"`
	Error      string `json:"error"`
}

// copy carries out a get or a put.
func (a *app) copy(f *copyFlags, h host, c remote.Copy, method copyMethod) error {
	var err error
	if c.Limit, err = parseRate(f.limit); err != nil {
		return err
	}
	c.Exclude, c.DryRun, c.Durable = f.exclude, f.dryRun, f.durable
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	stop := cancelOnSignal(cancel)
	defer stop()

	start := time.Now()
	r, err := a.copyOn(ctx, f, h, c, method)
	v := copyVerdict{
		Host: h.text, Files: r.Files, Dirs: r.Dirs, Links: r.Links, Bytes: r.Bytes,
		Resumed: r.Resumed, Failed: r.Failed, DurationMS: time.Since(start).Milliseconds(),
	}
	if err != nil {
		v.Error = err.Error()
	}
	if werr := writeVerdict(f.verdict, &v); werr != nil {
		a.fail(werr)
	}
	if a.json {
		printJSON(os.Stdout, &v)
	}
	return a.explainCopy(ctx, h, &r, time.Since(start), err)
}

func (a *app) copyOn(ctx context.Context, f *copyFlags, h host, c remote.Copy, method copyMethod) (remote.CopyResult, error) {
	cl, err := a.connect(ctx, &f.lineFlags, h)
	if err != nil {
		return remote.CopyResult{}, err
	}
	defer cl.Close()
	bar := a.newProgress()
	defer bar.done()
	c.Progress = bar.update
	c.OnError = func(name string, err error) {
		bar.above(func() { a.fail(fmt.Errorf("%s: %w", name, err)) })
	}
	return method(cl, ctx, c)
}

func (a *app) explainCopy(ctx context.Context, h host, r *remote.CopyResult, took time.Duration, err error) error {
	if sig, ok := errors.AsType[*interrupted](context.Cause(ctx)); ok && err != nil {
		return &exitError{exitSignal + sig.number, &hinted{fmt.Errorf("%s: %w", h.text, sig), "the same command again goes on from here"}}
	}
	if e, ok := errors.AsType[*exitError](err); ok {
		return e
	}
	if err != nil {
		return &exitError{exitLandline, fmt.Errorf("%s: %w", h.text, err)}
	}
	if isTerminal(os.Stderr) && !a.json {
		a.say("%d files, %s in %s, %s/s", r.Files, size(r.Bytes), round(took), size(rate(r.Bytes, took)))
	}
	if r.Failed > 0 {
		return &exitError{exitSome, fmt.Errorf("%s: %d of %d not copied", h.text, r.Failed, r.Failed+r.Files+r.Dirs+r.Links)}
	}
	return nil
}

// An interrupted says which signal ended landline's work.
type interrupted struct {
	number int
}

func (e *interrupted) Error() string { return "interrupted" }

// cancelOnSignal ends the work at the first interrupt; at the second the system
// ends the program.
func cancelOnSignal(cancel context.CancelCauseFunc) (stop func()) {
	in := make(chan os.Signal, 1)
	done := make(chan struct{})
	signal.Notify(in, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case s := <-in:
			signal.Stop(in)
			number, _ := s.(syscall.Signal)
			cancel(&interrupted{int(number)})
		case <-done:
		}
	}()
	return func() {
		signal.Stop(in)
		close(done)
	}
}

// parseRate reads bytes a second: a number, and k, M or G for powers of 1,000.
func parseRate(s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	digits, unit := strings.TrimRight(s, "kMG"), int64(1)
	switch s[len(digits):] {
	case "":
	case "k":
		unit = 1e3
	case "M":
		unit = 1e6
	case "G":
		unit = 1e9
	default:
		digits = ""
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n <= 0 || n > (1<<62)/unit {
		return 0, fmt.Errorf("--limit %s: it is a number, with k, M or G after it if you like", s)
	}
	return n * unit, nil
}

// size writes a number of bytes for people, in powers of 1,000.
func size(n int64) string {
	units := []string{"B", "kB", "MB", "GB", "TB", "PB"}
	f := float64(n)
	for f >= 999.5 && len(units) > 1 {
		f /= 1000
		units = units[1:]
	}
	return strconv.FormatFloat(f, 'f', decimals(f), 64) + " " + units[0]
}

func decimals(f float64) int {
	if f >= 10 || f == float64(int64(f)) {
		return 0
	}
	return 1
}

func rate(n int64, d time.Duration) int64 {
	return int64(float64(n) / max(d.Seconds(), 1e-9))
}

func round(d time.Duration) time.Duration {
	switch {
	case d > time.Minute:
		return d.Round(time.Second)
	case d > time.Second:
		return d.Round(10 * time.Millisecond)
	}
	return d.Round(10 * time.Microsecond)
}
