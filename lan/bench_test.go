package lan_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"landline/dhcp"
	"landline/lan"
	"landline/link"
	"landline/wire"
)

// What the switch itself costs: from one machine to another that is idle.
func BenchmarkSwitch(b *testing.B) {
	for _, size := range []int{64, 1514, 64 << 10} {
		for _, batch := range []int{1, 32} {
			b.Run(fmt.Sprintf("bytes=%d/batch=%d", size, batch), func(b *testing.B) {
				s := newSwitch(b, lan.Config{})
				left, _ := join(b, s, lan.PortConfig{})
				right, err := s.NewPort(lan.PortConfig{})
				if err != nil {
					b.Fatal(err)
				}
				got := 0
				right.Attach(link.Handler{Receive: func(f []link.Frame) { got += len(f) }})
				f := frame(right.Info().MAC, left.mac, 0)
				if f.Body = make([]byte, size-64); size > 1514 {
					f = unit(right.Info().MAC, left.mac, size-54, 1460)
				}
				fs := make([]link.Frame, batch)
				for i := range fs {
					fs[i] = f
				}
				b.SetBytes(int64(size * batch))
				b.ReportAllocs()
				for b.Loop() {
					left.port.Write(fs)
				}
				b.ReportMetric(float64(got)/b.Elapsed().Seconds(), "frames/s")
			})
		}
	}
}

// Three pairs of machines talk, and all hear a broadcast now and then, with and without a machine beside
// them that has been stopped. One goroutine sends, so that what is measured is the work and not the scheduler.
func BenchmarkPairs(b *testing.B) {
	for _, beside := range []string{"nobody", "stuck"} {
		b.Run("beside="+beside, func(b *testing.B) {
			s := newSwitch(b, lan.Config{})
			if beside == "stuck" {
				if _, err := s.Plug(new(wall), lan.PortConfig{}); err != nil {
					b.Fatal(err)
				}
			}
			var ports []*lan.Port
			for range 6 {
				p, err := s.NewPort(lan.PortConfig{Flood: -1})
				if err != nil {
					b.Fatal(err)
				}
				p.Attach(link.Handler{Receive: func([]link.Frame) {}})
				ports = append(ports, p)
			}
			var batches [][]link.Frame
			for i, p := range ports {
				batches = append(batches, frames(ports[i^1].Info().MAC, p.Info().MAC, 32))
			}
			all := []link.Frame{frame(wire.Broadcast, ports[0].Info().MAC, 0)}
			for range 5000 { // until the queue of who is stuck is full
				ports[0].Write(all)
			}
			took := make([]time.Duration, 0, 1<<20)
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				start := time.Now()
				for i, p := range ports {
					p.Write(batches[i])
				}
				if n%10 == 0 {
					ports[0].Write(all)
				}
				if len(took) < cap(took) {
					took = append(took, time.Since(start))
				}
			}
			slices.Sort(took)
			b.ReportMetric(float64(b.N)*6*32/b.Elapsed().Seconds(), "frames/s")
			b.ReportMetric(float64(took[len(took)/2]), "p50-ns")
			b.ReportMetric(float64(took[len(took)*99/100]), "p99-ns")
		})
	}
}

// Through the queue: the machine is always busy.
func BenchmarkQueued(b *testing.B) {
	for _, size := range []int{64, 1514} {
		b.Run(fmt.Sprintf("bytes=%d/batch=32", size), func(b *testing.B) {
			s := newSwitch(b, lan.Config{})
			left, _ := join(b, s, lan.PortConfig{})
			right, err := s.NewPort(lan.PortConfig{})
			if err != nil {
				b.Fatal(err)
			}
			fs := frames(right.Info().MAC, left.mac, 32)
			for i := range fs {
				fs[i].Body = make([]byte, size-64)
			}
			done := make(chan bool)
			right.Attach(link.Handler{Receive: func([]link.Frame) {
				if b.Loop() {
					left.port.Write(fs)
				} else {
					close(done)
				}
			}})
			b.SetBytes(int64(size * 32))
			b.ReportAllocs()
			left.port.Write(fs)
			<-done
			b.ReportMetric(float64(b.N)*32/b.Elapsed().Seconds(), "frames/s")
		})
	}
}

// What it costs that a gateway looks at what machines send: not at all, for what only it may say, and at all addresses.
func BenchmarkGuard(b *testing.B) {
	for _, guard := range []string{"none", "rogues", "sources"} {
		b.Run("guard="+guard, func(b *testing.B) {
			s := newSwitch(b, lan.Config{})
			left, _ := join(b, s, lan.PortConfig{MAC: wire.MAC{2, 0, 0, 0, 0, 2}})
			right, err := s.NewPort(lan.PortConfig{})
			if err != nil {
				b.Fatal(err)
			}
			right.Attach(link.Handler{Receive: func([]link.Frame) {}})
			if guard != "none" {
				port, err := s.NewPort(lan.PortConfig{})
				if err != nil {
					b.Fatal(err)
				}
				g, err := lan.NewGateway(port, lan.GatewayConfig{
					Switch: s, CheckSources: guard == "sources",
					Static: []dhcp.Static{{MAC: left.mac, Addr: netip.MustParseAddr("10.77.0.2")}},
				})
				if err != nil {
					b.Fatal(err)
				}
				defer g.Close()
			}
			h := &wire.IPv4Header{TTL: 64, Protocol: wire.ProtoTCP, Src: netip.MustParseAddr("10.77.0.2"), Dst: netip.MustParseAddr("10.77.0.3")}
			packet := append(wire.AppendIPv4(nil, h, 1460), make([]byte, 1460)...)
			fs := make([]link.Frame, 32)
			for i := range fs {
				fs[i] = link.Frame{Head: append(wire.AppendEthernet(nil, right.Info().MAC, left.mac, wire.TypeIPv4), packet...)}
			}
			b.ReportAllocs()
			for b.Loop() {
				left.port.Write(fs)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/32, "ns/frame")
		})
	}
}
