package compare

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

// print writes the row's table.
func (r *Row) print(w io.Writer) {
	fmt.Fprintf(w, "\n### %s\n\n%s Medians, and in brackets the least and the most.\n\n", r.Title, r.About)
	head, line := "| |", "|---|"
	for _, f := range r.Figures {
		head += " " + f.Name + " |"
		line += "--:|"
	}
	fmt.Fprintln(w, head)
	fmt.Fprintln(w, line)
	for _, h := range r.Hosts {
		cells := []string{h.Name}
		for k := range r.Figures {
			cells = append(cells, spread(h.series(k)))
		}
		fmt.Fprintln(w, "| "+strings.Join(cells, " | ")+" |")
	}
}

// printGoals writes how far landline is.
func printGoals(w io.Writer, rows []*Row) {
	fmt.Fprintln(w, "\n### What is meant to be\n\nTimes as good as the best of the peers; what has no peer is at most so much.")
	fmt.Fprintln(w, "\n| work | figure | landline | beside | its figure | times as good | must reach | aim |")
	fmt.Fprintln(w, "|---|---|--:|---|--:|--:|---|---|")
	for _, r := range rows {
		for _, g := range r.Goals {
			if line := r.judge(g); line != "" {
				fmt.Fprintln(w, line)
			}
		}
	}
}

// judge returns a line of the table of goals, or none if one of those that it is about was left out.
func (r *Row) judge(g Goal) string {
	own, peer := r.own(g), r.best(g.Peers, g.Figure)
	if own == nil || peer == nil {
		return ""
	}
	have := median(own.series(g.Figure))
	beside, theirs, lead := "–", "–", "–"
	must, aim := verdictOfMost(have, g.Must), verdictOfMost(have, g.Aim)
	if g.Peers != "" {
		l := r.lead(own, peer, g.Figure)
		beside, theirs, lead = peer.Name, text(median(peer.series(g.Figure))), fmt.Sprintf("%.2f", l)
		must, aim = verdict(l, g.Must), verdict(l, g.Aim)
	}
	work := r.Title
	if g.Own != "" {
		work += ", " + g.Own
	}
	cells := []string{work, r.Figures[g.Figure].Name, text(have), beside, theirs, lead, must, aim}
	return "| " + strings.Join(cells, " | ") + " |"
}

// verdict compares a lead with the one that is wanted.
func verdict(lead, want float64) string {
	switch {
	case want == 0:
		return "–"
	case lead >= want:
		return fmt.Sprintf("%g: PASS", want)
	}
	return fmt.Sprintf("%g: FALL SHORT, %.0f %% of it", want, 100*lead/want)
}

// verdictOfMost compares a figure, as it is printed, with the most that it may be.
func verdictOfMost(have, most float64) string {
	switch {
	case math.Round(100*have) <= 100*most:
		return fmt.Sprintf("%g: PASS", most)
	}
	return fmt.Sprintf("%g: FALL SHORT, %.2f times it", most, have/most)
}

func spread(v []float64) string {
	if len(v) == 0 {
		return "–"
	}
	return fmt.Sprintf("%s (%s – %s)", text(median(v)), text(slices.Min(v)), text(slices.Max(v)))
}

func texts(v []float64) (t []string) {
	for _, f := range v {
		t = append(t, text(f))
	}
	return t
}

// text is a number of three digits or more, without those that mean nothing.
func text(f float64) string {
	switch {
	case f >= 100:
		return fmt.Sprintf("%.0f", f)
	case f >= 10:
		return fmt.Sprintf("%.1f", f)
	}
	return fmt.Sprintf("%.2f", f)
}
