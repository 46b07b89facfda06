package tcp

import (
	"strconv"
	"testing"
	"time"

	"landline/wire"
)

func itoa(n int) string { return strconv.Itoa(n) }

func TestAcknowledgesEverySecondSegment(t *testing.T) {
	d := establishedPlain(t)
	d.in(". seq 1 ack 1 len 1000")
	d.silent("the first of two waits")
	d.in(". seq 1001 ack 1 len 1000")
	d.out(". seq 1 ack 2001", "\"there SHOULD be an ACK for at least every second segment\" (SHLD-19)")
	d.in(". seq 2001 ack 1 len 1000")
	d.quiet(40*time.Millisecond, "the delay MUST be less than 0.5 seconds (MUST-40)")
	d.out(". seq 1 ack 3001", "a segment alone is acknowledged in the end")
}

func TestDelayIsBoundedWhateverIsConfigured(t *testing.T) {
	c := plainConfig()
	c.delayedACK = 10 * time.Second
	d := establishedWith(t, c, "mss 1000")
	d.in("P. seq 1 ack 1 len 10")
	d.wait(499 * time.Millisecond)
	d.out(". seq 1 ack 11", "MUST-40")
}

func TestAcknowledgmentRidesOnData(t *testing.T) {
	d := establishedPlain(t)
	d.in("P. seq 1 ack 1 len 10")
	d.write(5)
	d.out("P. seq 1 ack 11 len 5", "it takes the acknowledgment along")
	d.wait(300 * time.Millisecond)
	d.out("P. seq 1 ack 11 len 5", "a retransmission (nothing was acknowledged)")
	d.silent("but no acknowledgment alone")
}

func TestFirstSegmentsAreAcknowledgedAtOnce(t *testing.T) {
	d := dial(t, plainConfig())
	d.forget()
	d.in("S. seq 0 ack 1 mss 1000")
	d.forget()
	d.in("P. seq 1 ack 1 len 10")
	d.out(". seq 1 ack 11", "the peer is in slow start")
	for i := range 2 * quickACKs {
		d.in("P. seq " + itoa(11+i) + " ack 1 len 1")
	}
	if len(d.sent) >= 2*quickACKs {
		d.Error("it never ends")
	}
}

func TestOutOfOrderIsAcknowledgedAtOnce(t *testing.T) {
	d := establishedPlain(t)
	d.in(". seq 1001 ack 1 len 1000")
	d.out(". seq 1 ack 1", "a duplicate acknowledgment (RFC 5681, Section 4.2)")
	d.in(". seq 2001 ack 1 len 1000")
	d.out(". seq 1 ack 1", "one for each")
	d.in(". seq 1 ack 1 len 500")
	d.out(". seq 1 ack 501", "\"fills in all or part of a gap\"")
	d.in(". seq 501 ack 1 len 500")
	d.out(". seq 1 ack 3001", "what lay ahead has joined: it was \"held for later processing\" (SHLD-31)")
	d.read(5000, 3000)
}

// "A TCP MUST NOT acknowledge what did not arrive": the cumulative acknowledgment stays, however
// much is queued.
func TestUnitCountsItsSegments(t *testing.T) {
	d := establishedPlain(t)
	d.in(". seq 1 ack 1 len 8000 unit 1000")
	d.out(". seq 1 ack 8001", "one acknowledgment for all that came at once")
	d.equal("segments of the peer", d.tcb.rcv.mss, uint16(1000))
}

func TestShorterSegmentsAreLearnt(t *testing.T) {
	d := establishedPlain(t)
	d.in(". seq 1 ack 1 len 1400")
	d.in(". seq 1401 ack 1 len 1400")
	d.equal("long", d.tcb.rcv.mss, uint16(1400))
	d.in(". seq 2801 ack 1 len 700")
	d.in(". seq 3501 ack 1 len 700")
	d.equal("short, twice in a row", d.tcb.rcv.mss, uint16(700))
}

func TestRetransmissionIsAcknowledgedAtOnce(t *testing.T) {
	d := establishedPlain(t)
	d.in("P. seq 1 ack 1 len 10")
	d.wait(time.Second)
	d.out(". seq 1 ack 11", "")
	d.in("P. seq 1 ack 1 len 10")
	d.out(". seq 1 ack 11", "our acknowledgment was lost")
	d.read(100, 10)
}

// 3.10.7.4: "If the ACK acks something not yet sent (SEG.ACK > SND.NXT), then send an ACK,
// drop the segment, and return".
func TestACKOfTheFutureIsAnsweredAndDropped(t *testing.T) {
	d := establishedPlain(t)
	d.in("P. seq 1 ack 2 len 10")
	d.out(". seq 1 ack 1", "an acknowledgment")
	d.equal("text", d.tcb.readable(), 0)
}

// RFC 5961, Section 5.2.
func TestACKOfTheFarPastIsAnsweredAndDropped(t *testing.T) {
	d := establishedPlain(t)
	d.in("P. seq 1 ack -70000 len 10")
	d.out(". seq 1 ack 1", "older than SND.UNA - MAX.SND.WND")
	d.equal("text", d.tcb.readable(), 0)
	d.in("P. seq 1 ack -60000 len 10")
	d.equal("text of one that is merely old", d.tcb.readable(), 10)
}

func TestSegmentWithoutACKIsDropped(t *testing.T) {
	d := establishedPlain(t)
	d.in("P seq 1 len 10")
	d.silent("\"if the ACK bit is off, drop the segment and return\"")
	d.equal("text", d.tcb.readable(), 0)
}

func TestUrgentDataStaysInTheStream(t *testing.T) {
	d := establishedPlain(t)
	d.in("PU. seq 1 ack 1 len 10")
	d.read(100, 10)
}

func TestCloseReadDropsWhatArrives(t *testing.T) {
	d := establishedPlain(t)
	d.in(". seq 1 ack 1 len 1000")
	d.do(func(t *tcb) { t.closeRead() })
	d.in(". seq 2001 ack 1 len 1000")
	d.in(". seq 1001 ack 1 len 1000")
	d.forget()
	d.in("F. seq 3001 ack 1")
	d.out(". seq 1 ack 3002", "all is acknowledged")
	d.equal("kept", d.tcb.readable(), 1000)
	d.read(2000, 1000)
	d.equal("memory", d.tcb.rcv.ring.Cap(), 0)
	d.state(closeWait, "the peer ends in good order")
}

// What output has handed out stays where it is while the shell holds it, whatever is
// acknowledged and written in the meantime.
func TestHeldPayloadDoesNotChange(t *testing.T) {
	d := establishedWith(t, func() config { c := plainConfig(); c.bufferInit, c.sendMax = 4096, 4096; return c }(), "mss 1000")
	d.tcb.write([]byte("abcd"))
	n := d.tcb.output(d.now, d.list[:1])
	d.equal("sent", n, 1)
	held := d.list[0].payload[0]
	d.tcb.hold()
	d.tcb.arrive(d.now, d.parse(". seq 1 ack 5"))
	big := make([]byte, 10000)
	d.equal("room while it is held", d.tcb.write(big), 4092)
	d.equal("held", string(held), "abcd")
	d.tcb.release()
	d.equal("room after", d.tcb.writable(), 4)
	d.pump()
	d.in(". seq 1 ack 2005")
	d.forget()
}

func TestUnitsAreWholeSegments(t *testing.T) {
	c := plainConfig()
	c.maxUnit = 65000
	d := establishedWith(t, c, "mss 1000")
	d.write(5500)
	d.out("P. seq 1 ack 1 len 5500 unit 1000", "one unit, as the shell takes them, with a last piece that is less")
	d.in(". seq 1 ack 5501")
	d.write(20000)
	d.out(". seq 5501 ack 1 len 15000 unit 1000", "no more than the network bears: 10 segments, and 5 that were added")
	d.in(". seq 1 ack 20501")
	d.out("P. seq 20501 ack 1 len 5000 unit 1000", "the rest")
}

// A unit is in one piece; where the ring ends, a single segment is in two.
func TestUnitsDoNotGoOverTheRingsEnd(t *testing.T) {
	c := plainConfig()
	c.maxUnit, c.bufferInit, c.sendMax = 65000, 8192, 8192
	d := establishedWith(t, c, "mss 1000")
	d.tcb.setNoDelay(true)
	d.write(5500)
	d.in(". seq 1 ack 5001")
	d.forget()
	d.write(7500)
	d.out(". seq 5501 ack 1 len 2000 unit 1000", "up to 8192, in whole segments")
	d.out(". seq 7501 ack 1 len 1000 unit none", "over the end")
	d.out("P. seq 8501 ack 1 len 4500 unit 1000", "the rest")
}

func TestPSHMarksTheEndOfWhatIsQueued(t *testing.T) {
	d := establishedPlain(t)
	d.write(2500)
	d.out(". seq 1 len 1000", "")
	d.out(". seq 1001 len 1000", "")
	d.out("P. seq 2001 len 500", "\"there is no more queued data to be sent\" (MUST-61)")
}

var _ = wire.FlagACK
