package link

import (
	"math/bits"
	"math/rand/v2"
	"time"

	"landline/wire"
)

const (
	// maxUnderway is how many bytes of memory the frames that are under way in one
	// direction may take: a second of half a gigabit.
	maxUnderway  = 64 << 20
	defaultQueue = 150_000
	maxDelay     = 24 * time.Hour
)

// faults decide what happens to the frames of one direction. They have no clock: times
// are counted from some beginning.
type faults struct {
	Impairment
	chance rand.PCG
	bad    bool          // in a burst
	free   time.Duration // when the wire will have sent all that it took
	before time.Duration // the same of what it took at an earlier rate
	rest   int64         // what division left of free, in bits·ns/s
	last   time.Duration // the latest arrival so far
}

// begin starts chance at the seed of i, and elsewhere for each direction.
func (f *faults) begin(i *Impairment, direction uint64) {
	f.chance.Seed(i.Seed, direction)
	f.put(i)
}

// set changes the impairment.
func (f *faults) set(i *Impairment, direction uint64) {
	if i.Seed != f.Seed {
		f.chance.Seed(i.Seed, direction)
	}
	f.put(i)
}

func (f *faults) put(i *Impairment) {
	if i.Rate != f.Rate {
		f.before, f.rest = f.free, 0
	}
	f.Impairment = *i
	f.Rate = max(0, f.Rate)
	f.Delay = min(max(0, f.Delay), maxDelay)
	f.Jitter = min(max(0, f.Jitter), maxDelay)
	if f.Queue <= 0 {
		f.Queue = defaultQueue
	}
	f.Queue = min(f.Queue, maxUnderway)
	if f.Burst.Loss == 0 {
		f.Burst.Loss = 1
	}
	f.bad = f.bad && f.Burst.Enter > 0
}

// perfect reports whether nothing happens to frames. Only Delay or Jitter give
// Reorder and Overtake a meaning.
func (f *faults) perfect() bool {
	return !(f.Loss > 0 || f.Burst.Enter > 0 || f.Duplicate > 0 || f.Corrupt > 0 ||
		f.Rate > 0 || f.Delay > 0 || f.Jitter > 0)
}

// happens draws whether something with a likelihood of p happens. What cannot happen
// draws nothing.
func (f *faults) happens(p float64) bool {
	return p > 0 && float64(f.chance.Uint64()>>11)*0x1p-53 < p
}

// below draws a number from 0 to n-1.
func (f *faults) below(n uint64) uint64 {
	high, _ := bits.Mul64(f.chance.Uint64(), n)
	return high
}

func (f *faults) loses() bool {
	if !f.bad {
		f.bad = f.happens(f.Burst.Enter)
	} else {
		f.bad = !f.happens(f.Burst.Leave)
	}
	return f.bad && f.happens(f.Burst.Loss) || f.happens(f.Loss)
}

// leave sends a frame of n bytes and returns when the wire is done with it, or false
// if the queue is full.
func (f *faults) leave(now time.Duration, n int) (time.Duration, bool) {
	if f.Rate == 0 {
		return max(now, f.free), true // what an earlier rate holds up goes first
	}
	if f.free <= now {
		f.free, f.rest = now, 0
	} else if int64(f.free-max(now, f.before)) > sending(f.Queue-n)/f.Rate {
		return 0, false
	}
	t := sending(n) + f.rest
	f.free += time.Duration(t / f.Rate)
	f.rest = t % f.Rate
	return f.free, true
}

// sending returns how long n bytes take at 1 bit a second, in nanoseconds.
func sending(n int) int64 { return int64(n) * 8 * int64(time.Second) }

// arrive returns when a frame arrives that left at some time, and whether it
// overtakes one that left before.
func (f *faults) arrive(left time.Duration) (due time.Duration, overtakes bool) {
	if !f.happens(f.Reorder) {
		due = left + f.underway()
		if !f.Overtake {
			due = max(due, f.last)
		}
	} else {
		due = left
	}
	overtakes = due < f.last
	f.last = max(f.last, due)
	return due, overtakes
}

func (f *faults) underway() time.Duration {
	if f.Jitter == 0 {
		return f.Delay
	}
	return max(0, f.Delay-f.Jitter+time.Duration(f.below(2*uint64(f.Jitter)+1)))
}

// damage flips a bit of the packet in a frame, which is all in Head and ours to
// change. It reports whether there is a packet, and so a checksum that shows it.
func (f *faults) damage(frame *Frame) bool {
	complete(frame)
	e, err := wire.ParseEthernet(frame.Head)
	if err != nil {
		return false
	}
	packet := e.Payload()
	switch e.Type() {
	case wire.TypeIPv4:
		if h, err := wire.ParseIPv4(packet); err == nil {
			packet = h
		}
	case wire.TypeIPv6:
		if h, err := wire.ParseIPv6(packet); err == nil {
			packet = h
		}
	default:
		return false
	}
	if len(packet) == 0 {
		return false
	}
	bit := f.below(8 * uint64(len(packet)))
	packet[bit/8] ^= 1 << (bit % 8)
	frame.Sum = SumUnchecked
	return true
}
