package pkt

import (
	"context"
	"maps"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"landline/tcp"
	"landline/udp"
	"landline/wire"
)

// An object is what a descriptor stands for.
type object interface {
	// ready returns what the object is ready for, in the bits of poll.
	ready() int64
	close() error
}

// A socket is one as system calls know it: it has options before it has a connection, and need not wait.
type socket struct {
	stream, v6 bool
	noWait     bool // O_NONBLOCK
	local      netip.AddrPort
	bound      bool
	options    map[string]int64
	flow       *flow
	taken      uint32 // bytes that were read of the peer's stream
	peeked     []byte // what was read to be looked at only
	shut       bool   // for writing

	udp *udp.Socket

	listener *tcp.Listener
	queue    []*tcp.Conn // accepted, to see whether there was one

	dial *dial // if it was told to connect

	mu   sync.Mutex
	conn *tcp.Conn
}

// A dial is a connection that is being opened.
type dial struct {
	cancel context.CancelFunc
	done   chan struct{} // closed when it is over
	err    error         // how it went
	told   bool          // that it is over
}

func (s *socket) connection() *tcp.Conn {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conn
}

// dialing reports whether a connection is being opened.
func (s *socket) dialing() bool {
	if s.dial == nil {
		return false
	}
	select {
	case <-s.dial.done:
		return false
	default:
		return true
	}
}

// callSocket is socket(domain, type, protocol). The domain is that of the script's IP version unless it says.
func callSocket(r *runner, c *Call) (*action, error) {
	domain, err := r.argInt(c, 0, 0)
	if err != nil {
		return nil, err
	}
	kind, err := r.argInt(c, 1, 1)
	if err != nil {
		return nil, err
	}
	s := &socket{v6: r.options.v6, noWait: kind&0x800 != 0, options: map[string]int64{}}
	switch kind & 0xf {
	case 1:
		s.stream = true
	case 2:
		s.flow = &flow{proto: wire.ProtoUDP, remote: netip.AddrPortFrom(r.options.remote, r.options.connectPort)}
	default:
		return returns(0, syscall.EPROTONOSUPPORT), nil
	}
	if domain != 0 {
		s.v6 = domain == constants["AF_INET6"]
	}
	r.current = s.flow
	a := returns(0, nil)
	a.opened = func(fd int) { r.fds[fd] = s }
	return a, nil
}

// callBind is bind(fd, address, length).
func callBind(r *runner, c *Call) (*action, error) {
	s, err := r.socketArg(c)
	if err != nil {
		return failing(err)
	}
	a, err := r.address(c.arg(1), netip.AddrPortFrom(r.options.local, r.bindPort))
	if err != nil {
		return nil, err
	}
	if s.bound {
		return returns(0, syscall.EINVAL), nil
	}
	if !s.stream {
		return s.bindUDP(r, a), nil
	}
	if !a.Addr().IsUnspecified() && !r.stack.IsLocal(a.Addr()) {
		return returns(0, syscall.EADDRNOTAVAIL), nil
	}
	s.local, s.bound = a, true
	return returns(0, nil), nil
}

// failing makes an errno what a call returns, and leaves other errors to be those of the script.
func failing(err error) (*action, error) {
	if n, ok := err.(syscall.Errno); ok {
		return returns(0, n), nil
	}
	return nil, err
}

func (s *socket) bindUDP(r *runner, a netip.AddrPort) *action {
	return &action{do: func() (int64, error) {
		u, err := r.udp.Open(udp.Config{Local: a})
		if err != nil {
			return 0, err
		}
		s.udp, s.local, s.bound = u, a, true
		s.flow.local = netip.AddrPortFrom(r.options.local, u.Local().Port())
		return 0, nil
	}}
}

// openUDP binds a socket that has not been bound yet.
func (s *socket) openUDP(r *runner) error {
	if s.udp != nil {
		return nil
	}
	any := netip.IPv4Unspecified()
	if s.v6 {
		any = netip.IPv6Unspecified()
	}
	_, err := s.bindUDP(r, netip.AddrPortFrom(any, 0)).do()
	return err
}

// callListen is listen(fd, backlog).
func callListen(r *runner, c *Call) (*action, error) {
	s, err := r.socketArg(c)
	if err != nil {
		return failing(err)
	}
	backlog, err := r.argInt(c, 1, 0)
	if err != nil {
		return nil, err
	}
	if s.listener != nil {
		return returns(0, nil), nil
	}
	if s.conn != nil || s.dial != nil {
		return returns(0, syscall.EINVAL), nil
	}
	if !s.bound {
		s.local = netip.AddrPortFrom(r.options.local, 0)
	}
	s.listener, err = r.tcp.Listen(tcp.ListenConfig{Local: s.local, Backlog: int(max(backlog, 1)), NoReuse: s.options["SO_REUSEADDR"] == 0})
	if err != nil {
		return failing(err)
	}
	r.listens, r.current = true, nil
	return returns(0, nil), nil
}

// callAccept is accept(fd, address, length), and accept4 with flags.
func callAccept(r *runner, c *Call) (*action, error) {
	s, err := r.socketArg(c)
	if err != nil {
		return failing(err)
	}
	flags, err := r.argInt(c, 3, 0)
	if err != nil {
		return nil, err
	}
	if s.listener == nil {
		return returns(0, syscall.EINVAL), nil
	}
	var conn *tcp.Conn
	a := &action{do: func() (n int64, err error) {
		conn, err = s.accept(context.Background())
		return 0, err
	}}
	if s.noWait {
		a.cancel = func() { s.listener.SetDeadline(time.Unix(1, 0)) }
	}
	a.opened = func(fd int) {
		child := &socket{stream: true, v6: s.v6, noWait: flags&0x800 != 0, conn: conn, options: maps.Clone(s.options)}
		child.flow = r.flows[tuple{wire.ProtoTCP, conn.Local(), conn.Remote()}]
		for name, value := range child.options {
			child.set(name, value)
		}
		r.fds[fd] = child
	}
	return a, nil
}

// accept takes a connection from the queue. A deadline that has passed is for this call alone.
func (s *socket) accept(ctx context.Context) (*tcp.Conn, error) {
	if len(s.queue) > 0 {
		conn := s.queue[0]
		s.queue = s.queue[1:]
		return conn, nil
	}
	conn, err := s.listener.Accept(ctx)
	if errnoOf(err) == syscall.EAGAIN {
		s.listener.SetDeadline(time.Time{})
	}
	return conn, err
}

// callConnect is connect(fd, address, length).
func callConnect(r *runner, c *Call) (*action, error) {
	s, err := r.socketArg(c)
	if err != nil {
		return failing(err)
	}
	to, err := r.address(c.arg(1), netip.AddrPortFrom(r.options.remote, r.options.connectPort))
	if err != nil {
		return nil, err
	}
	switch {
	case !s.stream:
		return s.connectUDP(r, to), nil
	case s.listener != nil || s.dial == nil && s.conn != nil:
		return returns(0, syscall.EISCONN), nil
	case s.dialing():
		return returns(0, syscall.EALREADY), nil
	case s.dial != nil && !s.dial.told:
		s.dial.told = true
		err := s.dial.err
		if err != nil {
			s.dial = nil
		}
		return returns(0, err), nil
	case s.dial != nil && s.dial.err == nil:
		return returns(0, syscall.EISCONN), nil
	}
	return s.connect(r, to), nil
}

// connect opens a connection, in the background.
func (s *socket) connect(r *runner, to netip.AddrPort) *action {
	s.flow = &flow{proto: wire.ProtoTCP, local: netip.AddrPortFrom(r.options.local, s.local.Port()), remote: to}
	r.current, r.listens = r.addFlow(s.flow), false
	ctx, cancel := context.WithCancel(context.Background())
	d := &dial{cancel: cancel, done: make(chan struct{})}
	s.dial = d
	enough := make(chan struct{})
	a := &action{do: func() (int64, error) {
		go s.open(ctx, r, to)
		select {
		case <-d.done:
			d.told = true
			return 0, d.err
		case <-enough:
			return 0, syscall.EINPROGRESS
		}
	}}
	if s.noWait {
		a.cancel = func() { close(enough) }
	}
	return a
}

func (s *socket) open(ctx context.Context, r *runner, to netip.AddrPort) {
	defer close(s.dial.done)
	conn, err := r.tcp.Dial(ctx, tcp.DialConfig{Local: s.local, Remote: to})
	s.dial.err = err
	if err != nil {
		return
	}
	s.mu.Lock()
	s.conn = conn
	s.mu.Unlock()
	for name, value := range s.options {
		s.set(name, value)
	}
}

// connectUDP gives a socket its only peer.
func (s *socket) connectUDP(r *runner, to netip.AddrPort) *action {
	return &action{do: func() (int64, error) {
		cfg := udp.Config{Local: s.local, Remote: to}
		if s.udp != nil {
			cfg.Local = netip.AddrPortFrom(s.local.Addr(), s.udp.Local().Port())
			s.udp.Close()
			s.udp = nil
		}
		if !cfg.Local.Addr().IsValid() {
			cfg.Local = netip.AddrPortFrom(r.unspecified(), 0)
		}
		u, err := r.udp.Open(cfg)
		if err != nil {
			return 0, err
		}
		s.udp = u
		s.flow.local, s.flow.remote = u.Local(), u.Remote()
		return 0, nil
	}, check: func() error { r.addFlow(s.flow); return nil }}
}

func (r *runner) unspecified() netip.Addr {
	if r.options.v6 {
		return netip.IPv6Unspecified()
	}
	return netip.IPv4Unspecified()
}

// callShutdown is shutdown(fd, how).
func callShutdown(r *runner, c *Call) (*action, error) {
	s, err := r.socketArg(c)
	if err != nil {
		return failing(err)
	}
	how, err := r.argInt(c, 1, 2)
	if err != nil {
		return nil, err
	}
	conn := s.connection()
	if conn == nil {
		return returns(0, syscall.ENOTCONN), nil
	}
	return &action{do: func() (int64, error) {
		if how != 1 {
			if err := conn.CloseRead(); err != nil {
				return 0, err
			}
		}
		if how == 0 {
			return 0, nil
		}
		s.shut = true
		return 0, conn.CloseWrite()
	}}, nil
}

// callClose is close(fd).
func callClose(r *runner, c *Call) (*action, error) {
	fd, err := r.int(c.arg(0))
	if err != nil {
		return nil, err
	}
	o := r.fds[int(fd)]
	if o == nil {
		return returns(0, syscall.EBADF), nil
	}
	delete(r.fds, int(fd))
	return &action{do: func() (int64, error) { return 0, o.close() }}, nil
}

func (s *socket) close() error {
	if s.dial != nil {
		s.dial.cancel()
		<-s.dial.done
	}
	switch conn := s.connection(); {
	case conn != nil:
		return conn.Close()
	case s.listener != nil:
		for _, c := range s.queue {
			c.Close()
		}
		return s.listener.Close()
	case s.udp != nil:
		return s.udp.Close()
	}
	return nil
}
