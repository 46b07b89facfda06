package tcp

import (
	"syscall"
	"testing"
	"time"

	"landline/wire"
)

var askOften = &keepAlive{idle: 15 * time.Second, interval: 5 * time.Second, count: 3}

func TestNobodyIsAskedByDefault(t *testing.T) {
	d := establishedPlain(t)
	d.quiet(1000*time.Hour, "\"keep-alives ... MUST default to off\" (MUST-25)")
	d.state(established, "")
}

func TestQuietPeerIsAskedAndGivenUp(t *testing.T) {
	d := establishedPlain(t)
	d.tcb.setKeepAlive(askOften)
	d.quiet(15*time.Second, "it has been heard of")
	d.out(". seq 0 ack 1 len 0", "SEG.SEQ = SND.NXT-1, no data (SHLD-12)")
	d.in(". seq 1 ack 1")
	d.quiet(15*time.Second, "it answered")
	d.out(". seq 0 ack 1", "asked")
	for range 2 {
		d.quiet(5*time.Second, "an answer may be lost (MUST-29)")
		d.out(". seq 0 ack 1", "asked again")
	}
	d.quiet(5*time.Second, "three times")
	d.out("R. seq 1 ack 1", "the peer, if it lives, is told")
	d.ended(errTimeout, "")
}

// "keep-alive packets MUST only be sent when no sent data is outstanding" (MUST-26).
func TestNobodyIsAskedWhileDataIsOut(t *testing.T) {
	d := slowly(t, plainConfig(), "mss 1000")
	d.tcb.setKeepAlive(askOften)
	d.write(10)
	for range 20 {
		d.wait(10 * time.Second)
	}
	for _, line := range d.sent {
		if !matches(line, "P. seq 1 len 10") {
			t.Fatalf("sent %s", line)
		}
	}
}

func TestSoftErrorsAreRemembered(t *testing.T) {
	for _, hard := range []bool{false, true} {
		d := establishedPlain(t)
		d.write(10)
		d.tcb.icmp(wire.SeqOf(d.iss+1), syscall.EHOSTUNREACH, hard)
		d.state(established, "\"MUST NOT abort the connection\" (MUST-56); in a synchronized state all are soft (RFC 5927, Section 5.2)")
		d.wait(20 * time.Minute)
		d.ended(syscall.EHOSTUNREACH, "but it is the reason in the end")
	}
}

func TestSoftErrorEndsADial(t *testing.T) {
	d := dial(t, plainConfig())
	d.tcb.icmp(wire.SeqOf(d.iss), syscall.EHOSTUNREACH, false)
	d.ended(syscall.EHOSTUNREACH, "RFC 5461, Section 4.1")

	e := listen(t, plainConfig(), "S seq 0 mss 1460")
	e.tcb.icmp(wire.SeqOf(e.iss), syscall.EHOSTUNREACH, false)
	e.state(synReceived, "who was called goes on")
}

func TestHardErrorEndsADial(t *testing.T) {
	d := dial(t, plainConfig())
	d.tcb.icmp(wire.SeqOf(d.iss+1), syscall.ECONNREFUSED, true)
	d.tcb.icmp(wire.SeqOf(d.iss-1), syscall.ECONNREFUSED, true)
	d.state(synSent, "it must be about something that is on its way (RFC 5927, Section 4.1)")
	d.tcb.icmp(wire.SeqOf(d.iss), syscall.ECONNREFUSED, true)
	d.ended(syscall.ECONNREFUSED, "\"SHOULD abort the connection\" (SHLD-26)")
}

func TestShorterPathSendsAgainAtOnce(t *testing.T) {
	d := slowly(t, plainConfig(), "mss 1460")
	d.write(4380)
	d.forget()
	cwnd := d.tcb.cc.cwnd
	d.tcb.pathMTU(wire.SeqOf(d.iss+100_000), 1000)
	d.pump()
	d.silent("it is about nothing that we sent")
	d.tcb.pathMTU(wire.SeqOf(d.iss+1), 9000)
	d.pump()
	d.silent("a path does not become longer by an error")
	d.tcb.pathMTU(wire.SeqOf(d.iss+1), 1000)
	d.pump()
	d.out(". seq 1 ack 1 len 1000", "what was too long goes again")
	d.out(". seq 1001 ack 1 len 1000", "")
	d.out(". seq 2001 ack 1 len 1000", "")
	d.out(". seq 3001 ack 1 len 1000", "")
	d.out("P. seq 4001 ack 1 len 380", "")
	d.equal("cwnd", d.tcb.cc.cwnd, cwnd)
	d.in(". seq 1 ack 4381")
	d.tcb.pathMTU(wire.SeqOf(d.iss+4381), 0)
	d.equal("nothing is on its way", d.tcb.snd.mss, uint16(1000))
	d.write(1)
	d.tcb.pathMTU(wire.SeqOf(d.iss+4381), 0)
	d.equal("an MTU of nothing", d.tcb.snd.mss, uint16(minMSS))
}

func TestBlackHoleIsLeft(t *testing.T) {
	d := slowly(t, plainConfig(), "mss 1460")
	d.write(1460)
	d.out("P. seq 1 len 1460", "")
	d.wait(900 * time.Millisecond)
	d.out("P. seq 1 len 1460", "one timeout may be anything")
	d.out("P. seq 1 len 1460", "and two")
	d.wait(3600 * time.Millisecond)
	d.out(". seq 1 len 1220", "after three, what every IPv6 path carries")
	d.out(". seq 1 len 1220", "")
	d.wait(4800 * time.Millisecond)
	d.out(". seq 1 len 536", "after five, what every IPv4 host takes")
	d.in(". seq 1 ack 537")
	d.out(". seq 537 len 536", "it gets through")
	d.out("P. seq 1073 len 388", "")
	d.in(". seq 1 ack 1461")
	d.tcb.setNoDelay(true)
	for range 7 {
		d.wait(100 * time.Second)
		d.write(1)
		d.in(". seq 1 ack " + itoa(int(d.tcb.snd.nxt.Uint32()-d.iss)))
	}
	d.equal("ten minutes later", d.tcb.snd.mss, uint16(1460))
}
