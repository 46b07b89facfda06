package main

import (
	"time"

	"landline/bench/internal/gvisor"
	"landline/bench/internal/load"
	"landline/link"
)

// idles are connections that nobody uses.
func idles() []*row {
	return []*row{
		idle("idle connection", false, goal{0, "gVisor", 5, 0}, goal{0, "", 1.2 * 1024, 0.8 * 1024}),
		idle("idle connection with a goroutine reading", true),
	}
}

func idle(title string, read bool, goals ...goal) *row {
	return &row{
		title: title,
		about: "10,000 connections that have carried a byte each way, 4 seconds later: bytes of the heap that live, and of " +
			"stacks, for each end of one.",
		figures: []figure{{name: "bytes an end", less: true}},
		hosts: []*host{
			onCable(landline, link.CableConfig{Checksums: true}),
			onWire("gVisor, pipe", gvisor.Config{Link: "pipe", MTU: 1500}),
		},
		work: func(p *load.Pair, _ time.Duration) ([]float64, error) {
			each, err := load.Idle(p, connections, read)
			return []float64{each}, err
		},
		goals: goals,
	}
}
