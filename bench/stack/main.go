// Command stack measures landline's network stack beside gVisor's and the kernel's
// loopback: two hosts in this process, joined by a wire in memory. What it prints is a
// table in Markdown, with ratios.
//
// Run it from bench/: go run ./stack
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"landline/bench/internal/gvisor"
	"landline/bench/internal/load"
	"landline/bench/internal/ours"
)

// size is that of a datagram that fills most of an Ethernet frame.
const size = 1400

func main() {
	rounds := flag.Int("rounds", 5, "rounds, each of all hosts in turn")
	each := flag.Duration("time", 2*time.Second, "how long each measurement takes")
	flag.Parse()
	if *rounds < 1 || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := measure(*rounds, *each); err != nil {
		fmt.Fprintln(os.Stderr, "stack:", err)
		os.Exit(1)
	}
}

// A contender makes a pair anew for each measurement.
type contender func() (*load.Pair, error)

var contenders = []contender{
	func() (*load.Pair, error) { return ours.Pair(1500, true) },
	func() (*load.Pair, error) { return ours.Pair(1500, false) },
	func() (*load.Pair, error) { return gvisor.Pair("pipe", 1500) },
	func() (*load.Pair, error) { return gvisor.Pair("veth", 1500) },
	func() (*load.Pair, error) { return load.Kernel(), nil },
}

// A row holds what was measured of a contender, by round.
type row struct {
	name                 string
	rate, each           []float64 // datagrams a second; µs of processors for each
	udp50, udp99, icmp50 []float64 // µs
	icmp99               []float64
}

func measure(rounds int, d time.Duration) error {
	rows := make([]*row, len(contenders))
	for round := range rounds {
		for k, open := range contenders {
			p, err := open()
			if err != nil {
				return err
			}
			if rows[k] == nil {
				rows[k] = &row{name: p.Name}
			}
			err = rows[k].add(p, d)
			p.Close()
			debug.FreeOSMemory()
			if err != nil {
				return fmt.Errorf("%s: %w", p.Name, err)
			}
			fmt.Fprintf(os.Stderr, "round %d of %d: %s\n", round+1, rounds, p.Name)
		}
	}
	print(rows)
	return nil
}

func (r *row) add(p *load.Pair, d time.Duration) error {
	c, err := load.Datagrams(p, size, d)
	if err != nil {
		return err
	}
	r.rate = append(r.rate, c.Rate())
	r.each = append(r.each, micros(c.Each()))
	trips, err := load.RoundTrips(p, d)
	if err != nil {
		return err
	}
	r.udp50, r.udp99 = append(r.udp50, quantile(trips, 50)), append(r.udp99, quantile(trips, 99))
	if p.Ping == nil {
		return nil
	}
	trips, err = load.Pings(p, d)
	if err != nil {
		return err
	}
	r.icmp50, r.icmp99 = append(r.icmp50, quantile(trips, 50)), append(r.icmp99, quantile(trips, 99))
	return nil
}

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// quantile of durations in order, in µs.
func quantile(d []time.Duration, percent int) float64 {
	if len(d) == 0 {
		return 0
	}
	return micros(d[min(len(d)-1, len(d)*percent/100)])
}

// print writes a table, with the first row as 1.
func print(rows []*row) {
	fmt.Printf("UDP with %d bytes, 256 datagrams under way at most; round trips of 1 byte over UDP and of an ICMP echo of 56. "+
		"Medians, and in brackets the least and the most.\n\n", size)
	fmt.Println("| hosts | datagrams/s | CPU µs each | UDP round trip µs p50 | p99 | ping µs p50 | p99 |")
	fmt.Println("|---|--:|--:|--:|--:|--:|--:|")
	for _, r := range rows {
		cells := []string{r.name}
		for _, v := range [][]float64{r.rate, r.each, r.udp50, r.udp99, r.icmp50, r.icmp99} {
			cells = append(cells, spread(v))
		}
		fmt.Println("| " + strings.Join(cells, " | ") + " |")
	}
	fmt.Println("\n| against landline's first row | times the datagrams/s | times the CPU each | times the ping p50 |")
	fmt.Println("|---|--:|--:|--:|")
	for _, r := range rows[1:] {
		fmt.Printf("| %s | %.2f | %.2f | %s |\n", r.name,
			median(rows[0].rate)/median(r.rate), median(r.each)/median(rows[0].each), ratio(r.icmp50, rows[0].icmp50))
	}
}

func ratio(a, b []float64) string {
	if len(a) == 0 {
		return "–"
	}
	return fmt.Sprintf("%.2f", median(a)/median(b))
}

func spread(v []float64) string {
	if len(v) == 0 {
		return "–"
	}
	return fmt.Sprintf("%s (%s – %s)", digits(median(v)), digits(slices.Min(v)), digits(slices.Max(v)))
}

func digits(f float64) string {
	switch {
	case f >= 100:
		return fmt.Sprintf("%.0f", f)
	case f >= 10:
		return fmt.Sprintf("%.1f", f)
	}
	return fmt.Sprintf("%.2f", f)
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}
