package tcp

import (
	"context"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"landline/internal/gate"
	"landline/ip"
)

// DefaultBacklog is how many connections wait to be accepted at most, unless somebody says otherwise: as Linux
// and package net have it.
const DefaultBacklog = 4096

// ListenConfig is what a listener is bound to, and how.
type ListenConfig struct {
	// Local is the address and port to listen at. Without a port, one is chosen. The unspecified address
	// stands for all addresses of its family. The zone names the interface of a link-local one.
	Local netip.AddrPort
	// Dual makes the unspecified IPv6 address stand for all addresses of both families.
	Dual bool
	// Interface, if not nil, is the only one to listen on.
	Interface *ip.Interface
	// Backlog is how many connections may wait to be accepted, and how many may be in their handshake
	// before cookies take the place of memory. If zero, DefaultBacklog. As on Linux, one more than that
	// may wait to be accepted.
	Backlog int
	// NoReuse says that no connection of this port may be left, not even in TIME-WAIT: EADDRINUSE. If false, only
	// another listener is in the way, as with SO_REUSEADDR.
	NoReuse bool
}

// A Listener takes connections that others open. Its methods may be called by several
// goroutines at once.
type Listener struct {
	layer   *Layer
	binding ip.Binding
	local   netip.AddrPort
	via     *ip.Interface
	dual    bool
	backlog int

	acceptBy gate.Deadline
	ready    chan struct{} // a token: there may be something to accept

	mu     sync.Mutex
	queue  []*Conn // established, and not accepted
	closed bool

	syns halfOpens
}

// Listen begins to listen. The error is a syscall.Errno (EADDRINUSE, EACCES, EADDRNOTAVAIL) or
// net.ErrClosed.
func (l *Layer) Listen(cfg ListenConfig) (*Listener, error) {
	local := unmap(cfg.Local)
	if a := local.Addr(); !a.IsUnspecified() && !l.stack.IsLocal(a) {
		return nil, syscall.EADDRNOTAVAIL
	}
	o := &Listener{layer: l, local: local, via: cfg.Interface, dual: cfg.Dual, backlog: cfg.Backlog, ready: make(chan struct{}, 1)}
	if o.backlog == 0 {
		o.backlog = DefaultBacklog
	}
	o.syns.init(o)
	if cfg.NoReuse && local.Port() != 0 && l.usesPort(local.Port()) {
		return nil, syscall.EADDRINUSE
	}
	b := ip.Binding{Addr: local.Addr(), Port: local.Port(), Dual: cfg.Dual}
	b, err := l.ports.Bind(b, l.stack.Random())
	if err != nil {
		return nil, err
	}
	o.binding, o.local = b, netip.AddrPortFrom(local.Addr(), b.Port)
	if !l.addListener(o) {
		l.ports.Release(b)
		return nil, net.ErrClosed
	}
	return o, nil
}

func (l *Layer) addListener(o *Listener) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	// The slice is replaced, so that those who walk it need no lock.
	port := o.local.Port()
	l.listeners[port] = append(slices.Clone(l.listeners[port]), o)
	return true
}

func (l *Layer) removeListener(o *Listener) {
	l.mu.Lock()
	defer l.mu.Unlock()
	port := o.local.Port()
	l.listeners[port] = slices.DeleteFunc(slices.Clone(l.listeners[port]), func(p *Listener) bool { return p == o })
	if len(l.listeners[port]) == 0 {
		delete(l.listeners, port)
	}
}

// listenerFor returns who listens where a segment goes, the most exact, or nil.
func (l *Layer) listenerFor(t *tuple, via *ip.Interface) (best *Listener) {
	l.mu.RLock()
	all := l.listeners[t.local.Port()]
	l.mu.RUnlock()
	for _, o := range all {
		if o.hears(t.local.Addr(), via) && (best == nil || best.local.Addr().IsUnspecified()) {
			best = o
		}
	}
	return best
}

func (o *Listener) hears(dst netip.Addr, via *ip.Interface) bool {
	local := o.local.Addr()
	switch {
	case o.via != nil && o.via != via:
		return false
	case local.IsUnspecified():
		return (local.Is4() == dst.Is4() || o.dual && local.Is6()) && o.layer.stack.IsLocal(dst)
	}
	return local.WithZone("") == dst
}

// usesPort reports whether a connection has this port here.
func (l *Layer) usesPort(port uint16) bool {
	for k := range l.shards {
		if l.shards[k].usesPort(port) {
			return true
		}
	}
	return false
}

// Local returns the address that is listened at.
func (o *Listener) Local() netip.AddrPort { return o.local }

// Accept waits for a connection. The error is that of ctx, net.ErrClosed or os.ErrDeadlineExceeded.
func (o *Listener) Accept(ctx context.Context) (*Conn, error) {
	for {
		done := o.acceptBy.Done()
		c, err := o.tryAccept()
		if c != nil || err != nil {
			return c, err
		}
		select {
		case <-o.ready:
		case <-done:
			return nil, o.expired()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (o *Listener) tryAccept() (*Conn, error) {
	if o.acceptBy.Passed() {
		return nil, o.expired()
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.queue) == 0 {
		return nil, nil
	}
	c := o.queue[0]
	o.queue[0] = nil
	o.queue = o.queue[1:]
	if len(o.queue) > 0 {
		signal(o.ready)
	}
	return c, nil
}

// expired says why a deadline has passed.
func (o *Listener) expired() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return net.ErrClosed
	}
	return os.ErrDeadlineExceeded
}

// SetDeadline makes Accept fail that is not done at t; the zero Time is never.
func (o *Listener) SetDeadline(t time.Time) { o.acceptBy.Set(t) }

// Close ends the listener. Connections that nobody has accepted are reset. The second time it returns
// net.ErrClosed.
func (o *Listener) Close() error {
	o.mu.Lock()
	if o.closed {
		o.mu.Unlock()
		return net.ErrClosed
	}
	o.closed = true
	queue := o.queue
	o.queue = nil
	o.mu.Unlock()

	o.layer.removeListener(o)
	o.syns.close()
	o.acceptBy.Close()
	o.layer.ports.Release(o.binding)
	for _, c := range queue {
		c.shutdown()
	}
	return nil
}

// full reports whether no more connections may wait to be accepted.
func (o *Listener) full() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.queue) > o.backlog
}

// enqueue makes an established connection wait to be accepted, and reports whether it may.
func (o *Listener) enqueue(c *Conn) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed || len(o.queue) > o.backlog {
		return false
	}
	o.queue = append(o.queue, c)
	signal(o.ready)
	return true
}

// Closed reports whether Close has been called.
func (o *Listener) Closed() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.closed
}
