package tcp

import (
	"testing"
	"time"

	"landline/wire"
)

// RFC 9293, Figure 6: the three-way handshake.
func TestThreeWayHandshake(t *testing.T) {
	d := dial(t, plainConfig())
	d.out("S seq 0 mss 1460 win 65535 wscale none sackok none ts none", "SYN-SENT: <SEQ=100><CTL=SYN>")
	d.state(synSent, "a SYN is out")
	d.in("S. seq 0 ack 1 mss 1000")
	d.out(". seq 1 ack 1", "<SEQ=101><ACK=301><CTL=ACK>")
	d.state(established, "our SYN is acknowledged, and we have theirs")
	d.silent("that is all")
	d.equal("the peer's MSS", d.tcb.snd.mss, uint16(1000))
}

func TestPassiveOpen(t *testing.T) {
	d := listen(t, plainConfig(), "S seq 0 mss 1000")
	d.out("S. seq 0 ack 1 mss 1460", "<SEQ=300><ACK=101><CTL=SYN,ACK>")
	d.state(synReceived, "we have their SYN")
	d.in(". seq 1 ack 1")
	d.state(established, "they have ours")
	d.silent("nothing is left to say")
}

// RFC 9293, Figure 7 and MUST-10.
func TestSimultaneousOpen(t *testing.T) {
	d := dial(t, plainConfig())
	d.out("S seq 0", "both sides dial")
	d.in("S seq 0 mss 1000")
	d.out("S. seq 0 ack 1 mss 1460", "<SEQ=100><ACK=301><CTL=SYN,ACK>")
	d.state(synReceived, "a SYN without an acknowledgment")
	d.in("S. seq 0 ack 1 mss 1000 win 500")
	d.state(established, "the SYN in it is known; its acknowledgment counts")
	d.write(100)
	d.out("P. seq 1 ack 1 len 100", "the connection works")
}

func TestSimultaneousOpenByPlainACK(t *testing.T) {
	d := dial(t, plainConfig())
	d.in("S seq 0 mss 1000")
	d.forget()
	d.in(". seq 1 ack 1")
	d.state(established, "their SYN,ACK may have been lost, and what follows come first")
}

// "A TCP implementation MUST keep track of whether a connection has reached SYN-RECEIVED
// state as the result of a passive OPEN or an active OPEN" (RFC 9293, Section 3.5,
// MUST-11).
func TestKnowsHowItWasOpened(t *testing.T) {
	d := listen(t, plainConfig(), "S seq 0")
	d.in("R seq 1")
	d.ended(errRefused, "SYN-RECEIVED is reset")
	d.equal("passive", d.tcb.passive, true)
	e := dial(t, plainConfig())
	e.in("S seq 0")
	e.in("R seq 1")
	e.ended(errRefused, "\"the connection was refused\"")
	e.equal("passive", e.tcb.passive, false)
}

func TestRefusedInSYNSent(t *testing.T) {
	d := dial(t, plainConfig())
	d.forget()
	d.in("R. seq 0 ack 0")
	d.in("R. seq 0 ack 2")
	d.in("R seq 0")
	d.state(synSent, "a reset must acknowledge our SYN (RFC 5961, Section 3.2)")
	d.silent("a reset is not answered")
	d.in("R. seq 0 ack 1")
	d.ended(errRefused, "this one does")
}

// RFC 9293, Figure 8: an old duplicate SYN leads to a reset.
func TestOldDuplicateSYNIsSentBack(t *testing.T) {
	d := dial(t, plainConfig())
	d.forget()
	d.in("S. seq 50 ack 77")
	d.out("R seq 77", "\"<SEQ=SEG.ACK><CTL=RST>\"")
	d.state(synSent, "the segment is discarded")
	d.in("S. seq 0 ack 1")
	d.state(established, "the right one opens")
}

// RFC 9293, Figure 10: the other end crashed, and acknowledges what we do not know.
func TestHalfOpenPeerIsReset(t *testing.T) {
	d := dial(t, plainConfig())
	d.forget()
	d.in(". seq 300 ack 100")
	d.out("R seq 100", "\"send a reset\", so that it notices")
	d.state(synSent, "and we go on dialing")
}

func TestSYNIsSentAgainAndGivenUp(t *testing.T) {
	d := dial(t, plainConfig())
	d.out("S seq 0", "first")
	for _, s := range []time.Duration{1, 2, 4, 8, 16, 32, 64} {
		d.quiet(s*time.Second, "RTO is 1 second, and doubles (RFC 6298, Sections 2.1 and 5.5)")
		d.out("S seq 0 mss 1460", "again")
	}
	d.state(synSent, "127 s are less than R2")
	d.wait(2 * time.Minute)
	d.forget()
	d.wait(2 * time.Minute)
	d.ended(errTimeout, "\"R2 for a SYN segment MUST be set large enough to provide retransmission of the segment for at least 3 minutes\" (MUST-23)")
}

func TestSYNIsNotGivenUpBeforeThreeMinutes(t *testing.T) {
	d := dial(t, plainConfig())
	d.wait(3*time.Minute - time.Second)
	d.state(synSent, "MUST-23")
}

func TestSYNACKIsSentAgain(t *testing.T) {
	d := listen(t, plainConfig(), "S seq 0")
	d.out("S. seq 0 ack 1", "first")
	d.quiet(time.Second, "RTO")
	d.out("S. seq 0 ack 1", "again")
	d.in("S seq 0")
	d.out("S. seq 0 ack 1", "their SYN again says that ours was lost")
	d.in(". seq 1 ack 1")
	d.state(established, "")
	d.equal("window", d.tcb.cc.cwnd, uint32(d.tcb.mss()))
	// "the RTO MUST be re-initialized to 3 seconds" (RFC 6298, Section 5.7)
	d.equal("rto", d.tcb.rto(), 3*time.Second)
}

// "If the state is SYN-RECEIVED ... SEG.ACK is not acceptable, form a reset segment".
func TestWrongACKInSYNReceivedIsReset(t *testing.T) {
	d := listen(t, plainConfig(), "S seq 0")
	d.forget()
	for _, ack := range []string{"0", "2"} {
		d.in(". seq 1 ack " + ack)
		d.out("R seq "+ack, "<SEQ=SEG.ACK><CTL=RST>")
	}
	d.state(synReceived, "which says nothing of the true peer")
}

func TestDataAndFINOnTheHandshake(t *testing.T) {
	d := listen(t, plainConfig(), "S seq 0 mss 1000")
	d.forget()
	d.in("PF. seq 1 ack 1 len 10")
	d.state(closeWait, "data and FIN came with the acknowledgment")
	d.out(". seq 1 ack 12", "both are acknowledged")
	d.read(100, 10)

	e := dial(t, plainConfig())
	e.forget()
	e.in("SPF. seq 0 ack 1 len 10 mss 1000")
	e.state(closeWait, "they may come with SYN,ACK too")
	e.out(". seq 1 ack 12", "both are acknowledged")
	e.read(100, 10)
}

func TestWhatWasWrittenEarlyIsSentAfterTheHandshake(t *testing.T) {
	d := dial(t, plainConfig())
	d.out("S seq 0 len 0", "there is no data in a SYN")
	d.write(100)
	d.silent("not before the handshake")
	d.do(func(t *tcb) { t.closeWrite() })
	d.ended(0, "\"SYN-SENT: delete the TCB\"")

	e := listen(t, plainConfig(), "S seq 0 mss 1000")
	e.forget()
	e.write(100)
	e.do(func(t *tcb) { t.closeWrite() })
	e.silent("\"queue for processing after entering ESTABLISHED state\"")
	e.in(". seq 1 ack 1")
	e.out("FP. seq 1 ack 1 len 100", "data and FIN")
	e.state(finWait1, "")
}

func TestShellMayHaveAnsweredTheSYN(t *testing.T) {
	d := newDialogue(t)
	c := plainConfig()
	d.tcb = accept(d.config(c), d.now, d.endpoint(), d.parse("S seq 0 mss 1000"))
	d.tcb.answered(d.tcb.cfg.at(d.now.Add(-100*time.Millisecond)), 1)
	d.pump()
	d.silent("it has been sent")
	d.in("P. seq 1 ack 1 len 5")
	d.state(established, "")
	d.equal("round trip", d.tcb.rtt.srtt, 100*time.Millisecond)
	d.read(10, 5)
}

func TestOptionsAreAgreedOn(t *testing.T) {
	d := dial(t, config{})
	d.out("S seq 0 mss 1460 sackok ts 60000 0 wscale 7", "all are asked for")
	d.in("S. seq 0 ack 1 mss 1400 sackok ts 7 60000 wscale 9")
	d.out(". seq 1 ack 1 ts 60000 7 mss none wscale none sackok none", "timestamps are in every segment from now on")
	d.equal("features", d.tcb.use, useTimestamps|useSACK|useScale)
	d.equal("MSS less timestamps", d.tcb.mss(), 1388)
	d.equal("scale", d.tcb.snd.shift, uint8(9))

	e := dial(t, config{})
	e.forget()
	e.in("S. seq 0 ack 1 mss 1400")
	e.out(". seq 1 ack 1 ts none", "what the peer does not offer is not used")
	e.equal("features", e.tcb.use, features(0))
	e.equal("scale", e.tcb.rcv.shift, uint8(0))

	f := listen(t, config{}, "S seq 0 mss 1400 wscale 3")
	f.out("S. seq 0 ack 1 mss 1460 wscale 7 sackok none ts none", "an answer offers only what was offered (RFC 7323, Sections 2.2, 3.2)")
}

func TestMSSOptionIsBelievedWithinBounds(t *testing.T) {
	for _, c := range []struct {
		option string
		ipv6   bool
		want   uint16
	}{
		{"mss 1000", false, 1000},
		{"mss 9000", false, 1460}, // "Eff.snd.MSS = min(SendMSS+20, MMS_S) - ..." (MUST-16)
		{"", false, 536},          // MUST-15
		{"", true, 1220},
		{"mss 0", false, 536},
		{"mss 1", false, minMSS},
		{"mss 87", false, minMSS},
		{"mss 65535", true, 1460},
	} {
		d := newDialogue(t)
		e := d.endpoint()
		e.ipv6 = c.ipv6
		d.tcb = connect(d.config(plainConfig()), d.now, e)
		d.pump()
		d.in("S. seq 0 ack 1 " + c.option)
		d.equal(c.option, d.tcb.snd.mss, c.want)
	}
}

// The MSS option "MUST NOT be sent in other segments" than those with SYN (RFC 9293, Section 3.2, MUST-65). Where it comes in
// another, as any option may (MUST-5), it says nothing.
func TestMSSBelongsToSYNs(t *testing.T) {
	d := establishedPlain(t)
	d.in(". seq 1 ack 1 len 1000 mss 100")
	d.in(". seq 1001 ack 1 len 1000 mss 100")
	d.out(". seq 1 ack 2001 mss none", "an acknowledgment")
	d.write(2500)
	d.out(". seq 1 ack 2001 len 1000 mss none", "the peer's MSS is what its SYN said")
	d.out(". seq 1001 ack 2001 len 1000 mss none", "")
	d.out("P. seq 2001 ack 2001 len 500 mss none", "")
	d.do(func(t *tcb) { t.closeWrite() })
	d.out("F. seq 2501 ack 2001 mss none", "")
	d.do(func(t *tcb) { t.abort() })
	d.out("R. seq 2502 ack 2001 mss none", "")
}

// SYN has an MSS option always (SHLD-5, MAY-3). It "must be less than or equal to" MMS_R - 20 (MUST-67): what
// the link carries, less the fixed headers.
func TestAnnouncesWhatTheLinkCarries(t *testing.T) {
	d := newDialogue(t)
	e := d.endpoint()
	e.linkMSS, e.pathMSS = 8960, 1400
	d.tcb = connect(d.config(plainConfig()), d.now, e)
	d.pump()
	d.out("S seq 0 mss 8960", "the link's, not the path's")
	d.in("S. seq 0 ack 1 mss 8960")
	d.equal("what we send", d.tcb.snd.mss, uint16(1400))
}

func TestWindowOfASYNIsNotScaled(t *testing.T) {
	d := dial(t, config{})
	d.forget()
	d.in("S. seq 0 ack 1 mss 1460 wscale 7 win 1000")
	d.equal("from a SYN", d.tcb.snd.wnd, uint32(1000))
	d.in(". seq 1 ack 1 win 1000")
	d.equal("from what follows", d.tcb.snd.wnd, uint32(128000))
}

func TestWindowScaleIsAtMostFourteen(t *testing.T) {
	d := dial(t, config{recvMax: maxBuffer})
	d.out("S seq 0 wscale 14", "2^29 bytes, and 65535<<13 is less")
	d.in("S. seq 0 ack 1 mss 1460 wscale 30")
	d.equal("scale", d.tcb.snd.shift, uint8(14))
}

func TestClosedAnswersWithReset(t *testing.T) {
	d := newDialogue(t)
	for in, want := range map[string]string{
		"S seq 7":              "R. seq 0 ack 8",
		". seq 7 ack 9 len 10": "R seq 9",
		"none seq 7 len 10":    "R. seq 0 ack 17",
		"F. seq 7 ack 9":       "R seq 9",
		"R seq 7":              "",
		"R. seq 7 ack 9":       "",
	} {
		var o outgoing
		if ok := answerClosed(d.parse(in), &o); ok != (want != "") {
			t.Errorf("%s: answered %v", in, ok)
		} else if ok && o.flags.Has(wire.FlagACK) {
			d.equal(in, o.seq, wire.Seq{})
			d.equal(in, int32(o.ack.Uint32()-d.irs), int32(d.parse("none seq 0 ack "+facts(want)["ack"]).ack.Uint32()-d.iss))
		} else if ok && !matches(d.text(&o), want) {
			t.Errorf("%s: %s, want %s", in, d.text(&o), want)
		}
	}
}

// A SYN says nothing of the connection that the buffer was used for before.
func TestSYNAcknowledgesNothing(t *testing.T) {
	d := newDialogue(t)
	d.tcb = connect(d.config(plainConfig()), d.now, d.endpoint())
	used := []outgoing{{ack: wire.SeqOf(7)}, {}}
	if n := d.tcb.output(d.now, used); n != 1 || used[0].flags != wire.FlagSYN || used[0].ack != (wire.Seq{}) {
		t.Errorf("%d segments, the first %v with ack %v", n, used[0].flags, used[0].ack)
	}
}
