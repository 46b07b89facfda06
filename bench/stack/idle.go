package main

import (
	"time"

	"landline/bench/internal/compare"
	"landline/bench/internal/gvisor"
	"landline/bench/internal/load"
	"landline/link"
)

// idles are connections that nobody uses.
func idles() []*row {
	return []*row{
		idle("idle connection", false, compare.Goal{Peers: "gVisor", Must: 5}, compare.Goal{Must: 1.2 * 1024, Aim: 0.8 * 1024}),
		idle("idle connection with a goroutine reading", true),
	}
}

func idle(title string, read bool, goals ...compare.Goal) *row {
	return &row{
		title: title,
		about: "10,000 connections that have carried a byte each way, 4 seconds later: bytes of the heap that live, and of " +
			"stacks, for each end of one.",
		figures: []compare.Figure{{Name: "bytes an end", Less: true}},
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
