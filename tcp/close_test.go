package tcp

import (
	"testing"
	"time"
)

// RFC 9293, Figure 12: the normal close.
func TestActiveClose(t *testing.T) {
	d := establishedPlain(t)
	d.do(func(t *tcb) { t.closeWrite() })
	d.out("F. seq 1 ack 1", "<SEQ=100><ACK=300><CTL=FIN,ACK>")
	d.state(finWait1, "")
	d.in(". seq 1 ack 2")
	d.state(finWait2, "our FIN is acknowledged")
	d.in("F. seq 1 ack 2")
	d.out(". seq 2 ack 2", "<SEQ=101><ACK=301><CTL=ACK>")
	d.state(timeWait, "theirs has come")
	d.quiet(time.Minute, "2 MSL")
	d.ended(0, "\"TIME-WAIT: delete the TCB\" (MUST-13)")
}

func TestPassiveCloseAnswersFIN(t *testing.T) {
	d := establishedPlain(t)
	d.in("F. seq 1 ack 1")
	d.out(". seq 1 ack 2", "<SEQ=300><ACK=101><CTL=ACK>")
	d.state(closeWait, "")
	d.equal("the user is told", d.tcb.ended(), true)
	d.write(10)
	d.out("P. seq 1 ack 2 len 10", "the other direction is open: half-closed")
	d.do(func(t *tcb) { t.closeWrite() })
	d.out("F. seq 11 ack 2", "<SEQ=300><ACK=101><CTL=FIN,ACK>")
	d.state(lastAck, "")
	d.in(". seq 2 ack 11")
	d.state(lastAck, "an acknowledgment of data is not one of FIN")
	d.in(". seq 2 ack 12")
	d.ended(0, "\"if our FIN is now acknowledged, delete the TCB\"")
}

// RFC 9293, Figure 13: both close at once.
func TestSimultaneousClose(t *testing.T) {
	d := establishedPlain(t)
	d.do(func(t *tcb) { t.closeWrite() })
	d.out("F. seq 1 ack 1", "ours")
	d.in("F. seq 1 ack 1")
	d.out(". seq 2 ack 2", "theirs does not acknowledge ours")
	d.state(closing, "")
	d.in(". seq 2 ack 2")
	d.state(timeWait, "now it is")
}

func TestFINThatAcknowledgesOursLeadsToTimeWait(t *testing.T) {
	d := establishedPlain(t)
	d.do(func(t *tcb) { t.closeWrite() })
	d.forget()
	d.in("F. seq 1 ack 2")
	d.out(". seq 2 ack 2", "")
	d.state(timeWait, "\"if our FIN has been ACKed (perhaps in this segment)\"")
}

func TestACKOfDataIsNotACKOfFIN(t *testing.T) {
	d := establishedPlain(t)
	d.write(1000)
	d.do(func(t *tcb) { t.closeWrite() })
	d.out("P. seq 1 len 1000", "data")
	d.out("F. seq 1001 ack 1", "FIN")
	d.in(". seq 1 ack 1001")
	d.state(finWait1, "the data alone")
	d.in(". seq 1 ack 1002")
	d.state(finWait2, "and FIN")
}

func TestFINIsSentAgain(t *testing.T) {
	d := establishedPlain(t)
	d.do(func(t *tcb) { t.closeWrite() })
	d.out("F. seq 1", "")
	for range 3 {
		d.quiet(d.tcb.rto(), "")
		d.out("F. seq 1 ack 1", "FIN takes a number, and is kept until it is acknowledged")
	}
	d.in("P. seq 1 ack 1 len 10")
	d.state(finWait1, "data still comes")
	d.read(20, 10)
}

func TestFINAheadOfItsTurnIsKept(t *testing.T) {
	d := establishedWith(t, config{}, "mss 1000 sackok")
	d.in("F. seq 1001 ack 1")
	d.out(". seq 1 ack 1 sack 1001-1002", "its turn has not come")
	d.state(established, "")
	d.in(". seq 501 ack 1 len 500")
	d.out(". seq 1 ack 1 sack 501-1002", "they join")
	d.in(". seq 1 ack 1 len 500")
	d.out(". seq 1 ack 1002 sack none", "data and FIN")
	d.state(closeWait, "")
	d.read(2000, 1000)
}

func TestFINWithTextAheadOfItsTurnIsKept(t *testing.T) {
	d := establishedWith(t, config{}, "mss 1000 sackok")
	d.in("F. seq 501 ack 1 len 500")
	d.out(". seq 1 ack 1 sack 501-1002", "")
	d.in(". seq 1002 ack 1 len 100")
	d.out(". seq 1 ack 1 sack 501-1002", "beyond FIN there is nothing")
	d.in(". seq 1 ack 1 len 500")
	d.out(". seq 1 ack 1002", "")
	d.state(closeWait, "")
	d.read(2000, 1000)
}

func TestNothingIsTakenAfterFIN(t *testing.T) {
	d := establishedPlain(t)
	d.in("FP. seq 1 ack 1 len 10")
	d.forget()
	d.in("P. seq 12 ack 1 len 10")
	d.in("F. seq 12 ack 1")
	d.equal("text", d.tcb.readable(), 10)
	d.state(closeWait, "\"should not occur\"; ignored")
}

func TestFINWait2OfNobodyEnds(t *testing.T) {
	d := establishedPlain(t)
	d.do(func(t *tcb) { t.closeBoth(t.cfg.at(d.now)) })
	d.forget()
	d.in(". seq 1 ack 2")
	d.state(finWait2, "")
	d.wait(59 * time.Second)
	d.state(finWait2, "")
	d.wait(time.Second)
	d.ended(0, "a peer that does not close would hold it for ever")

	e := establishedPlain(t)
	e.do(func(t *tcb) { t.closeWrite() })
	e.in(". seq 1 ack 2")
	e.wait(time.Hour)
	e.state(finWait2, "who still reads waits as long as he likes")
	e.do(func(t *tcb) { t.closeBoth(t.cfg.at(e.now)) })
	e.wait(time.Minute)
	e.ended(0, "until he does not")
}

// "its TCP implementation SHOULD send a RST to show that data was lost" (RFC 9293, Section
// 3.6.1, SHLD-3).
func TestCloseWithUnreadDataResets(t *testing.T) {
	d := establishedPlain(t)
	d.in("P. seq 1 ack 1 len 10")
	d.do(func(t *tcb) { t.closeBoth(t.cfg.at(d.now)) })
	d.out("R. seq 1 ack 11", "data was lost")
	d.state(closed, "")
}

func TestDataAfterCloseResets(t *testing.T) {
	d := establishedPlain(t)
	d.do(func(t *tcb) { t.closeBoth(t.cfg.at(d.now)) })
	d.out("F. seq 1", "in good order")
	d.in("P. seq 1 ack 2 len 10")
	d.out("R. seq 2 ack 1", "data was lost")
	d.ended(0, "for the user it was over before")
}

func TestCloseOfAHalfClosedPeerIsOrderly(t *testing.T) {
	d := establishedPlain(t)
	d.in("F. seq 1 ack 1")
	d.forget()
	d.do(func(t *tcb) { t.closeBoth(t.cfg.at(d.now)) })
	d.out("F. seq 1 ack 2", "")
	d.in(". seq 2 ack 2")
	d.ended(0, "LAST-ACK")
}

func TestOrphanIsGivenUpSooner(t *testing.T) {
	d := establishedPlain(t)
	d.in(". seq 1 ack 1 win 0")
	d.write(10)
	d.do(func(t *tcb) { t.closeBoth(t.cfg.at(d.now)) })
	for range 30 {
		d.wait(10 * time.Second)
		if d.tcb.state == closed {
			break
		}
		d.in(". seq 1 ack 1 win 0")
	}
	d.ended(errTimeout, "nobody waits for it, and the peer only keeps it alive")
}

// RFC 9293, Section 3.10.5.
func TestAbortSendsReset(t *testing.T) {
	for _, c := range []struct {
		what string
		get  func(d *dialogue)
		out  string
	}{
		{"SYN-RECEIVED", func(d *dialogue) { d.tcb = listen(t, plainConfig(), "S seq 0").tcb }, "R. seq 1 ack 1"},
		{"ESTABLISHED", func(d *dialogue) {}, "R. seq 1 ack 1"},
		{"FIN-WAIT-1", func(d *dialogue) { d.tcb.closeWrite() }, "R. seq 2 ack 1"},
		{"FIN-WAIT-2", func(d *dialogue) { d.tcb.closeWrite(); d.pump(); d.in(". seq 1 ack 2") }, "R. seq 2 ack 1"},
		{"CLOSE-WAIT", func(d *dialogue) { d.in("F. seq 1 ack 1") }, "R. seq 1 ack 2"},
		{"CLOSING", func(d *dialogue) { d.tcb.closeWrite(); d.pump(); d.in("F. seq 1 ack 1") }, ""},
		{"LAST-ACK", func(d *dialogue) { d.in("F. seq 1 ack 1"); d.tcb.closeWrite() }, ""},
		{"TIME-WAIT", func(d *dialogue) { d.tcb.closeWrite(); d.pump(); d.in("F. seq 1 ack 2") }, ""},
	} {
		d := establishedPlain(t)
		c.get(d)
		d.pump()
		d.forget()
		if d.tcb.state.String() != c.what {
			t.Fatalf("state %v, want %s", d.tcb.state, c.what)
		}
		d.do(func(t *tcb) { t.abort() })
		if c.out == "" {
			d.silent(c.what + ": \"respond OK and delete the TCB\"")
		} else {
			d.out(c.out, c.what+": <SEQ=SND.NXT><CTL=RST>")
		}
		d.state(closed, c.what)
		d.silent(c.what)
	}
	d := dial(t, plainConfig())
	d.forget()
	d.do(func(t *tcb) { t.abort() })
	d.silent("SYN-SENT: no peer knows of it")
	d.ended(errAborted, "")
}

// After the window shrank, SND.NXT lies where the peer does not listen.
func TestAbortResetsInsideTheWindow(t *testing.T) {
	d := establishedPlain(t)
	d.write(3000)
	d.in(". seq 1 ack 1 win 500")
	d.forget()
	d.do(func(t *tcb) { t.abort() })
	d.out("R. seq 501 ack 1", "")
}

func TestReadsWhatArrivedBeforeAReset(t *testing.T) {
	d := establishedPlain(t)
	d.in("P. seq 1 ack 1 len 10")
	d.in("R seq 11")
	d.ended(errReset, "")
	d.equal("what arrived in order is the user's", d.tcb.read(make([]byte, 20)), 10)
}

// The record that takes the place of a connection in TIME-WAIT.

func TestTimeWaitAnswersFINAndStartsAnew(t *testing.T) {
	d := establishedPlain(t)
	d.do(func(t *tcb) { t.closeWrite() })
	d.in("F. seq 1 ack 2")
	d.forget()
	d.wait(50 * time.Second)
	d.in("F. seq 1 ack 2")
	d.out(". seq 2 ack 2", "\"Acknowledge it, and restart the 2 MSL timeout\"")
	d.wait(59 * time.Second)
	d.state(timeWait, "it was started again")
	d.in(". seq 2 ack 2")
	d.silent("an acknowledgment is not answered: they would go on for ever")
	d.in("R seq 2")
	d.state(timeWait, "\"ignore RST segments in TIME-WAIT state\" (RFC 1337)")
	d.in("P. seq 2 ack 2 len 10")
	d.out(". seq 2 ack 2", "what is old is told so")
	d.wait(time.Second)
	d.ended(0, "2 MSL after the last FIN")
}

func TestTimeWaitYieldsToANewConnection(t *testing.T) {
	for _, c := range []struct {
		stamps bool
		syn    string
		want   waitVerdict
	}{
		{false, "S seq 3", waitReuse}, // its number is later (RFC 9293, MAY-2)
		{false, "S seq 2", waitAnswer},
		{false, "S seq -1000", waitAnswer},
		{false, "S. seq 3 ack 9", waitAnswer},
		{false, "R seq 3", waitIgnore},
		{true, "S seq -1000 ts 101 0", waitReuse}, // its timestamp is (RFC 6191)
		{true, "S seq 3 ts 100 0", waitReuse},
		{true, "S seq 2 ts 100 0", waitAnswer},
		{true, "S seq 3 ts 99 0", waitAnswer},
		{true, "S seq 3", waitReuse},
		{true, "S seq 2", waitAnswer},
	} {
		d := establishedPlain(t)
		w := waiter{rcvNxt: d.parse("S seq 2").seq, stamps: c.stamps, stampRecent: 100}
		d.equal(c.syn, w.arrive(d.tcb.cfg, 1, d.parse(c.syn)), c.want)
	}
}

func TestTimeWaitRecordAnswersLikeTheConnection(t *testing.T) {
	d := establishedWith(t, config{}, "mss 1000 wscale 7 sackok ts 7 60000")
	d.do(func(t *tcb) { t.closeWrite() })
	d.in("F. seq 1 ack 2 ts 8 60000")
	d.forget()
	w := d.tcb.waiter()
	var o outgoing
	w.answer(d.tcb.cfg.at(d.now), &o)
	record := d.text(&o)
	d.in("F. seq 1 ack 2 ts 9 60000")
	d.out(record, "the same segment, to the last option")
}
