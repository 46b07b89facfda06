// Package udp is the transport that keeps nothing: a datagram that is sent is
// forgotten, and one that arrives waits for its reader in the socket's queue, or is
// dropped and counted if that is full (RFC 768; RFC 1122, Section 4.1).
//
// Its errors are plain: a syscall.Errno, net.ErrClosed, os.ErrDeadlineExceeded. The
// root package wraps them as package net does.
package udp

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"

	"landline/ip"
	"landline/link"
	"landline/wire"
)

// MaxPayload is how much a datagram over IPv4 carries at most, in bytes. Over IPv6 it is 20 more:
// the lengths of the headers differ.
const MaxPayload = 65535 - wire.IPv4Len - wire.UDPLen

// A Layer is the UDP of one host. Its methods may be called by several goroutines at once.
type Layer struct {
	stack *ip.Stack
	ports *ip.Ports

	scratches sync.Pool // of *scratch
	any       atomic.Pointer[Socket]

	mu      sync.RWMutex
	closed  bool
	sockets map[uint16][]*Socket // by local port
}

// New makes the UDP of a stack that has no device yet. Ports below reserved are for no one.
func New(stack *ip.Stack, reserved uint16) *Layer {
	l := &Layer{stack: stack, ports: &ip.Ports{Reserved: reserved}, sockets: map[uint16][]*Socket{}}
	l.scratches.New = func() any { return new(scratch) }
	stack.Register(wire.ProtoUDP, ip.Transport{Receive: l.receive, Fault: l.fault})
	return l
}

// Sockets returns how many sockets are open.
func (l *Layer) Sockets() (n int) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for _, all := range l.sockets {
		n += len(all)
	}
	return n
}

// Close closes all sockets.
func (l *Layer) Close() {
	l.mu.Lock()
	l.closed = true
	var all []*Socket
	for _, at := range l.sockets {
		all = append(all, at...)
	}
	l.mu.Unlock()
	if a := l.any.Load(); a != nil {
		all = append(all, a)
	}
	for _, s := range all {
		s.Close()
	}
}

// Config is what a socket is bound to, and how.
type Config struct {
	// Local is the address and port to receive at. Without a port, one is chosen. The
	// unspecified address stands for all addresses of its family. The zone names the interface
	// of a link-local one.
	Local netip.AddrPort
	// Dual makes the unspecified IPv6 address stand for all addresses of both families.
	Dual bool
	// Remote, if valid, is the only one to send to and receive from.
	Remote netip.AddrPort
	// Interface, if not nil, is the only one to send and receive by.
	Interface *ip.Interface
	// ReuseAddr lets others that say so too have the same port: all of them get what is
	// sent to a group, and one of them what is not.
	ReuseAddr bool
	// Own says that the host needs the port itself, so that it may be a reserved one.
	Own bool
}

// Open binds a new socket. The error is a syscall.Errno (EADDRINUSE, EACCES,
// EADDRNOTAVAIL, ENETUNREACH) or net.ErrClosed.
func (l *Layer) Open(cfg Config) (*Socket, error) {
	s := &Socket{layer: l, via: cfg.Interface, remote: unmap(cfg.Remote), dual: cfg.Dual}
	if err := s.choose(cfg); err != nil {
		return nil, err
	}
	s.init()
	b := ip.Binding{Addr: s.local.Addr(), Port: s.local.Port(), Dual: cfg.Dual, Reuse: cfg.ReuseAddr, Own: cfg.Own}
	b, err := l.ports.Bind(b, l.stack.Random())
	if err != nil {
		return nil, err
	}
	s.binding, s.local = b, netip.AddrPortFrom(s.local.Addr(), b.Port)
	if err := l.add(s); err != nil {
		l.ports.Release(b)
		return nil, err
	}
	return s, nil
}

// choose settles the local address. A connected socket has the one that its path begins at.
func (s *Socket) choose(cfg Config) error {
	local := unmap(cfg.Local)
	if a := local.Addr(); a.IsValid() && !a.IsUnspecified() && !a.IsMulticast() && !s.layer.stack.IsLocal(a) {
		return syscall.EADDRNOTAVAIL
	}
	s.local = local
	if !s.remote.IsValid() {
		return nil
	}
	from := local.Addr()
	if from.IsUnspecified() {
		from = netip.Addr{}
	}
	path, err := s.layer.stack.Path(from, s.remote.Addr(), s.via)
	if err != nil {
		return err
	}
	s.path = path
	s.remote = netip.AddrPortFrom(path.Dst(), s.remote.Port())
	s.local = netip.AddrPortFrom(path.Src(), local.Port())
	return nil
}

func unmap(a netip.AddrPort) netip.AddrPort {
	if !a.Addr().Is4In6() {
		return a
	}
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// scratch is what it takes to send a datagram.
type scratch struct {
	head   [ip.HeadRoom + wire.UDPLen]byte
	frames [1]link.Frame
}

// Stack returns the stack that the layer is of.
func (l *Layer) Stack() *ip.Stack { return l.stack }
