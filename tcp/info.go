package tcp

import (
	"cmp"
	"net/netip"
	"slices"
	"time"
)

// Info is how a connection is doing, as ss -i shows it, or a listener. Sizes are in bytes.
//
// For a listener, whose Remote is the zero AddrPort, Unread is how many connections wait to be accepted and
// ReceiveBuffer how many may, as in ss -l.
type Info struct {
	Local, Remote netip.AddrPort // with the interface as their zone if they are link-local
	State         string         // "ESTABLISHED", as in RFC 9293, Section 3.3.2; "LISTEN" for a listener
	Err           error          // what ended the connection, a syscall.Errno, until a call has told it
	Soft          error          // what ICMP has said since the peer last took something, a syscall.Errno: it may pass

	RTT, RTTVar, MinRTT time.Duration // 0 if not measured
	RTO                 time.Duration
	Backoff             int // how often the retransmission timer has been doubled

	SendMSS, ReceiveMSS       int // how long segments are; that of the peer's is a guess
	CongestionWindow          int
	SlowStartThreshold        int // 0 if there is none yet
	InFlight                  int // sent, and not acknowledged
	SACKed, Lost, Retransmits int // of InFlight, what has arrived, what is taken for lost, and how much of that is on its way again
	Resent                    int // segments that were sent again since the connection was made
	Unsent                    int // written, and not sent
	Unread                    int // arrived in order, and not read
	EarlyPieces               int // pieces that arrived out of order
	SendWindow, ReceiveWindow int // what the peer takes, and what it was told that we take
	SendBuffer, ReceiveBuffer int // how much is kept at most, as of now
	Memory                    int // that the buffers take

	SendScale, ReceiveScale     int
	Timestamps, SACK, Scaling   bool
	NoDelay, InRecovery, Orphan bool // an orphan has been closed by its user
}

// Info returns how the connection is doing.
func (c *Conn) Info() Info {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.t
	i := Info{
		Local: c.via.Zoned(c.local), Remote: c.via.Zoned(c.remote), State: t.state.String(),
		RTT: t.rtt.srtt, RTTVar: t.rtt.rttvar, MinRTT: t.rtt.min, RTO: t.rto(), Backoff: int(t.rtt.backoff),
		SendMSS: t.mss(), ReceiveMSS: int(t.rcv.mss), CongestionWindow: int(t.cc.cwnd),
		InFlight: t.flown(), SACKed: int(t.flight.sacked), Lost: int(t.flight.lost), Retransmits: int(t.flight.resent),
		Resent: int(t.resends),
		Unsent: max(t.unsent(), 0), Unread: t.readable(),
		SendWindow: int(t.snd.wnd), ReceiveWindow: t.rcv.wnd(),
		SendBuffer: int(t.snd.limit), ReceiveBuffer: int(t.rcv.limit), Memory: t.memory(),
		SendScale: int(t.snd.shift), ReceiveScale: int(t.rcv.shift),
		Timestamps: t.has(useTimestamps), SACK: t.has(useSACK), Scaling: t.has(useScale),
		NoDelay: t.noDelay, InRecovery: t.mode() != steady, Orphan: t.orphan,
	}
	if t.cc.ssthresh < maxCwnd {
		i.SlowStartThreshold = int(t.cc.ssthresh)
	}
	if c.failure != 0 {
		i.Err = c.failure
	}
	if t.soft != 0 {
		i.Soft = t.soft
	}
	if t.early != nil {
		i.EarlyPieces = t.early.set.Len()
	}
	return i
}

// Conns returns how all listeners and connections are doing, those connections that their users have closed too,
// and those in TIME-WAIT, sorted by their ends.
func (l *Layer) Conns() []Info {
	all := l.listening()
	for k := range l.shards {
		for _, c := range l.shards[k].all() {
			all = append(all, c.Info())
		}
		all = append(all, l.shards[k].waiting()...)
	}
	slices.SortFunc(all, func(a, b Info) int {
		return cmp.Or(a.Local.Compare(b.Local), a.Remote.Compare(b.Remote))
	})
	return all
}

// listening returns the listeners.
func (l *Layer) listening() (all []Info) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for _, port := range l.listeners {
		for _, o := range port {
			all = append(all, o.info())
		}
	}
	return all
}

func (o *Listener) info() Info {
	o.mu.Lock()
	defer o.mu.Unlock()
	return Info{Local: o.via.Zoned(o.local), State: "LISTEN", Unread: len(o.queue), ReceiveBuffer: o.backlog}
}

// waiting returns the connections in TIME-WAIT.
func (s *shard) waiting() (all []Info) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for t, w := range s.waits {
		all = append(all, Info{Local: w.via.Zoned(t.local), Remote: w.via.Zoned(t.remote), State: timeWait.String(), Timestamps: w.stamps, Orphan: true})
	}
	return all
}
