//go:build unix

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"landline/internal/charset"
	"landline/remote"
)

// A fleet is a number of hosts, of which each hundred has one that refuses, one that hangs, one that is slow and one
// that dies halfway through its output.
type fleet struct {
	ctx     context.Context
	server  *remote.Server
	serving sync.WaitGroup
}

const (
	fleetOutput = 400 // lines
	slowness    = 2 * time.Second
)

// fate is what a host is like.
func fate(h host) string {
	n, _ := strconv.Atoi(strings.TrimLeft(h.text, "n"))
	return map[int]string{11: "refuses", 33: "hangs", 55: "slow", 77: "dies"}[n%100]
}

func (f *fleet) dial(_ context.Context, h host) (net.Conn, error) {
	if fate(h) == "refuses" {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	}
	ours, theirs := net.Pipe()
	f.serving.Go(func() {
		switch fate(h) {
		case "hangs":
			io.Copy(io.Discard, theirs) // hears all of it, and says nothing
			return
		case "slow":
			time.Sleep(slowness)
		case "dies":
			theirs = &mortal{Conn: theirs, left: 1500}
		}
		f.server.ServeConn(f.ctx, theirs, remote.Guest{})
	})
	return ours, nil
}

// A mortal is a connection that ends when so many bytes have been written.
type mortal struct {
	net.Conn
	left int
}

func (m *mortal) Write(p []byte) (int, error) {
	if m.left -= len(p); m.left < 0 {
		m.Conn.Close()
	}
	return m.Conn.Write(p)
}

// Each of a thousand hosts gets one verdict, whatever it does, and in time: a second after the time of the commands
// is over. Time is that of a bubble, so it stands still while a process runs.
func TestThousandHostsGiveThousandVerdictsInTime(t *testing.T) {
	home := t.TempDir()
	file := filepath.Join(home, "verdicts")
	catchBrokenPipe() // signals are delivered by a goroutine that must not be the bubble's
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		f := &fleet{ctx: ctx, server: &remote.Server{Home: home, MaxJobs: 2000}}
		a := &app{quiet: true, dial: f.dial}
		script := fmt.Sprintf("i=0; while [ $i -lt %d ]; do echo $i; i=$((i+1)); done", fleetOutput)
		flags := &runFlags{timeout: 10 * time.Second, shell: true, verdict: file, manyFlags: manyFlags{parallel: 1000}}
		hosts, err := a.manyHosts(&flags.manyFlags, "n[0-999]")
		if err != nil {
			t.Fatal(err)
		}
		set, err := charset.Lookup("auto")
		if err != nil {
			t.Fatal(err)
		}
		var out counted
		m := &fanout{visitor: visitor{a: a, flags: &flags.lineFlags}, f: flags, words: []string{script}, set: set, lines: lines{stdout: &out, stderr: &out}}
		if m.file, err = openVerdict(file); err != nil {
			t.Fatal(err)
		}
		start := time.Now()
		err = m.visit(hosts, 1000, m.run)
		if took := time.Since(start); took > flags.timeout+time.Second {
			t.Errorf("it took %v", took)
		}
		if code := ending(err).code; code != exitLandline {
			t.Errorf("it ended with %d", code)
		}
		cancel()
		f.serving.Wait()
		if want := "1000 hosts: 970 exited with 0, 20 lost, 10 refused"; m.tally.String() != want {
			t.Errorf("it says %q", m.tally.String())
		}
		// Those that died had given a part of their lines, and the beginning of one more.
		if n := out.lines.Load(); n < 970*fleetOutput || n > 970*fleetOutput+10*(fleetOutput-1) {
			t.Errorf("%d lines", n)
		}
	})
	checkVerdicts(t, file)
}

func TestWorstCodeIsLandlinesOwn(t *testing.T) {
	for _, c := range []struct{ a, b, worst int }{
		{0, 0, 0}, {0, 3, 3}, {5, 3, 5}, {127, 126, 127}, {143, 1, 143},
		{137, 124, 124}, {124, 255, 124}, {137, 125, 125}, {125, 124, 125}, {255, 125, 125},
	} {
		if got := worse(c.a, c.b); got != c.worst || worse(c.b, c.a) != c.worst {
			t.Errorf("of %d and %d it is %d", c.a, c.b, got)
		}
	}
}

// A counted counts lines.
type counted struct{ lines atomic.Int64 }

func (c *counted) Write(p []byte) (int, error) {
	c.lines.Add(int64(strings.Count(string(p), "\n")))
	return len(p), nil
}

// checkVerdicts checks that each host has exactly one, and the right one.
func checkVerdicts(t *testing.T, file string) {
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	seen := make(map[string]bool)
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var v verdict
		if err := json.Unmarshal(lines.Bytes(), &v); err != nil {
			t.Fatal(err)
		}
		if seen[v.Host] {
			t.Errorf("two verdicts of %s", v.Host)
		}
		seen[v.Host] = true
		want := map[string]string{"refuses": remote.Refused, "hangs": remote.Lost, "dies": remote.Lost}[fate(host{text: v.Host})]
		if want == "" {
			want = remote.Exited
		}
		if v.Reason != want || v.Reason == remote.Lost && v.Error == "" {
			t.Errorf("%s: %+v", v.Host, v)
		}
	}
	if len(seen) != 1000 {
		t.Errorf("%d verdicts", len(seen))
	}
}
