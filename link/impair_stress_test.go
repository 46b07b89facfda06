package link_test

import (
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"landline/link"
)

// Everything at once, at random: several writers, frames that arrive, a device that is
// full now and then, and a wire that changes. The race detector looks on.
func TestImpairCountsEveryFrameWhateverHappens(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			d := impair(t, link.Impairment{}, link.Impairment{})
			var wg sync.WaitGroup
			var mu sync.Mutex
			written, arrived := 0, 0
			for who := range uint64(3) {
				wg.Go(func() {
					n := writeAtRandom(d, rand.New(rand.NewPCG(seed, who)))
					mu.Lock()
					written += n
					mu.Unlock()
				})
			}
			wg.Go(func() { arrived = arriveAtRandom(d, rand.New(rand.NewPCG(seed, 10))) })
			wg.Go(func() { changeAtRandom(d, rand.New(rand.NewPCG(seed, 11))) })
			wg.Go(func() { fillAtRandom(d, rand.New(rand.NewPCG(seed, 12))) })
			wg.Wait()
			d.fake.allow(-1)
			if seed%2 == 0 {
				d.Close() // with frames under way
			}
			time.Sleep(time.Minute)
			synctest.Wait()
			out, in := d.Stats()
			mustBalance(t, out, written)
			mustBalance(t, in, arrived)
			if out.Waiting+in.Waiting != 0 {
				t.Errorf("frames are still under way: %+v %+v", out, in)
			}
			if int(out.Passed) != len(d.far.all()) || int(in.Passed) != len(d.near.all()) {
				t.Errorf("%d and %d frames arrived, counted are %+v %+v", len(d.far.all()), len(d.near.all()), out, in)
			}
		})
	}
}

func atRandom(r *rand.Rand) []link.Frame {
	frames := testFrames(0, r.IntN(20))
	for i := range frames {
		frames[i] = testFrame(18+r.IntN(1400), uint32(i))
	}
	return frames
}

func nap(r *rand.Rand) { time.Sleep(time.Duration(r.IntN(2000)) * time.Microsecond) }

func writeAtRandom(d *impaired, r *rand.Rand) (taken int) {
	for range 200 {
		frames := atRandom(r)
		n, err := d.Write(frames)
		if err != nil {
			d.far.t.Error(err)
		}
		taken += n
		nap(r)
	}
	return taken
}

func arriveAtRandom(d *impaired, r *rand.Rand) (arrived int) {
	for range 200 {
		frames := atRandom(r)
		d.fake.arrive(frames...)
		arrived += len(frames)
		nap(r)
	}
	return arrived
}

func changeAtRandom(d *impaired, r *rand.Rand) {
	for range 100 {
		d.Set(impairmentAtRandom(r), impairmentAtRandom(r))
		d.Stats()
		time.Sleep(3 * time.Millisecond)
	}
}

func impairmentAtRandom(r *rand.Rand) (i link.Impairment) {
	maybe := func() bool { return r.IntN(3) == 0 }
	if maybe() {
		i.Loss, i.Duplicate = 0.1, 0.1
	}
	if maybe() {
		i.Burst = link.Burst{Enter: 0.05, Leave: 0.3}
	}
	if maybe() {
		i.Delay, i.Jitter, i.Overtake = 5*time.Millisecond, 3*time.Millisecond, maybe()
	}
	if maybe() {
		i.Rate, i.Queue = 5e6, r.IntN(20000)
	}
	if maybe() {
		i.Reorder, i.Corrupt = 0.1, 0.1
	}
	return i
}

// fillAtRandom makes the device take only so many frames for a while.
func fillAtRandom(d *impaired, r *rand.Rand) {
	for range 100 {
		d.fake.allow(r.IntN(50))
		nap(r)
		d.fake.allow(-1)
		nap(r)
	}
}

func TestImpairKeepsTheOrderOfEachWriterUnderBackPressure(t *testing.T) {
	for seed := range uint64(10) {
		synctest.Test(t, func(t *testing.T) {
			jitter := link.Impairment{Seed: seed, Delay: time.Millisecond, Jitter: time.Millisecond, Rate: 50e6, Queue: 1e6}
			loss := link.Impairment{Loss: 1e-300}
			d := impair(t, jitter, link.Impairment{})
			r := rand.New(rand.NewPCG(seed, 0))
			filler := rand.New(rand.NewPCG(seed, 1))
			done := make(chan struct{})
			go func() { fillAtRandom(d, filler); close(done) }()
			const n = 3000
			for next := 0; next < n; {
				took, err := d.Write(testFrames(next, min(1+r.IntN(40), n-next)))
				if err != nil {
					t.Fatal(err)
				}
				if next += took; took == 0 {
					<-d.roomMade
				}
				switch r.IntN(10) {
				case 0:
					nap(r)
				case 1:
					d.Set(loss, link.Impairment{})
				case 2:
					d.Set(jitter, link.Impairment{})
				case 3:
					d.Set(link.Impairment{}, link.Impairment{})
				}
			}
			<-done
			time.Sleep(time.Minute)
			got := d.far.numbers()
			for i, number := range got {
				if int(number) != i {
					t.Fatalf("frame %d arrived in place %d", number, i)
				}
			}
			if len(got) != n {
				t.Errorf("%d frames arrived, want %d", len(got), n)
			}
		})
	}
}
