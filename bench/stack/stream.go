package main

import (
	"time"

	"landline/bench/internal/gvisor"
	"landline/bench/internal/kernel"
	"landline/bench/internal/load"
	"landline/bench/internal/ours"
	"landline/link"
)

// landline is what the goals are about.
const landline = "landline"

// streams are TCP streams, one and several, in segments and in units of them.
func streams() (rows []*row) {
	for _, s := range []struct {
		name  string
		count int
	}{{"one stream", 1}, {"8 streams", 8}} {
		work := func(p *load.Pair, d time.Duration) ([]float64, error) { return streamFigures(load.Send(p, s.count, d)) }
		rows = append(rows, &row{
			title: s.name + ", MTU 1500", figures: ofStreams, work: work, hosts: segments(),
			about: "Bytes written and read 64 KiB at a time. Ethernet frames with checksums, each a segment.",
			goals: []goal{
				{gbps, "gVisor", 3, 5}, {secondsEach, "gVisor", 0, 0},
				{gbps, "kernel, veth", 0, 0}, {secondsEach, "kernel, veth", 0, 0}, {mallocs, "", none, none},
			},
		}, &row{
			title: s.name + ", 64 KiB units", figures: ofStreams, work: work, hosts: units(),
			about: "The same with units of up to 64 KiB, MTU 1500, and checksums left out.",
			goals: []goal{
				{gbps, "gVisor", 2, 3}, {secondsEach, "gVisor", 0, 0},
				{gbps, "kernel, loopback", 0, 1}, {secondsEach, "kernel, loopback", 0, 0}, {mallocs, "", none, none},
			},
		})
	}
	return rows
}

// The figures of streams.
const (
	gbps = iota
	secondsEach
	mallocs
)

var ofStreams = []figure{
	gbps: {name: "Gbit/s"}, secondsEach: {name: "CPU s/GB, both ends", less: true}, mallocs: {name: "allocations each 64 KiB", less: true},
}

func streamFigures(c load.Cost, err error) ([]float64, error) {
	return []float64{c.Rate() * 8 / 1e9, c.Each() * 1e9, c.MallocsEach() * (64 << 10)}, err
}

// segments are those who send one segment a frame. gVisor's veth has neither Ethernet nor
// checksums, the others both.
func segments() []*host {
	return []*host{
		onCable(landline, link.CableConfig{Checksums: true}),
		onCable("landline without checksums", link.CableConfig{}),
		onWire("gVisor, pipe", gvisor.Config{Link: "pipe", MTU: 1500}),
		onWire("gVisor, pipe, no RACK", gvisor.Config{Link: "pipe", MTU: 1500, NoRACK: true}),
		onWire("gVisor, channel, no RACK", gvisor.Config{Link: "channel", MTU: 1500, NoRACK: true}),
		onWire("gVisor, veth", gvisor.Config{Link: "veth", MTU: 1500}),
		onWire("gVisor, veth, no RACK", gvisor.Config{Link: "veth", MTU: 1500, NoRACK: true}),
		{name: "kernel, veth without offloads", root: true, open: kernel.Veth},
	}
}

func units() []*host {
	return []*host{
		onCable(landline, link.CableConfig{Units: true}),
		onWire("gVisor, channel with GSO", gvisor.Config{Link: "units", MTU: 1500}),
		onWire("gVisor, channel with GSO, no RACK", gvisor.Config{Link: "units", MTU: 1500, NoRACK: true}),
		onWire("gVisor, pipe of MTU 65535, no RACK", gvisor.Config{Link: "pipe", MTU: 65535, NoRACK: true}),
		{name: "kernel, loopback", open: kernel.Loopback},
	}
}

func onCable(name string, c link.CableConfig) *host {
	return &host{name: name, open: func() (*load.Pair, error) { return ours.Cable(c) }}
}

func onWire(name string, c gvisor.Config) *host {
	return &host{name: name, open: func() (*load.Pair, error) { return gvisor.Wire(c) }}
}
