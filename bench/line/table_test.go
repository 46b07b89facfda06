package main

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"landline/bench/internal/rig"
)

func took(name string, role role, ms ...int) *job {
	j := &job{name: name, role: role}
	for _, m := range ms {
		j.samples = append(j.samples, rig.Sample{Wall: time.Duration(m) * time.Millisecond})
	}
	return j
}

func TestVerdictComparesMediansWithTheBestPeer(t *testing.T) {
	g := &group{lead: 2, jobs: []*job{
		took("ours", ours, 100, 1, 9000),
		took("slow", peer, 500, 500, 500),
		took("fast", peer, 200, 100, 900),
		took("cp", scale, 1, 1, 1),
	}}
	if got, want := g.verdict(), "PASS: landline is 2.00 times as fast as fast"; !strings.HasPrefix(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	g.lead = 2.01
	if got := g.verdict(); !strings.HasPrefix(got, "FALL SHORT: ") {
		t.Errorf("got %q", got)
	}
	g.jobs = g.jobs[1:]
	if got := g.verdict(); !strings.HasPrefix(got, "No verdict") {
		t.Errorf("got %q", got)
	}
}

func TestTable(t *testing.T) {
	g := &group{title: "Work", amount: 1000, unit: "MB/s", lead: 2, jobs: []*job{
		took("ours", ours, 1000, 3000), took("theirs", peer, 4000, 6000), took("cp", scale, 500),
	}}
	g.jobs[0].samples[1].Client, g.jobs[0].samples[0].Server = 30<<20, 7<<20
	var b strings.Builder
	g.print(&b)
	for _, line := range []string{
		"| **ours** | 2 s | 1 s – 3 s | 500 | 1.00 | 30 | 7 |",
		"| theirs | 5 s | 4 s – 6 s | 200 | 2.50 | – | – |",
		"| (cp) | 500 ms | 500 ms – 500 ms | 2000 | 0.25 | – | – |",
	} {
		if !strings.Contains(b.String(), line+"\n") {
			t.Errorf("lacks %q:\n%s", line, &b)
		}
	}
}

func TestShortPrintsThreeDigits(t *testing.T) {
	for d, want := range map[time.Duration]string{
		1234 * time.Microsecond:    "1.23 ms",
		147 * time.Millisecond:     "147 ms",
		999_900 * time.Microsecond: "1000 ms",
		12345 * time.Millisecond:   "12.3 s",
		1234 * time.Second:         "1234 s",
	} {
		if got := short(d); got != want {
			t.Errorf("%v: got %s, want %s", d, got, want)
		}
	}
}

func TestOnlyPicksJobsAndGroups(t *testing.T) {
	if got := picked(regexp.MustCompile(`^One file`)); len(got) != 2 || len(got[0].jobs) != 7 || len(got[1].jobs) != 4 {
		t.Errorf("got %d groups", len(got))
	}
	if got := picked(regexp.MustCompile(`get: rsync$`)); len(got) != 1 || len(got[0].jobs) != 1 {
		t.Errorf("got %d groups", len(got))
	}
	if got := picked(regexp.MustCompile(`no such thing`)); got != nil {
		t.Errorf("got %d groups", len(got))
	}
}
