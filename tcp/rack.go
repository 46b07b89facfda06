package tcp

import (
	"time"

	"landline/wire"
)

// A rack finds losses by time: a segment is lost if one that was sent later has
// arrived, and a little while has passed (RACK, RFC 8985). It sees what counting cannot:
// that a segment sent again was lost again, and that segments merely overtook each
// other.
type rack struct {
	sent      instant       // RACK.xmit_ts: when that which was sent last, of all that arrived, was sent
	end       wire.Seq      // RACK.end_seq: its end
	rtt       time.Duration // RACK.rtt: how long it took
	fack      wire.Seq      // RACK.fack: the highest number that has arrived
	reordered bool          // RACK.reordering_seen
	factor    uint8         // RACK.reo_wnd_mult
	persist   uint8         // RACK.reo_wnd_persist
	round     wire.Seq      // RACK.dsack_round: until it is over one more DSACK does not count
	inRound   bool
}

// rackPersist is for how many recoveries a wider reordering window stays.
const rackPersist = 16

// rackArrived is RACK's part when an acknowledgment arrives (RFC 8985, Section 6.2).
func (t *tcb) rackArrived(now instant, s *segment, d *delivery) {
	if t.loss == nil && t.flight.sacked == 0 {
		return // all that arrived was next in turn
	}
	k := &t.recovery().rack
	if k.inRound && t.snd.una.AtOrAfter(k.round) {
		k.inRound = false
	}
	k.detectReordering(t, d)
	if d.bytes == 0 || !t.rackUpdate(now, s, d) {
		return
	}
	if t.flight.sacked > 0 || d.twice || t.flight.lost > 0 {
		t.rackDetect(now)
	}
}

// rackUpdate is Steps 1 and 2: it reports whether what arrived was sent later than all
// that had arrived before.
func (t *tcb) rackUpdate(now instant, s *segment, d *delivery) bool {
	if d.twice {
		// Which of the two arrived? "If the ACK's echoed timestamp is older than the
		// transmission, or it came sooner than the shortest round trip, it was the first."
		if t.has(useTimestamps) && s.opt.HasTimestamps && int32(s.opt.TSEcr-t.stamp(d.sent)) < 0 {
			return false
		}
		if now.since(d.sent) < t.rtt.min {
			return false
		}
	}
	k := &t.loss.rack
	k.rtt = now.since(d.sent)
	if d.sent < k.sent || d.sent == k.sent && d.end.Before(k.end) {
		return false
	}
	k.sent, k.end = d.sent, d.end
	return true
}

// detectReordering is Step 3: something that was sent once arrived after what is behind it.
func (k *rack) detectReordering(t *tcb, d *delivery) {
	if d.once != 0 && d.lowest.Before(k.fack) {
		k.reordered = true
	}
	high := t.snd.una
	if end, ok := t.flight.highestSACKed(); ok {
		high = end
	}
	k.fack = later(k.fack, high)
}

// reorderingWindow is Step 4: how long a segment may be overtaken.
func (t *tcb) reorderingWindow() time.Duration {
	k := &t.loss.rack
	if !k.reordered && (t.loss.mode != steady || int(t.flight.sacked) >= dupThresh*t.mss()) {
		return 0
	}
	return min(time.Duration(k.factor)*t.rtt.min/4, t.rtt.srtt)
}

// rackDetect is Step 5: it marks what is lost. If something may be lost soon, the
// timer is set to look again.
func (t *tcb) rackDetect(now instant) (found bool) {
	k := &t.loss.rack
	allowed := k.rtt + t.reorderingWindow()
	var again instant
	for i := int(t.flight.head); i < len(t.flight.all); i++ {
		r := &t.flight.all[i]
		if r.has(sacked) || r.isDue() || !r.sentBefore(k.sent, k.end) {
			continue
		}
		if at := r.sent.add(allowed); at > now {
			again = max(again, at)
			continue
		}
		t.flight.lose(i)
		found = true
	}
	if again != 0 {
		t.kind, t.retransmit = reordering, again
	}
	return found
}

// rackDuplicate widens the window, once a round trip: "each round trip with a DSACK".
func (t *tcb) rackDuplicate() {
	k := &t.loss.rack
	if k.inRound {
		return
	}
	k.inRound, k.round = true, t.snd.nxt
	k.factor, k.persist, k.reordered = min(k.factor+1, 64), rackPersist, true
}

// rackRecovered lets a wider window lapse after so many recoveries.
func (t *tcb) rackRecovered() {
	if k := &t.loss.rack; k.persist > 0 {
		if k.persist--; k.persist == 0 {
			k.factor = 1
		}
	}
}
