package main

import (
	"slices"
	"time"

	"landline/bench/internal/compare"
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
		figures: []compare.Figure{{Name: "a second"}, {Name: "CPU µs each", Less: true}, {Name: "allocations each", Less: true}},
		hosts:   hosts,
		work: func(p *load.Pair, d time.Duration) ([]float64, error) {
			c, err := load.Datagrams(p, size, d)
			return []float64{c.Rate(), c.Each() * 1e6, c.MallocsEach()}, err
		},
		goals: []compare.Goal{{Peers: "gVisor", Must: 3, Aim: 6}, {Figure: 1, Peers: "gVisor", Must: 3, Aim: 6}, {Figure: 2, Must: none, Aim: none}},
	}, {
		title:   "UDP round trip",
		about:   "A datagram of 1 byte there and back.",
		figures: []compare.Figure{{Name: "µs p50", Less: true}, {Name: "p99", Less: true}},
		hosts:   inMemory(),
		work: func(p *load.Pair, d time.Duration) ([]float64, error) {
			took, _, err := load.DatagramTrips(p, d)
			return quantiles(took), err
		},
		goals: []compare.Goal{{Peers: "gVisor", Must: 3}},
	}, {
		title:   "ping",
		about:   "An ICMP echo of 56 bytes and its reply.",
		figures: []compare.Figure{{Name: "µs p50", Less: true}, {Name: "p99", Less: true}},
		hosts:   inMemory()[:3], // the kernel wants a raw socket for it
		work: func(p *load.Pair, d time.Duration) ([]float64, error) {
			took, _, err := load.Pings(p, d)
			return quantiles(took), err
		},
		goals: []compare.Goal{{Peers: "gVisor", Must: 3}},
	}}
}
