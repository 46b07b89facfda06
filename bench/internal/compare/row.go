package compare

import (
	"slices"
	"strings"
	"time"
)

// A Row is one kind of work, which several hosts do in turn.
type Row struct {
	Title   string
	About   string
	Figures []Figure
	Hosts   []*Host
	Goals   []Goal
}

// A Figure is what is measured of the work.
type Figure struct {
	Name string // with its unit
	Less bool   // whether less is better
}

// A Host does the work.
type Host struct {
	Name string
	Root bool // it needs root
	// Open makes ready what the work is done with.
	Open func() (Work, error)

	rounds [][]float64 // the figures of each
}

// Work is measured for d. It returns the row's figures.
type Work func(d time.Duration) ([]float64, error)

// A Goal says how good a figure of landline's has to be, and how good it is meant to become: so many times as good as
// that of the best peer, or, without peers, at most so much. Zero is no goal, but without peers.
type Goal struct {
	Own       string // who has to be so good; if empty, Landline
	Figure    int
	Peers     string // how their names begin
	Must, Aim float64
}

// Landline is what most goals are about.
const Landline = "landline"

// Cell names what one host does of a row.
func (r *Row) Cell(h *Host) string { return r.Title + ": " + h.Name }

// own returns the host that a goal is about, or nil if it was left out, or failed.
func (r *Row) own(g Goal) *Host {
	if g.Own == "" {
		g.Own = Landline
	}
	for _, h := range r.Hosts {
		if h.Name == g.Own && h.rounds != nil {
			return h
		}
	}
	return nil
}

// best returns the host that is best at a figure by its median, of those whose names begin so, or nil.
func (r *Row) best(prefix string, figure int) (best *Host) {
	for _, h := range r.Hosts {
		if strings.HasPrefix(h.Name, prefix) && h.rounds != nil && (best == nil || r.lead(h, best, figure) > 1) {
			best = h
		}
	}
	return best
}

// lead is how many times as good one host is as another, by the medians.
func (r *Row) lead(a, b *Host, figure int) float64 {
	x, y := median(a.series(figure)), median(b.series(figure))
	if r.Figures[figure].Less {
		return y / x
	}
	return x / y
}

// series returns a figure by rounds.
func (h *Host) series(figure int) (v []float64) {
	for _, round := range h.rounds {
		v = append(v, round[figure])
	}
	return v
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}
