package tcp

import (
	"testing"
	"time"
)

func stamped(t *testing.T) *dialogue {
	t.Helper()
	return establishedWith(t, config{noRACK: true, noSACK: true}, "mss 1000 wscale 0 ts 1000 60000")
}

func TestTimestampsAreInEverySegment(t *testing.T) {
	d := stamped(t)
	d.wait(5 * time.Millisecond)
	d.write(10)
	d.out("P. seq 1 ack 1 len 10 ts 60005 1000", "a tick is a millisecond (RFC 7323, Section 5.4)")
	d.in("P. seq 1 ack 11 len 10")
	d.silent("\"a TCP SHOULD silently drop\" a segment without (Section 3.2)")
	d.equal("text", d.tcb.readable(), 0)
	d.in("R seq 1")
	d.ended(errReset, "but not a reset")
}

// Goroutines that wait for a connection's lock have looked at the clock before, and get it in any order.
func TestTimestampsDoNotGoBack(t *testing.T) {
	d := stamped(t)
	d.wait(20 * time.Millisecond)
	d.write(10)
	d.out("P. seq 1 ack 1 len 10 ts 60020 1000", "of the one who came first")
	d.now = d.now.Add(-15 * time.Millisecond)
	d.in(". seq 1 ack 11 ts 1001 60020")
	d.write(10)
	d.out("P. seq 11 ack 1 len 10 ts 60020 1001", "the peer would drop what is older than what it has had (Section 5.3)")
}

// RFC 7323, Section 5.3.
func TestOldDuplicatesAreDroppedByTheirTimestamp(t *testing.T) {
	d := stamped(t)
	d.in("P. seq 1 ack 1 len 10 ts 2000 60000")
	d.in("P. seq 11 ack 1 len 10 ts 1999 60000")
	d.out(". seq 1 ack 11 ts 60000 2000", "R1: \"send an acknowledgment in reply\"")
	d.equal("text", d.tcb.readable(), 10)
	d.in("P. seq 11 ack 1 len 10 ts 2000 60000")
	d.equal("text of the same tick", d.tcb.readable(), 20)
	d.in("P. seq 21 ack 1 len 10 ts 0x80000000 60000")
	d.equal("text, half the numbers later", d.tcb.readable(), 30)
}

// "If SEG.TSval >= TS.Recent and SEG.SEQ <= Last.ACK.sent" (Section 4.3): the echo is of the
// segment that is acknowledged, not of one behind a hole or one that was delayed.
func TestEchoIsOfTheFirstSegmentNotYetAcknowledged(t *testing.T) {
	d := stamped(t)
	d.in(". seq 1 ack 1 len 1000 ts 1001 60000")
	d.in(". seq 1001 ack 1 len 1000 ts 1002 60000")
	d.out(". seq 1 ack 2001 ts 60000 1001", "(A) delayed acknowledgments: the first of the two")
	d.in(". seq 3001 ack 1 len 1000 ts 1004 60000")
	d.out(". seq 1 ack 2001 ts 60000 1001", "(B) a hole: nothing newer is echoed")
	d.in(". seq 2001 ack 1 len 1000 ts 1003 60000")
	d.out(". seq 1 ack 4001 ts 60000 1003", "(C) the hole is filled: its own")
	d.in(". seq 4001 ack 1 len 1000 ts 1005 60000")
	d.wait(40 * time.Millisecond)
	d.out(". seq 1 ack 5001 ts 60040 1005", "and on")
}

func TestTimestampsAreForgottenAfter24Days(t *testing.T) {
	d := stamped(t)
	d.in("P. seq 1 ack 1 len 10 ts 2000 60000")
	d.forget()
	d.wait(stampLife)
	d.in("P. seq 11 ack 1 len 10 ts 1000 60000")
	d.equal("text within 24 days", d.tcb.readable(), 10)
	d.wait(time.Second)
	d.in("P. seq 11 ack 1 len 10 ts 1000 60000")
	d.equal("text after them", d.tcb.readable(), 20)
	d.equal("TS.Recent", d.tcb.stampRecent, uint32(1000))
}

func TestSegmentOutsideDoesNotMoveTheEcho(t *testing.T) {
	d := stamped(t)
	d.in("P. seq 100000 ack 1 len 10 ts 9000 60000")
	d.equal("TS.Recent", d.tcb.stampRecent, uint32(1000))
	d.in(". seq -5000 ack 1 len 10 ts 9000 60000")
	d.equal("TS.Recent", d.tcb.stampRecent, uint32(1000))
}

func TestEachConnectionCountsFromItsOwnOffset(t *testing.T) {
	d := newDialogue(t)
	e := d.endpoint()
	e.stampOffset = 0xffff_fff0
	d.tcb = connect(d.config(config{}), d.now, e)
	d.pump()
	d.out("S seq 0 ts 59984 0", "60 s after the epoch, less 16")
	d.in("S. seq 0 ack 1 mss 1000 ts 1 59984")
	d.equal("", d.tcb.has(useTimestamps), true)
}
