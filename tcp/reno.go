package tcp

// growReno is congestion avoidance: "cwnd is incremented by roughly 1 full-sized
// segment per round-trip time"; by counting bytes, "when the number of bytes
// acknowledged reaches cwnd, then cwnd can be incremented by up to SMSS bytes" (RFC
// 5681, Section 3.1).
func (c *congestion) growReno(t *tcb, n int) {
	c.acked += uint32(n)
	for c.acked >= c.cwnd {
		c.acked -= c.cwnd
		c.cwnd = min(c.cwnd+uint32(t.mss()), maxCwnd)
	}
}
