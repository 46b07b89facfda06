package tcp

import (
	"fmt"
	"testing"
	"time"
)

// check holds that both sides have all of what the other wrote, and ended well.
func (s *sim) check() error {
	for i, e := range s.ends {
		switch {
		case e.t.err != 0:
			return fmt.Errorf("end %d: %w", i, e.t.err)
		case e.t.state != closed:
			return fmt.Errorf("end %d: stuck in %v: read %d of %d, written %d of %d, %d on its way, wnd %d, cwnd %d", i, e.t.state,
				e.read, e.other.toWrite, e.written, e.toWrite, e.t.flown(), e.t.snd.wnd, e.t.cc.cwnd)
		case e.read != e.other.toWrite:
			return fmt.Errorf("end %d: read %d of %d", i, e.read, e.other.toWrite)
		}
	}
	return nil
}

func TestStreamArrivesWholeOnAGoodWire(t *testing.T) {
	s := newSim(1, config{}, config{}, simWire{delay: time.Millisecond})
	s.ends[0].toWrite, s.ends[1].toWrite = 3<<20, 1<<20
	if err := s.run(time.Hour); err != nil {
		t.Fatal(err)
	}
	if err := s.check(); err != nil {
		t.Fatal(err)
	}
	t.Log(s.ends[0].sent, s.ends[1].sent, s.now.Sub(simStart.Add(time.Hour)))
}

// randomSim makes a connection of which everything is left to chance.
func randomSim(seed uint64) *sim {
	s := newSim(seed, config{}, config{}, simWire{})
	r := s.rnd
	chance := func(n int) bool { return r.IntN(n) == 0 }
	options := func() config {
		c := config{
			sendMax: 1 << (12 + r.IntN(8)), recvMax: 1 << (12 + r.IntN(8)),
			noTimestamps: chance(3), noSACK: chance(3), noScale: chance(4), noRACK: chance(3),
			prr: chance(3), noUndo: chance(3), noHyStart: chance(3), reno: chance(3),
			giveUp: 1000 * time.Hour, giveUpSYN: 1000 * time.Hour,
		}
		if chance(2) {
			c.maxUnit = 1 << (12 + r.IntN(5))
		}
		c.epoch = simStart
		return c
	}
	w := simWire{
		delay: time.Duration(r.IntN(100)) * time.Millisecond, loss: float64(r.IntN(30)) / 100,
		double: float64(r.IntN(20)) / 100, reorder: float64(r.IntN(50)) / 100,
		late: 1 + time.Duration(r.IntN(200))*time.Millisecond,
	}
	if chance(3) {
		w.rate, w.queue = int64(20_000+r.IntN(1_000_000)), 10_000+r.IntN(100_000)
	}
	a, b := s.ends[0], s.ends[1]
	a.wire, b.wire = w, w
	a.toWrite, b.toWrite = int64(r.IntN(200_000)), int64(r.IntN(50_000))
	a.t = connect(options().filled(), s.now, s.endpoint())
	b.t.cfg = options().filled()
	if chance(3) {
		// A program that does not read for a while: the window shuts.
		until := s.now.Add(time.Duration(r.IntN(60)) * time.Second)
		b.stop = func() bool { return s.now.Before(until) }
		s.after(until.Sub(s.now), func() { s.turn(b) })
	}
	a.t.noDelay, b.t.noDelay = chance(2), chance(2)
	a.lends, b.lends = chance(3), chance(3)
	a.large, b.large = chance(2), chance(2)
	return s
}

func runRandom(seed uint64) error {
	s := randomSim(seed)
	if err := s.run(1000 * time.Hour); err != nil {
		return err
	}
	return s.check()
}

func TestNothingIsLostDoubledSwappedOrStuck(t *testing.T) {
	seeds := 10_000
	if testing.Short() || raceEnabled {
		seeds = 500
	}
	for seed := range uint64(seeds) {
		if err := runRandom(seed); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}
