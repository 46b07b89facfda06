package main

import (
	"slices"
	"time"

	"landline/bench/internal/load"
	"landline/link"
)

// size is that of a datagram that fills most of an Ethernet frame.
const size = 1400

// datagrams are UDP, and ICMP echoes.
func datagrams() []*row {
	hosts := slices.Insert(inMemory(), 1, onCable("landline without checksums", link.CableConfig{}))
	return []*row{{
		title:   "UDP",
		about:   "Datagrams of 1,400 bytes, 256 under way at most.",
		figures: []figure{{name: "a second"}, {name: "CPU µs each", less: true}, {name: "allocations each", less: true}},
		hosts:   hosts,
		work: func(p *load.Pair, d time.Duration) ([]float64, error) {
			c, err := load.Datagrams(p, size, d)
			return []float64{c.Rate(), c.Each() * 1e6, c.MallocsEach()}, err
		},
		goals: []goal{{0, "gVisor", 3, 6}, {1, "gVisor", 3, 6}, {2, "", none, none}},
	}, {
		title:   "UDP round trip",
		about:   "A datagram of 1 byte there and back.",
		figures: []figure{{name: "µs p50", less: true}, {name: "p99", less: true}},
		hosts:   inMemory(),
		work: func(p *load.Pair, d time.Duration) ([]float64, error) {
			took, _, err := load.DatagramTrips(p, d)
			return quantiles(took), err
		},
		goals: []goal{{0, "gVisor", 3, 0}},
	}, {
		title:   "ping",
		about:   "An ICMP echo of 56 bytes and its reply.",
		figures: []figure{{name: "µs p50", less: true}, {name: "p99", less: true}},
		hosts:   inMemory()[:3], // the kernel wants a raw socket for it
		work: func(p *load.Pair, d time.Duration) ([]float64, error) {
			took, _, err := load.Pings(p, d)
			return quantiles(took), err
		},
		goals: []goal{{0, "gVisor", 3, 0}},
	}}
}
