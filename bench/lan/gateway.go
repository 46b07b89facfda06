package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"landline/bench/internal/compare"
	"landline/bench/internal/kernel"
	"landline/bench/internal/load"
)

// The ways by which landline is reached.
const (
	byTAP    = "landline, TAP"
	bySocket = "landline, socket"
)

// The figures of streams through a gateway.
const (
	gbps = iota
	gatewayEach
	allEach
)

// streams are TCP streams through gateways.
func streams() (rows []*compare.Row) {
	for _, mtu := range []int{1500, 65520} {
		for _, count := range []int{1, 4} {
			for _, way := range []struct {
				name string
				args string
			}{{"out", ""}, {"in", " -R"}} {
				rows = append(rows, stream(mtu, count, way.name, way.args))
			}
		}
	}
	return rows
}

func stream(mtu, count int, way, args string) *compare.Row {
	r := &compare.Row{
		Title: fmt.Sprintf("%s %s, MTU %d", plural(count, "stream"), way, mtu),
		About: "iperf3 in a namespace, through the gateway to an iperf3 server on the loopback around it, or from it; CUBIC.",
		Figures: []compare.Figure{
			gbps: {Name: "Gbit/s"}, gatewayEach: {Name: "CPU s/GB, gateway", Less: true}, allEach: {Name: "all", Less: true},
		},
		Goals: []compare.Goal{
			{Own: byTAP, Figure: gbps, Peers: "gvproxy", Must: 2, Aim: 4}, {Own: byTAP, Figure: gbps, Peers: "pasta", Aim: 1},
			{Own: byTAP, Figure: gbps, Peers: "slirp"},
			{Own: byTAP, Figure: gatewayEach, Peers: "gvproxy"}, {Own: byTAP, Figure: gatewayEach, Peers: "pasta"},
			{Own: bySocket, Figure: gbps, Peers: "gvproxy", Must: 2, Aim: 4}, {Own: bySocket, Figure: gbps, Peers: "pasta", Aim: 1},
			{Own: bySocket, Figure: gatewayEach, Peers: "gvproxy"},
		},
	}
	for _, g := range []struct {
		name string
		open func(mtu, guest int) (*path, error)
	}{{byTAP, landlineTAP}, {bySocket, landlineSocket}, {"gvproxy, socket", gvproxySocket}, {"slirp4netns", slirp}, {"pasta", pasta}} {
		r.Hosts = append(r.Hosts, &compare.Host{Name: g.name, Root: true, Open: func() (compare.Work, error) {
			guest, err := kernel.Guest()
			if err != nil {
				return nil, err
			}
			p, err := g.open(mtu, guest)
			if err != nil {
				return nil, err
			}
			p.guest = guest
			return func(d time.Duration) ([]float64, error) { return p.iperf(d, count, args) }, p.serve()
		}})
	}
	return r
}

func plural(n int, what string) string {
	if n == 1 {
		return "one " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}

// A path leads from a guest to the loopback.
type path struct {
	guest   int    // a process of it
	server  string // what the guest calls the loopback
	gateway int    // a process
	others  []int  // that do part of the work
}

// serve starts the server, and waits until the guest gets there.
func (p *path) serve() error {
	server, err := start("Server listening", "iperf3 -s --forceflush")
	if err != nil {
		return err
	}
	p.others = append(p.others, server)
	return await(func() error { return kernel.Run(p.client("-n 128K")) })
}

// client is the command of a client in the guest.
func (p *path) client(args string) string {
	return kernel.Enter(p.guest) + "iperf3 --connect-timeout 1000 -C cubic -c " + p.server + " " + args
}

// warmth is how long streams flow before their rate is taken.
const warmth = time.Second

// iperf runs a client, and returns the figures of streams. Processor time is that of the whole run, by what was moved in it.
func (p *path) iperf(d time.Duration, streams int, args string) (figures []float64, err error) {
	line := p.client(fmt.Sprintf("-J -O %.0f -t %.0f -P %d%s", warmth.Seconds(), max(1, d.Seconds()), streams, args))
	err = await(func() error { // the server may be busy yet with the client before
		figures, err = p.once(line)
		return err
	})
	return figures, err
}

func (p *path) once(line string) ([]float64, error) {
	cmd := command(line)
	gateway, others := load.ProcessorTime(p.gateway), p.othersTime()
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", line, err, out)
	}
	gateway, others = load.ProcessorTime(p.gateway)-gateway, p.othersTime()-others
	client := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	rate, moved, err := parse(out)
	gb := moved / 1e9
	return []float64{rate / 1e9, gateway.Seconds() / gb, (gateway + others + client).Seconds() / gb}, err
}

func (p *path) othersTime() (t time.Duration) {
	for _, pid := range p.others {
		t += load.ProcessorTime(pid)
	}
	return t
}

// parse reads what iperf3 found: bits in a second, without the beginning, and the bytes that were moved in all.
func parse(report []byte) (rate, moved float64, err error) {
	var r struct {
		Intervals []struct {
			Sum struct{ Bytes float64 }
		}
		End struct {
			Sum struct {
				Rate float64 `json:"bits_per_second"`
			} `json:"sum_received"`
		}
		Error string
	}
	err = json.Unmarshal(report, &r)
	for _, i := range r.Intervals {
		moved += i.Sum.Bytes
	}
	if err == nil && (r.Error != "" || moved == 0) {
		err = fmt.Errorf("iperf3: nothing was moved: %s", r.Error)
	}
	return r.End.Sum.Rate, moved, err
}

// command makes a command of a line.
func command(line string) *exec.Cmd {
	args := strings.Fields(line)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// start starts a command, and returns when it has written a line with ready in it, or at once if that is empty.
func start(ready, line string) (pid int, err error) {
	cmd := command(line)
	r, w, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	cmd.Stdout, cmd.Stderr = w, w
	err = cmd.Start()
	w.Close()
	if err != nil {
		return 0, err
	}
	go cmd.Wait()
	said := bufio.NewScanner(r)
	log := ""
	for ready != "" && !strings.Contains(said.Text(), ready) {
		log += said.Text() + "\n"
		if !said.Scan() {
			return 0, fmt.Errorf("%s: has ended\n%s", line, log)
		}
	}
	go io.Copy(io.Discard, r)
	return cmd.Process.Pid, nil
}

// await tries until it works, for some time.
func await(try func() error) (err error) {
	for end := time.Now().Add(15 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if err = try(); err == nil {
			return nil
		}
	}
	return err
}

func bin(name string) string { return filepath.Join(os.Getenv(binVariable), name) }
