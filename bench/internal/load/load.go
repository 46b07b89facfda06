// Package load does the same work over any two joined hosts: a pair of stacks in this
// process, the kernel's loopback, or a stack here and the kernel of another process.
package load

import (
	"net"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A Pair is two joined hosts. A field is nil if the pair cannot do that.
type Pair struct {
	// Dial connects to what Serve serves on the other host.
	Dial func() (net.Conn, error)
	// UDP returns a receiver, and a sender that is connected to it.
	UDP func() (rx net.PacketConn, tx net.Conn, err error)
	// Ping sends an ICMP echo request of 56 bytes and waits for the reply.
	Ping func() error
	// Others are the processes that do part of the work.
	Others []int
}

// A Cost is what some work took.
type Cost struct {
	N         int64 // how often it was done
	Wall, CPU time.Duration
	Mallocs   uint64 // in this process
}

// Rate is how often the work was done in a second.
func (c Cost) Rate() float64 { return float64(c.N) / c.Wall.Seconds() }

// Each is the processor time in seconds that it took once, on all processors together.
func (c Cost) Each() float64 { return c.CPU.Seconds() / float64(max(1, c.N)) }

// MallocsEach is how often memory was allocated for it.
func (c Cost) MallocsEach() float64 { return float64(c.Mallocs) / float64(max(1, c.N)) }

// A meter measures costs from its beginning on.
type meter struct {
	pair    *Pair
	start   time.Time
	cpu     time.Duration
	mallocs uint64
}

func begin(p *Pair) *meter {
	return &meter{mallocs: mallocs(), pair: p, cpu: p.processorTime(), start: time.Now()}
}

// after returns what doing something n times has taken.
func (m *meter) after(n int64) Cost {
	return Cost{n, time.Since(m.start), m.pair.processorTime() - m.cpu, mallocs() - m.mallocs}
}

func mallocs() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}

// processorTime is what this process and the others have used. What the kernel does
// for a packet counts for whoever it happens to interrupt.
func (p *Pair) processorTime() time.Duration {
	total := ProcessorTime(syscall.Getpid())
	for _, pid := range p.Others {
		total += ProcessorTime(pid)
	}
	return total
}

// ProcessorTime reads the clock of a process's processor time, whose number is made as in
// clock_getcpuclockid(3).
func ProcessorTime(pid int) time.Duration {
	const whole = 2 // and not of one thread
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|whole), &t); err != nil {
		panic(err) // it has died
	}
	return time.Duration(t.Nano())
}

// repeat does something for d and returns how long it took each time.
func repeat(p *Pair, d time.Duration, once func() error) ([]time.Duration, Cost, error) {
	took := make([]time.Duration, 0, 1<<21)
	m := begin(p)
	for last := m.start; last.Sub(m.start) < d; {
		if err := once(); err != nil {
			return nil, Cost{}, err
		}
		now := time.Now()
		took = append(took, now.Sub(last))
		last = now
	}
	return took, m.after(int64(len(took))), nil
}
