package tcp

import (
	"testing"
	"time"
)

// The window that the peer tells.

func TestSendsNoMoreThanTheWindow(t *testing.T) {
	d := establishedPlain(t)
	d.in(". seq 1 ack 1 win 2500")
	d.write(4000)
	d.out(". seq 1 ack 1 len 1000", "a full segment")
	d.out(". seq 1001 ack 1 len 1000", "another")
	d.silent("the 500 bytes that are left of the window are too few: the sender is not silly (MUST-38)")
	d.in(". seq 1 ack 1001 win 2500")
	d.out(". seq 2001 ack 1 len 1000", "the window moved by a segment")
	d.in(". seq 1 ack 3001 win 2500")
	d.out("P. seq 3001 ack 1 len 1000", "PSH is on the last segment (MUST-61)")
}

// "The window size MUST be treated as an unsigned number" (MUST-1), and is best kept in 32 bits (REC-1).
func TestWindowsAreUnsigned(t *testing.T) {
	d := establishedWith(t, config{noTimestamps: true}, "mss 1000 wscale 14 win 32768")
	d.equal("of a SYN", d.tcb.snd.wnd, uint32(32768))
	d.in(". seq 1 ack 1 win 65535")
	d.equal("the greatest", d.tcb.snd.wnd, uint32(65535<<14))
	d.equal("usable", d.tcb.usable(), 65535<<14)
	d.write(1000)
	d.out("P. seq 1 ack 1 len 1000", "there is room")
}

// "SND.WL1 < SEG.SEQ or (SND.WL1 = SEG.SEQ and SND.WL2 =< SEG.ACK)".
func TestOldSegmentsDoNotMoveTheWindow(t *testing.T) {
	d := establishedPlain(t)
	d.write(2000)
	d.forget()
	d.in(". seq 1 ack 2001 win 5000")
	d.equal("newest", d.tcb.snd.wnd, uint32(5000))
	d.in(". seq 1 ack 1001 win 100")
	d.equal("an older acknowledgment", d.tcb.snd.wnd, uint32(5000))
	d.in("P. seq 1 ack 2001 win 6000 len 10")
	d.equal("the same numbers", d.tcb.snd.wnd, uint32(6000))
	d.in(". seq 11 ack 2001 win 7000")
	d.equal("a later segment", d.tcb.snd.wnd, uint32(7000))
	d.in("P. seq 111 ack 2001 win 8000 len 10")
	d.in("P. seq 11 ack 2001 win 1 len 100")
	d.equal("an older segment, that a later one overtook", d.tcb.snd.wnd, uint32(8000))
}

// Who was told that there is no room, though there had been, numbers what it says from the edge: that is not old.
func TestShutWindowIsHeardFromTheEdge(t *testing.T) {
	d := establishedPlain(t)
	d.in(". seq 1001 ack 1 win 5000") // behind text that got lost, or was thrown away
	d.in(". seq 1 ack 1 win 4000")
	d.equal("an older segment", d.tcb.snd.wnd, uint32(5000))
	d.in(". seq 1 ack 1 win 0")
	d.equal("shut", d.tcb.snd.wnd, uint32(0))
	d.in(". seq 1001 ack 1 win 0")
	d.in(". seq 1 ack 1 win 6000")
	d.equal("open again", d.tcb.snd.wnd, uint32(6000))
}

// "A TCP receiver SHOULD NOT shrink the window ... However, a sending TCP peer MUST be
// robust against window shrinking, which may cause the 'usable window' to become
// negative" (RFC 9293, Section 3.8.6, SHLD-14, MUST-34).
func TestSenderSurvivesAShrunkWindow(t *testing.T) {
	d := establishedPlain(t)
	d.write(5000)
	d.forget()
	d.in(". seq 1 ack 1001 win 1500")
	d.equal("usable window", d.tcb.usable(), -2500)
	d.write(1000)
	d.silent("\"SHOULD NOT send new data\" (SHLD-15)")
	d.in("P. seq 1 ack 1001 win 1500 len 10")
	d.wait(40 * time.Millisecond)
	d.out(". seq 2501 ack 11", "an acknowledgment has a number that the peer takes")
	d.wait(time.Second)
	d.out(". seq 1001 ack 11 len 1000", "\"SHOULD retransmit normally the old unacknowledged data between SND.UNA and SND.UNA+SND.WND\" (SHLD-16)")
	d.state(established, "\"SHOULD NOT time out the connection\" (SHLD-17)")
	d.in(". seq 11 ack 5001 win 60000")
	d.forget()
	d.equal("all is well", d.tcb.snd.wnd, uint32(60000))
}

// "A TCP implementation MUST support probing of zero windows" (MUST-36 of 3.8.6.1), with a
// byte: "only that must be answered".
func TestZeroWindowIsProbedWithAByte(t *testing.T) {
	d := establishedPlain(t)
	d.in(". seq 1 ack 1 win 0")
	d.write(3000)
	d.silent("there is no room")
	rto := d.tcb.rto()
	for _, factor := range []time.Duration{1, 2, 4, 8} {
		d.quiet(factor*rto, "\"SHOULD increase exponentially\" (SHLD-30), from the first at RTO (SHLD-29)")
		d.out(". seq 1 ack 1 len 1", "a probe carries one byte")
		d.in(". seq 1 ack 1 win 0")
	}
	d.equal("window of the network", d.tcb.cc.cwnd, d.tcb.cc.initial(d.tcb))
	d.in(". seq 1 ack 1 win 65535")
	d.out(". seq 1 ack 1 len 1", "the byte was thrown away, and goes again")
	d.out(". seq 2 ack 1 len 1000", "and the rest with it")
	d.out(". seq 1002 ack 1 len 1000", "")
	d.in(". seq 1 ack 2 win 65535")
	d.out("P. seq 2002 ack 1 len 999", "now that the small one is acknowledged")
}

func TestProbeThatIsTakenCounts(t *testing.T) {
	d := establishedPlain(t)
	d.in(". seq 1 ack 1 win 0")
	d.write(3000)
	d.wait(d.tcb.rto())
	d.out(". seq 1 ack 1 len 1", "a probe")
	d.in(". seq 1 ack 2 win 0")
	d.silent("the byte was taken, and there is no room for more")
	d.wait(d.tcb.rto())
	d.out(". seq 2 ack 1 len 1", "the next probe has the next byte")
	d.in(". seq 1 ack 3 win 2000")
	d.out(". seq 3 ack 1 len 1000", "the window has opened")
	d.out(". seq 1003 ack 1 len 1000", "so far")
}

// "As long as the receiving TCP peer continues to send acknowledgments in response to the
// probe segments, the sending TCP peer MUST allow the connection to stay open" (RFC 9293,
// Section 3.8.6.1, MUST-37).
func TestPeerWithAShutWindowLivesWhileItAnswers(t *testing.T) {
	d := establishedPlain(t)
	d.in(". seq 1 ack 1 win 0")
	d.wait(3 * time.Hour)
	d.write(10)
	for range 100 {
		d.wait(2 * time.Minute)
		d.forget()
		d.in(". seq 1 ack 1 win 0")
	}
	d.state(established, "it answers")
	d.wait(16 * time.Minute)
	d.ended(errTimeout, "it does not")
}

// The window shuts over what is on its way: the timer must go on, and no congestion is
// to blame.
func TestTimerUnderAZeroWindowProbes(t *testing.T) {
	d := establishedPlain(t)
	d.write(3000)
	d.forget()
	d.in(". seq 1 ack 1001 win 0")
	cwnd := d.tcb.cc.cwnd
	rto := d.tcb.rto()
	d.quiet(rto, "RTO")
	d.out(". seq 1001 ack 1 len 1", "one byte of the oldest")
	d.quiet(2*rto, "twice as long")
	d.out(". seq 1001 ack 1 len 1", "again")
	d.equal("cwnd", d.tcb.cc.cwnd, cwnd)
	d.equal("mode", d.tcb.mode(), steady)
	d.in(". seq 1 ack 1002 win 65535")
	d.out(". seq 1002 ack 1 len 1000", "what was thrown away goes again at once")
	d.out("P. seq 2002 ack 1 len 999", "")
}

func TestFINBehindAZeroWindow(t *testing.T) {
	d := establishedPlain(t)
	d.in(". seq 1 ack 1 win 1000")
	d.write(1000)
	d.out("P. seq 1 ack 1 len 1000", "the window is full")
	d.do(func(t *tcb) { t.closeWrite() })
	d.silent("FIN takes a number, and there is no room for it")
	d.in(". seq 1 ack 1001 win 0")
	d.wait(time.Second)
	d.out("F. seq 1001 ack 1", "FIN is the probe")
	d.in(". seq 1 ack 1002 win 0")
	d.state(finWait2, "it was taken")
}

// Override timeout: "0.1 - 1.0 seconds" (RFC 9293, Section 3.8.6.2.1).
func TestSmallWindowIsUsedAfterATime(t *testing.T) {
	d := establishedPlain(t)
	d.in(". seq 1 ack 1 win 100")
	d.write(3000)
	d.quiet(500*time.Millisecond, "a tenth of a segment is not worth sending (MUST-38)")
	d.out(". seq 1 ack 1 len 100", "but nothing larger comes")
}

// "at least a fraction Fs of the maximum window can be sent", with Fs = 1/2.
func TestHalfOfASmallPeersWindowIsEnough(t *testing.T) {
	d := dial(t, plainConfig())
	d.forget()
	d.in("S. seq 0 ack 1 mss 1000 win 800")
	d.forget()
	d.write(3000)
	d.out(". seq 1 ack 1 len 800", "all of its window is less than a segment")
	d.in(". seq 1 ack 801 win 399")
	d.silent("399 are less than a half")
	d.in(". seq 1 ack 801 win 400")
	d.out(". seq 801 ack 1 len 400", "400 are a half")
}

// The Nagle algorithm (RFC 9293, Section 3.7.4, MUST-17).

func TestSmallSegmentsWaitForAnAcknowledgment(t *testing.T) {
	d := establishedPlain(t)
	d.write(10)
	d.out("P. seq 1 ack 1 len 10", "nothing is on its way: it goes at once")
	d.write(10)
	d.write(10)
	d.silent("a small segment is on its way")
	d.write(980)
	d.out("P. seq 11 ack 1 len 1000", "a full segment never waits")
	d.write(5)
	d.in(". seq 1 ack 11")
	d.out("P. seq 1011 ack 1 len 5", "only full segments are on their way")
}

func TestNoDelaySendsAtOnce(t *testing.T) {
	d := establishedPlain(t)
	d.tcb.setNoDelay(true)
	for i := range 3 {
		d.write(10)
		d.out([]string{"P. seq 1 len 10", "P. seq 11 len 10", "P. seq 21 len 10"}[i], "an application can turn it off")
	}
}

func TestLastBytesBeforeFINDoNotWait(t *testing.T) {
	d := establishedPlain(t)
	d.write(10)
	d.write(10)
	d.forget()
	d.do(func(t *tcb) { t.closeWrite() })
	d.out("FP. seq 11 ack 1 len 10", "nothing will join them")
}

// The window that we tell.

func TestWindowGoesDownAndUp(t *testing.T) {
	c := plainConfig()
	c.recvMax = 8192
	d := establishedWith(t, c, "mss 1000")
	d.equal("buffer", d.tcb.rcv.limit, int32(8192))
	d.in(". seq 1 ack 1 len 1000")
	d.in(". seq 1001 ack 1 len 1000")
	d.out(". seq 1 ack 2001 win 6192", "what was taken is off the window")
	for _, seq := range []string{"2001", "3001", "4001", "5001", "6001", "7001"} {
		d.in(". seq " + seq + " ack 1 len 1000")
	}
	d.forget()
	d.in(". seq 8001 ack 1 len 192")
	d.wait(40 * time.Millisecond)
	d.out(". seq 1 ack 8193 win 0", "the ring is full")
	d.in("P. seq 8193 ack 1 len 1")
	d.out(". seq 1 ack 8193 win 0", "a probe is answered")
	d.read(500, 500)
	d.silent("500 bytes are no window to tell: the receiver is not silly (MUST-39)")
	d.read(600, 600)
	d.out(". seq 1 ack 8193 win 1100", "a segment is")
	d.read(1000, 1000)
	d.silent("the peer knows of one segment; the next acknowledgment tells the rest")
	d.read(1000, 1000)
	d.out(". seq 1 ack 8193 win 3100", "twice what it knows of")
}

// "The RCV.NXT+RCV.WND edge MUST NOT move left": whatever arrives, in whatever order, with
// a scale that cannot express the window exactly. The dialogue checks it at each step.
func TestRightEdgeNeverGoesBack(t *testing.T) {
	d := establishedWith(t, config{recvMax: 4 << 20}, "mss 1000 wscale 7")
	for i := range 300 {
		n := 1 + i*7%997
		d.in(". seq " + itoa(int(d.tcb.rcv.nxt.Uint32()-d.irs)) + " ack 1 len " + itoa(n))
		if i%3 == 0 {
			d.do(func(t *tcb) { t.read(make([]byte, 200)) })
		}
		d.forget()
	}
}

func TestZeroWindowTakesACKsAndBareFIN(t *testing.T) {
	c := plainConfig()
	c.recvMax = 4096
	d := establishedWith(t, c, "mss 1000")
	d.write(100)
	for _, seq := range []string{"1", "1001", "2001", "3001"} {
		d.in(". seq " + seq + " ack 1 len 1000")
	}
	d.in(". seq 4001 ack 1 len 96")
	d.equal("window", d.tcb.rcv.wnd(), 0)
	d.forget()
	d.in("P. seq 4097 ack 101 len 1000 win 1234")
	d.out(". seq 101 ack 4097 win 0", "the text is refused")
	d.equal("and yet acknowledges", d.tcb.flown(), 0)
	d.equal("and tells its window", d.tcb.snd.wnd, uint32(1234))
	d.in("F. seq 4097 ack 101")
	d.out(". seq 101 ack 4098 win 0", "FIN needs no room")
	d.state(closeWait, "")
	d.read(5000, 4096)
}

func TestTextIsCutToTheWindow(t *testing.T) {
	c := plainConfig()
	c.recvMax = 4096
	d := establishedWith(t, c, "mss 1000")
	d.in("FP. seq 1 ack 1 len 5000")
	d.out(". seq 1 ack 4097 win 0", "what goes beyond is trimmed off, FIN too")
	d.state(established, "FIN was beyond")
	d.read(5000, 4096)
	d.forget()
	d.in("FP. seq 2001 ack 1 len 3000")
	d.out(". seq 1 ack 5002", "what was there before is trimmed off as well")
	d.read(5000, 904)
	d.state(closeWait, "")
}

// Receive autotuning: twice what is read in a round trip.
func TestReceiveRingGrowsWithWhatIsRead(t *testing.T) {
	d := establishedWith(t, config{bufferInit: 16384, recvMax: 1 << 20}, "mss 1000 wscale 7 ts 1 60000")
	seq := 1
	for range 30 {
		for range 12 {
			d.in(". seq " + itoa(seq) + " ack 1 len 1000 ts " + itoa(100+seq/1000) + " " + itoa(int(d.tcb.stamp(d.tcb.cfg.at(d.now)))-50))
			d.do(func(t *tcb) { t.read(make([]byte, 1000)) })
			seq += 1000
		}
		d.forget()
		d.wait(50 * time.Millisecond)
	}
	if d.tcb.rcv.limit <= 16384 {
		d.Errorf("limit is still %d", d.tcb.rcv.limit)
	}
	d.forget()
	d.tcb.setBuffers(0, 20000)
	d.equal("what the user fixes", d.tcb.rcv.limit, int32(32768))
}

// A peer that is so near that the timestamps do not tell how near gets no more than fits into caches, until he is far.
func TestReceiveRingOfWhoIsNearStaysSmall(t *testing.T) {
	d := establishedWith(t, config{bufferInit: 128 << 10, recvMax: 4 << 20}, "mss 1000 wscale 7 ts 1 60000")
	seq := 1
	stream := func(ticks, rounds int) {
		for range rounds {
			for range 25 {
				d.in(". seq " + itoa(seq) + " ack 1 len 20000 ts " + itoa(100+seq/20000) + " " + itoa(int(d.tcb.stamp(d.tcb.cfg.at(d.now)))-ticks))
				d.do(func(t *tcb) { t.read(make([]byte, 20000)) })
				seq += 20000
			}
			d.forget()
			d.wait(time.Duration(max(ticks, 1)) * time.Millisecond)
		}
	}
	stream(0, 20)
	d.equal("limit of who is near", d.tcb.rcv.limit, int32(nearLimit))
	stream(20, 20)
	if d.tcb.rcv.limit <= nearLimit {
		d.Errorf("limit of who has gone away is still %d", d.tcb.rcv.limit)
	}
}

// A window cannot be told to the byte. Rounded up with each segment it would stay as it is while what nobody reads grows.
func TestSmallSegmentsFillNoMoreThanTheRing(t *testing.T) {
	d := establishedWith(t, config{bufferInit: 16384, recvMax: 4 << 20}, "mss 1000 wscale 7")
	for range 30_000 {
		d.in("P. seq " + itoa(int(d.tcb.rcv.nxt.Uint32()-d.irs)) + " ack 1 len 1")
		d.forget()
	}
	if n := d.tcb.rcv.ring.Len(); n > 16384 || n < 16384-127 {
		d.Errorf("%d bytes wait to be read, of 16384", n)
	}
	d.read(30_000, d.tcb.rcv.ring.Len())
	d.in("P. seq " + itoa(int(d.tcb.rcv.nxt.Uint32()-d.irs)) + " ack 1 len 1000")
	d.read(2000, 1000)
}

func TestSendRingGrowsWithTheCongestionWindow(t *testing.T) {
	d := establishedWith(t, config{bufferInit: 8192, sendMax: 1 << 20}, "mss 1000 wscale 7")
	d.equal("room at first", d.tcb.writable(), 8192)
	d.tcb.cc.cwnd = 100_000
	d.write(200_000)
	d.equal("limit", d.tcb.snd.limit, int32(262144))
	d.tcb.cc.cwnd, d.tcb.snd.maxWnd = 1<<20, 100_000
	d.write(200_000)
	d.equal("limit for a peer with a small window", d.tcb.snd.limit, int32(524288))
}

// Who fills room in the send ring and says that more follows at once has less than a segment kept until then.
func TestLessThanASegmentWaitsForWhatFollows(t *testing.T) {
	d := establishedPlain(t)
	d.do(func(t *tcb) { t.setNoDelay(true) })
	fill := func(n int, more bool) {
		d.do(func(t *tcb) { t.takeRoom(copy(t.lendRoom(n), make([]byte, n)), more) })
	}
	fill(1500, true)
	d.out(". seq 1 ack 1 len 1000", "a segment is whole")
	d.silent("the rest is not, and more follows")
	fill(600, true)
	d.out(". seq 1001 ack 1 len 1000", "now it is")
	fill(0, false)
	d.out("P. seq 2001 ack 1 len 100", "nothing follows")
	fill(10, true)
	d.silent("kept")
	d.do(func(t *tcb) { t.closeWrite() })
	d.out("FP. seq 2101 ack 1 len 10", "what is last does not wait")
}

// A probe of a window that is shut is answered also by who has all of it, and whose last word got lost.
func TestProbeOfWhatHasArrivedIsSent(t *testing.T) {
	d := establishedWith(t, config{noTimestamps: true}, "mss 1000 sackok")
	d.write(3000)
	d.forget()
	d.in(". seq 1 ack 1 win 0 sack 1-1001")
	d.wait(10 * d.tcb.rto())
	if len(d.sent) == 0 {
		t.Error("nothing was sent")
	}
}
