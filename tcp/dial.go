package tcp

import (
	"context"
	"net"
	"net/netip"
	"syscall"
	"time"

	"landline/ip"
)

// DialConfig says what to connect to, and from where.
type DialConfig struct {
	// Local is the address and port to come from. If it has no address, that is chosen by the routes; if it has
	// no port, one is chosen.
	Local netip.AddrPort
	// Foreign says that Local is another machine's, for which this host is a gateway: what is sent there comes by this
	// host, and is for the connection. It has a port.
	Foreign bool
	// Remote is the address and port to connect to.
	Remote netip.AddrPort
	// Interface, if not nil, is the one to go by.
	Interface *ip.Interface
}

// Dial opens a connection, and waits until it is open. The error is that of ctx, or a
// syscall.Errno: ECONNREFUSED, ETIMEDOUT, EHOSTUNREACH, ENETUNREACH, EADDRINUSE, EADDRNOTAVAIL.
func (l *Layer) Dial(ctx context.Context, cfg DialConfig) (*Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c, err := l.begin(cfg)
	if err != nil {
		return nil, err
	}
	for {
		wait, err := c.isOpen()
		if wait == nil {
			return c.orNil(err)
		}
		select {
		case <-wait:
		case <-ctx.Done():
			c.Close()
			return nil, ctx.Err()
		}
	}
}

func (c *Conn) orNil(err error) (*Conn, error) {
	if err != nil {
		return nil, err
	}
	return c, nil
}

// isOpen returns what to wait for until the handshake is over, or how it went.
func (c *Conn) isOpen() (wait chan struct{}, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		err = net.ErrClosed
	case !c.opened():
		return waitLocked(&c.writable), nil
	case c.failure != 0:
		err, c.failure = c.failure, 0
	}
	c.writable = nil // most connections never wait to write
	return nil, err
}

// begin sends the first SYN.
func (l *Layer) begin(cfg DialConfig) (*Conn, error) {
	remote := unmap(cfg.Remote)
	if remote.Port() == 0 {
		return nil, syscall.ECONNREFUSED // nobody can listen there
	}
	local := unmap(cfg.Local)
	from := local.Addr()
	if from.IsValid() && from.IsUnspecified() {
		from = netip.Addr{}
	}
	find := l.stack.Path
	if cfg.Foreign {
		find = l.stack.PathAs
	}
	path, err := find(from, remote.Addr(), cfg.Interface)
	if err != nil {
		return nil, err
	}
	if path.Group() {
		return nil, syscall.ENETUNREACH // "MUST reject" (RFC 9293, Section 3.9.2.3, MUST-46)
	}
	c := l.newConn(tupleOf(path.Src(), local.Port(), path.Dst(), remote.Port()), path)
	c.via = linkLocalVia(path.Dst(), path.Interface())
	now := time.Now()
	c.mu.Lock()
	if err := l.place(c, cfg.Foreign, now); err != nil {
		c.mu.Unlock()
		return nil, err
	}
	if c.foreign = cfg.Foreign; c.foreign {
		l.countForeign(1)
	}
	l.counts.opened.Add(1)
	c.unlock(now)
	return c, nil
}

// place gives a connection a port if it has none, and puts it into the table. The ports of another machine are not ours to
// give out.
func (l *Layer) place(c *Conn, foreign bool, now time.Time) error {
	switch {
	case l.isClosed():
		return net.ErrClosed
	case foreign && !l.try(c, now):
		return syscall.EADDRINUSE
	case foreign:
		return nil
	}
	if c.local.Port() != 0 {
		if _, err := l.ports.Bind(boundPort(&c.tuple), 0); err != nil {
			return err
		}
		c.bound = true
		if !l.try(c, now) {
			l.releasePort(&c.tuple, true)
			return syscall.EADDRINUSE
		}
		return nil
	}
	// The ports for one destination are gone through one by one, from a place that only we know
	// (RFC 6056, Section 3.3.3, Algorithm 3, whose table of one entry is random here).
	first := l.key.Pair(c.local.Addr(), c.remote.Addr(), uint64(c.remote.Port())) + l.stack.Random()
	for k := range uint64(ip.EphemeralPorts) {
		c.local = netip.AddrPortFrom(c.local.Addr(), ip.EphemeralPort(first+k))
		if c.local == c.remote {
			continue // it would be connected to itself
		}
		if !l.ports.Held(c.local.Port()) && l.try(c, now) {
			return nil
		}
		if l.isClosed() {
			return net.ErrClosed
		}
	}
	return syscall.EADDRNOTAVAIL // as Linux says of this
}

// try puts a connection into the table, if no other is between the same ends. It may take the place of one in
// TIME-WAIT that is a second old, whose peer tells new segments from old ones by their timestamps
// (RFC 6191, Section 2).
func (l *Layer) try(c *Conn, now time.Time) bool {
	e := l.endpointFor(&c.tuple, &c.path, now)
	cfg := l.configFor(&c.path)
	shard, hash := l.shardOf(&c.tuple)
	ok := shard.add(c, hash, func(w *waitRecord) bool {
		if !w.stamps || cfg.at(now).since(w.began) < time.Second {
			return false
		}
		if e.iss.Before(w.sndNxt.Add(seqGap)) {
			e.iss = w.sndNxt.Add(seqGap)
		}
		return true
	})
	if ok {
		c.t = connect(cfg, now, e)
	}
	return ok
}

// boundPort is what is held of a port that a user chose for a connection.
func boundPort(t *tuple) ip.Binding {
	return ip.Binding{Addr: t.local.Addr(), Port: t.local.Port()}
}

// releasePort gives back the port of a connection, if it was held for it.
func (l *Layer) releasePort(t *tuple, bound bool) {
	if bound {
		l.ports.Release(boundPort(t))
	}
}

func (l *Layer) isClosed() bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.closed
}
