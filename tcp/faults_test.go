package tcp

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"landline/link"
)

// randomImpairment makes a bad wire, of which every fault is left to chance.
func randomImpairment(r *rand.Rand) link.Impairment {
	i := link.Impairment{Seed: r.Uint64(), Delay: time.Duration(r.IntN(100)) * time.Millisecond}
	share := func(most float64) float64 { return most * r.Float64() * float64(r.IntN(2)) }
	i.Loss, i.Duplicate, i.Reorder, i.Corrupt = share(0.2), share(0.2), share(0.3), share(0.1)
	i.Burst.Enter, i.Burst.Leave = share(0.01), 0.2
	if r.IntN(2) == 0 {
		i.Jitter, i.Overtake = time.Duration(r.IntN(80))*time.Millisecond, r.IntN(2) == 0
	}
	if r.IntN(3) == 0 {
		i.Rate, i.Queue = 100_000+r.Int64N(20_000_000), 5_000+r.IntN(100_000)
	}
	return i
}

// A stream has bytes each of which depends on its place and the seed.
type stream uint64

func (p stream) at(n int64) byte { return byte((uint64(n) + uint64(p)) * 0x9e3779b97f4a7c15 >> 56) }

// write writes n bytes of the stream, in pieces of any length, and ends it.
func (p stream) write(c *Conn, n int64, r *rand.Rand) error {
	buf := make([]byte, 20_000)
	for at := int64(0); at < n; {
		clear(buf) // which Write must not look at any more
		b := buf[:min(1+r.Int64N(20_000), n-at)]
		for k := range b {
			b[k] = p.at(at + int64(k))
		}
		if _, err := c.Write(b); err != nil {
			return fmt.Errorf("write at %d of %d: %w", at, n, err)
		}
		at += int64(len(b))
		if r.IntN(40) == 0 {
			time.Sleep(time.Duration(r.IntN(500)) * time.Millisecond)
		}
	}
	return c.CloseWrite()
}

// read reads the stream to its end, which is to be after n bytes.
func (p stream) read(c *Conn, n int64, r *rand.Rand) error {
	b := make([]byte, 1+r.IntN(30_000))
	for at := int64(0); ; {
		k, err := c.Read(b)
		for _, got := range b[:k] {
			if got != p.at(at) {
				return fmt.Errorf("byte %d is %#x, want %#x", at, got, p.at(at))
			}
			at++
		}
		if err == io.EOF && at == n {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read at %d of %d: %w", at, n, err)
		}
		if r.IntN(40) == 0 {
			time.Sleep(time.Duration(r.IntN(2000)) * time.Millisecond)
		}
	}
}

// exchange sends streams both ways over a bad wire.
func exchange(t *testing.T, seed uint64) error {
	r := rand.New(rand.NewPCG(seed, 1))
	kind := r.IntN(3)
	left, right := link.NewCable(link.CableConfig{Seed: seed + 1, Checksums: kind == 1, Units: kind == 2, MTU: []int{576, 1500, 9000}[r.IntN(3)]})
	dev := link.Impair(left, randomImpairment(r), randomImpairment(r))
	patient := func(c *config) { c.giveUp, c.giveUpSYN = 1000*time.Hour, 1000*time.Hour }
	a := newSimHost(t, dev, "10.0.0.1/24", seed, patient)
	b := newSimHost(t, right, "10.0.0.2/24", seed+1, patient)
	l, err := b.Listen(ListenConfig{Local: netip.MustParseAddrPort("10.0.0.2:9")})
	if err != nil {
		return err
	}
	sizes := [2]int64{r.Int64N(300_000), r.Int64N(100_000)}
	errs := make(chan error, 4)
	serve := func(c *Conn, err error, out, in int) {
		if err != nil {
			errs <- err
			errs <- nil
			return
		}
		one, two := rand.New(rand.NewPCG(seed, uint64(2+out))), rand.New(rand.NewPCG(seed, uint64(4+out)))
		c.SetNoDelay(one.IntN(2) == 0)
		go func() { errs <- stream(out).write(c, sizes[out], one) }()
		errs <- stream(in).read(c, sizes[in], two)
	}
	c, err := dialStubbornly(a, "10.0.0.2:9")
	go serve(c, err, 0, 1)
	d, err := l.Accept(context.Background())
	go serve(d, err, 1, 0)
	for range 4 {
		if e := <-errs; e != nil && err == nil {
			err = e
		}
	}
	if n := a.waiting.Load() + b.waiting.Load(); n != 0 && err == nil {
		err = fmt.Errorf("%d still wait for room", n)
	}
	return err
}

// dialStubbornly dials again if the neighbor's address was not found, as ARP gets lost too.
func dialStubbornly(l *Layer, to string) (c *Conn, err error) {
	for range 20 {
		c, err = l.Dial(context.Background(), DialConfig{Remote: netip.MustParseAddrPort(to)})
		if err == nil {
			return c, nil
		}
	}
	return nil, err
}

// Whatever a wire does to packets, streams arrive as they were written.
func TestStreamsSurviveBadWires(t *testing.T) {
	seeds := 1000
	if raceEnabled || testing.Short() {
		seeds = 40
	}
	for seed := range uint64(seeds) {
		var err error
		synctest.Test(t, func(t *testing.T) { err = exchange(t, seed) })
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}
