package tcp

import (
	"time"

	"landline/wire"
)

// challengeInterval is how far apart challenges are at least. "An ACK throttling
// mechanism ... to conserve resources" (RFC 5961, Section 7). It is each
// connection's own: a limit that connections share tells a stranger how many there
// are.
const challengeInterval = 500 * time.Millisecond

// challenge acknowledges what a stranger may have forged, so that a true peer shows
// with its answer what it knows.
func (t *tcb) challenge(now instant) {
	if t.challenged == 0 || now.since(t.challenged) >= challengeInterval {
		t.challenged = now
		t.ackNow = true
	}
}

// challengeEmpty answers a segment that is out of place. One without text is answered
// as rarely as a forged one: two ends that do not agree where they are would
// otherwise answer each other's answers for ever.
func (t *tcb) challengeEmpty(now instant, s *segment) {
	if len(s.data) > 0 && !s.has(wire.FlagSYN) {
		t.ackNow = true
		return
	}
	t.challenge(now)
}
