package tcp

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math"
	"net/netip"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"landline/ip"
	"landline/link"
)

var update = flag.Bool("update", false, "write what is measured into ../docs/goodput.md")

// A road is the way between two hosts of the simulator.
type road struct {
	loss    float64
	rtt     time.Duration
	buffer  int  // of the receiver and the sender, in bytes; 0 is what they choose themselves
	reorder bool // one packet in fifty is late by up to a quarter of the round trip
	flows   int
	seed    uint64
}

const (
	roadRate = 20_000_000 // bits a second
	roadTime = 10 * time.Second
)

// impairments are what the way to the receiver, and back, does to packets.
func (r road) impairments() (out, in link.Impairment) {
	in = link.Impairment{Seed: r.seed, Delay: r.rtt / 2, Loss: r.loss / 2}
	out = link.Impairment{Seed: r.seed + 1, Delay: r.rtt / 2, Loss: r.loss, Rate: roadRate}
	out.Queue = max(64_000, int(roadRate/8*r.rtt.Seconds()))
	return out, in
}

// newSimHost makes a host with TCP that does as change says.
func newSimHost(t testing.TB, dev link.Device, addr string, seed uint64, change func(*config)) *Layer {
	t.Helper()
	s := ip.NewStack(ip.Config{Seed: seed})
	l := New(s, Config{})
	change(l.plain)
	if _, err := s.Attach(dev, ip.InterfaceConfig{Addresses: []netip.Prefix{netip.MustParsePrefix(addr)}, NoIPv6: true}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		l.Close()
		s.Close()
	})
	return l
}

// goodput returns how many bits a second each flow carried, in a bubble.
func (r road) goodput(t *testing.T, change func(*config)) (rates []float64) {
	synctest.Test(t, func(t *testing.T) {
		rates = r.measure(t, change)
	})
	return rates
}

func (r road) measure(t *testing.T, change func(*config)) []float64 {
	left, right := link.NewCable(link.CableConfig{Seed: r.seed})
	out, in := r.impairments()
	impaired := link.Impair(left, out, in)
	if r.reorder {
		late := link.Impairment{Seed: r.seed + 2, Delay: r.rtt / 4, Reorder: 0.98}
		impaired = link.Impair(impaired, late, link.Impairment{})
	}
	a := newSimHost(t, impaired, "10.0.0.1/24", r.seed, change)
	b := newSimHost(t, right, "10.0.0.2/24", r.seed+1, change)
	l, err := b.Listen(ListenConfig{Local: netip.MustParseAddrPort("10.0.0.2:9")})
	if err != nil {
		t.Fatal(err)
	}
	counts := make(chan int64)
	for range max(1, r.flows) {
		go r.send(t, a)
		c, err := l.Accept(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if r.buffer != 0 {
			c.SetBuffers(0, r.buffer)
		}
		go func() {
			n, _ := io.Copy(io.Discard, struct{ io.Reader }{c})
			counts <- n
		}()
	}
	start := time.Now()
	time.Sleep(roadTime)
	a.Close()
	b.Close()
	var rates []float64
	for range max(1, r.flows) {
		rates = append(rates, float64(<-counts)*8/time.Since(start).Seconds())
	}
	return rates
}

func (r road) send(t *testing.T, l *Layer) {
	c, err := l.Dial(context.Background(), DialConfig{Remote: netip.MustParseAddrPort("10.0.0.2:9")})
	if err != nil {
		t.Error(err)
		return
	}
	if r.buffer != 0 {
		c.SetBuffers(r.buffer, 0)
	}
	b := make([]byte, 64<<10)
	for {
		if _, err := c.Write(b); err != nil {
			return
		}
	}
}

var (
	roadLoss    = []float64{0, 0.001, 0.01, 0.03}
	roadRTT     = []time.Duration{time.Millisecond, 20 * time.Millisecond, 100 * time.Millisecond, 300 * time.Millisecond}
	roadBuffers = []int{64 << 10, 0}
)

// roads calls do with every road of the table.
func roads(do func(r road)) {
	for _, reorder := range []bool{false, true} {
		for _, buffer := range roadBuffers {
			for _, rtt := range roadRTT {
				for _, loss := range roadLoss {
					do(road{loss: loss, rtt: rtt, buffer: buffer, reorder: reorder})
				}
			}
		}
	}
}

// A row of the table is the roads that differ by their loss alone.
func (r road) row() string {
	buffer, order := "as needed", "kept"
	if r.buffer != 0 {
		buffer = fmt.Sprintf("%d KiB", r.buffer>>10)
	}
	if r.reorder {
		order = "1 in 50 late"
	}
	return fmt.Sprintf("| %v | %s | %s |", r.rtt, buffer, order)
}

// goldenTable returns the goodput on all roads, or every so many of them, in Mbit/s.
func goldenTable(t *testing.T, every int) (rows []string, cells map[string][]float64) {
	cells = map[string][]float64{}
	n := 0
	roads(func(r road) {
		row := r.row()
		if len(cells[row]) == 0 {
			rows = append(rows, row)
		}
		if n++; n%every != 0 {
			cells[row] = append(cells[row], -1)
			return
		}
		r.seed = 1
		cells[row] = append(cells[row], r.goodput(t, func(*config) {})[0]/1e6)
	})
	return rows, cells
}

const goodputDoc = "../docs/goodput.md"

// The table in docs/goodput.md is what a person has judged. What a change of the code makes worse or
// better by a tenth shows here; "cd tcp && go test -run Goodput -update" writes it anew, to be judged again.
func TestGoodputIsAsTheTableSays(t *testing.T) {
	if *update {
		writeGoodput(t)
		return
	}
	every := 1
	if raceEnabled || testing.Short() {
		every = 7
	}
	rows, cells := goldenTable(t, every)
	doc, err := os.ReadFile(goodputDoc)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		_, rest, ok := strings.Cut(string(doc), "\n"+row)
		if !ok {
			t.Errorf("no row %q in %s", row, goodputDoc)
			continue
		}
		rest, _, _ = strings.Cut(rest, "\n")
		want := strings.Split(strings.Trim(rest, " |"), " | ")
		for k, got := range cells[row] {
			var w float64
			if fmt.Sscan(want[k], &w); got >= 0 && math.Abs(got-w) > 0.1*w+0.05 {
				t.Errorf("%s loss %v: %.2f Mbit/s, the table says %.2f", row, roadLoss[k], got, w)
			}
		}
	}
}

// switches are what may be on or off, whether it is, and how to make it the other way.
var switches = []struct {
	name string
	on   bool
	flip func(*config)
}{
	{"RACK-TLP (RFC 8985); otherwise RFC 6675", true, func(c *config) { c.noRACK = true }},
	{"PRR (RFC 6937); otherwise RFC 6675", false, func(c *config) { c.prr = true }},
	{"undo (RFC 3522, 3708); otherwise none", true, func(c *config) { c.noUndo = true }},
	{"HyStart++ (RFC 9406); otherwise slow start until a loss", true, func(c *config) { c.noHyStart = true }},
	{"CUBIC (RFC 9438); otherwise NewReno", true, func(c *config) { c.reno = true }},
}

// compare returns by what factor goodput grows if a switch is on: the geometric mean over all roads, and on how
// many roads it is at least a twentieth better and worse. as has the goodput as things are.
func compare(t *testing.T, on bool, flip func(*config), as map[road]float64) (mean float64, better, worse int) {
	sum := 0.0
	for r, rate := range as {
		ratio := rate / r.goodput(t, flip)[0]
		if !on {
			ratio = 1 / ratio
		}
		sum += math.Log(ratio)
		switch {
		case ratio > 1.05:
			better++
		case ratio < 1/1.05:
			worse++
		}
	}
	return math.Exp(sum / float64(len(as))), better, worse
}

// decisive are the roads on which the switches are compared: all, with three seeds.
func decisive(t *testing.T) map[road]float64 {
	on := map[road]float64{}
	roads(func(r road) {
		for seed := range uint64(3) {
			r.seed = 100 + 10*seed
			on[r] = r.goodput(t, func(*config) {})[0]
		}
	})
	return on
}

// fairness returns how evenly flows share a road: Jain's index, 1 if all have the same.
func fairness(rates []float64) float64 {
	sum, squares := 0.0, 0.0
	for _, r := range rates {
		sum += r
		squares += r * r
	}
	return sum * sum / (float64(len(rates)) * squares)
}

var fairRTT = []time.Duration{20 * time.Millisecond, 100 * time.Millisecond}

func TestFlowsShareARoad(t *testing.T) {
	for _, rtt := range fairRTT {
		r := road{rtt: rtt, flows: 2, seed: 1}
		if rates := r.goodput(t, func(*config) {}); fairness(rates) < 0.8 {
			t.Errorf("%v: %.1f Mbit/s", rtt, rates)
		}
	}
}

func writeGoodput(t *testing.T) {
	var b strings.Builder
	b.WriteString(goodputText)
	rows, cells := goldenTable(t, 1)
	b.WriteString("| round trip | buffers | order | 0 % | 0.1 % | 1 % | 3 % |\n|--:|---|---|--:|--:|--:|--:|\n")
	for _, row := range rows {
		b.WriteString(row)
		for _, c := range cells[row] {
			fmt.Fprintf(&b, " %.2f |", c)
		}
		b.WriteString("\n")
	}
	b.WriteString(switchText)
	as := decisive(t)
	for _, s := range switches {
		mean, better, worse := compare(t, s.on, s.flip, as)
		state := "off"
		if s.on {
			state = "on"
		}
		fmt.Fprintf(&b, "| %s | %s | %.3f | %d | %d | %d |\n", s.name, state, mean, better, worse, len(as))
		if s.on != (mean >= 1) {
			t.Errorf("%s is %s, but its factor is %.3f", s.name, state, mean)
		}
	}
	b.WriteString(fairText)
	for _, rtt := range fairRTT {
		rates := road{rtt: rtt, flows: 2, seed: 1}.goodput(t, func(*config) {})
		fmt.Fprintf(&b, "| %v | %.1f | %.1f | %.3f |\n", rtt, rates[0]/1e6, rates[1]/1e6, fairness(rates))
	}
	if err := os.WriteFile(goodputDoc, []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

const goodputText = `# How TCP fares on bad roads

Two hosts, in one process and in virtual time, with a wire between them that carries 20 Mbit/s one way, loses
packets at random (acknowledgments at half that rate), and queues a round trip's worth. One connection sends
for ten seconds. The table is the goodput in Mbit/s: what the receiving program read. It is written by

    cd tcp && go test -run Goodput -update

and a test holds that the code still does what it says, to a tenth. "As needed" buffers are those that a
connection chooses by itself.

`

const switchText = `
## What is on, and why

These are switches in the code, made for this comparison: who uses the package cannot turn them. One is on if and only if it carries
more on the roads of the table, each with three seeds: the factor is the geometric mean of goodput with it over
goodput without.

A factor within a hundredth of 1 is noise, and decides nothing by itself. HyStart++ is on because RFC 9406 leaves slow start
before the queue of a road overflows, which spares the others that use it, and the table does not see those. PRR is off
because without a gain it is only more to keep. CUBIC is on by its factor, and because the connections with which ours
share their roads use it.

| what | is | factor | roads where it is 5 % better | worse | of |
|---|---|--:|--:|--:|--:|
`

const fairText = `
## Two at once

Two connections that begin together on one road, without loss but that of the queue.

| round trip | first | second | Jain's index |
|--:|--:|--:|--:|
`
