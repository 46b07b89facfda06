package tcp

import (
	"encoding/binary"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"landline/wire"
)

// A script is bytes that say what happens to a connection.
type script []byte

func (s *script) byte() int {
	if len(*s) == 0 {
		return 0
	}
	b := (*s)[0]
	*s = (*s)[1:]
	return int(b)
}

func (s *script) short() int { return s.byte()<<8 | s.byte() }

// A fuzzer that starts from nothing needs hours to get anywhere; chance does not.
func TestRandomSegmentsBreakNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for i := range 3000 {
		b := make([]byte, r.IntN(3000))
		for j := range b {
			b[j] = byte(r.Uint32())
		}
		if i%2 == 0 { // a third of bytes that choose the likely
			for j := range b {
				b[j] &= byte(r.Uint32())
			}
		}
		if runScript(t, b); t.Failed() {
			t.Fatalf("script %d", i)
		}
	}
}

func runScript(t *testing.T, b []byte) {
	s := script(b)
	d := newDialogue(t)
	c := config{noRACK: s.byte()&1 != 0, noSACK: s.byte()&3 == 3, reno: s.byte()&1 != 0, recvMax: 1 << 16, sendMax: 1 << 16, bufferInit: 8192}
	if s.byte()&1 != 0 {
		c.maxUnit = 8192
	}
	if s.byte()&1 == 0 {
		d.tcb = connect(d.config(c), d.now, d.endpoint())
	} else {
		d.tcb = accept(d.config(c), d.now, d.endpoint(), d.parse("S seq 0 mss 1000 wscale 7 sackok ts 1 0"))
	}
	d.pump()
	if s.byte()&3 != 0 {
		d.in("S. seq 0 ack 1 mss 300 wscale 3 sackok ts 1 60000")
		d.in(". seq 1 ack 1 ts 1 60000")
	}
	for steps := 0; len(s) > 0 && steps < 300; steps++ {
		d.random(&s)
		d.pump()
		d.forget()
	}
	d.settleDown()
}

// random does one thing that the script says.
func (d *dialogue) random(s *script) {
	switch what := s.byte() % 16; what {
	case 0:
		d.tcb.write(make([]byte, s.short()%20000))
	case 1:
		d.tcb.read(make([]byte, s.short()%20000))
	case 2:
		d.tcb.closeWrite()
	case 3:
		if s.byte()%4 == 0 {
			d.tcb.closeBoth(d.tcb.cfg.at(d.now))
		}
	case 4:
		d.now = d.now.Add(time.Duration(s.short()) * time.Millisecond)
		d.tcb.expire(d.now)
	case 5:
		if at := d.tcb.nextTimeout(); !at.IsZero() {
			d.now = later2(d.now, at)
			d.tcb.expire(d.now)
		}
	case 6:
		d.tcb.icmp(d.tcb.snd.una.Add(s.byte()-1), syscall.ECONNREFUSED, s.byte()&1 != 0)
	case 7:
		d.tcb.pathMTU(d.tcb.snd.una.Add(s.byte()-1), uint16(s.short()))
	case 8:
		switch s.byte() % 8 {
		case 0:
			d.tcb.closeRead()
		case 1:
			d.tcb.setNoDelay(s.byte()&1 != 0)
		case 2:
			d.tcb.setBuffers(s.short(), s.short())
		case 3:
			d.tcb.setKeepAlive(askOften)
		case 4:
			d.tcb.hold()
			d.tcb.arrive(d.now, d.randomSegment(s))
			d.pump()
			d.tcb.release()
		case 5:
			d.tcb.setUserTimeout(time.Duration(s.short()) * time.Millisecond)
		case 6:
			b := make([]byte, s.short()%20000)
			d.tcb.borrow(b)
			d.pump()
			d.tcb.hold()
			d.tcb.arrive(d.now, d.randomSegment(s))
			d.pump()
			d.tcb.release()
			d.tcb.giveBack()
		case 7:
			if d.tcb.readable() == 0 {
				d.tcb.receiveInto(make([]byte, 1+s.short()%20000))
				d.tcb.arrive(d.now, d.randomSegment(s))
				d.tcb.endReceiveInto()
			}
		}
	default:
		d.tcb.arrive(d.now, d.randomSegment(s))
	}
}

// randomSegment makes a segment whose numbers are likely to be near the right ones.
func (d *dialogue) randomSegment(s *script) *segment {
	t := d.tcb
	near := func(at wire.Seq) wire.Seq {
		switch s.byte() % 8 {
		case 0:
			return at.Add(s.short() - 1<<15)
		case 1:
			return at.Add(s.byte() - 128)
		case 2:
			return at.Add(int(int32(binary.BigEndian.Uint32([]byte{byte(s.byte()), byte(s.byte()), 0, 0}))))
		case 3:
			return at.Add(1)
		}
		return at
	}
	g := &segment{seq: near(t.rcv.nxt), flags: wire.FlagACK, wnd: uint16(s.short())}
	if s.byte()%8 == 0 {
		g.flags = wire.TCPFlags(s.byte())
	} else if s.byte()%16 == 0 {
		g.flags |= wire.FlagFIN
	}
	g.ack = near([]wire.Seq{t.snd.una, t.snd.nxt, t.snd.una.Add(t.flown() / 2)}[s.byte()%3])
	g.data = make([]byte, []int{0, 1, 100, 1460, s.short()}[s.byte()%5])
	if s.byte()%4 != 0 {
		g.opt.HasTimestamps = true
		g.opt.TSVal = t.stampRecent + uint32(s.byte()%4) - 1
		g.opt.TSEcr = t.stamp(t.cfg.at(d.now)) - uint32(s.byte())
	}
	if s.byte()%3 == 0 {
		g.opt.SACKCount = s.byte() % 5
		for i := range g.opt.SACKBlocks() {
			start := near(t.snd.una.Add(s.short() % (t.flown() + 1)))
			g.opt.SACK[i] = wire.SACKBlock{Start: start, End: start.Add(s.short() % 3000)}
		}
	}
	return g
}

// settleDown lets the timers run: whatever waits for an answer that does not come ends.
func (d *dialogue) settleDown() {
	d.Helper()
	d.tcb.setKeepAlive(nil)
	d.tcb.closeBoth(d.tcb.cfg.at(d.now))
	d.pump()
	for range 10_000 {
		at := d.tcb.nextTimeout()
		if at.IsZero() {
			break
		}
		d.now = later2(d.now, at)
		d.tcb.expire(d.now)
		d.pump()
	}
	d.forget()
	d.state(closed, "nobody answers any more")
}

// FuzzSegments lets anything happen to a connection, in any state, in any order:
// segments near the numbers that matter and far from them, the user's wishes, and time.
// Nothing panics, what must always hold does, and whatever is due is done.
func FuzzSegments(f *testing.F) {
	f.Add([]byte{0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9})
	f.Add([]byte{1, 7, 0, 16, 1, 1, 0, 0, 2, 200, 3, 7, 0, 16, 0, 5, 4, 1, 6, 9, 8, 0, 0})
	f.Fuzz(runScript)
}
