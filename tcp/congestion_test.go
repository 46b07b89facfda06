package tcp

import (
	"testing"
	"time"
)

// roundTrips lets round trips of 100 ms pass, in which all that was sent is acknowledged, two segments at a time, and there is
// always more to send. It returns how many segments the congestion window had at the beginning of each.
func (d *dialogue) roundTrips(n int) (windows []uint32) {
	d.Helper()
	for range n {
		windows = append(windows, d.tcb.cc.cwnd/1000)
		d.tcb.write(make([]byte, d.tcb.writable()))
		d.pump()
		d.wait(100 * time.Millisecond)
		for last := d.tcb.snd.nxt; d.tcb.snd.una != last; {
			d.in(". seq 1 ack " + itoa(int(d.tcb.snd.una.Add(min(2000, last.Since(d.tcb.snd.una))).Uint32()-d.iss)))
		}
		d.forget()
	}
	return windows
}

// busy makes a connection whose segments have 1000 bytes and whose user has always something to send.
func busy(t *testing.T, c config) *dialogue {
	t.Helper()
	c.sendMax, c.bufferInit, c.recvMax, c.noScale = 1<<20, 1<<20, 1<<20, false
	return slowly(t, c, "mss 1000 wscale 14")
}

func (d *dialogue) windows(what string, got []uint32, want ...uint32) {
	d.Helper()
	for k := range want {
		if got[k] != want[k] {
			d.Fatalf("%s: windows of %d segments, want %d", what, got, want)
		}
	}
}

// "A TCP endpoint MUST implement the basic congestion control algorithms slow start, congestion avoidance, and exponential backoff
// of RTO" (RFC 9293, Section 3.8.2, MUST-19). Slow start doubles the window in a round trip; congestion avoidance adds a
// segment to it (RFC 5681, Section 3.1).
func TestSlowStartDoublesAndAvoidanceAddsASegment(t *testing.T) {
	d := busy(t, plainConfig())
	d.windows("slow start", d.roundTrips(4), 10, 20, 40, 80)
	d.tcb.cc.ssthresh = d.tcb.cc.cwnd
	d.windows("congestion avoidance", d.roundTrips(5), 160, 161, 162, 163, 164)
}

// CUBIC comes back to the window of the last loss in K seconds, slowly when it is near, and then goes beyond it (RFC
// 9438, Section 4.2, Figure 1).
func TestCubicComesBackToWhereItWas(t *testing.T) {
	c := plainConfig()
	c.reno = false
	d := busy(t, c)
	d.roundTrips(5)
	cwnd := float64(d.tcb.cc.cwnd) / 1000
	d.tcb.cc.limited = true
	d.tcb.cc.ssthresh = d.tcb.cc.reduce(d.tcb, d.tcb.cfg.at(d.now))
	d.tcb.cc.cwnd = d.tcb.cc.ssthresh
	k := d.tcb.cc.cubic
	got := d.roundTrips(150)
	d.equal("beta", got[0], uint32(cwnd*0.7))
	if k.k < 4 || k.k > 8 {
		t.Fatalf("K is %v s for a window of %v segments", k.k, cwnd)
	}
	there := int(k.k * 10) // in round trips
	if at := float64(got[there]); at < cwnd*0.98 || at > cwnd*1.02 {
		t.Errorf("after K: %v segments, and it had %v", at, cwnd)
	}
	early, near, beyond := got[there/4]-got[0], got[there]-got[there*3/4], got[there*2]-got[there]
	if !(early > 5*near && beyond > 5*near) {
		t.Errorf("it grew by %d, by %d near to it, and by %d beyond it", early, near, beyond)
	}
}
