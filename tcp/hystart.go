package tcp

import (
	"time"

	"landline/wire"
)

// The constants of RFC 9406, Section 4.3.
const (
	minRTTThresh  = 4 * time.Millisecond
	maxRTTThresh  = 16 * time.Millisecond
	minRTTDivisor = 8
	rttSamples    = 8 // N_RTT_SAMPLE
	cssDivisor    = 4 // CSS_GROWTH_DIVISOR
	cssRounds     = 5
)

// A hystart ends slow start before it overflows a queue: when round trips become
// longer, the window grows a quarter as fast (Conservative Slow Start), and if that
// lasts, slow start is over (HyStart++, RFC 9406). Times are in microseconds.
type hystart struct {
	end      wire.Seq // windowEnd: when it is acknowledged, a round is over
	last     uint32   // lastRoundMinRTT, 0 for infinity
	current  uint32   // currentRoundMinRTT, 0 for infinity
	baseline uint32   // cssBaselineMinRtt
	samples  uint8
	rounds   uint8 // of CSS that were begun; 0 is standard slow start
}

func (h *hystart) begin(t *tcb) { *h = hystart{end: t.snd.nxt} }

// grow returns by how many of n bytes that arrived the window is to grow.
func (h *hystart) grow(t *tcb, now instant, n int) int {
	if t.snd.una.AtOrAfter(h.end) {
		h.nextRound(t)
	}
	if t.cc.ssthresh != maxCwnd {
		return n // "only for the initial slow start" (Section 4.2)
	}
	switch {
	case h.samples < rttSamples || h.current == 0:
	case h.rounds == 0:
		h.lookForDelay(t)
	case h.current < h.baseline:
		h.rounds, h.baseline = 0, 0 // it was a passing thing: slow start again
	}
	if h.rounds > 0 {
		return n / cssDivisor
	}
	return n
}

// sample takes a round trip.
func (h *hystart) sample(rtt time.Duration) {
	us := uint32(max(rtt.Microseconds(), 1))
	if h.current == 0 || us < h.current {
		h.current = us
	}
	h.samples = min(h.samples+1, rttSamples)
}

// nextRound begins another round, and ends slow start after so many of CSS.
func (h *hystart) nextRound(t *tcb) {
	h.last, h.current, h.samples, h.end = h.current, 0, 0, t.snd.nxt
	if h.rounds == 0 {
		return
	}
	if h.rounds++; h.rounds > cssRounds {
		t.cc.ssthresh = t.cc.cwnd
		h.rounds = 0
	}
}

// lookForDelay enters CSS if this round's least round trip is longer than the last's:
//
//	RttThresh = max(MIN_RTT_THRESH, min(lastRoundMinRTT / MIN_RTT_DIVISOR, MAX_RTT_THRESH))
func (h *hystart) lookForDelay(t *tcb) {
	if h.last == 0 {
		return
	}
	thresh := max(minRTTThresh, min(time.Duration(h.last)*time.Microsecond/minRTTDivisor, maxRTTThresh))
	if h.current >= h.last+uint32(thresh.Microseconds()) {
		h.baseline, h.rounds = h.current, 1
	}
}
