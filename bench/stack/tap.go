package main

import (
	"time"

	"landline/bench/internal/compare"
	"landline/bench/internal/gvisor"
	"landline/bench/internal/kernel"
	"landline/bench/internal/load"
	"landline/bench/internal/ours"
)

// taps are streams to and from the kernel, which is a process of its own.
func taps() []*row {
	return []*row{
		tap("TAP, one stream to the kernel", load.Send),
		tap("TAP, one stream from the kernel", load.Receive),
	}
}

func tap(title string, move func(*load.Pair, int, time.Duration) (load.Cost, error)) *row {
	return &row{
		title: title,
		about: "MTU 1500, the kernel's sockets in a process of their own; processor time of all processes. landline uses virtio-net " +
			"headers, which gVisor does not on a TAP. The copying program has a kernel at both ends, in two further processes.",
		figures: ofStreams,
		hosts: []*host{
			{name: landline, root: true, open: ours.TAP},
			onTAP("gVisor", gvisor.Config{}),
			onTAP("gVisor, no RACK", gvisor.Config{NoRACK: true}),
			{name: "copying program", root: true, open: kernel.Copied},
		},
		work: func(p *load.Pair, d time.Duration) ([]float64, error) { return streamFigures(move(p, 1, d)) },
		goals: []compare.Goal{
			{Figure: gbps, Peers: "gVisor", Must: 6}, {Figure: secondsEach, Peers: "gVisor"},
			{Figure: gbps, Peers: "copying program", Aim: 0.8}, {Figure: secondsEach, Peers: "copying program"}, {Figure: mallocs, Must: none, Aim: none},
		},
	}
}

func onTAP(name string, c gvisor.Config) *host {
	return &host{name: name, root: true, open: func() (*load.Pair, error) { return gvisor.TAP(c) }}
}
