package tcp

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"

	"landline/internal/gate"
	"landline/ip"
	"landline/wire"
)

// An AnyListener takes connections to any address and port, of this host or of other machines, at which nobody
// else listens. It is for gateways. Its methods may be called by several goroutines at once.
type AnyListener struct {
	layer    *Layer
	acceptBy gate.Deadline
	ready    chan struct{} // a token: there may be something to accept

	mu      sync.Mutex
	queue   []*Pending
	pending map[tuple]*Pending // those of queue, and those that are not decided
	closed  bool
}

// maxPending is how many SYNs may wait for an answer.
const maxPending = 4096

// A Pending is a connection that somebody wants to open. Until Accept or Reject is called the peer hears
// nothing, and asks again.
type Pending struct {
	tuple
	listener *AnyListener
	gone     chan struct{}
	packet   *ip.Packet // the SYN, to be quoted
	syn      segment
	decided  bool // under the listener's lock
}

// ListenAny begins to take connections to any address. There is one such listener at most: EADDRINUSE.
func (l *Layer) ListenAny() (*AnyListener, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return nil, net.ErrClosed
	case l.any.Load() != nil:
		return nil, syscall.EADDRINUSE
	}
	a := &AnyListener{layer: l, ready: make(chan struct{}, 1), pending: map[tuple]*Pending{}}
	l.any.Store(a)
	l.countForeign(1)
	return a, nil
}

// Accept waits for somebody who wants a connection. The error is that of ctx, or net.ErrClosed.
func (a *AnyListener) Accept(ctx context.Context) (*Pending, error) {
	for {
		if p := a.next(); p != nil {
			return p, nil
		}
		if a.acceptBy.Passed() {
			return nil, net.ErrClosed
		}
		select {
		case <-a.ready:
		case <-a.acceptBy.Done():
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (a *AnyListener) next() *Pending {
	a.mu.Lock()
	defer a.mu.Unlock()
	for len(a.queue) > 0 {
		p := a.queue[0]
		a.queue[0] = nil
		a.queue = a.queue[1:]
		if !p.decided {
			if len(a.queue) > 0 {
				signal(a.ready)
			}
			return p
		}
	}
	return nil
}

// Close ends the listener. Nobody who waits for an answer gets one. Connections that were accepted go on. The second
// time it returns net.ErrClosed.
func (a *AnyListener) Close() error {
	a.mu.Lock()
	if a.closed {
		a.mu.Unlock()
		return net.ErrClosed
	}
	a.closed = true
	for _, p := range a.pending {
		p.decided = true
		close(p.gone)
	}
	a.queue, a.pending = nil, map[tuple]*Pending{}
	a.mu.Unlock()
	a.layer.any.CompareAndSwap(a, nil)
	a.layer.countForeign(-1)
	a.acceptBy.Close()
	return nil
}

// countForeign counts those who want segments for other machines: a listener, and connections in their name. When
// there is none any more, such segments go where they did before.
func (l *Layer) countForeign(n int) {
	l.foreignMu.Lock()
	defer l.foreignMu.Unlock()
	l.foreign += n
	l.stack.TakeForeign(wire.ProtoTCP, l.foreign > 0)
}

func (l *Layer) takesForeign() bool {
	l.foreignMu.Lock()
	defer l.foreignMu.Unlock()
	return l.foreign > 0
}

// receive takes a segment for which there is no connection.
func (a *AnyListener) receive(p *ip.Packet, t *tuple, s *segment) {
	switch {
	case s.has(wire.FlagRST):
		a.cancel(t, s)
	case s.has(wire.FlagACK):
		a.layer.refuse(p, t, s)
	case s.has(wire.FlagSYN) && !s.has(wire.FlagFIN):
		a.add(p, t, s)
	}
}

// cancel forgets a Pending whose peer does not want it any more.
func (a *AnyListener) cancel(t *tuple, s *segment) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if p := a.pending[*t]; p != nil && s.seq == p.syn.seq.Add(1) {
		a.settleLocked(p)
		close(p.gone)
	}
}

func (a *AnyListener) add(p *ip.Packet, t *tuple, s *segment) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed || a.pending[*t] != nil {
		return
	}
	if len(a.pending) >= maxPending {
		a.layer.counts.overflows.Add(1)
		a.layer.stack.Drop(ip.DropSocketFull)
		return
	}
	syn := *s
	syn.data = nil
	w := &Pending{tuple: *t, listener: a, gone: make(chan struct{}), packet: p.Clone(), syn: syn}
	a.pending[*t] = w
	a.queue = append(a.queue, w)
	signal(a.ready)
}

// settleLocked notes that a Pending has been decided, and reports whether it had not been.
func (a *AnyListener) settleLocked(p *Pending) bool {
	if p.decided {
		return false
	}
	p.decided = true
	delete(a.pending, p.tuple)
	if k := slices.Index(a.queue, p); k >= 0 {
		a.queue = slices.Delete(a.queue, k, k+1)
	}
	return true
}

func (a *AnyListener) settle(p *Pending) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.settleLocked(p)
}

// Src returns who wants the connection.
func (p *Pending) Src() netip.AddrPort { return p.remote }

// Dst returns with whom.
func (p *Pending) Dst() netip.AddrPort { return p.local }

// Gone returns a channel that is closed if the peer no longer wants it, or the listener is closed.
func (p *Pending) Gone() <-chan struct{} { return p.gone }

// Accept answers the peer. The connection can be written to at once; it is open when the peer has answered in
// turn. The error is ECONNABORTED if it has been decided before, or the peer is gone.
func (p *Pending) Accept() (*Conn, error) {
	l := p.listener.layer
	path, err := l.path(p.local.Addr(), p.remote.Addr(), p.packet.Interface)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	c := l.newConn(p.tuple, path)
	c.via = linkLocalVia(p.remote.Addr(), p.packet.Interface)
	c.mu.Lock()
	shard, hash := l.shardOf(&c.tuple)
	e := l.endpointFor(&c.tuple, &path, now)
	if last, ok := shard.succeed(&c.tuple); ok && e.iss.Before(last.Add(seqGap)) {
		e.iss = last.Add(seqGap)
	}
	c.t = accept(l.configFor(&path), now, e, &p.syn)
	// First it is a connection, then it is no longer pending: what comes in between is for it.
	if !shard.add(c, hash, nil) {
		c.mu.Unlock()
		return nil, syscall.ECONNABORTED
	}
	if !p.listener.settle(p) {
		shard.remove(c, hash, nil)
		c.gone = true
		c.mu.Unlock()
		return nil, syscall.ECONNABORTED
	}
	if c.foreign = !l.stack.IsLocal(p.local.Addr()); c.foreign {
		l.countForeign(1)
	}
	l.counts.accepted.Add(1)
	c.unlock(now)
	return c, nil
}

// Reject tells the peer that there will be no connection, and why: by a reset if err is ECONNREFUSED, and by an
// ICMP error if it is EHOSTUNREACH. Otherwise it hears nothing, and gives up at last.
func (p *Pending) Reject(err syscall.Errno) {
	if !p.listener.settle(p) {
		return
	}
	l := p.listener.layer
	switch err {
	case syscall.ECONNREFUSED:
		l.refuse(p.packet, &p.tuple, &p.syn)
	case syscall.EHOSTUNREACH:
		l.stack.HostUnreachable(p.packet)
	}
}
