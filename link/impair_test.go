package link_test

import (
	"errors"
	"net"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"landline/link"
)

func TestImpairPassesThroughAPerfectWireUncopied(t *testing.T) {
	var wrote, received []link.Frame
	fake := newFake(func(f []link.Frame) { wrote = f })
	d := link.Impair(fake, link.Impairment{Seed: 1, Reorder: 1}, link.Impairment{Overtake: true})
	defer d.Close()
	d.Attach(link.Handler{Receive: func(f []link.Frame) { received = f }})
	frames := testFrames(0, 3)
	mustWrite(t, d, frames...)
	if len(wrote) != 3 || &wrote[0] != &frames[0] {
		t.Error("what was written is not what the device got")
	}
	fake.arrive(frames...)
	if len(received) != 3 || &received[0].Head[0] != &frames[0].Head[0] {
		t.Error("what arrived is not what the handler got")
	}
	out, in := d.Stats()
	mustCount(t, out, link.ImpairStats{Passed: 3}, 3)
	mustCount(t, in, link.ImpairStats{Passed: 3}, 3)
}

func TestImpairDescribesTheDeviceButTakesNoUnits(t *testing.T) {
	d := impair(t, link.Impairment{}, link.Impairment{})
	want := d.fake.info
	want.Offloads = link.OffloadChecksum
	if d.Info() != want {
		t.Errorf("got %+v, want %+v", d.Info(), want)
	}
}

func TestImpairRefusesWhatTheDeviceCannotCarry(t *testing.T) {
	unit := testFrame(64, 1)
	unit.Sum, unit.SumStart, unit.SumField, unit.SegSize = link.SumPartial, 34, 50, 1000
	for _, i := range []link.Impairment{{}, {Delay: 1}} {
		d := impair(t, i, link.Impairment{})
		for _, c := range []struct {
			frame link.Frame
			err   error
		}{
			{testFrame(1515, 1), link.ErrTooLong},
			{unit, link.ErrOffload},
			{link.Frame{Head: make([]byte, 13)}, link.ErrFrame},
		} {
			n, err := d.Write([]link.Frame{testFrame(64, 0), c.frame, testFrame(64, 2)})
			if n != 1 || err != c.err {
				t.Errorf("Write took %d frames, error %v, want 1 and %v", n, err, c.err)
			}
		}
	}
}

// The figures are those of the seed, and come again with it.
func TestImpairDoesToFramesWhatItWasTold(t *testing.T) {
	const n = 10_000
	for _, c := range []struct {
		what string
		i    link.Impairment
		want link.ImpairStats
	}{
		{"loss", link.Impairment{Seed: 1, Loss: 0.1}, link.ImpairStats{Passed: 9038, Lost: 962}},
		{"another seed", link.Impairment{Seed: 2, Loss: 0.1}, link.ImpairStats{Passed: 9041, Lost: 959}},
		{"cut", link.Impairment{Loss: 1}, link.ImpairStats{Lost: n}},
		{"over the range", link.Impairment{Loss: 7}, link.ImpairStats{Lost: n}},
		{"below the range", link.Impairment{Loss: -1, Delay: -1, Jitter: -1, Rate: -1}, link.ImpairStats{Passed: n}},
		{"duplicate", link.Impairment{Seed: 1, Duplicate: 0.02}, link.ImpairStats{Passed: n + 191, Duplicated: 191}},
		{"bursts", link.Impairment{Seed: 1, Burst: link.Burst{Enter: 0.01, Leave: 0.25}}, link.ImpairStats{Passed: 9652, Lost: 348}},
		{"endless burst", link.Impairment{Seed: 1, Burst: link.Burst{Enter: 1}}, link.ImpairStats{Lost: n}},
		{"half a burst", link.Impairment{Seed: 1, Loss: 0.01, Burst: link.Burst{Enter: 0.01, Leave: 0.25, Loss: 0.5}},
			link.ImpairStats{Passed: 9716, Lost: 284}},
		{"reorder", link.Impairment{Seed: 1, Delay: time.Second, Reorder: 0.05}, link.ImpairStats{Passed: n, Reordered: 480}},
		{"not IP", link.Impairment{Seed: 1, Corrupt: 0.01}, link.ImpairStats{Passed: 9916, Lost: 84, Corrupted: 84}},
		{"all", link.Impairment{Seed: 1, Loss: 0.05, Duplicate: 0.05, Reorder: 0.05, Corrupt: 0.05,
			Delay: time.Second, Jitter: time.Millisecond, Rate: 4e6, Queue: 1e6, Overtake: true},
			link.ImpairStats{Passed: 9467, Lost: 984, Duplicated: 451, Reordered: 6799, Corrupted: 500}},
	} {
		t.Run(c.what, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := impair(t, c.i, c.i)
				for i := range n {
					mustWrite(t, d, testFrame(64, uint32(i)))
				}
				time.Sleep(time.Minute)
				out, _ := d.Stats()
				mustCount(t, out, c.want, n)
				if got := len(d.far.all()); got != int(c.want.Passed) {
					t.Errorf("%d frames arrived, want %d", got, c.want.Passed)
				}
			})
		})
	}
}

func TestImpairSendsAtItsRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := impair(t, link.Impairment{Rate: 1e6}, link.Impairment{})
		for i := range 3 {
			mustWrite(t, d, testFrame(1250, uint32(i)))
		}
		time.Sleep(100 * time.Millisecond) // idle again
		mustWrite(t, d, testFrame(125, 3))
		time.Sleep(time.Second)
		d.far.mustArrive("10ms 0", "20ms 1", "30ms 2", "101ms 3")
	})
}

func TestImpairKeepsWhatDivisionLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n, rate = 700, 7e9
		d := impair(t, link.Impairment{}, link.Impairment{Rate: rate, Delay: time.Second})
		d.fake.arrive(testFrames(0, n)...)
		time.Sleep(2 * time.Second)
		last := d.near.all()[n-1]
		if want := time.Second + n*64*8*time.Second/rate; last.at != want {
			t.Errorf("%d frames at %g bits a second took until %v, want %v", n, float64(rate), last.at, want)
		}
	})
}

func TestImpairBeginsAnewAfterAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := impair(t, link.Impairment{Rate: 7e9}, link.Impairment{})
		for i := range 20 {
			begun := time.Since(d.far.begun)
			mustWrite(t, d, testFrame(64, uint32(i)))
			time.Sleep(time.Microsecond)
			if took := d.far.all()[i].at - begun; took != 73 { // of 73.14
				t.Errorf("frame %d took %v, want 73ns", i, took)
			}
		}
	})
}

func TestImpairDropsWhatItsQueueHasNoRoomFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := impair(t, link.Impairment{Rate: 1e6, Queue: 2500}, link.Impairment{})
		mustWrite(t, d, frames1250(0, 5)...) // one is sent, another fits
		time.Sleep(5 * time.Millisecond)     // half of the first is left
		mustWrite(t, d, frames1250(5, 2)...) // 1875 and 1250 are too much
		mustWrite(t, d, testFrame(625, 7))   // 1875 and 625 are not
		mustWrite(t, d, testFrame(18, 8))    // now it is full
		time.Sleep(5*time.Millisecond + 1)   // and a nanosecond later not, for
		time.Sleep(time.Second)              //
		mustWrite(t, d, testFrame(1500, 9))  // an idle wire takes all
		mustWrite(t, d, testFrame(1500, 10)) // only one
		time.Sleep(time.Second)
		d.far.mustArrive("10ms 0", "20ms 1", "25ms 7", "1.022000001s 9")
		out, _ := d.Stats()
		mustCount(t, out, link.ImpairStats{Passed: 4, Overflow: 7}, 11)
	})
}

func frames1250(first, n int) (frames []link.Frame) {
	for i := range n {
		frames = append(frames, testFrame(1250, uint32(first+i)))
	}
	return frames
}

func TestImpairQueuesAHundredFramesUnlessTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := impair(t, link.Impairment{Rate: 1e6}, link.Impairment{})
		for i := range 150 {
			mustWrite(t, d, testFrame(1500, uint32(i)))
		}
		out, _ := d.Stats()
		mustCount(t, out, link.ImpairStats{Waiting: 100, Overflow: 50}, 150)
	})
}

func TestImpairDelaysInBothDirections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := impair(t, link.Impairment{Delay: 30 * time.Millisecond}, link.Impairment{Delay: 40 * time.Millisecond})
		frames := testFrames(0, 2)
		mustWrite(t, d, frames...)
		d.fake.arrive(frames...)
		clear(frames[0].Head) // the bytes are the caller's again
		time.Sleep(time.Millisecond)
		mustWrite(t, d, testFrame(64, 2))
		time.Sleep(time.Second)
		d.far.mustArrive("30ms 0", "30ms 1", "31ms 2")
		d.near.mustArrive("40ms 0", "40ms 1")
	})
}

// send writes n frames, one a millisecond, and waits until all have arrived.
func send(t *testing.T, i link.Impairment, n int) (*impaired, []arrival) {
	d := impair(t, i, link.Impairment{})
	for i := range n {
		mustWrite(t, d, testFrame(64, uint32(i)))
		time.Sleep(time.Millisecond)
	}
	time.Sleep(time.Minute)
	return d, d.far.all()
}

func TestImpairJitterKeepsTheOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n, delay, jitter = 1000, 20 * time.Millisecond, 10 * time.Millisecond
		d, got := send(t, link.Impairment{Seed: 1, Delay: delay, Jitter: jitter}, n)
		for i, a := range got {
			under := a.at - time.Duration(i)*time.Millisecond
			if int(a.number) != i || under < delay-jitter || under > delay+jitter {
				t.Fatalf("frame %d arrived in place %d after %v", a.number, i, under)
			}
		}
		out, _ := d.Stats()
		mustCount(t, out, link.ImpairStats{Passed: n}, n)
	})
}

func TestImpairJitterReordersIfOvertakingIsAllowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n, delay, jitter = 1000, 20 * time.Millisecond, 10 * time.Millisecond
		d, got := send(t, link.Impairment{Seed: 1, Delay: delay, Jitter: jitter, Overtake: true}, n)
		least, most, overtaking, last := time.Hour, time.Duration(0), 0, time.Duration(0)
		at := make([]time.Duration, n)
		for i, a := range got {
			at[a.number] = a.at
			if i > 0 && a.at < got[i-1].at {
				t.Errorf("frame %d arrived before the one ahead of it", a.number)
			}
		}
		for i, at := range at {
			under := at - time.Duration(i)*time.Millisecond
			least, most = min(least, under), max(most, under)
			if at < last {
				overtaking++
			}
			last = max(last, at)
		}
		if least < delay-jitter || most > delay+jitter || most-least < 2*jitter*99/100 {
			t.Errorf("delays are from %v to %v", least, most)
		}
		out, _ := d.Stats()
		mustCount(t, out, link.ImpairStats{Passed: n, Reordered: uint64(overtaking)}, n)
		if overtaking < n/2 {
			t.Errorf("only %d frames overtook others", overtaking)
		}
	})
}

func TestImpairDelayIsNeverNegative(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		_, got := send(t, link.Impairment{Jitter: 10 * time.Millisecond, Overtake: true}, 1000)
		atOnce := 0
		for _, a := range got {
			if under := a.at - time.Duration(a.number)*time.Millisecond; under == 0 {
				atOnce++
			} else if under < 0 || under > 10*time.Millisecond {
				t.Fatalf("frame %d took %v", a.number, under)
			}
		}
		if atOnce < 450 || atOnce > 550 {
			t.Errorf("%d of 1000 frames had no delay, want half of them", atOnce)
		}
	})
}

func TestImpairReorderedFramesArriveBeforeThoseUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := impair(t, link.Impairment{Delay: 10 * time.Millisecond}, link.Impairment{})
		mustWrite(t, d, testFrames(0, 2)...)
		d.Set(link.Impairment{Delay: 10 * time.Millisecond, Reorder: 1}, link.Impairment{})
		time.Sleep(time.Millisecond)
		mustWrite(t, d, testFrames(2, 2)...)
		d.Set(link.Impairment{Delay: 2 * time.Millisecond}, link.Impairment{})
		mustWrite(t, d, testFrame(64, 4)) // waits for 0 and 1: nobody said that it may overtake
		time.Sleep(time.Second)
		d.far.mustArrive("1ms 2", "1ms 3", "10ms 0", "10ms 1", "10ms 4")
		out, _ := d.Stats()
		mustCount(t, out, link.ImpairStats{Passed: 5, Reordered: 2}, 5)
	})
}

func TestImpairWakesEarlierForAFrameThatOvertakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := impair(t, link.Impairment{Delay: 10 * time.Millisecond}, link.Impairment{})
		mustWrite(t, d, testFrame(64, 0))
		d.Set(link.Impairment{Delay: 2 * time.Millisecond, Overtake: true}, link.Impairment{})
		mustWrite(t, d, testFrame(64, 1))
		time.Sleep(time.Second)
		d.far.mustArrive("2ms 1", "10ms 0")
	})
}

func TestImpairBurstsAreAsLongAsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 100_000
		d := impair(t, link.Impairment{Seed: 1, Burst: link.Burst{Enter: 0.01, Leave: 0.2}}, link.Impairment{})
		mustWrite(t, d, testFrames(0, n)...)
		bursts, lost, next := 0, 0, uint32(0)
		for _, a := range d.far.all() {
			if a.number != next {
				bursts++
				lost += int(a.number - next)
			}
			next = a.number + 1
		}
		// 1/0.01 + 1/0.2 frames are from one burst to the next: 952 bursts of 5.
		if bursts != 933 || lost != 4842 {
			t.Errorf("got %d bursts of %d frames together", bursts, lost)
		}
	})
}

func TestImpairSameSeedMeansSameFaults(t *testing.T) {
	bad := link.Impairment{Loss: 0.1, Burst: link.Burst{Enter: 0.01, Leave: 0.3}, Duplicate: 0.1, Reorder: 0.1,
		Rate: 1e6, Queue: 3000, Delay: 5 * time.Millisecond, Jitter: 3 * time.Millisecond, Overtake: true}
	fate := func(seed uint64) (out, in []arrival) {
		synctest.Test(t, func(t *testing.T) {
			bad.Seed = seed
			d := impair(t, bad, bad)
			for i := range 500 {
				mustWrite(t, d, testFrame(64+i%64, uint32(i)))
				d.fake.arrive(testFrame(64+i%64, uint32(i)))
				time.Sleep(time.Duration(i%7) * 200 * time.Microsecond)
			}
			time.Sleep(time.Minute)
			out, in = d.far.all(), d.near.all()
		})
		return out, in
	}
	out1, in1 := fate(1)
	out2, in2 := fate(1)
	if !slices.Equal(out1, out2) || !slices.Equal(in1, in2) {
		t.Error("two runs with one seed differ")
	}
	if slices.Equal(out1, in1) {
		t.Error("both directions have the same faults")
	}
	if out3, _ := fate(2); slices.Equal(out1, out3) {
		t.Error("two seeds have the same faults")
	}
}

func TestImpairSetGoesOnWithChanceUnlessTheSeedIsNew(t *testing.T) {
	numbers := func(set link.Impairment) []uint32 {
		d := impair(t, link.Impairment{Seed: 1, Loss: 0.5}, link.Impairment{})
		mustWrite(t, d, testFrames(0, 100)...)
		d.Set(set, link.Impairment{})
		mustWrite(t, d, testFrames(100, 100)...)
		return d.far.numbers()
	}
	whole := impair(t, link.Impairment{Seed: 1, Loss: 0.5}, link.Impairment{})
	mustWrite(t, whole, testFrames(0, 200)...)
	if got := numbers(link.Impairment{Seed: 1, Loss: 0.5}); !slices.Equal(got, whole.far.numbers()) {
		t.Error("Set with the same seed changed what chance does")
	}
	if got := numbers(link.Impairment{Seed: 2, Loss: 0.5}); slices.Equal(got, whole.far.numbers()) {
		t.Error("Set with another seed did not change what chance does")
	}
}

func TestImpairSetCutsAndMendsTheWire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow, cut := link.Impairment{Delay: 10 * time.Millisecond}, link.Impairment{Loss: 1}
		d := impair(t, slow, slow)
		mustWrite(t, d, testFrame(64, 0))
		d.fake.arrive(testFrame(64, 0))
		d.Set(cut, cut)
		mustWrite(t, d, testFrame(64, 1))
		d.fake.arrive(testFrame(64, 1))
		time.Sleep(time.Millisecond)
		d.Set(link.Impairment{}, link.Impairment{})
		mustWrite(t, d, testFrame(64, 2)) // behind the one that is under way
		d.fake.arrive(testFrame(64, 2))
		time.Sleep(20 * time.Millisecond)
		mustWrite(t, d, testFrame(64, 3))
		d.fake.arrive(testFrame(64, 3))
		want := []string{"10ms 0", "10ms 2", "21ms 3"}
		d.far.mustArrive(want...)
		d.near.mustArrive(want...)
	})
}

func TestImpairSetKeepsTheOrderOfWhatWaitsForASlowWire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := impair(t, link.Impairment{Rate: 1e6}, link.Impairment{})
		mustWrite(t, d, frames1250(0, 2)...)
		d.Set(link.Impairment{Rate: 1e9}, link.Impairment{})
		mustWrite(t, d, testFrame(1250, 2))
		d.Set(link.Impairment{}, link.Impairment{})
		mustWrite(t, d, testFrame(1250, 3))
		time.Sleep(time.Second)
		d.far.mustArrive("10ms 0", "20ms 1", "20.01ms 2", "20.01ms 3")
	})
}

func TestImpairKeepsWhatAFullDeviceDidNotTake(t *testing.T) {
	for _, delay := range []time.Duration{0, time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			// A loss that never happens: the wire is not perfect.
			d := impair(t, link.Impairment{Delay: delay, Loss: 1e-300}, link.Impairment{})
			d.fake.room = 2
			mustWrite(t, d, testFrames(0, 5)...)
			time.Sleep(10 * time.Millisecond)
			if n, err := d.Write(testFrames(5, 2)); n != 0 || err != nil {
				t.Errorf("Write took %d frames, error %v, while the device is full", n, err)
			}
			if got := d.far.numbers(); !slices.Equal(got, []uint32{0, 1}) {
				t.Errorf("a device that takes two frames got %v", got)
			}
			d.fake.allow(1)
			if len(d.roomMade) != 0 {
				t.Error("Room was called while the device is full")
			}
			d.fake.allow(-1)
			if len(d.roomMade) != 1 {
				t.Errorf("Room was called %d times, want 1", len(d.roomMade))
			}
			mustWrite(t, d, testFrames(5, 2)...)
			time.Sleep(10 * time.Millisecond)
			if got := d.far.numbers(); !slices.Equal(got, []uint32{0, 1, 2, 3, 4, 5, 6}) {
				t.Errorf("the device got %v, want all in their order", got)
			}
			out, _ := d.Stats()
			mustCount(t, out, link.ImpairStats{Passed: 7}, 7)
		})
	}
}

func TestImpairPerfectWireTellsHowMuchTheDeviceTook(t *testing.T) {
	d := impair(t, link.Impairment{}, link.Impairment{})
	d.fake.room = 2
	if n, err := d.Write(testFrames(0, 5)); n != 2 || err != nil {
		t.Errorf("Write took %d frames, error %v, want 2", n, err)
	}
	d.fake.allow(-1)
	if len(d.roomMade) != 1 {
		t.Errorf("Room was called %d times, want 1", len(d.roomMade))
	}
}

// A writer waits for a full device, and then the wire becomes bad and another one
// fills what is under way.
func TestImpairPassesRoomOnToThoseWhoWaitedBefore(t *testing.T) {
	d := impair(t, link.Impairment{}, link.Impairment{})
	d.fake.room = 0
	if n, err := d.Write(testFrames(0, 5)); n != 0 || err != nil {
		t.Errorf("Write took %d frames, error %v, want none", n, err)
	}
	d.Set(link.Impairment{Loss: 1e-300}, link.Impairment{})
	mustWrite(t, d, testFrames(0, 5)...)
	d.fake.allow(-1)
	if len(d.roomMade) != 1 {
		t.Errorf("Room was called %d times, want 1", len(d.roomMade))
	}
}

// A device may have room again before Write has said that there was none.
func TestImpairHearsRoomThatCameEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 500 // more than one goroutine has patience for
		far := newHearer(t)
		fake := newFake(nil)
		fake.receive = func(f []link.Frame) {
			far.receive(f)
			fake.allow(1)
		}
		fake.room = 1
		d := link.Impair(fake, link.Impairment{Loss: 1e-300}, link.Impairment{})
		defer d.Close()
		d.Attach(link.Handler{Receive: ignore})
		mustWrite(t, d, testFrames(0, n)...)
		time.Sleep(time.Second)
		for i, number := range far.numbers() {
			if int(number) != i {
				t.Fatalf("frame %d arrived in place %d", number, i)
			}
		}
		if got := len(far.all()); got != n {
			t.Errorf("the device got %d frames, want %d", got, n)
		}
	})
}

func TestImpairFreesWhatHasArrived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := impair(t, link.Impairment{Delay: time.Millisecond, Corrupt: 0.1}, link.Impairment{})
		frames := frames1250(0, 1000)
		for range 100 { // 200 MiB together
			mustWrite(t, d, frames...)
			time.Sleep(2 * time.Millisecond)
		}
	})
}

func TestImpairBoundsWhatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const size, most = 2 << 10, 64 << 20 // what a frame of full length takes, and all
		late := link.Impairment{Delay: time.Second}
		d := impair(t, late, late)
		frames := make([]link.Frame, most/size+10)
		for i := range frames {
			frames[i] = testFrame(1500, uint32(i))
		}
		if n, err := d.Write(frames); n != most/size || err != nil {
			t.Errorf("Write took %d frames, error %v, want %d", n, err, most/size)
		}
		d.fake.arrive(frames...)
		time.Sleep(2 * time.Second)
		if len(d.roomMade) != 1 {
			t.Errorf("Room was called %d times, want 1", len(d.roomMade))
		}
		out, in := d.Stats()
		mustCount(t, out, link.ImpairStats{Passed: most / size}, most/size)
		mustCount(t, in, link.ImpairStats{Passed: most / size, Overflow: 10}, most/size+10)
	})
}

func TestImpairCloseDiscardsWhatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		late := link.Impairment{Delay: time.Second}
		d := impair(t, late, late)
		mustWrite(t, d, testFrames(0, 3)...)
		d.fake.arrive(testFrames(0, 4)...)
		if err := d.Close(); err != nil || !d.fake.closed {
			t.Errorf("Close: error %v, and the device is closed: %v", err, d.fake.closed)
		}
		time.Sleep(time.Minute)
		d.far.mustArrive()
		d.near.mustArrive()
		out, in := d.Stats()
		mustCount(t, out, link.ImpairStats{Discarded: 3}, 3)
		mustCount(t, in, link.ImpairStats{Discarded: 4}, 4)
		if n, err := d.Write(testFrames(0, 1)); n != 0 || err != net.ErrClosed {
			t.Errorf("Write after Close took %d frames, error %v", n, err)
		}
		if err := d.Close(); err != nil {
			t.Errorf("a second Close: %v", err)
		}
	})
}

func TestImpairCloseWaitsForReceive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(ignore)
		d := link.Impair(fake, link.Impairment{}, link.Impairment{Delay: time.Second})
		finish, finished, closed := make(chan struct{}), false, make(chan struct{})
		d.Attach(link.Handler{Receive: func([]link.Frame) {
			<-finish
			finished = true
		}})
		fake.arrive(testFrames(0, 1)...)
		time.Sleep(time.Second)
		synctest.Wait()
		go func() {
			d.Close()
			if !finished {
				t.Error("Close returned while Receive was running")
			}
			close(closed)
		}()
		synctest.Wait()
		close(finish)
		<-closed
	})
}

func TestImpairNoticesThatTheDeviceWasClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := impair(t, link.Impairment{Delay: time.Second}, link.Impairment{})
		mustWrite(t, d, testFrames(0, 2)...)
		d.fake.Close()
		time.Sleep(time.Minute)
		if n, err := d.Write(testFrames(0, 1)); n != 0 || !errors.Is(err, net.ErrClosed) {
			t.Errorf("Write took %d frames, error %v", n, err)
		}
		out, _ := d.Stats()
		mustCount(t, out, link.ImpairStats{Discarded: 2}, 2)
	})
}

// Two machines that answer each other from within Receive.
func TestImpairLetsHandlersWrite(t *testing.T) {
	for _, i := range []link.Impairment{{}, {Loss: 1e-300}, {Delay: time.Millisecond}, {Rate: 1e6}} {
		synctest.Test(t, func(t *testing.T) {
			const n = 2000
			a, b := newCable(t, link.CableConfig{})
			d := link.Impair(a, i, i)
			defer d.Close()
			var count atomic.Int64
			answer := func(to link.Device) link.Handler {
				return link.Handler{Receive: func(frames []link.Frame) {
					if count.Add(1) < n {
						mustWrite(t, to, frames...)
					}
				}}
			}
			d.Attach(answer(d))
			b.Attach(answer(b))
			mustWrite(t, d, testFrame(64, 0))
			time.Sleep(time.Minute)
			if got := count.Load(); got != n {
				t.Errorf("the machines heard %d frames, want %d", got, n)
			}
		})
	}
}

func TestImpairForwardsDown(t *testing.T) {
	a, b := newCable(t, link.CableConfig{})
	d := link.Impair(a, link.Impairment{Delay: 1}, link.Impairment{})
	defer d.Close()
	var down error
	d.Attach(link.Handler{Receive: ignore, Down: func(err error) { down = err }})
	b.Close()
	if down != link.ErrUnplugged {
		t.Errorf("Down was called with %v", down)
	}
}
