// Package load does the same work over any two joined hosts: a pair of stacks in
// this process, or the kernel's loopback.
package load

import (
	"fmt"
	"net"
	"runtime"
	"slices"
	"sync/atomic"
	"syscall"
	"time"
)

// A Pair is two joined hosts. A field is nil if the pair cannot do that.
type Pair struct {
	Name string
	// UDP returns a receiver, and a sender that is connected to it.
	UDP func() (rx net.PacketConn, tx net.Conn, err error)
	// Ping sends an ICMP echo request of 56 bytes and waits for the reply.
	Ping  func() error
	Close func()
}

// A Cost is what some work took.
type Cost struct {
	N         int64 // how often it was done
	Wall, CPU time.Duration
}

// Rate is how often the work was done in a second.
func (c Cost) Rate() float64 { return float64(c.N) / c.Wall.Seconds() }

// Each is the processor time that it took once, on all processors together.
func (c Cost) Each() time.Duration { return c.CPU / time.Duration(max(1, c.N)) }

// window is how many datagrams are under way at most, so that none is lost.
const window = 256

// patience is when what has not come is taken for lost.
const patience = 100 * time.Millisecond

// Datagrams sends datagrams of size bytes for d, and counts those that arrive.
func Datagrams(p *Pair, size int, d time.Duration) (Cost, error) {
	rx, tx, err := p.UDP()
	if err != nil {
		return Cost{}, err
	}
	defer tx.Close()
	var got atomic.Int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 2*size)
		for {
			if _, _, err := rx.ReadFrom(buf); err != nil {
				return
			}
			got.Add(1)
		}
	}()
	cpu, start := processorTime(), time.Now()
	err = sendFor(tx, make([]byte, size), d, &got)
	c := Cost{got.Load(), time.Since(start), processorTime() - cpu}
	rx.Close()
	<-done
	return c, err
}

// sendFor keeps a window of datagrams under way for d.
func sendFor(tx net.Conn, buf []byte, d time.Duration, got *atomic.Int64) error {
	start := time.Now()
	progress := start
	for sent := int64(0); time.Since(start) < d; {
		if sent-got.Load() >= window {
			if time.Since(progress) > patience {
				sent, progress = got.Load(), time.Now()
			}
			runtime.Gosched()
			continue
		}
		for range 16 {
			if _, err := tx.Write(buf); err != nil {
				return fmt.Errorf("after %d datagrams: %w", sent, err)
			}
			sent++
		}
		progress = time.Now()
	}
	return nil
}

// RoundTrips sends a byte to an echo on the other host and back for d, and returns
// how long each took, in order of length.
func RoundTrips(p *Pair, d time.Duration) ([]time.Duration, error) {
	rx, tx, err := p.UDP()
	if err != nil {
		return nil, err
	}
	defer tx.Close()
	defer rx.Close()
	go func() {
		buf := make([]byte, 2048)
		for {
			n, from, err := rx.ReadFrom(buf)
			if err != nil {
				return
			}
			rx.WriteTo(buf[:n], from)
		}
	}()
	buf := make([]byte, 2048)
	return repeat(d, func() error {
		if _, err := tx.Write(buf[:1]); err != nil {
			return err
		}
		_, err := tx.Read(buf)
		return err
	})
}

// Pings is RoundTrips for ICMP echoes.
func Pings(p *Pair, d time.Duration) ([]time.Duration, error) { return repeat(d, p.Ping) }

func repeat(d time.Duration, once func() error) ([]time.Duration, error) {
	took := make([]time.Duration, 0, 1<<20)
	start := time.Now()
	for last := start; last.Sub(start) < d; {
		if err := once(); err != nil {
			return nil, err
		}
		now := time.Now()
		took = append(took, now.Sub(last))
		last = now
	}
	slices.Sort(took)
	return took, nil
}

// processorTime is what this process has used, in user and system.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// Kernel is the loopback of the system. It does not ping.
func Kernel() *Pair {
	return &Pair{
		Name: "kernel loopback",
		UDP: func() (net.PacketConn, net.Conn, error) {
			rx, err := net.ListenPacket("udp4", "127.0.0.1:0")
			if err != nil {
				return nil, nil, err
			}
			rx.(*net.UDPConn).SetReadBuffer(4 << 20)
			tx, err := net.Dial("udp4", rx.LocalAddr().String())
			return rx, tx, err
		},
		Close: func() {},
	}
}
