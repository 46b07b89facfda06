package main

import (
	"slices"
	"time"

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
		figures: []figure{{name: "µs p50", less: true}, {name: "p99", less: true}, {name: "CPU µs", less: true}, {name: "allocations", less: true}},
		hosts:   inMemory(),
		work: func(p *load.Pair, d time.Duration) ([]float64, error) {
			took, c, err := load.RoundTrips(p, d)
			return append(quantiles(took), c.Each()*1e6, c.MallocsEach()), err
		},
		goals: []goal{
			{0, "gVisor", 3, 0}, {0, "kernel, loopback", 0, 1},
			{1, "gVisor", 3, 0}, {1, "kernel, loopback", 0, 1},
			{3, "", none, none},
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
