package tcp

// prr is what proportional rate reduction remembers (RFC 6937): it brings the window
// down to ssthresh over a round trip of recovery, with a segment sent for every so
// many that arrive, rather than waiting for half a round trip and then sending at the
// old rate.
type prr struct {
	start     uint32 // RecoverFS: FlightSize when recovery began
	delivered uint32 // prr_delivered
	out       uint32 // prr_out
}

// proportion sets the window so that as much is sent as an acknowledgment lets out:
// delivered is DeliveredData. safe says that the acknowledgment moved snd.una and
// nothing more was found lost: only then the window is let grow (the bound is
// conservative otherwise, and slow start else).
func (t *tcb) proportion(delivered int, safe bool) {
	p := &t.loss.prr
	p.delivered += uint32(max(delivered, 0))
	pipe, target := t.pipe(), int(t.cc.ssthresh)
	var send int
	if pipe > target {
		// "sndcnt = CEIL(prr_delivered * ssthresh / RecoverFS) - prr_out"
		whole := (uint64(p.delivered)*uint64(target) + uint64(p.start) - 1) / max(uint64(p.start), 1)
		send = int(whole) - int(p.out)
	} else {
		// "limit = MAX(prr_delivered - prr_out, DeliveredData) + MSS";
		// "sndcnt = MIN(ssthresh - pipe, limit)"
		limit := max(int(p.delivered)-int(p.out), delivered)
		if safe {
			limit += t.mss()
		}
		send = min(target-pipe, limit)
	}
	t.cc.cwnd = uint32(max(pipe+max(send, 0), t.mss()))
}

// sentInRecovery counts what goes out.
func (t *tcb) sentInRecovery(n int) {
	if t.loss != nil && t.loss.mode == fastRecovery {
		t.loss.prr.out += uint32(n)
	}
}
