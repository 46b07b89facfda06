package ip

import (
	"net/netip"
	"sync"
	"time"

	"landline/wire"
)

// An icmpError is what is said about a packet to who sent it. The type is one of the
// packet's family; zero is none.
type icmpError struct {
	t4   wire.ICMPv4Type
	t6   wire.ICMPv6Type
	code uint8
	rest uint32 // of the header: an MTU, a pointer
	// evenToGroups says that it is sent even if the packet came to a group: "the Packet Too
	// Big message" and an option that says so (RFC 4443, Section 2.4 e).
	evenToGroups bool
}

func protocolUnreachable(p *Packet) icmpError {
	return icmpError{t4: wire.ICMPv4Unreachable, code: wire.ICMPv4ProtocolUnreachable}
}

func portUnreachable(p *Packet) icmpError {
	if p.Dst.Is4() {
		return icmpError{t4: wire.ICMPv4Unreachable, code: wire.ICMPv4PortUnreachable}
	}
	return icmpError{t6: wire.ICMPv6Unreachable, code: wire.ICMPv6PortUnreachable}
}

func hostUnreachable(p *Packet) icmpError {
	if p.Dst.Is4() {
		return icmpError{t4: wire.ICMPv4Unreachable, code: wire.ICMPv4HostUnreachable}
	}
	return icmpError{t6: wire.ICMPv6Unreachable, code: wire.ICMPv6AddressUnreachable}
}

func netUnreachable(p *Packet) icmpError {
	if p.Dst.Is4() {
		return icmpError{t4: wire.ICMPv4Unreachable, code: wire.ICMPv4NetUnreachable}
	}
	return icmpError{t6: wire.ICMPv6Unreachable, code: wire.ICMPv6NoRoute}
}

func timeExceeded(code uint8) icmpError {
	return icmpError{t4: wire.ICMPv4TimeExceeded, t6: wire.ICMPv6TimeExceeded, code: code}
}

func tooBig(p *Packet, mtu int) icmpError {
	if p.Dst.Is4() {
		return icmpError{t4: wire.ICMPv4Unreachable, code: wire.ICMPv4FragmentationNeeded, rest: uint32(mtu)}
	}
	return icmpError{t6: wire.ICMPv6TooBig, rest: uint32(mtu), evenToGroups: true}
}

// PortUnreachable tells the sender of a packet that nobody listens at its port.
func (s *Stack) PortUnreachable(p *Packet) {
	s.Drop(DropNoPort)
	s.reject(p, portUnreachable(p))
}

// errorLimit bounds how many errors are sent (RFC 1812, Section 4.3.2.8; RFC 4443, Section
// 2.4 f).
type errorLimit struct {
	mu      sync.Mutex
	limiter *limiter
}

func (l *errorLimit) init(s *Stack) {
	l.limiter = newLimiter(time.Now(), limits{}, s.random.source())
}

func (l *errorLimit) allow(now time.Time, dst netip.Addr) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.limiter.allow(now, dst)
}

// reject sends an error about a packet to its sender, if it may have one.
func (s *Stack) reject(p *Packet, e icmpError) {
	if !mayReject(p, e) {
		return
	}
	if !s.errors.allow(time.Now(), p.Src) {
		s.Drop(DropICMPLimit)
		return
	}
	path, err := s.errorPath(p)
	if e == portUnreachable(p) && !p.Group && !s.view.Load().isLocal(p.Dst) {
		// We speak for another machine, and only that can say that nobody is at a port of it.
		path, err = s.PathAs(p.Dst, p.Src, p.Interface)
	}
	if err != nil {
		return
	}
	s.counts.icmpErrors.Add(1)
	path.sendError(p, e)
}

// mayReject tells whether an error may be sent about p: not about what came to a group,
// from what is not one host, about other fragments than the first, or about an error (RFC
// 1122, Section 3.2.2; RFC 4443, Section 2.4 e).
func mayReject(p *Packet, e icmpError) bool {
	if p.Group && !e.evenToGroups || p.Src.IsUnspecified() || p.Src.IsMulticast() || isBroadcast(p.Src) {
		return false
	}
	if p.Src.Is4() {
		return e.t4 != 0 && wire.IPv4(p.ip).FragmentOffset() == 0 && !isError4(p)
	}
	return e.t6 != 0 && !isError6(p)
}

func isError4(p *Packet) bool {
	if p.Protocol != wire.ProtoICMP {
		return false
	}
	m, err := wire.ParseICMPv4(p.Head)
	return err != nil || m.IsError()
}

func isError6(p *Packet) bool {
	proto, b, err := wire.IPv6(p.ip).Upper()
	if err != nil || proto != wire.ProtoICMPv6 {
		return false // a broken chain of headers may be told of
	}
	m, err := wire.ParseICMPv6(b)
	return err != nil || m.IsError() || m.Type() == wire.ICMPv6Redirect
}

// errorPath returns the way back. The error comes from the address that p went to, if
// that is ours alone.
func (s *Stack) errorPath(p *Packet) (Path, error) {
	via := p.Interface
	if !p.Src.IsLinkLocalUnicast() {
		via = nil
	}
	if !p.Group && s.view.Load().isLocal(p.Dst) {
		return s.Path(p.Dst, p.Src, via)
	}
	return s.Path(netip.Addr{}, p.Src, via)
}

// Errors quote as much of a packet as fits: "the total length of the resulting ICMP
// datagram" is at most 576 bytes (RFC 1812, Section 4.3.2.3), or the least MTU of IPv6 (RFC
// 4443, Section 2.4 c).
const (
	maxError4 = 576 - wire.IPv4Len - wire.ICMPLen
	maxError6 = maxBuilt - wire.IPv6Len - wire.ICMPLen
)

func (path *Path) sendError(p *Packet, e icmpError) {
	var quote [maxError6]byte
	if path.src.Is4() {
		m := wire.AppendICMPv4(make([]byte, 0, maxBuilt), e.t4, e.code, e.rest, p.quote(quote[:0], maxError4))
		path.sendPayload(Header{Protocol: wire.ProtoICMP}, m)
		return
	}
	m := wire.AppendICMPv6(make([]byte, 0, maxBuilt), e.t6, e.code, e.rest, p.quote(quote[:0], maxError6))
	path.sendPayload(Header{Protocol: wire.ProtoICMPv6}, m)
}

// quote appends the first bytes of p, at most n.
func (p *Packet) quote(b []byte, n int) []byte {
	b = append(b, p.ip[:min(len(p.ip), n)]...)
	return append(b, p.Body[:min(len(p.Body), n-len(b))]...)
}
