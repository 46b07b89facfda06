package main

import (
	"fmt"
	"time"

	"landline/bench/internal/compare"
	"landline/bench/internal/load"
)

// connections is how many are opened. There are ports enough for none to be used twice.
const connections = 10_000

// dials are connections that live for a byte.
func dials() (rows []*row) {
	for _, atOnce := range []int{1, 8} {
		rows = append(rows, &row{
			title: fmt.Sprintf("dial … close, %d at a time", atOnce),
			about: "10,000 connections: dial, accept, a byte there and back, closed first by who accepted, so that " +
				"TIME-WAIT is there, then by who dialed.",
			figures: []compare.Figure{{Name: "a second"}, {Name: "CPU µs each", Less: true}, {Name: "allocations each", Less: true}},
			hosts:   inMemory(),
			work: func(p *load.Pair, _ time.Duration) ([]float64, error) {
				c, err := load.Open(p, connections, atOnce)
				return []float64{c.Rate(), c.Each() * 1e6, c.MallocsEach()}, err
			},
			goals: []compare.Goal{{Peers: "gVisor", Must: 3}, {Figure: 1, Peers: "gVisor"}, {Peers: "kernel, loopback", Aim: 1.5}, {Figure: 1, Peers: "kernel, loopback"}},
		})
	}
	return rows
}
