package tcp

import (
	"testing"
	"time"
)

// RFC 6298, Section 2, by hand: R = 100 ms, then 180, then 60.
func TestRoundTripIsSmoothed(t *testing.T) {
	ms := time.Millisecond
	var r roundTrip
	for _, c := range []struct{ rtt, srtt, rttvar time.Duration }{
		{100 * ms, 100 * ms, 50 * ms},
		{180 * ms, 110 * ms, 57500 * time.Microsecond},
		{60 * ms, 103750 * time.Microsecond, 55625 * time.Microsecond},
	} {
		r.sample(c.rtt, 1)
		if r.srtt != c.srtt || r.rttvar != c.rttvar {
			t.Errorf("after %v: %v, %v, want %v, %v", c.rtt, r.srtt, r.rttvar, c.srtt, c.rttvar)
		}
	}
	if r.min != 60*ms {
		t.Errorf("least %v", r.min)
	}
	r.sample(90*ms, instant(minRTTWindow)+2)
	if r.min != 90*ms {
		t.Errorf("least, after a while, %v", r.min)
	}
}

// slowly makes a connection whose round trip is known to be 100 ms.
func slowly(t *testing.T, c config, options string) *dialogue {
	t.Helper()
	d := dial(t, c)
	d.forget()
	d.wait(100 * time.Millisecond)
	d.in("S. seq 0 ack 1 " + options)
	d.forget()
	d.tcb.quick = 0
	return d
}

func TestTimerExpiresAndDoubles(t *testing.T) {
	d := slowly(t, plainConfig(), "mss 1000")
	d.equal("RTO", d.tcb.rto(), 300*time.Millisecond) // 100 + 4*50
	d.write(3000)
	d.forget()
	for _, ms := range []time.Duration{300, 600, 1200, 2400} { // five would be a black hole
		d.quiet(ms*time.Millisecond, "RTO, doubled each time (Section 5.5)")
		d.out(". seq 1 ack 1 len 1000", "\"Retransmit the earliest segment\" (Section 5.4)")
		d.silent("and it alone: the window is one segment (RFC 5681, Section 3.1)")
	}
	d.equal("ssthresh", d.tcb.cc.ssthresh, uint32(2000))
	d.in(". seq 1 ack 1001")
	d.out(". seq 1001 ack 1 len 1000", "slow start")
	d.out("P. seq 2001 ack 1 len 1000", "two segments for the one that arrived")
	d.equal("RTO", d.tcb.rto(), 300*time.Millisecond)
	d.in(". seq 1 ack 3001")
	d.equal("timer", d.tcb.retransmit, instant(0)) // Section 5.2
	d.equal("mode", d.tcb.mode(), steady)
}

// Karn: "RTT samples MUST NOT be made using segments that were retransmitted".
func TestRetransmittedSegmentsAreNotTimed(t *testing.T) {
	d := slowly(t, plainConfig(), "mss 1000")
	d.write(1000)
	d.wait(400 * time.Millisecond)
	d.in(". seq 1 ack 1001")
	d.equal("round trip", d.tcb.rtt.srtt, 100*time.Millisecond)
}

func TestTimestampsTimeRetransmissionsToo(t *testing.T) {
	d := slowly(t, config{noRACK: true, noUndo: true}, "mss 1000 wscale 7 sackok ts 7 60000")
	d.write(900)
	d.out("P. seq 1 len 900 ts 60100 7", "")
	d.wait(300 * time.Millisecond)
	d.out("P. seq 1 len 900 ts 60400 7", "sent again")
	d.wait(60 * time.Millisecond)
	d.in(". seq 1 ack 901 ts 8 60400")
	d.equal("round trip", d.tcb.rtt.srtt, 95*time.Millisecond) // 7/8*100 + 1/8*60
}

// Section 5.3: "When an ACK is received that acknowledges new data, restart".
func TestACKRestartsTheTimer(t *testing.T) {
	d := slowly(t, plainConfig(), "mss 1000")
	d.write(2000)
	d.wait(100 * time.Millisecond)
	d.in(". seq 1 ack 1001")
	d.forget()
	d.quiet(d.tcb.rto(), "from the acknowledgment on")
	d.out("P. seq 1001 ack 1 len 1000", "")
}

func TestDataIsGivenUpAfterR2(t *testing.T) {
	d := slowly(t, plainConfig(), "mss 1000")
	d.write(1000)
	d.wait(3 * time.Second)
	d.equal("R1", d.tcb.takeDoubt(), true) // MUST-20: negative advice to the IP layer
	d.equal("once", d.tcb.takeDoubt(), false)
	d.wait(13 * time.Minute)
	d.state(established, "R2 is 15 minutes, \"at least 100 seconds\" (SHLD-11)")
	d.wait(4 * time.Minute)
	d.ended(errTimeout, "")
}

func TestUserTimeoutIsObeyed(t *testing.T) {
	d := slowly(t, plainConfig(), "mss 1000")
	d.tcb.setUserTimeout(5 * time.Second)
	d.write(1000)
	d.wait(4 * time.Second)
	d.in(". seq 1 ack 501")
	d.wait(4 * time.Second)
	d.state(established, "something was acknowledged in between")
	d.wait(4 * time.Second)
	d.ended(errTimeout, "MUST-21: \"an application MUST be able to set the value for R2\"")
}

func TestNothingGrowsForEver(t *testing.T) {
	d := slowly(t, plainConfig(), "mss 1000")
	d.tcb.setUserTimeout(1000 * time.Hour)
	d.write(1000)
	d.wait(100 * time.Hour)
	d.equal("RTO", d.tcb.rto(), 2*time.Minute)
}

// The timer is for what the network may have lost.
func TestTimerDoesNotTakeForLostWhatHasNotLeft(t *testing.T) {
	d := establishedPlain(t)
	d.write(3000)
	d.out(". seq 1 ack 1 len 1000", "the first of three")
	d.out(". seq 1001 ack 1 len 1000", "")
	d.out("P. seq 2001 ack 1 len 1000", "")
	cwnd := d.tcb.cc.cwnd
	d.tcb.hold()
	d.wait(10 * time.Second)
	d.silent("the shell has not got rid of them")
	d.equal("congestion window", d.tcb.cc.cwnd, cwnd)
	d.tcb.release()
	d.wait(2 * time.Second)
	d.out(". seq 1 ack 1 len 1000", "\"Retransmit the earliest segment that has not been acknowledged\" (RFC 6298, Section 5.4)")
}
