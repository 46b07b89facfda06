package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"hash"
	"os"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rogpeppe/go-internal/diff"

	"landline/remote"
)

const (
	// mostKept is how much of a host's outputs, in bytes, can be shown when it has ended.
	mostKept = 256 << 10
	// liveEvery is how often a person is told how far it has come.
	liveEvery = 100 * time.Millisecond
)

// A captured is what a host's output was: its hash whole, and its beginning.
type captured struct {
	hash    hash.Hash
	text    []byte
	dropped int64 // bytes after text
}

func newCaptured() *captured { return &captured{hash: sha256.New()} }

func (c *captured) Write(p []byte) (int, error) {
	c.hash.Write(p)
	n := min(len(p), mostKept-len(c.text))
	c.text = append(c.text, p[:n]...)
	c.dropped += int64(len(p) - n)
	return len(p), nil
}

func (c *captured) Close() error { return nil }

// shown is the text as lines, with a remark in place of what is not kept.
func (c *captured) shown() []byte {
	text := c.text
	if c.dropped > 0 {
		text = fmt.Appendf(slices.Clip(text), "\n... and %d bytes more", c.dropped)
	}
	if len(text) > 0 && text[len(text)-1] != '\n' {
		text = append(slices.Clip(text), '\n')
	}
	return text
}

// A sameEnd is what one host or several ended with.
type sameEnd struct {
	hosts          []string
	how            string // how the command ended, or why it did not begin
	v              *verdict
	stdout, stderr *captured
}

// failed says whether landline failed there: then nothing is known of the command that could be compared.
func (e *sameEnd) failed() bool {
	switch e.v.Reason {
	case remote.Lost, remote.Cancelled:
		return true
	}
	return e.v.Reason == remote.Refused && e.v.Code == exitLandline
}

// A grouping shows equal outputs once.
type grouping struct {
	a     *app
	total int // hosts
	done  int
	ends  map[string]*sameEnd
	live  time.Time // when the person was last told; zero if there is none
}

func newGrouping(a *app, total int) *grouping {
	g := &grouping{a: a, total: total, ends: make(map[string]*sameEnd)}
	if isTerminal(os.Stderr) && !a.quiet && !a.json {
		g.live = time.Now()
	}
	return g
}

// add takes how a host ended.
func (g *grouping) add(h host, v *verdict, how string, stdout, stderr *captured) {
	key := how + string(stdout.hash.Sum(nil)) + string(stderr.hash.Sum(nil))
	e := g.ends[key]
	if e == nil {
		e = &sameEnd{how: how, v: v, stdout: stdout, stderr: stderr}
		g.ends[key] = e
	}
	e.hosts = append(e.hosts, h.text)
	g.done++
	if !g.live.IsZero() && time.Since(g.live) >= liveEvery {
		g.live = time.Now()
		g.sayLive(g.String())
	}
}

// sayLive replaces what was last told on the terminal.
func (g *grouping) sayLive(text string) {
	screen.Lock()
	defer screen.Unlock()
	fmt.Fprintf(os.Stderr, "\r\x1b[K%s", text)
}

// String says how many are the same.
func (g *grouping) String() string {
	most, failed := 0, 0
	for _, e := range g.ends {
		if e.failed() {
			failed += len(e.hosts)
		} else {
			most = max(most, len(e.hosts))
		}
	}
	text := fmt.Sprintf("%d same, %d differ", most, g.done-failed-most)
	if failed > 0 {
		text += fmt.Sprintf(", %d failed", failed)
	}
	if g.done < g.total {
		text = fmt.Sprintf("%d of %d hosts: ", g.done, g.total) + text
	}
	return text
}

// print shows all of them, what most hosts have first and what failed last. order is that in which the hosts were named.
func (g *grouping) print(order []host) error {
	if !g.live.IsZero() {
		g.sayLive("")
	}
	place := make(map[string]int, len(order))
	for i, h := range order {
		place[h.text] = i
	}
	var ends []*sameEnd
	for _, e := range g.ends {
		slices.SortFunc(e.hosts, func(a, b string) int { return cmp.Compare(place[a], place[b]) })
		ends = append(ends, e)
	}
	slices.SortFunc(ends, func(a, b *sameEnd) int {
		switch {
		case a.failed() && !b.failed():
			return 1
		case b.failed() && !a.failed():
			return -1
		}
		return cmp.Or(cmp.Compare(len(b.hosts), len(a.hosts)), cmp.Compare(place[a.hosts[0]], place[b.hosts[0]]))
	})
	for i, e := range ends {
		var most *sameEnd
		if i > 0 && len(ends[0].hosts) > 1 && !e.failed() {
			most = ends[0]
		}
		if err := g.printOne(e, most); err != nil {
			return err
		}
	}
	return nil
}

// printOne shows one; most is what to compare it with, if anything.
func (g *grouping) printOne(e, most *sameEnd) error {
	if g.a.json {
		return g.printJSON(e)
	}
	hosts := fold(e.hosts)
	var out bytes.Buffer
	fmt.Fprintf(&out, "---- %s (%s)", hosts, count(int64(len(e.hosts)), "host"))
	if e.v.Reason != remote.Exited || e.v.Code != 0 {
		out.WriteString(": " + escape(e.how))
	}
	text := e.stdout.shown()
	if most != nil {
		text = compared(most, text)
		if len(text) == 0 && len(e.stdout.text) > 0 {
			out.WriteString("; the same output")
		}
	}
	out.WriteByte('\n')
	out.Write(onTerminal(text, isTerminal(os.Stdout)))
	if _, err := g.a.out.Write(out.Bytes()); err != nil {
		return err
	}
	errs := lines{stderr: onScreen{os.Stderr}, stderrAt: isTerminal(os.Stderr)}
	_, err := errs.writer(host{text: hosts}, "stderr").Write(e.stderr.shown())
	return err
}

// compared returns how a text differs from what most hosts have, or if they have no line in common the text.
func compared(most *sameEnd, text []byte) []byte {
	d := diff.Diff("", most.stdout.shown(), "", text)
	if len(d) == 0 {
		return nil
	}
	_, d, _ = bytes.Cut(d, []byte("\n@@ ")) // without what both are called
	d = append([]byte("@@ "), d...)
	if bytes.Count(d, []byte("\n+")) == bytes.Count(text, []byte("\n")) {
		return text
	}
	return d
}

// onTerminal makes a text harmless for a terminal, if it goes to one.
func onTerminal(text []byte, terminal bool) []byte {
	if !terminal {
		return text
	}
	var b strings.Builder
	for line := range strings.Lines(string(text)) {
		b.WriteString(cleanLine(strings.TrimSuffix(line, "\n")) + "\n")
	}
	return []byte(b.String())
}

func (g *grouping) printJSON(e *sameEnd) error {
	line := struct {
		Hosts  []string `json:"hosts"`
		Reason string   `json:"reason"`
		Code   int      `json:"code"`
		Signal string   `json:"signal"`
		Error  string   `json:"error"`

		Stdout      string `json:"stdout,omitempty"`
		StdoutBytes []byte `json:"stdout_base64,omitempty"`
		StdoutMore  int64  `json:"stdout_not_kept,omitempty"`
		Stderr      string `json:"stderr,omitempty"`
		StderrBytes []byte `json:"stderr_base64,omitempty"`
		StderrMore  int64  `json:"stderr_not_kept,omitempty"`
	}{
		Hosts: e.hosts, Reason: e.v.Reason, Code: e.v.Code, Signal: e.v.Signal, Error: e.v.Error,
		StdoutMore: e.stdout.dropped, StderrMore: e.stderr.dropped,
	}
	line.Stdout, line.StdoutBytes = textOrBytes(e.stdout.text)
	line.Stderr, line.StderrBytes = textOrBytes(e.stderr.text)
	return printJSON(&g.a.out, line)
}

func textOrBytes(p []byte) (string, []byte) {
	if utf8.Valid(p) {
		return string(p), nil
	}
	return "", p
}
