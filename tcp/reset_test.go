package tcp

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// RFC 5961, Section 3.2.
func TestResetMustHitExactly(t *testing.T) {
	d := establishedPlain(t)
	d.in("R seq 0")
	d.in("R seq 65536")
	d.in("R seq 100000")
	d.silent("\"outside the current receive window, silently drop\"")
	d.in("R seq 2")
	d.out(". seq 1 ack 1", "in the window: \"MUST send a challenge ACK\"")
	d.state(established, "")
	d.in("R seq 3")
	d.silent("\"throttling\" (Section 7)")
	d.wait(challengeInterval)
	d.in("R seq 65535")
	d.out(". seq 1 ack 1", "another one, later")
	d.in("R seq 1")
	d.ended(errReset, "\"exactly matches\"")
}

// "TCP implementations SHOULD allow a received RST segment to include data" (RFC 9293, Section 3.5.2, SHLD-2).
func TestResetMayCarryText(t *testing.T) {
	d := establishedPlain(t)
	d.in("R seq 1 len 20")
	d.ended(errReset, "the text may say why")
	d.equal("which is not for the user", d.tcb.readable(), 0)

	e := establishedPlain(t)
	e.in("R seq 0 len 20")
	e.state(established, "its first number counts, wherever its text ends")
}

func TestResetHitsAShutWindow(t *testing.T) {
	c := plainConfig()
	c.recvMax = 4096
	d := establishedWith(t, c, "mss 1000")
	d.in(". seq 1 ack 1 len 4096")
	d.equal("window", d.tcb.rcv.wnd(), 0)
	d.in("R seq 4098")
	d.state(established, "not exactly")
	d.in("R seq 4097")
	d.ended(errReset, "MUST-66")
}

// RFC 5961, Section 4.2.
func TestSYNIsChallenged(t *testing.T) {
	for _, syn := range []string{"S seq 0", "S seq 1", "S seq 100", "S seq 1000000", "S. seq 1 ack 1", "SP. seq 0 ack 1 len 5"} {
		d := establishedPlain(t)
		d.in(syn)
		d.out(". seq 1 ack 1", syn+": \"irrespective of the sequence number\"")
		d.state(established, syn)
		d.equal(syn, d.tcb.readable(), 0)
	}
}

// The peer has begun anew: its reset is exact, as the challenge told it the number.
func TestRestartedPeerGetsThrough(t *testing.T) {
	d := establishedPlain(t)
	d.in("S seq 5000")
	d.out(". seq 1 ack 1", "a challenge")
	d.in("R seq 1")
	d.ended(errReset, "RFC 9293, Figure 9")
}

func TestSegmentsOutOfPlaceAreAnsweredRarely(t *testing.T) {
	d := establishedPlain(t)
	for range 100 {
		d.in(". seq 70000 ack 1")
	}
	d.out(". seq 1 ack 1", "\"an acknowledgment should be sent in reply\"")
	d.silent("but two ends that disagree would answer each other for ever")
	d.in("P. seq -100 ack 1 len 10")
	d.out(". seq 1 ack 1", "data is answered always")
}

func TestKeepAliveOfThePeerIsAnswered(t *testing.T) {
	d := establishedPlain(t)
	d.in(". seq 0 ack 1")
	d.out(". seq 1 ack 1", "SEG.SEQ = SND.NXT-1 is out of the window (RFC 9293, Section 3.8.4)")
	d.wait(time.Second)
	d.in(". seq 0 ack 1 len 1")
	d.out(". seq 1 ack 1", "with \"one garbage octet\" too")
	d.equal("which is no text", d.tcb.readable(), 0)
}

// Who has filled our window acknowledges from its right edge.
func TestAcknowledgmentFromTheRightEdgeCounts(t *testing.T) {
	d := establishedPlain(t)
	d.write(10)
	d.forget()
	edge := itoa(d.tcb.rcv.wnd() + 1)
	d.in(". seq " + edge + " ack 11")
	d.equal("on its way", d.tcb.flown(), 0)
	d.in("P. seq " + edge + " ack 11 len 1")
	d.out(". seq 11 ack 1", "text there is beyond the window")
}

// grids: every state, and every kind of segment. What comes of each is one of
//
//	ack    an acknowledgment goes out, nothing else happens
//	rst    <SEQ=SEG.ACK><CTL=RST>, nothing else
//	synack SYN,ACK goes again
//	-      nothing goes out, nothing else happens
//	take   the segment is taken: something changes
//	NAME   the state becomes NAME
var grid = []struct {
	kind, in string
	want     map[state]string
}{
	{"reset, exact", "R seq N", all("CLOSED", timeWait, "-", synSent, "-")},
	{"reset in the window", "R seq N+1", all("ack", timeWait, "-", synSent, "-")},
	{"reset outside", "R seq N-1", all("-")},
	{"reset that acknowledges", "R. seq N ack A", all("CLOSED", timeWait, "-")},
	{"SYN, old", "S seq 0", all("ack", synSent, "SYN-RECEIVED", synReceived, "synack")},
	{"SYN in the window", "S seq N+1", all("ack", synSent, "SYN-RECEIVED", timeWait, "reuse")},
	{"SYN,ACK, old", "S. seq 0 ack A", all("ack", synSent, "ESTABLISHED", synReceived, "ESTABLISHED")},
	{"no flags", "none seq N len 5", all("-")},
	{"FIN without ACK", "F seq N", all("-")},
	{"acknowledgment of nothing new", ". seq N ack U", all("-", synSent, "rst", synReceived, "rst")},
	{"acknowledgment of all", ". seq N ack A",
		all("-", synSent, "-", synReceived, "ESTABLISHED", finWait1, "FIN-WAIT-2", closing, "TIME-WAIT", lastAck, "CLOSED")},
	{"acknowledgment of what was not sent", ". seq N ack A+1", all("ack", synSent, "rst", synReceived, "rst", timeWait, "-")},
	{"acknowledgment, ancient", ". seq N ack A-70000", all("ack", synSent, "rst", synReceived, "rst", timeWait, "-")},
	{"acknowledgment from before the window", ". seq N-1 ack A", all("ack", synSent, "-")},
	{"acknowledgment from beyond the window", ". seq N+70000 ack A", all("ack", synSent, "-")},
	{"text in turn", "P. seq N ack A len 5",
		all("take", synSent, "-", synReceived, "ESTABLISHED", finWait1, "FIN-WAIT-2", closeWait, "-", closing, "TIME-WAIT", lastAck, "CLOSED", timeWait, "ack")},
	{"text ahead of its turn", "P. seq N+5 ack A len 5",
		all("ack", synSent, "-", synReceived, "ESTABLISHED", finWait1, "FIN-WAIT-2", closeWait, "-", closing, "TIME-WAIT", lastAck, "CLOSED")},
	{"text that was there", "P. seq N-5 ack A len 5", all("ack", synSent, "-")},
	{"text beyond the window", "P. seq N+70000 ack A len 5", all("ack", synSent, "-")},
	{"FIN in turn", "F. seq N ack A",
		all("CLOSE-WAIT", synSent, "-", finWait1, "TIME-WAIT", finWait2, "TIME-WAIT", closeWait, "-", closing, "TIME-WAIT", lastAck, "CLOSED", timeWait, "ack")},
	{"FIN that does not acknowledge ours", "F. seq N ack U",
		all("CLOSE-WAIT", synSent, "rst", synReceived, "rst", finWait1, "CLOSING", finWait2, "TIME-WAIT", closeWait, "-", closing, "-", lastAck, "-", timeWait, "ack")},
	{"FIN again", "F. seq N-1 ack A", all("ack", synSent, "-")},
}

// all says what comes of a segment in every state, with exceptions.
func all(usual string, but ...any) map[state]string {
	m := make(map[state]string)
	for s := synSent; s <= timeWait; s++ {
		m[s] = usual
	}
	for i := 0; i < len(but); i += 2 {
		m[but[i].(state)] = but[i+1].(string)
	}
	return m
}

// inState returns a connection in a state, and what N (RCV.NXT), A (SND.NXT) and U
// (SND.UNA) are.
func inState(t *testing.T, s state) (d *dialogue, n, a, u int) {
	switch s {
	case synSent:
		d = dial(t, plainConfig())
		n, a, u = 1, 1, 0
	case synReceived:
		d = listen(t, plainConfig(), "S seq 0 mss 1000")
		n, a, u = 1, 1, 0
	case established:
		d = establishedPlain(t)
		n, a, u = 1, 1, 1
	case finWait1:
		d = establishedPlain(t)
		d.do(func(t *tcb) { t.closeWrite() })
		n, a, u = 1, 2, 1
	case finWait2:
		d = establishedPlain(t)
		d.do(func(t *tcb) { t.closeWrite() })
		d.in(". seq 1 ack 2")
		n, a, u = 1, 2, 2
	case closeWait:
		d = establishedPlain(t)
		d.in("F. seq 1 ack 1")
		n, a, u = 2, 1, 1
	case closing:
		d = establishedPlain(t)
		d.do(func(t *tcb) { t.closeWrite() })
		d.in("F. seq 1 ack 1")
		n, a, u = 2, 2, 1
	case lastAck:
		d = establishedPlain(t)
		d.in("F. seq 1 ack 1")
		d.do(func(t *tcb) { t.closeWrite() })
		n, a, u = 2, 2, 1
	case timeWait:
		d = establishedPlain(t)
		d.do(func(t *tcb) { t.closeWrite() })
		d.in("F. seq 1 ack 2")
		n, a, u = 2, 2, 2
	}
	if d.tcb.state != s {
		t.Fatalf("made %v, want %v", d.tcb.state, s)
	}
	d.forget()
	return d, n, a, u
}

func TestEveryStateAndEveryKindOfSegment(t *testing.T) {
	for _, g := range grid {
		for s := synSent; s <= timeWait; s++ {
			t.Run(fmt.Sprintf("%v/%s", s, g.kind), func(t *testing.T) {
				d, n, a, u := inState(t, s)
				line := g.in
				for letter, value := range map[string]int{"N": n, "A": a, "U": u} {
					line = expand(line, letter, value)
				}
				d.expectOutcome(line, g.want[s], a, n)
			})
		}
	}
}

// expand replaces "seq N+1" and the like.
func expand(line, letter string, value int) string {
	words := strings.Fields(line)
	for i, w := range words {
		var off int
		if len(w) > 0 && w[:1] == letter {
			if len(w) > 1 {
				fmt.Sscanf(w[1:], "%d", &off)
			}
			words[i] = itoa(value + off)
		}
	}
	return strings.Join(words, " ")
}

func (d *dialogue) expectOutcome(line, want string, a, n int) {
	d.Helper()
	before := *d.tcb
	seg := d.parse(line)
	if d.tcb.state == timeWait {
		w := d.tcb.waiter()
		verdict := w.arrive(d.tcb.cfg, d.tcb.cfg.at(d.now), d.parse(line))
		d.equal("the record's verdict", verdict == waitReuse, want == "reuse")
	}
	d.tcb.arrive(d.now, seg)
	d.pump()
	after := d.tcb
	same := after.state == before.state && after.rcv.nxt == before.rcv.nxt && after.snd.una == before.snd.una
	switch want {
	case "-", "reuse":
		d.silent(line)
		d.equal("nothing happens", same, true)
	case "ack":
		d.out(fmt.Sprintf(". seq %d ack %d", a, n), line)
		d.equal("nothing happens", same, true)
	case "synack":
		d.out("S. seq 0 ack 1", line)
		d.equal("nothing happens", same, true)
	case "rst":
		d.out("R seq "+itoa(int(int32(d.parse(line).ack.Uint32()-d.iss))), line)
		d.equal("nothing happens", same, true)
	case "take":
		d.equal("something happens", same, false)
	default:
		d.equal("state", after.state.String(), want)
	}
}
