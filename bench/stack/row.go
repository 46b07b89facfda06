package main

import (
	"slices"
	"strings"
	"time"

	"landline/bench/internal/load"
)

// A row is one kind of work, which several hosts do in turn.
type row struct {
	title   string
	about   string
	figures []figure
	hosts   []*host // the first is what is measured, the others are what it is measured by
	work    func(p *load.Pair, d time.Duration) ([]float64, error)
	goals   []goal
}

// A figure is what is measured of the work.
type figure struct {
	name string // with its unit
	less bool   // whether less is better
}

// A host does the work.
type host struct {
	name string
	root bool // it needs root
	open func() (*load.Pair, error)

	rounds [][]float64 // the figures of each
}

// A goal says how good a figure has to be, and how good it is meant to become: so many times as good as
// that of the best peer, or, without peers, at most so much. Zero is no goal, but without peers.
type goal struct {
	figure    int
	peers     string // how their names begin
	must, aim float64
}

// none is how many allocations are none: the runtime makes one itself now and then.
const none = 0.05

func allRows() []*row {
	return slices.Concat(streams(), trips(), dials(), idles(), taps(), datagrams())
}

// cell names what one host does of a row.
func (r *row) cell(h *host) string { return r.title + ": " + h.name }

// own returns the host that the goals are about, or nil if it was left out, or failed.
func (r *row) own() *host {
	if h := r.hosts[0]; h.name == landline && h.rounds != nil {
		return h
	}
	return nil
}

// best returns the host that is best at a figure by its median, of those whose names begin so, or nil.
func (r *row) best(prefix string, figure int) (best *host) {
	for _, h := range r.hosts {
		if strings.HasPrefix(h.name, prefix) && h.rounds != nil && (best == nil || r.lead(h, best, figure) > 1) {
			best = h
		}
	}
	return best
}

// lead is how many times as good one host is as another, by the medians.
func (r *row) lead(a, b *host, figure int) float64 {
	x, y := median(a.series(figure)), median(b.series(figure))
	if r.figures[figure].less {
		return y / x
	}
	return x / y
}

// series returns a figure by rounds.
func (h *host) series(figure int) (v []float64) {
	for _, round := range h.rounds {
		v = append(v, round[figure])
	}
	return v
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}
