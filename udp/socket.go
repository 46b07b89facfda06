package udp

import (
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"landline/internal/gate"
	"landline/ip"
	"landline/link"
	"landline/wire"
)

// defaultBuffer is how much waits for a reader at most, unless SetReadBuffer says otherwise: as on
// Linux.
const defaultBuffer = 212992

// maxBuffer bounds what SetReadBuffer can ask for.
const maxBuffer = 16 << 20

// A Socket sends and receives datagrams. Its methods may be called by several goroutines at once.
type Socket struct {
	layer   *Layer
	binding ip.Binding
	local   netip.AddrPort
	remote  netip.AddrPort // invalid if not connected
	via     *ip.Interface  // nil if any
	dual    bool
	any     bool // it is an AnySocket's, and at no port

	readBy, writeBy gate.Deadline

	// readable has a token if there may be something to read, for one reader. Who leaves
	// something to read puts the token back.
	readable chan struct{}

	mu        sync.Mutex
	queue     queue
	limit     int // of the queue, in bytes
	err       error
	closed    bool
	broadcast bool
	hops      uint8   // for groups, 1 if zero
	path      ip.Path // from pathFrom to pathFor
	pathFrom  netip.Addr
	pathFor   netip.Addr
	groups    []membership
}

type membership struct {
	i     *ip.Interface
	group netip.Addr
}

func (s *Socket) init() {
	s.limit = defaultBuffer
	s.readable = make(chan struct{}, 1)
}

// Local returns the address that the socket is bound to.
func (s *Socket) Local() netip.AddrPort { return s.local }

// Remote returns the address that the socket is connected to, or the zero AddrPort.
func (s *Socket) Remote() netip.AddrPort { return s.remote }

// take puts datagrams into the queue, as many as there is room for. A nil socket takes
// none.
func (s *Socket) take(ds []arrived) {
	if len(ds) == 0 {
		return
	}
	dropped := 0
	s.mu.Lock()
	for k := range ds {
		if s.closed || s.queue.count > 0 && s.queue.charge()+ds[k].len()+entryCost > s.limit {
			dropped++
			continue
		}
		s.queue.push(&ds[k])
	}
	s.mu.Unlock()
	s.signal()
	for range dropped {
		s.layer.stack.Drop(ip.DropSocketFull)
	}
}

// signal wakes a reader, now or when it comes.
func (s *Socket) signal() {
	select {
	case s.readable <- struct{}{}:
	default:
	}
}

// fail keeps an error for the next call of a connected socket. One that is not connected does not
// hear of it: it could not tell which datagram is meant.
func (s *Socket) fail(f *ip.Fault) {
	if !s.remote.IsValid() || f.Err.Errno == syscall.EMSGSIZE {
		return
	}
	s.mu.Lock()
	s.err = f.Err.Errno
	s.mu.Unlock()
	s.signal()
}

// ReadFrom waits for a datagram and copies it to b, or as much of it as there is room for; the
// rest is lost. size is how long it was. from has a zone if it is link-local. to is the address that it
// was sent to, without a zone.
//
// The error is net.ErrClosed, os.ErrDeadlineExceeded, or, if the socket is
// connected, a syscall.Errno of something that was sent, such as ECONNREFUSED.
func (s *Socket) ReadFrom(b []byte) (n, size int, from netip.AddrPort, to netip.Addr, err error) {
	for {
		done := s.readBy.Done()
		n, e, ok, err := s.tryRead(b)
		if ok || err != nil {
			return n, e.n, e.sender(), e.to, err
		}
		select {
		case <-s.readable:
		case <-done:
			return 0, 0, netip.AddrPort{}, netip.Addr{}, s.expired()
		}
	}
}

func (s *Socket) tryRead(b []byte) (n int, e entry, ok bool, err error) {
	if s.readBy.Passed() {
		return 0, entry{}, false, s.expired()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		if s.queue.count > 0 {
			s.signal() // the token is gone, and another reader may wait
		}
		err, s.err = s.err, nil
		return 0, entry{}, false, err
	}
	if s.queue.count == 0 {
		return 0, entry{}, false, nil
	}
	n, e = s.queue.pop(b)
	if s.queue.count > 0 {
		s.signal()
	}
	return n, e, true, nil
}

// expired says why a deadline has passed.
func (s *Socket) expired() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return net.ErrClosed
	}
	return os.ErrDeadlineExceeded
}

// WriteTo sends a datagram to an address, or to the remote if the address is not valid. It
// waits while the device is full.
//
// The error is net.ErrClosed, os.ErrDeadlineExceeded, or a syscall.Errno: EMSGSIZE if the
// datagram is longer than UDP can carry, EACCES for a broadcast without leave, EISCONN and
// EDESTADDRREQ if the address should not or should have been given, ENETUNREACH,
// EADDRNOTAVAIL, or what has become of an earlier datagram of a connected socket.
func (s *Socket) WriteTo(b []byte, to netip.AddrPort) error {
	return s.WriteFrom(b, netip.Addr{}, to)
}

// WriteFrom is WriteTo from an address of this host: a socket for all addresses should answer from
// the one that was asked. If src is the zero Addr, or the socket is bound to an address, it is WriteTo. The error may
// also be EADDRNOTAVAIL, if src is not ours.
func (s *Socket) WriteFrom(b []byte, src netip.Addr, to netip.AddrPort) error {
	if s.writeBy.Passed() {
		return s.expired()
	}
	path, to, hops, err := s.pathTo(src.Unmap().WithZone(""), unmap(to))
	if err != nil {
		return err
	}
	n := wire.UDPLen + len(b)
	if n > 65535-wire.IPv4Len && (path.Src().Is4() || n > 65535) {
		return syscall.EMSGSIZE
	}
	h := ip.Header{Protocol: wire.ProtoUDP, TTL: hops, DontFragment: path.DontFragment(n)}
	return s.send(&path, &h, s.local.Port(), to.Port(), b)
}

// send sends a datagram: the payload from where it lies.
func (s *Socket) send(path *ip.Path, h *ip.Header, from, port uint16, b []byte) error {
	x := s.layer.scratches.Get().(*scratch)
	n := wire.UDPLen + len(b)
	head := path.AppendHeader(x.head[:0], h, n)
	at := len(head)
	head = wire.AppendUDP(head, from, port, len(b))

	u := wire.UDP(head[at:])
	pseudo := wire.PseudoSum(path.Src(), path.Dst(), wire.ProtoUDP, n)
	f := link.Frame{Head: head, Body: b}
	if path.Leave(n) {
		u.SetPartialChecksum(pseudo)
		f.Sum, f.SumStart, f.SumField = link.SumPartial, uint16(at), uint16(at+6)
	} else {
		u.SetChecksum(pseudo.Add(u).Add(b))
	}
	x.frames[0] = f
	err := path.Send(x.frames[:], s.writeBy.Done())
	x.frames[0] = link.Frame{}
	s.layer.scratches.Put(x)
	if err == os.ErrDeadlineExceeded {
		return s.expired()
	}
	return err
}

// pathTo returns the way to an address, which is kept for the next time.
func (s *Socket) pathTo(src netip.Addr, to netip.AddrPort) (ip.Path, netip.AddrPort, uint8, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return ip.Path{}, to, 0, net.ErrClosed
	case s.err != nil:
		err := s.err
		s.err = nil
		return ip.Path{}, to, 0, err
	case s.remote.IsValid() && to.IsValid():
		return ip.Path{}, to, 0, syscall.EISCONN
	case s.remote.IsValid():
		to = s.remote
	case !to.IsValid():
		return ip.Path{}, to, 0, syscall.EDESTADDRREQ
	}
	if to.Port() == 0 {
		return ip.Path{}, to, 0, syscall.EINVAL
	}
	if err := s.findLocked(src, to.Addr()); err != nil {
		return ip.Path{}, to, 0, err
	}
	if s.path.IsBroadcast() && !s.broadcast {
		return ip.Path{}, to, 0, syscall.EACCES
	}
	return s.path, to, s.hopsLocked(), nil
}

// findLocked makes s.path one that leads to an address.
func (s *Socket) findLocked(src, to netip.Addr) error {
	if local := s.local.Addr(); !local.IsUnspecified() && !local.IsMulticast() {
		src = local
	}
	if to == s.pathFor && src == s.pathFrom && !s.path.Stale() {
		return nil
	}
	path, err := s.layer.stack.Path(src, to, s.via)
	if err != nil {
		return err
	}
	s.path, s.pathFrom, s.pathFor = path, src, to
	return nil
}

// hopsLocked returns the hop limit of a datagram on s.path: to a group it stays on the link
// unless somebody says otherwise (RFC 1112, Section 6.1).
func (s *Socket) hopsLocked() uint8 {
	if s.path.Dst().IsMulticast() {
		return max(1, s.hops)
	}
	return 0
}

// Close ends the socket, wakes those who wait, and leaves its groups. The second time it returns
// net.ErrClosed.
func (s *Socket) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return net.ErrClosed
	}
	s.closed = true
	s.queue = queue{}
	groups := s.groups
	s.groups = nil
	s.mu.Unlock()

	s.layer.remove(s) // before anybody hears of the end, and may want the port again
	s.readBy.Close()
	s.writeBy.Close()
	for _, m := range groups {
		m.i.Leave(m.group)
	}
	return nil
}

// SetReadDeadline makes reads fail that are not done at t; the zero Time is never.
func (s *Socket) SetReadDeadline(t time.Time) { s.readBy.Set(t) }

// SetWriteDeadline is SetReadDeadline for writes.
func (s *Socket) SetWriteDeadline(t time.Time) { s.writeBy.Set(t) }

// SetReadBuffer bounds what waits for a reader, in bytes, each datagram counted with 64 more. It
// is at least one datagram, and at most 16 MiB.
func (s *Socket) SetReadBuffer(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limit = min(max(n, minRing), maxBuffer)
}

// SetBroadcast allows to send to all machines of a network, which else is EACCES.
func (s *Socket) SetBroadcast(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broadcast = on
}

// SetMulticastHops sets how many routers a datagram to a group may pass, which is 1, none, at first.
func (s *Socket) SetMulticastHops(n uint8) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hops = n
}

// Join makes the socket receive what is sent to a group, on one interface. The error is a syscall.Errno:
// EINVAL if that is not a multicast address, EADDRINUSE if it has been joined, ENOBUFS if the interface is in
// too many groups.
func (s *Socket) Join(i *ip.Interface, group netip.Addr) error {
	m := membership{i, group.Unmap().WithZone("")}
	if !m.group.IsMulticast() {
		return syscall.EINVAL
	}
	if err := i.Join(m.group); err != nil {
		return syscall.ENOBUFS
	}
	err := s.addGroup(m)
	if err != nil {
		i.Leave(m.group)
	}
	return err
}

func (s *Socket) addGroup(m membership) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return net.ErrClosed
	}
	if slices.Contains(s.groups, m) {
		return syscall.EADDRINUSE
	}
	s.groups = append(s.groups, m)
	return nil
}

// Leave ends what Join began. The error is EADDRNOTAVAIL if nothing was joined.
func (s *Socket) Leave(i *ip.Interface, group netip.Addr) error {
	m := membership{i, group.Unmap().WithZone("")}
	s.mu.Lock()
	k := slices.Index(s.groups, m)
	if k >= 0 {
		s.groups = slices.Delete(s.groups, k, k+1)
	}
	s.mu.Unlock()
	if k < 0 {
		return syscall.EADDRNOTAVAIL
	}
	i.Leave(m.group)
	return nil
}
