package main

import (
	"fmt"
	"time"

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
			figures: []figure{{name: "a second"}, {name: "CPU µs each", less: true}, {name: "allocations each", less: true}},
			hosts:   inMemory(),
			work: func(p *load.Pair, _ time.Duration) ([]float64, error) {
				c, err := load.Open(p, connections, atOnce)
				return []float64{c.Rate(), c.Each() * 1e6, c.MallocsEach()}, err
			},
			goals: []goal{{0, "gVisor", 3, 0}, {1, "gVisor", 0, 0}, {0, "kernel, loopback", 0, 1.5}, {1, "kernel, loopback", 0, 0}},
		})
	}
	return rows
}
