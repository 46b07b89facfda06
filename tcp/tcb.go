package tcp

import (
	"syscall"
	"time"

	"landline/internal/ring"
	"landline/wire"
)

// A tcb is a connection: the transmission control block of RFC 9293, Section 3.3.1,
// whose names it uses. See the package's comment for how it is driven.
//
// What no quiet connection needs stands behind pointers.
type tcb struct {
	cfg  *config
	err  syscall.Errno // why the connection ended; 0 if it ended well
	soft syscall.Errno // what ICMP has said since the peer last took something, which may pass

	snd sendSpace
	rcv recvSpace

	flight flight
	rtt    roundTrip
	cc     congestion
	loss   *recovery   // once something was lost
	early  *reassembly // once something has arrived out of order
	keep   *keepAlive  // if it is on
	in     *intake     // once somebody has waited with room for much

	retransmit instant // when the timer for what kind says ends
	ackAt      instant // when a delayed acknowledgment must go
	lingerAt   instant // when FIN-WAIT-2 without a reader, or TIME-WAIT, ends
	clock      instant // the latest time that it was told: see tick
	heard      instant // when something of this connection last came in
	moved      instant // when the peer last took something, or something to take was sent
	challenged instant // when a challenge was last sent

	stampAt     instant // when stampRecent was set
	stampRecent uint32  // TS.Recent
	stampOffset uint32
	resends     uint32 // segments that were sent again
	resetSeq    wire.Seq

	userTimeout time.Duration // 0 if the config's limit counts

	state  state
	use    features
	kind   timerKind
	probes uint8 // keepalives sent without an answer
	tries  uint8 // windows probed without an answer, which doubles the time

	ipv6      bool
	passive   bool // opened by a listener
	noDelay   bool
	orphan    bool // closed by the user: nobody will read
	dying     bool // a reset must go when nothing else may: see reset
	ackNow    bool // an acknowledgment must go at once
	synDue    bool // SYN or its answer must go
	probeDue  bool // something must go, whatever the window is
	tailDue   bool // the last segment must go, as a loss probe
	keepDue   bool // a keepalive must go
	doubtful  bool // R1 has been reached: see takeDoubt
	resetDue  resetKind
	quick     uint8 // how many acknowledgments are not to be delayed
	holding   bool  // see hold
	filling   bool  // room in the send ring is lent: see lendRoom
	more      bool  // the user writes more at once
	starved   bool  // there was no memory for what came
	windowDue bool  // the window has opened so far that the peer should know
}

// A sendSpace is the send sequence space, and what waits in it.
//
//	    una          nxt          una+wnd
//	-----|------------|-------------|-----
//	taken  on its way   may be sent
type sendSpace struct {
	una, nxt wire.Seq
	iss      wire.Seq
	wl1, wl2 wire.Seq // SEG.SEQ and SEG.ACK of the last window update
	base     wire.Seq // of the text's first byte: una, unless the text is being held
	small    wire.Seq // the end of the last segment that was not full
	wnd      uint32
	maxWnd   uint32 // MAX.SND.WND
	mss      uint16 // the longest segment, with the bytes of its options
	peerMSS  uint16 // SendMSS: what the peer said, or the default
	pathMSS  uint16 // what the path carries
	shift    uint8
	fin      bool // FIN follows the last byte of the text
	limit    int32
	charged  int32 // bytes of the budget, for both rings
	fixed    bool  // limit was set by the user

	text sendText
}

// A recvSpace is the receive sequence space, and what waits in it.
type recvSpace struct {
	nxt, irs  wire.Seq
	edge      wire.Seq // RCV.NXT+RCV.WND: what has been promised, and is never taken back
	acked     wire.Seq // Last.ACK.sent
	limit     int32
	announced uint16 // the MSS that our SYN announces
	mss       uint16 // how long the peer's segments are
	last      uint16 // how long the last one was
	shift     uint8
	fixed     bool  // limit was set by the user
	fin       bool  // FIN has been taken
	shut      bool  // the user reads no more: bytes are acknowledged and dropped
	withheld  bool  // for want of memory the peer was told that the window is shut, though edge is farther
	near      uint8 // goes from 255 to 0 with what arrives since a round trip was too short for the timestamps to tell
	tune      tuner

	ring ring.Ring // its end is nxt
}

// wnd is RCV.WND.
func (r *recvSpace) wnd() int { return max(r.edge.Since(r.nxt), 0) }

// A state is one of RFC 9293, Section 3.3.2. LISTEN is not among them: a listener
// is not a connection.
type state uint8

const (
	closed state = iota
	synSent
	synReceived
	established
	finWait1
	finWait2
	closeWait
	closing
	lastAck
	timeWait
)

var stateNames = [...]string{
	"CLOSED", "SYN-SENT", "SYN-RECEIVED", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2",
	"CLOSE-WAIT", "CLOSING", "LAST-ACK", "TIME-WAIT",
}

func (s state) String() string { return stateNames[s] }

// Why a connection ends otherwise than by FIN, as long as the shell has not looked at what that means to the user.
const (
	errRefused = syscall.ECONNREFUSED
	errReset   = syscall.ECONNRESET
	errTimeout = syscall.ETIMEDOUT
	errAborted = syscall.ECONNABORTED
)

// end ends the connection. What has arrived in order stays to be read.
func (t *tcb) end(err syscall.Errno) {
	t.state, t.err = closed, err
	t.snd.text, t.flight, t.loss, t.early = sendText{}, flight{}, nil, nil
	t.snd.base, t.snd.una = t.snd.nxt, t.snd.nxt
	t.retransmit, t.ackAt, t.lingerAt, t.kind = 0, 0, 0, idle
	t.ackNow, t.synDue, t.probeDue, t.tailDue, t.keepDue = false, false, false, false, false
}

// tick takes note of the time, which does not go back in a connection. Who has looked at the clock and then waits for
// the lock comes with an earlier time than who overtook him; and the peer drops what has an older timestamp than
// what it has had already (RFC 7323, Section 5.3).
func (t *tcb) tick(now time.Time) instant {
	t.clock = max(t.clock, t.cfg.at(now))
	return t.clock
}

// arrive handles a segment that came in now. It changes s, and reads its data before
// it returns.
func (t *tcb) arrive(now time.Time, s *segment) {
	at := t.tick(now)
	switch t.state {
	case closed:
		// The shell answers: answerClosed.
	case synSent:
		t.arriveSYNSent(at, s)
	case timeWait:
		t.arriveTimeWait(at, s)
	default:
		t.arriveSynchronized(at, s)
	}
}

// arriveSynchronized handles a segment in the order of RFC 9293, Section 3.10.7.4.
func (t *tcb) arriveSynchronized(now instant, s *segment) {
	if t.checkSequence(now, s) && t.checkReset(now, s) && t.checkSYN(now, s) && t.checkACK(now, s) {
		t.takeText(now, s)
		t.takeFIN(now, s)
	}
}
