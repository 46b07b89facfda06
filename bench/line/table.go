package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"landline/bench/internal/rig"
)

// print writes the group's table and verdict.
func (g *group) print(w io.Writer) {
	rate := cmp.Or(g.unit, "–")
	fmt.Fprintf(w, "\n### %s\n\n", g.title)
	fmt.Fprintf(w, "| what | median | min – max | %s | time, landline = 1 | peak MiB, client | server |\n", rate)
	fmt.Fprintln(w, "|---|--:|--:|--:|--:|--:|--:|")
	own := g.best(ours)
	for _, j := range g.jobs {
		walls := j.walls()
		rate, ratio := "–", "–"
		if g.unit != "" {
			rate = fmt.Sprintf("%.0f", g.amount/median(walls).Seconds())
		}
		if own != nil {
			ratio = fmt.Sprintf("%.2f", lead(own, j))
		}
		client, server := j.peaks()
		fmt.Fprintf(w, "| %s | %s | %s – %s | %s | %s | %s | %s |\n", j.label(),
			short(median(walls)), short(slices.Min(walls)), short(slices.Max(walls)), rate, ratio, client, server)
	}
	fmt.Fprintf(w, "\n%s\n", g.verdict())
}

// verdict compares landline with the best of the peers.
func (g *group) verdict() string {
	own, other := g.best(ours), g.best(peer)
	if own == nil || other == nil {
		return "No verdict: landline or its peers were left out."
	}
	verdict := "FALL SHORT"
	if lead(own, other) >= g.lead {
		verdict = "PASS"
	}
	return fmt.Sprintf("%s: landline is %.2f times as fast as %s, the best of the peers; the target is %g times.",
		verdict, lead(own, other), other.name, g.lead)
}

// best is the fastest job with a role, by its median, or nil.
func (g *group) best(role role) *job {
	var best *job
	for _, j := range g.jobs {
		if j.role == role && (best == nil || median(j.walls()) < median(best.walls())) {
			best = j
		}
	}
	return best
}

// lead is how many times the time of own other takes.
func lead(own, other *job) float64 {
	return median(other.walls()).Seconds() / median(own.walls()).Seconds()
}

// label is the job's name, and whether it is there for comparison only.
func (j *job) label() string {
	switch j.role {
	case ours:
		return "**" + j.name + "**"
	case scale:
		return "(" + j.name + ")"
	}
	return j.name
}

func (j *job) walls() []time.Duration {
	walls := make([]time.Duration, len(j.samples))
	for i, s := range j.samples {
		walls[i] = s.Wall
	}
	return walls
}

// peaks are the largest of all runs.
func (j *job) peaks() (client, server string) {
	var top rig.Sample
	for _, s := range j.samples {
		top.Client, top.Server = max(top.Client, s.Client), max(top.Server, s.Server)
	}
	return mebibytes(top.Client), mebibytes(top.Server)
}

func mebibytes(n int64) string {
	if n == 0 {
		return "–"
	}
	return fmt.Sprintf("%.0f", float64(n)/(1<<20))
}

// median of some durations; of an even number, the mean of the middle two.
func median(d []time.Duration) time.Duration {
	d = slices.Sorted(slices.Values(d))
	n := len(d)
	return (d[(n-1)/2] + d[n/2]) / 2
}

// short prints three digits.
func short(d time.Duration) string {
	unit, name := time.Second, "s"
	if d < time.Second {
		unit, name = time.Millisecond, "ms"
	}
	v := float64(d) / float64(unit)
	s := fmt.Sprintf("%.3g", v)
	if strings.Contains(s, "e") {
		s = fmt.Sprintf("%.0f", v)
	}
	return s + " " + name
}
