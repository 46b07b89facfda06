package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"landline/identity"
	"landline/internal/charset"
	"landline/remote"
)

// lateAfter is how long a host has to say that its command's time is over, once it is.
const lateAfter = time.Second

var errLate = errors.New("it does not answer any more")

// visit calls do for each host, so many at a time, and returns when all have returned.
func visit(hosts []host, parallel int, do func(h host)) {
	var wg sync.WaitGroup
	slots := make(chan struct{}, parallel)
	for _, h := range hosts {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			do(h)
		})
	}
	wg.Wait()
}

// A visitor goes to many hosts, whatever for.
type visitor struct {
	a     *app
	flags *lineFlags
	keys  wallet

	mu    sync.Mutex // one host's end at a time
	file  *verdictFile
	tally tally
}

func (v *visitor) dialer(h host) *dialer {
	d := v.a.dialer(v.flags, h)
	d.keys, d.many = &v.keys, true
	return d
}

// sign has the keys sign once, before anybody needs it and while a person can be asked. If they do not, each
// host's end says so.
func (v *visitor) sign(ctx context.Context, hosts []host) {
	for _, h := range hosts {
		d := v.dialer(h)
		if h.network != "tcp" {
			continue
		}
		err := d.sign(ctx, nil)
		if errors.Is(err, identity.ErrPassphrase) && canAsk() {
			_ = d.sign(ctx, passphraseAsker(ctx))
		}
	}
}

// visit calls do for each host, until the first interrupt with a context that has not ended, and returns what the
// program ends with.
func (v *visitor) visit(hosts []host, parallel int, do func(ctx context.Context, h host)) error {
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	stop := cancelOnSignal(cancel)
	defer stop()
	v.sign(ctx, hosts)
	visit(hosts, parallel, func(h host) { do(ctx, h) })
	return cmp.Or(v.file.close(), v.tally.ending(ctx))
}

// A fanout is one command on many hosts.
type fanout struct {
	visitor
	f     *runFlags
	words []string
	set   charset.Charset
	lines lines
	group *grouping // nil without --group
}

// runMany runs a command on the hosts of a list, or of --hosts.
func (a *app) runMany(f *runFlags, list string, rest []string) error {
	words, set, err := f.prepare(rest)
	if err != nil {
		return err
	}
	hosts, err := a.manyHosts(&f.manyFlags, list)
	if err != nil {
		return err
	}
	m := &fanout{visitor: visitor{a: a, flags: &f.lineFlags}, f: f, words: words, set: set, lines: newLines(a)}
	if f.keep > 0 {
		return errors.New("--keep is for one host")
	}
	if f.detach {
		return m.visit(hosts, f.parallel, m.detach)
	}
	if m.file, err = openVerdict(f.verdict); err != nil {
		return err
	}
	if f.group {
		m.group = newGrouping(a, len(hosts))
	}
	err = m.visit(hosts, f.parallel, m.run)
	if m.group != nil {
		m.group.print(hosts)
		a.say("%s", m.group)
	}
	if inputWaits() {
		a.say("nobody has read the standard input: it is for the command of one host")
	}
	a.say("%s", m.tally.String())
	return err
}

// run runs the command on one host, and counts how it ended.
func (m *fanout) run(ctx context.Context, h host) {
	out := &output{app: m.a, set: m.set, named: m.f.encoding != "", host: h}
	stdout, stderr := newCaptured(), newCaptured()
	switch {
	case m.group != nil:
		out.many = func(stream string) io.WriteCloser {
			if stream == "stderr" {
				return stderr
			}
			return stdout
		}
	case !m.a.json:
		out.many = func(stream string) io.WriteCloser { return m.lines.writer(h, stream) }
	}
	r, err := m.runOn(ctx, h, out)
	v := newVerdict(h, &r, err)
	failed := ending(cmp.Or(m.a.explain(h, &r, err), error(&exitError{})))
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tally.add(endWords(&r), failed.code)
	m.file.add(v)
	if m.a.json {
		printJSON(&m.a.out, v)
	}
	switch {
	case m.group != nil:
		m.group.add(h, v, howItEnded(&r, v, failed.err), stdout, stderr)
	case failed.err != nil:
		m.a.fail(failed.err)
	case r.Reason == remote.Exited && r.Code != 0:
		m.a.say("%s: exited with %d", h.text, r.Code)
	case r.Reason == remote.Signalled:
		m.a.say("%s: ended by signal %s", h.text, r.Signal)
	}
}

// howItEnded says in a few words how a command ended, or why it never began.
func howItEnded(r *remote.Result, v *verdict, err error) string {
	how := endWords(r)
	if r.Reason != remote.Refused && r.Reason != remote.Lost {
		return how
	}
	how += ": " + v.Error
	if h := hint(err); h != "" {
		how += " (" + h + ")"
	}
	return how
}

// runOn makes a line to a host and runs the command over it.
func (m *fanout) runOn(ctx context.Context, h host, out *output) (remote.Result, error) {
	d := m.dialer(h)
	cl, err := d.connect(ctx)
	if err != nil {
		return neverStarted(err), err
	}
	defer cl.Close()
	if m.f.timeout == 0 {
		return m.f.runOver(ctx, d, cl, m.f.command(m.words), out)
	}
	late := time.AfterFunc(m.f.timeout+m.f.killAfter+lateAfter, func() { cl.Close() })
	r, err := m.f.runOver(ctx, d, cl, m.f.command(m.words), out)
	if !late.Stop() && r.Reason == remote.Lost {
		return remote.Result{Job: r.Job, Reason: remote.Lost, Error: errLate.Error()}, errLate
	}
	return r, err
}

// detach starts the command on a host as a job.
func (m *fanout) detach(ctx context.Context, h host) {
	err := m.a.detachOn(ctx, m.dialer(h), m.f, m.words, h.text+": ")
	if err == nil {
		return
	}
	failed := ending(err)
	m.a.fail(failed.err)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tally.add("not started", failed.code)
}

// A tally counts how hosts ended.
type tally struct {
	n     int
	ends  map[string]int // by "exited with 0" and the like
	worst int
}

// add counts a host that ended so.
func (t *tally) add(end string, code int) {
	if t.ends == nil {
		t.ends = make(map[string]int)
	}
	t.n++
	t.ends[end]++
	t.worst = worse(t.worst, code)
}

func endWords(r *remote.Result) string {
	switch r.Reason {
	case remote.Exited:
		return fmt.Sprintf("exited with %d", r.Code)
	case remote.Signalled:
		return "ended by signal " + r.Signal
	case remote.TimedOut:
		return "timed out"
	}
	return r.Reason
}

// String is the summary, the most frequent end first.
func (t *tally) String() string {
	kinds := slices.SortedFunc(maps.Keys(t.ends), func(a, b string) int {
		return cmp.Or(cmp.Compare(t.ends[b], t.ends[a]), cmp.Compare(a, b))
	})
	for i, kind := range kinds {
		kinds[i] = fmt.Sprintf("%d %s", t.ends[kind], kind)
	}
	return count(int64(t.n), "host") + ": " + strings.Join(kinds, ", ")
}

// ending is what the program ends with: all has been said. If a signal stopped it, that is the reason.
func (t *tally) ending(ctx context.Context) error {
	code := t.worst
	if sig, ok := errors.AsType[*interrupted](context.Cause(ctx)); ok {
		code = exitSignal + sig.number
	}
	if code == 0 {
		return nil
	}
	return &exitError{code, nil}
}

// worse returns the worse of two exit codes: that landline failed is worse than that a time ran out, and that
// is worse than any code of a command's; of these the higher is worse.
func worse(a, b int) int {
	for _, code := range []int{exitLandline, exitTimeout} {
		if a == code || b == code {
			return code
		}
	}
	return max(a, b)
}
