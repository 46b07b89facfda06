package main

import (
	"slices"
	"time"

	"landline/bench/internal/compare"
	"landline/bench/internal/gvisor"
	"landline/bench/internal/kernel"
	"landline/bench/internal/load"
	"landline/link"
)

// trips are round trips of a byte.
func trips() []*row {
	return []*row{{
		title:   "round trip of 1 byte",
		about:   "TCP, a goroutine at each end. Ethernet frames with checksums, MTU 1500.",
		figures: []compare.Figure{{Name: "µs p50", Less: true}, {Name: "p99", Less: true}, {Name: "CPU µs", Less: true}, {Name: "allocations", Less: true}},
		hosts:   inMemory(),
		work: func(p *load.Pair, d time.Duration) ([]float64, error) {
			took, c, err := load.RoundTrips(p, d)
			return append(quantiles(took), c.Each()*1e6, c.MallocsEach()), err
		},
		goals: []compare.Goal{
			{Peers: "gVisor", Must: 3}, {Peers: "kernel, loopback", Aim: 1},
			{Figure: 1, Peers: "gVisor", Must: 3}, {Figure: 1, Peers: "kernel, loopback", Aim: 1},
			{Figure: 3, Must: none, Aim: none},
		},
	}}
}

// inMemory are those who answer at once, over what is closest to a wire.
func inMemory() []*host {
	return []*host{
		onCable(landline, link.CableConfig{Checksums: true}),
		onWire("gVisor, pipe", gvisor.Config{Link: "pipe", MTU: 1500}),
		onWire("gVisor, veth", gvisor.Config{Link: "veth", MTU: 1500}),
		{name: "kernel, loopback", open: kernel.Loopback},
	}
}

// quantiles are the 50th and the 99th percentile, in µs. They sort took.
func quantiles(took []time.Duration) []float64 {
	if len(took) == 0 {
		return []float64{0, 0}
	}
	slices.Sort(took)
	return []float64{micros(took[len(took)/2]), micros(took[len(took)*99/100])}
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
