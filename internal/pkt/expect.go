package pkt

import (
	"time"

	"landline/wire"
)

// collect takes what came out from the device.
func (r *runner) collect() {
	r.device.mu.Lock()
	defer r.device.mu.Unlock()
	for i := range r.device.out {
		r.came = append(r.came, &r.device.out[i])
	}
	r.device.out = nil
}

// describe returns what a packet is in the words of a script, as well as it is known.
func (r *runner) describe(c *capture) string {
	l, err := readLive(c.ip)
	if err != nil {
		return err.Error()
	}
	f := r.flows[l.tuple]
	if f == nil {
		f = &flow{}
	}
	k := l.packet(f)
	k.IP = IPFields{}
	return k.String()
}

// patience is how long the script waits for a packet that may come at any time, and longer than it should for
// others, to tell when they do.
const (
	patience   = time.Hour
	afterwards = 2 * time.Second
)

// expect waits for a packet to come out.
func (r *runner) expect(want *Packet, from, to time.Duration) error {
	if want.Unsupported != "" {
		return r.fail("not supported: %s", want.Unsupported)
	}
	f, err := r.flowOf(want)
	if err != nil {
		return err
	}
	limit := to + r.options.tolerance + afterwards
	if r.event.When.Any {
		limit = from + patience
	}
	c, l, err := r.await(want, f, limit)
	if err != nil {
		return err
	}
	if c == nil {
		return r.fail("expected %s at %s, got nothing until %s", want, r.due(from, to), seconds(r.elapsed()))
	}
	got := l.packet(f)
	if want.TCP != nil && got.TCP != nil {
		if err := r.segment(want, got, l, f); err != nil {
			return err
		}
	}
	if text := want.differs(got); text != "" {
		return r.fail("%s", text)
	}
	if got.TCP != nil {
		if text := f.wrongData(got.TCP); text != "" {
			return r.fail("%s", text)
		}
	}
	return r.checkTime(c.at.Sub(r.start), from, to, want)
}

// checkTime fails if a packet came too early or too late.
func (r *runner) checkTime(at, from, to time.Duration, want *Packet) error {
	tolerance := r.options.tolerance
	if r.event.When.Any || from-tolerance <= at && at <= to+tolerance {
		return nil
	}
	return r.fail("expected %s at %s, got it at %s", want, r.due(from, to), seconds(at))
}

// due says when an event is due, since the script began.
func (r *runner) due(from, to time.Duration) string {
	switch {
	case r.event.When.Any:
		return "any time"
	case from != to:
		return seconds(from) + "~" + seconds(to)
	}
	return seconds(from)
}

// segment brings the numbers of a segment together with those of the script, and makes one of several that the
// script has as one.
func (r *runner) segment(want, got *Packet, l *live, f *flow) error {
	if got.TCP.Flags.Has(wire.FlagSYN) && want.TCP.Flags.Has(wire.FlagSYN) {
		r.learn(want, l, f)
		*got = *l.packet(f)
	}
	r.learnStamps(want.TCP, l, f)
	*got.TCP = *readTCP(l.tcp, f)
	for got.TCP.Len < want.TCP.Len {
		c, next, err := r.await(want, f, r.elapsed())
		if err != nil {
			return err
		}
		if c == nil {
			break
		}
		if !got.TCP.join(readTCP(next.tcp, f)) {
			r.came = append([]*capture{c}, r.came...)
			break
		}
	}
	want.TCP.absolute(got.TCP, f)
	if !r.cfg.Strict {
		got.TCP.choose(want.TCP)
	}
	got.TCP.forgiveStamps(want.TCP, r.options.stampTick, r.options.tolerance)
	return nil
}

// learn takes the first number of ours from a SYN, unless it is known and the peer has not begun anew.
func (r *runner) learn(want *Packet, l *live, f *flow) {
	if !f.known || f.again {
		f.learn(l.tcp.Seq().Uint32(), want.TCP.Seq)
	}
}

// learnStamps notes which TSval stands for which.
func (r *runner) learnStamps(want *TCPFields, l *live, f *flow) {
	var o wire.TCPOptions
	if err := l.tcp.ReadOptions(&o); err != nil || !o.HasTimestamps {
		return
	}
	for i := range want.Options {
		if s := &want.Options[i]; s.Kind == wire.TCPOptTimestamps && !s.AnyVal {
			f.noteStamp(o.TSVal, s.Val)
		}
	}
}

// await returns the next packet of a flow, or nil if none comes until a time.
func (r *runner) await(want *Packet, f *flow, until time.Duration) (*capture, *live, error) {
	for {
		if err := r.settle(); err != nil {
			return nil, nil, err
		}
		r.collect()
		for i, c := range r.came {
			l, err := readLive(c.ip)
			if err != nil {
				return nil, nil, r.fail("the host sent a bad packet: %v", err)
			}
			if r.belongs(want, l, f) {
				r.came = append(r.came[:i:i], r.came[i+1:]...)
				return c, l, nil
			}
		}
		if !r.waitForPacket(until) {
			return nil, nil, nil
		}
	}
}

// waitForPacket waits until something comes out, and reports whether that was before a time.
func (r *runner) waitForPacket(until time.Duration) bool {
	left := until - r.elapsed()
	if left <= 0 {
		return false
	}
	timer := time.NewTimer(left)
	defer timer.Stop()
	select {
	case <-r.device.wake:
	case <-timer.C:
	}
	return true
}

// belongs reports whether a packet that came out is one of a flow.
func (r *runner) belongs(want *Packet, l *live, f *flow) bool {
	if want.ICMP != nil {
		return l.icmp != nil && l.tuple.remote.Addr() == f.remote.Addr()
	}
	if l.tuple == f.tuple() {
		return true
	}
	first := l.tcp != nil && l.tcp.Flags().Has(wire.FlagSYN) || l.udp != nil
	if f.local.Port() != 0 || !first || l.tuple.proto != f.proto || l.tuple.remote != f.remote {
		return false
	}
	f.local = l.tuple.local
	r.addFlow(f)
	return true
}
