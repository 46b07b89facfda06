package tcp

import (
	"context"
	"math/rand/v2"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"landline/internal/siphash"
	"landline/ip"
	"landline/wire"
)

// Config describes the TCP of a host. Its zero value is an ordinary one.
type Config struct {
	// Reserved says that ports below it are for no one. If zero, all may be taken.
	Reserved uint16
	// MemoryLimit bounds what all connections together keep in their buffers, in bytes. If zero, 256
	// MiB.
	MemoryLimit int
	// Ways are those of other systems, for tests that were written for them.
	Ways Ways
}

const defaultMemoryLimit = 256 << 20

// Ways are what the standards leave to a system to choose. The zero value is what this one chooses.
type Ways struct {
	// NoTimestamps, NoSACK and NoScale say what is not offered.
	NoTimestamps, NoSACK, NoScale bool
	// ScaleFirst puts the options of a SYN into the order of the BSDs: MSS, window scale, SACK permitted,
	// timestamps. If false, they are in that of Linux: MSS, SACK permitted, timestamps, window scale.
	ScaleFirst bool
	// NoQuickACKs delays acknowledgments from the first. If false, the first of a connection go at once.
	NoQuickACKs bool
	// Reno is the congestion control of RFC 5681 in place of CUBIC.
	Reno bool
	// BufferInit and BufferMax are how large buffers are at first, and at most, in bytes. If zero, 128 KiB and 4 MiB.
	BufferInit, BufferMax int
}

// config returns what connections go by.
func (w *Ways) config() config {
	return config{
		noTimestamps: w.NoTimestamps, noSACK: w.NoSACK, noScale: w.NoScale, scaleFirst: w.ScaleFirst,
		noQuickACKs: w.NoQuickACKs, reno: w.Reno,
		bufferInit: w.BufferInit, sendMax: w.BufferMax, recvMax: w.BufferMax,
	}
}

// A Layer is the TCP of one host. Its methods may be called by several goroutines at once.
type Layer struct {
	stack *ip.Stack
	ports *ip.Ports
	plain *config // for devices that take segments one by one
	units *config // for those that take several as one
	key   siphash.Key
	epoch time.Time

	batches sync.Pool // of *batch
	drafts  sync.Pool // of *tcb, for connections that are not there yet
	counts  counters
	waiting atomic.Int32 // goroutines that wait for room to write

	shards [shardCount]shard
	any    atomic.Pointer[AnyListener] // nil if there is none

	drained chan struct{} // a token: a closed connection has less to send

	foreignMu sync.Mutex
	foreign   int // who wants segments for other machines: see countForeign

	mu        sync.RWMutex
	closed    bool
	listeners map[uint16][]*Listener
	keeps     map[keepAlive]*keepAlive // that connections share
}

// counters count what is worth to be known of a Layer.
type counters struct {
	sent, resent, received, opened, accepted, resets, overflows, cookies atomic.Uint64
}

// Stats counts what the connections of a host did since it was made. Segments that a device cuts from one are
// counted one by one.
type Stats struct {
	Sent      uint64 // segments
	Resent    uint64 // of those, again
	Received  uint64 // segments without a fault
	Opened    uint64 // connections that were dialed
	Accepted  uint64 // and that came in
	Resets    uint64 // RSTs that were sent
	Overflows uint64 // connections that came in while a backlog was full
	Cookies   uint64 // SYNs that were answered with a cookie
	Memory    int    // bytes in buffers now
}

// Stats returns what has been counted.
func (l *Layer) Stats() Stats {
	c := &l.counts
	return Stats{
		Sent: c.sent.Load(), Resent: c.resent.Load(), Received: c.received.Load(),
		Opened: c.opened.Load(), Accepted: c.accepted.Load(), Resets: c.resets.Load(),
		Overflows: c.overflows.Load(), Cookies: c.cookies.Load(), Memory: int(l.plain.budget.used.Load()),
	}
}

// New makes the TCP of a stack that has no device yet.
func New(stack *ip.Stack, cfg Config) *Layer {
	if cfg.MemoryLimit <= 0 {
		cfg.MemoryLimit = defaultMemoryLimit
	}
	l := &Layer{
		stack: stack, ports: &ip.Ports{Reserved: cfg.Reserved}, epoch: time.Now(), drained: make(chan struct{}, 1),
		listeners: map[uint16][]*Listener{}, keeps: map[keepAlive]*keepAlive{},
	}
	l.key = siphash.New(rand.New(rand.NewPCG(stack.Random(), stack.Random())))
	budget := &budget{limit: int64(cfg.MemoryLimit)}
	c := cfg.Ways.config()
	c.epoch, c.budget = l.epoch, budget
	l.plain = c.filled()
	c.maxUnit = maxUnit
	l.units = c.filled()
	l.batches.New = func() any { return new(batch) }
	l.drafts.New = func() any { return new(tcb) }
	for k := range l.shards {
		l.shards[k].init(l)
	}
	stack.Register(wire.ProtoTCP, ip.Transport{Receive: l.receive, Fault: l.fault, Narrow: l.narrow})
	return l
}

// Close resets all connections and closes all listeners. What they still wanted to send is sent as
// far as it can be without waiting.
func (l *Layer) Close() {
	l.mu.Lock()
	l.closed = true
	var listeners []*Listener
	for _, at := range l.listeners {
		listeners = append(listeners, at...)
	}
	l.mu.Unlock()
	for _, o := range listeners {
		o.Close()
	}
	if a := l.any.Load(); a != nil {
		a.Close()
	}
	for k := range l.shards {
		for _, c := range l.shards[k].stop() {
			c.shutdown()
		}
	}
}

// Drain waits until all that was written on connections that have been closed is acknowledged, with the end of the stream,
// or those connections have failed. The error is that of ctx.
func (l *Layer) Drain(ctx context.Context) error {
	for l.isDraining() {
		select {
		case <-l.drained:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

func (l *Layer) isDraining() bool {
	for k := range l.shards {
		for _, c := range l.shards[k].all() {
			if c.isDraining() {
				return true
			}
		}
	}
	return false
}

// configFor returns what a connection on a path goes by.
func (l *Layer) configFor(p *ip.Path) *config {
	if p.Units() {
		return l.units
	}
	return l.plain
}

// A tuple names a connection, from our point of view.
type tuple struct {
	local, remote netip.AddrPort // without zones, and not mapped
}

// hash returns a number that strangers cannot guess.
func (t *tuple) hash(k siphash.Key) uint64 {
	ports := uint64(t.local.Port())<<16 | uint64(t.remote.Port())
	return k.Pair(t.local.Addr(), t.remote.Addr(), ports)
}

// endpointFor returns how a connection begins on a path.
//
// The initial sequence number is that of RFC 6528, Section 3: "ISN = M +
// F(localip, localport, remoteip, remoteport, secretkey)", M being a clock that ticks every 4
// microseconds. Timestamps begin somewhere else for each pair of ends too, so that they still go up when
// the same two meet again (RFC 7323, Section 5.4).
func (l *Layer) endpointFor(t *tuple, p *ip.Path, now time.Time) endpoint {
	h := t.hash(l.key)
	m := uint32(now.Sub(l.epoch) / (4 * time.Microsecond))
	head := ipHead(t.remote.Addr()) + wire.TCPLen
	return endpoint{
		iss: wire.SeqOf(m + uint32(h)), stampOffset: uint32(h >> 32), ipv6: t.remote.Addr().Is6(),
		pathMSS: uint16(max(p.MTU()-head, 0)), linkMSS: uint16(max(p.LinkMTU()-head, 0)),
	}
}

// ipHead returns the length of an IP header to an address.
func ipHead(a netip.Addr) int {
	if a.Is4() {
		return wire.IPv4Len
	}
	return wire.IPv6Len
}

// answer sends a segment that belongs to no connection that could keep it.
func (l *Layer) answer(t *tuple, via *ip.Interface, o *outgoing) {
	path, err := l.path(t.local.Addr(), t.remote.Addr(), via)
	if err == nil {
		l.send(&path, t, o)
	}
}

// path returns the way from an address, of this host or of a machine for which it speaks, back to one that
// something came from by an interface.
func (l *Layer) path(from, to netip.Addr, via *ip.Interface) (ip.Path, error) {
	via = linkLocalVia(to, via)
	if !l.stack.IsLocal(from) && l.takesForeign() {
		return l.stack.PathAs(from, to, via)
	}
	return l.stack.Path(from, to, via)
}

// send sends a segment, once.
func (l *Layer) send(path *ip.Path, t *tuple, o *outgoing) {
	b := l.batches.Get().(*batch)
	b.out[0], b.count, b.path = *o, 1, *path
	l.countSent(b, 0)
	l.build(b, t)
	_ = path.Send(b.frames[:1], nil) // what is lost is lost
	l.putBatch(b)
}

// tupleOf makes the name of a connection, without zones.
func tupleOf(local netip.Addr, localPort uint16, remote netip.Addr, remotePort uint16) tuple {
	return tuple{netip.AddrPortFrom(local, localPort), netip.AddrPortFrom(remote, remotePort)}
}

func unmap(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

// shared returns one keepAlive for all connections that want the same.
func (l *Layer) shared(k keepAlive) *keepAlive {
	l.mu.Lock()
	defer l.mu.Unlock()
	if have := l.keeps[k]; have != nil {
		return have
	}
	if len(l.keeps) >= maxKeeps {
		return &k
	}
	l.keeps[k] = &k
	return &k
}

// maxKeeps is how many different keepalives are shared.
const maxKeeps = 64
