package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
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
	manyFlags
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
command is given again: files that are whole are not copied again, nor pieces of
8 MiB of a longer one. What it has so far lies beside the target in hidden files
called .landline-*, to be deleted if it will not be gone on with. When a signal n
ends a copy, the exit code is 128+n.

HOST may be many hosts, as in run: a list, a range, a @group, or with --hosts FILE
nothing. Each has its verdict, and the exit code is the worst, 125 before all.`

func (a *app) getCommand() *cobra.Command {
	var f copyFlags
	cmd := &cobra.Command{
		Use:   "get [flags] HOST[,HOST...]:PATH... DEST",
		Short: "Copy files and folders from another machine",
		Long: `Get copies files and folders from another machine to this one. PATH begins at
the home directory there unless it is absolute. DEST is a folder to copy into, or
a new name. From many hosts, DEST is a folder that gets one for each of them.` + copyHelp,
		Example: `  landline get shed:/var/log/syslog .
  landline get 'web[01-40]:/etc/hosts' etc      makes etc/web01/hosts and so on
  landline get --exclude '*.o' shed:project backups/`,
		Args: needs(2),
		RunE: func(cmd *cobra.Command, args []string) error { return a.get(&f, args) },
	}
	f.register(cmd)
	return cmd
}

func (a *app) putCommand() *cobra.Command {
	var f copyFlags
	cmd := &cobra.Command{
		Use:   "put [flags] PATH... HOST[,HOST...]:DEST",
		Short: "Copy files and folders to another machine",
		Long: `Put copies files and folders from this machine to another one. DEST is a folder
to copy into, or a new name; it begins at the home directory there unless it is
absolute, and may be empty.` + copyHelp,
		Example: `  landline put notes.txt shed:
  landline put motd @web:/etc/
  landline put --durable site 'shed:/srv/www/'`,
		Args: needs(2),
		RunE: func(cmd *cobra.Command, args []string) error { return a.put(&f, args) },
	}
	f.register(cmd)
	return cmd
}

func (f *copyFlags) register(cmd *cobra.Command) {
	f.lineFlags.register(cmd)
	f.manyFlags.register(cmd)
	fl := cmd.Flags()
	fl.StringArrayVar(&f.exclude, "exclude", nil, "leave out what matches `GLOB`: a last component, or a whole name if there is a slash in it (may repeat)")
	fl.BoolVar(&f.dryRun, "dry-run", false, "change nothing, print what would be copied")
	fl.BoolVar(&f.durable, "durable", false, "have the disk write each file (fsync) before it takes its name")
	fl.StringVar(&f.limit, "limit", "", "`RATE` bytes a second at most, e.g. 500k or 10M")
	fl.StringVar(&f.verdict, "verdict", "", "write what happened to `FILE`, as JSON")
}

func (a *app) get(f *copyFlags, args []string) error {
	sources, dest := args[:len(args)-1], args[len(args)-1]
	if list, path, many, err := f.manyPlaces(sources[0]); many {
		if err != nil {
			return err
		}
		return a.getMany(f, list, path, sources[1:], dest)
	}
	var h host
	paths := make([]string, len(sources))
	for i, s := range sources {
		from, path, err := splitPlace(s)
		if err != nil {
			return misplaced(err, "landline put", dest)
		}
		if i > 0 && from != h {
			return fmt.Errorf("%s and %s: one host at a time", h.text, from.text)
		}
		h, paths[i] = from, path
	}
	if err := checkDest(dest); err != nil {
		return err
	}
	err := a.copy(f, h, remote.Copy{Paths: paths, Dest: dest}, (*remote.Client).Get)
	return mistakenPort(err, h, paths[0])
}

func (a *app) put(f *copyFlags, args []string) error {
	sources, last := args[:len(args)-1], args[len(args)-1]
	if slices.Contains(sources, "-") {
		return &hinted{errors.New("-: standard input cannot be copied"), "run HOST -- sh -c 'cat >NAME'"}
	}
	if list, path, many, err := f.manyPlaces(last); many {
		if err != nil {
			return err
		}
		if isStreamName(path) {
			return notToStream(path, "run HOST -- sh -c 'cat >NAME'")
		}
		return a.putMany(f, list, sources, path)
	}
	h, dest, err := splitPlace(last)
	if err != nil {
		return misplaced(err, "landline get", sources[0])
	}
	if isStreamName(dest) {
		return notToStream(dest, "run HOST -- sh -c 'cat >NAME'")
	}
	err = a.copy(f, h, remote.Copy{Paths: sources, Dest: dest}, (*remote.Client).Put)
	return mistakenPort(err, h, dest)
}

// checkDest refuses a DEST of get that is hardly meant as the name of a file here.
func checkDest(dest string) error {
	if dest == "-" {
		return &hinted{errors.New("-: a copy cannot go to standard output"), "run HOST -- cat PATH"}
	}
	if isStream(dest) {
		return notToStream(dest, "run HOST -- cat PATH")
	}
	if strings.HasPrefix(dest, "./") || strings.HasPrefix(dest, "../") || filepath.IsAbs(dest) {
		return nil
	}
	if _, _, err := splitPlace(dest); err != nil {
		return nil
	}
	if _, err := os.Lstat(dest); err == nil {
		return nil
	}
	return &hinted{fmt.Errorf("%q names another machine", dest), "DEST is on this machine; ./NAME for a file of that name"}
}

// notToStream refuses a DEST that is no file.
func notToStream(dest, advice string) error {
	return &hinted{fmt.Errorf("%s: a copy goes to a file, and takes its name", dest), advice}
}

// isStream says whether a name here is one of what programs read and write that is no file, or leads there. A link would
// be replaced by the copy.
func isStream(name string) bool {
	info, err := os.Stat(name)
	return isStreamName(filepath.ToSlash(name)) || err == nil && !info.IsDir() && !info.Mode().IsRegular()
}

// isStreamName says so by the name alone: /dev/stdout is a link, whatever it leads to at the moment.
func isStreamName(name string) bool {
	switch dir, base := path.Split(path.Clean(name)); dir {
	case "/dev/fd/", "/proc/self/fd/":
		return true
	case "/dev/":
		return base == "stdin" || base == "stdout" || base == "stderr"
	}
	return false
}

// mistakenPort says so if a path was perhaps meant as the port.
func mistakenPort(err error, h host, path string) error {
	if _, perr := strconv.ParseUint(path, 10, 16); perr != nil || h.network != "tcp" || !errors.Is(err, syscall.ECONNREFUSED) {
		return err
	}
	return &hinted{err, path + " was taken as the path: HOST:PORT:PATH"}
}

// misplaced finds out whether the place on another machine stands where the other
// verb has it.
func misplaced(err error, verb, place string) error {
	if _, _, perr := splitPlace(place); perr == nil {
		return &hinted{err, "to copy the other way: " + verb}
	}
	return err
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

func newCopyVerdict(h host, r *remote.CopyResult, took time.Duration, err error) *copyVerdict {
	v := &copyVerdict{
		Host: h.text, Files: r.Files, Dirs: r.Dirs, Links: r.Links, Bytes: r.Bytes,
		Resumed: r.Resumed, Failed: r.Failed, DurationMS: took.Milliseconds(),
	}
	if err != nil {
		v.Error = err.Error()
	}
	return v
}

// copy carries out a get or a put.
func (a *app) copy(f *copyFlags, h host, c remote.Copy, method copyMethod) error {
	if err := f.prepare(&c); err != nil {
		return err
	}
	file, err := openVerdict(f.verdict)
	if err != nil {
		return err
	}
	start := time.Now()
	r, err := a.copyOn(f, h, c, method)
	took := time.Since(start)
	v := newCopyVerdict(h, &r, took, err)
	if a.json {
		printJSON(&a.out, v)
	}
	if err == nil && !f.dryRun {
		a.summarize(&r, took)
	}
	return cmp.Or(file.write(v), explainCopy(h, &r, err))
}

// prepare checks the flags, and has the copy do what they say.
func (f *copyFlags) prepare(c *remote.Copy) (err error) {
	if c.Limit, err = parseRate(f.limit); err != nil {
		return err
	}
	c.Exclude, c.DryRun, c.Durable = f.exclude, f.dryRun, f.durable
	return cmp.Or(f.lineFlags.check(), f.manyFlags.check())
}

func (a *app) copyOn(f *copyFlags, h host, c remote.Copy, method copyMethod) (remote.CopyResult, error) {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	stop := cancelOnSignal(cancel)
	defer stop()
	bar := a.newProgress()
	defer bar.done()
	c.Progress = bar.update
	if c.DryRun {
		c.Progress = a.lister("")
	}
	c.OnError = func(name string, err error) {
		err = notCopied(c.Paths, name, err)
		if _, ok := errors.AsType[*remote.CopyError](err); ok {
			err = fmt.Errorf("%s: %w", h.text, err) // it is from there
		}
		bar.above(func() { a.fail(err) })
	}
	return copyOver(ctx, a.dialer(&f.lineFlags, h), c, method)
}

// notCopied is what is said of an entry that failed.
func notCopied(paths []string, name string, err error) error {
	far, ok := errors.AsType[*remote.CopyError](err)
	err = fmt.Errorf("%s: %w", asTyped(paths, name), err)
	if ok && far.Text == syscall.ENOENT.Error() && strings.ContainsAny(name, "*?[") {
		err = &hinted{err, "patterns are not expanded there; get the folder, with --exclude"}
	}
	return err
}

// asTyped returns the name of an entry with the path, of those that were asked for, which it was found under: the
// names of a copy begin with the last component of such a path.
func asTyped(paths []string, name string) string {
	if slices.Contains(paths, name) {
		return name
	}
	first, _, _ := strings.Cut(name, "/")
	for _, p := range paths {
		if trimmed := strings.TrimRight(filepath.ToSlash(p), "/"); path.Base(trimmed) == first {
			return strings.TrimSuffix(trimmed, first) + name
		}
	}
	return name
}

// copyOver makes a line and copies over it.
func copyOver(ctx context.Context, d *dialer, c remote.Copy, method copyMethod) (remote.CopyResult, error) {
	cl, err := d.connect(ctx)
	if err != nil {
		return remote.CopyResult{}, err
	}
	defer cl.Close()
	r, err := method(cl, ctx, c)
	if err != nil && ctx.Err() != nil {
		return r, context.Cause(ctx)
	}
	return r, afterwards(err)
}

// lister returns what prints the name of each entry once, after a host's name if that is not empty.
func (a *app) lister(host string) func(remote.CopyProgress) {
	var listed int64
	return func(now remote.CopyProgress) {
		if now.Entries == listed {
			return
		}
		listed = now.Entries
		line := map[string]string{"name": now.Name}
		text := escape(now.Name)
		if host != "" {
			line["host"] = host
			text = host + ": " + text
		}
		if a.json {
			printJSON(&a.out, line)
		} else {
			fmt.Fprintln(&a.out, text)
		}
	}
}

// summarize tells a person what was copied.
func (a *app) summarize(r *remote.CopyResult, took time.Duration) {
	if !isTerminal(os.Stderr) || a.json {
		return
	}
	before := ""
	if r.Resumed > 0 {
		before = fmt.Sprintf(", besides %s that were there", size(r.Resumed))
	}
	a.say("%s, %s in %s, %s/s%s", count(r.Files, "file"), size(r.Bytes), round(took), size(rate(r.Bytes, took)), before)
}

// explainCopy returns what the program ends with.
func explainCopy(h host, r *remote.CopyResult, err error) error {
	switch {
	case cutOff(err):
		return &hinted{fmt.Errorf("%s: %w", h.text, err), "the same command again goes on from here"}
	case err != nil:
		return fmt.Errorf("%s: %w", h.text, err)
	case r.Failed > 0:
		return &exitError{exitSome, fmt.Errorf("%s: %d of %d not copied", h.text, r.Failed, r.Failed+r.Files+r.Dirs+r.Links)}
	}
	return nil
}

// cutOff says whether a copy stopped amid its work.
func cutOff(err error) bool {
	_, stopped := errors.AsType[*interrupted](err)
	return stopped || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) ||
		errors.Is(err, syscall.EPIPE) || errors.Is(err, remote.ErrSilent)
}
