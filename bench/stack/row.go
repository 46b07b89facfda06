package main

import (
	"slices"
	"time"

	"landline/bench/internal/compare"
	"landline/bench/internal/load"
)

// A row is one kind of work, which several pairs of hosts do in turn.
type row struct {
	title   string
	about   string
	figures []compare.Figure
	hosts   []*host // the first is what is measured, the others are what it is measured by
	work    func(p *load.Pair, d time.Duration) ([]float64, error)
	goals   []compare.Goal
}

// A host does the work.
type host struct {
	name string
	root bool // it needs root
	open func() (*load.Pair, error)
}

// landline is what the goals are about.
const landline = compare.Landline

// none is how many allocations are none: the runtime makes one itself now and then.
const none = 0.05

func allRows() (rows []*compare.Row) {
	for _, r := range slices.Concat(streams(), trips(), dials(), idles(), taps(), datagrams()) {
		rows = append(rows, r.compared())
	}
	return rows
}

// compared makes a row what package compare measures.
func (r *row) compared() *compare.Row {
	c := &compare.Row{Title: r.title, About: r.about, Figures: r.figures, Goals: r.goals}
	for _, h := range r.hosts {
		c.Hosts = append(c.Hosts, &compare.Host{Name: h.name, Root: h.root, Open: func() (compare.Work, error) {
			p, err := h.open()
			return func(d time.Duration) ([]float64, error) { return r.work(p, d) }, err
		}})
	}
	return c
}
