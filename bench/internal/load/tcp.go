package load

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"sync/atomic"
	"time"
)

// Send writes to some streams for d. It is an error if not all arrives.
func Send(p *Pair, streams int, d time.Duration) (Cost, error) {
	conns, err := askMany(p, wantSink, streams)
	if err != nil {
		return Cost{}, err
	}
	written := make([]uint64, streams)
	c, err := transfer(p, conns, d, func(k int, buf []byte) (int, error) {
		n, err := conns[k].Write(buf)
		written[k] += uint64(n)
		return n, err
	})
	for k, conn := range conns {
		err = errors.Join(err, finish(conn, written[k]))
	}
	return c, err
}

// finish ends a stream to a sink, which tells how much has arrived.
func finish(c net.Conn, written uint64) error {
	defer c.Close()
	if err := c.(interface{ CloseWrite() error }).CloseWrite(); err != nil {
		return err
	}
	arrived := make([]byte, 8)
	if _, err := io.ReadFull(c, arrived); err != nil {
		return err
	}
	if n := binary.BigEndian.Uint64(arrived); n != written {
		return fmt.Errorf("%d bytes arrived of %d", n, written)
	}
	return nil
}

// Receive reads from some streams for d.
func Receive(p *Pair, streams int, d time.Duration) (Cost, error) {
	conns, err := askMany(p, wantSource, streams)
	if err != nil {
		return Cost{}, err
	}
	c, err := transfer(p, conns, d, func(k int, buf []byte) (int, error) { return conns[k].Read(buf) })
	for _, conn := range conns {
		conn.Close()
	}
	return c, err
}

func askMany(p *Pair, want byte, n int) (conns []net.Conn, err error) {
	for range n {
		c, err := ask(p, want)
		if err != nil {
			return nil, err
		}
		conns = append(conns, c)
	}
	return conns, nil
}

// transfer moves chunks on all streams for d, after a time in which windows and memory have grown, and measures
// what they move together.
func transfer(p *Pair, conns []net.Conn, d time.Duration, move func(k int, buf []byte) (int, error)) (Cost, error) {
	var total atomic.Int64
	pass := func(d time.Duration) error {
		total.Store(0)
		return together(len(conns), func(k int) error {
			buf := make([]byte, chunk)
			for start := time.Now(); time.Since(start) < d; {
				n, err := move(k, buf)
				total.Add(int64(n))
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := pass(d / 4); err != nil {
		return Cost{}, err
	}
	m := begin(p)
	err := pass(d)
	return m.after(total.Load()), err
}

// together runs n goroutines.
func together(n int, each func(k int) error) error {
	failed := make(chan error)
	for k := range n {
		go func() { failed <- each(k) }()
	}
	var err error
	for range n {
		err = errors.Join(err, <-failed)
	}
	return err
}

// RoundTrips sends a byte to an echo on the other host and back for d, and returns how long
// each took.
func RoundTrips(p *Pair, d time.Duration) ([]time.Duration, Cost, error) {
	c, err := ask(p, wantEcho)
	if err != nil {
		return nil, Cost{}, err
	}
	defer c.Close()
	buf := make([]byte, 1)
	if _, err := io.ReadFull(c, buf); err != nil {
		return nil, Cost{}, err
	}
	return repeat(p, d, func() error {
		if _, err := c.Write(buf); err != nil {
			return err
		}
		_, err := io.ReadFull(c, buf)
		return err
	})
}

// Open opens n connections, so many at a time. On each a byte goes there and back, then the other host
// closes, and then this one. So TIME-WAIT is over there.
func Open(p *Pair, n, atOnce int) (Cost, error) {
	var left atomic.Int64
	left.Store(int64(n))
	m := begin(p)
	err := together(atOnce, func(int) error {
		buf := make([]byte, 2)
		for left.Add(-1) >= 0 {
			c, err := ask(p, wantOne)
			if err != nil {
				return err
			}
			if n, err := io.ReadFull(c, buf); n != 1 || err != io.ErrUnexpectedEOF {
				return errors.Join(errors.New("not one byte and the end"), err)
			}
			if err := c.Close(); err != nil {
				return err
			}
		}
		return nil
	})
	return m.after(int64(n)), err
}

// rest is how long connections have been idle before their memory is measured.
const rest = 4 * time.Second

// Idle opens n connections, on each of which a byte goes there and back, and returns the bytes that each end
// of one takes, of the heap and of the stacks of goroutines. If read is set, a goroutine at each end
// waits in Read. Both ends have to be in this process.
func Idle(p *Pair, n int, read bool) (float64, error) {
	want := byte(wantHold)
	if read {
		want = wantEcho
	}
	conns := make([]net.Conn, 0, n)
	held.conns = make([]net.Conn, 0, n)
	buf := make([]byte, 1)
	before := memory()
	for range n {
		c, err := ask(p, want)
		if err != nil {
			return 0, err
		}
		if _, err := io.ReadFull(c, buf); err != nil {
			return 0, err
		}
		conns = append(conns, c)
		if read {
			go c.Read(make([]byte, 1))
		}
	}
	time.Sleep(rest)
	each := (memory() - before) / float64(2*n)
	runtime.KeepAlive(conns)
	return each, nil
}

// memory is what lives, in bytes.
func memory() float64 {
	for range 3 { // until pools are empty and finalizers have run
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc + m.StackInuse)
}
