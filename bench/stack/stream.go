package main

import (
	"time"

	"landline/bench/internal/compare"
	"landline/bench/internal/gvisor"
	"landline/bench/internal/kernel"
	"landline/bench/internal/load"
	"landline/bench/internal/ours"
	"landline/link"
)

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
			goals: []compare.Goal{
				{Figure: gbps, Peers: "gVisor", Must: 3, Aim: 5}, {Figure: secondsEach, Peers: "gVisor"},
				{Figure: gbps, Peers: "kernel, veth"}, {Figure: secondsEach, Peers: "kernel, veth"}, {Figure: mallocs, Must: none, Aim: none},
			},
		}, &row{
			title: s.name + ", 64 KiB units", figures: ofStreams, work: work, hosts: units(),
			about: "The same with units of up to 64 KiB, MTU 1500, and checksums left out.",
			goals: []compare.Goal{
				{Figure: gbps, Peers: "gVisor", Must: 2, Aim: 3}, {Figure: secondsEach, Peers: "gVisor"},
				{Figure: gbps, Peers: "kernel, loopback", Aim: 1}, {Figure: secondsEach, Peers: "kernel, loopback"}, {Figure: mallocs, Must: none, Aim: none},
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

var ofStreams = []compare.Figure{
	gbps: {Name: "Gbit/s"}, secondsEach: {Name: "CPU s/GB, both ends", Less: true}, mallocs: {Name: "allocations each 64 KiB", Less: true},
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
