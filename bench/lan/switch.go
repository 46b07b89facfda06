package main

import (
	"fmt"
	"os"
	"slices"
	"time"

	"landline/bench/internal/compare"
	"landline/bench/internal/load"
	"landline/lan"
	"landline/link"
	"landline/wire"
)

// batch is how many frames are written at once.
const batch = 32

// The names of those who have a machine beside them that takes nothing, or have not.
const (
	besideStuck  = "landline, one machine is stuck"
	besideNobody = "landline, none is"
)

// switches is the switch alone, without devices.
func switches() (rows []*compare.Row) {
	for _, size := range []int{64, 1500} {
		rows = append(rows, &compare.Row{
			Title:   fmt.Sprintf("switch alone, frames of %d bytes", size),
			About:   "From one machine to another in this process, 32 frames at once, by one goroutine. They are handed over where they lie.",
			Figures: []compare.Figure{{Name: "million frames a second of processor"}},
			Hosts: []*compare.Host{{Name: compare.Landline, Open: func() (compare.Work, error) {
				n, err := newNetwork(2, size)
				return func(d time.Duration) ([]float64, error) {
					_, frames, cpu := n.pass(d)
					return []float64{frames / cpu.Seconds() / 1e6}, nil
				}, err
			}}},
		})
	}
	return append(rows, &compare.Row{
		Title: "switch, three pairs of machines",
		About: "Each machine writes 32 frames of 1,500 bytes to the other of its pair, and one a broadcast now and then, by one goroutine. Beside them " +
			"is a machine that takes nothing, or none.",
		Figures: []compare.Figure{{Name: "million frames a second of processor"}, {Name: "µs p50 of a round", Less: true}, {Name: "p99", Less: true}},
		Hosts:   []*compare.Host{pairs(besideStuck, true), pairs(besideNobody, false)},
		Goals: []compare.Goal{
			{Own: besideStuck, Peers: besideNobody, Must: 0.9}, {Own: besideStuck, Figure: 2, Peers: besideNobody, Must: 0.9},
		},
	})
}

func pairs(name string, stuck bool) *compare.Host {
	return &compare.Host{Name: name, Open: func() (compare.Work, error) {
		n, err := newNetwork(6, 1500)
		if err == nil && stuck {
			err = n.addStuck()
		}
		return func(d time.Duration) ([]float64, error) {
			took, frames, cpu := n.pass(d)
			slices.Sort(took)
			return []float64{frames / cpu.Seconds() / 1e6, micros(took[len(took)/2]), micros(took[len(took)*99/100])}, nil
		}, err
	}}
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// A network is machines at a switch, each with a batch for another.
type network struct {
	lan     *lan.Switch
	ports   []*lan.Port
	batches [][]link.Frame
	toAll   []link.Frame // nil if there are no broadcasts
}

func newNetwork(machines, size int) (*network, error) {
	n := &network{lan: lan.NewSwitch(lan.Config{})}
	for range machines {
		p, err := n.lan.NewPort(lan.PortConfig{Flood: -1})
		if err != nil {
			return nil, err
		}
		p.Attach(link.Handler{Receive: func([]link.Frame) {}})
		n.ports = append(n.ports, p)
	}
	for i, p := range n.ports {
		n.batches = append(n.batches, slices.Repeat(frame(n.ports[i^1].Info().MAC, p.Info().MAC, size), batch))
	}
	for i, p := range n.ports { // so that the switch knows where each is
		p.Write(n.batches[i])
	}
	return n, nil
}

// frame makes one frame of size bytes.
func frame(to, from wire.MAC, size int) []link.Frame {
	head := make([]byte, size)
	copy(head, to[:])
	copy(head[len(to):], from[:])
	copy(head[2*len(to):], []byte{0x88, 0xb5}) // a type for experiments
	return []link.Frame{{Head: head}}
}

// addStuck adds a machine that takes nothing, and fills its queue.
func (n *network) addStuck() error {
	if _, err := n.lan.Plug(stuckDevice{}, lan.PortConfig{}); err != nil {
		return err
	}
	for range 5000 {
		n.ports[0].Write(n.broadcast())
	}
	return nil
}

func (n *network) broadcast() []link.Frame {
	if n.toAll == nil {
		n.toAll = frame(wire.Broadcast, n.ports[0].Info().MAC, 64)
	}
	return n.toAll
}

// pass has all machines write for d, and returns how long each round took, how many frames were written, and the processor
// time for that.
func (n *network) pass(d time.Duration) (took []time.Duration, frames float64, cpu time.Duration) {
	took = make([]time.Duration, 0, 1<<21)
	before := load.ProcessorTime(os.Getpid())
	for last, end := time.Now(), time.Now().Add(d); last.Before(end) && len(took) < cap(took); {
		for i, p := range n.ports {
			p.Write(n.batches[i])
		}
		if len(n.ports) > 2 && len(took)%10 == 0 {
			n.ports[0].Write(n.broadcast())
		}
		now := time.Now()
		took = append(took, now.Sub(last))
		last = now
	}
	return took, float64(len(took) * len(n.ports) * batch), load.ProcessorTime(os.Getpid()) - before
}

// A stuckDevice is the device of a machine that has been stopped.
type stuckDevice struct{}

func (stuckDevice) Info() link.Info                 { return link.Info{Name: "stuck", MTU: 1500} }
func (stuckDevice) Attach(link.Handler)             {}
func (stuckDevice) Write([]link.Frame) (int, error) { return 0, nil }
func (stuckDevice) Close() error                    { return nil }
