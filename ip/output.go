package ip

import (
	"net/netip"
	"syscall"

	"landline/link"
	"landline/wire"
)

// A Header is what a transport may say of the IP header before its own.
type Header struct {
	Protocol     wire.Protocol
	TTL          uint8 // if zero, 64, or what the link's routers advise
	TOS          uint8 // differentiated services and ECN
	DontFragment bool  // refuse what is too long for the path in place of cutting it, and let no router cut it
	RouterAlert  bool  // ask routers to look at it
}

// headLen is the most that AppendHeader appends: Ethernet, IPv6, router alert.
const headLen = wire.EthernetLen + wire.IPv6Len + 8

// HeadRoom is how many bytes before a transport header AppendHeader takes at most.
const HeadRoom = headLen

// AppendHeader appends the Ethernet and IP headers of a packet on this path with n
// bytes of transport header and payload, which have to follow. The frame is whole once it
// has gone through Send.
func (p *Path) AppendHeader(b []byte, h *Header, n int) []byte {
	ttl := h.TTL
	if ttl == 0 {
		ttl = uint8(p.i.hopLimit.Load())
	}
	if p.src.Is4() {
		b = wire.AppendEthernet(b, p.mac, p.i.mac, wire.TypeIPv4)
		ip4 := wire.IPv4Header{
			TOS: h.TOS, DontFragment: h.DontFragment, TTL: ttl, Protocol: h.Protocol, Src: p.src, Dst: p.dst,
		}
		if !h.DontFragment {
			ip4.ID = p.i.stack.ids.next4(p.src, p.dst, h.Protocol)
		}
		if h.RouterAlert {
			ip4.Options = []byte(wire.IPv4RouterAlert)
		}
		return wire.AppendIPv4(b, &ip4, n)
	}
	b = wire.AppendEthernet(b, p.mac, p.i.mac, wire.TypeIPv6)
	ip6 := wire.IPv6Header{TrafficClass: h.TOS, NextHeader: h.Protocol, HopLimit: ttl, Src: p.src, Dst: p.dst}
	if !h.RouterAlert {
		return wire.AppendIPv6(b, &ip6, n)
	}
	ip6.NextHeader = wire.ProtoHopByHop
	return wire.AppendRouterAlert(wire.AppendIPv6(b, &ip6, n+8), h.Protocol)
}

// Send sends frames whose heads begin with what AppendHeader made, in order. What is
// longer than the path takes is cut into fragments, or refused with EMSGSIZE if it must
// not be cut.
//
// If the device is full, Send waits until there is room or until is closed; then the
// error is os.ErrDeadlineExceeded. If until is nil it does not wait, and what there
// is no room for may be dropped and counted: so do goroutines that carry packets.
//
// While the neighbor's hardware address is not known, frames are kept for a while
// and Send returns. If it is never found, the transport's Fault is told.
func (p *Path) Send(frames []link.Frame, until <-chan struct{}) error {
	p.i.stack.counts.sent.Add(uint64(len(frames)))
	return p.send(frames, until)
}

// TrySend is Send for a transport that keeps what there is no room for: it does not wait,
// and neither holds nor cuts frames. It returns how many were taken. If these are fewer than all and
// the error is nil, resume is called, by any goroutine, when it is time to try again; now and then it is called
// without need. The error is EMSGSIZE if the next frame is too long for the path, or the device's.
func (p *Path) TrySend(frames []link.Frame, resume func()) (int, error) {
	if !p.fits(frames) {
		return 0, syscall.EMSGSIZE
	}
	if p.kind == pathUnicast {
		mac, ok := p.i.neighbor(p.next)
		if !ok {
			p.i.hold(p, frames)
			return len(frames), nil
		}
		for k := range frames {
			copy(frames[k].Head, mac[:])
		}
	}
	n, err := p.i.queue.try(frames, resume)
	p.i.stack.counts.sent.Add(uint64(n))
	return n, err
}

func (p *Path) send(frames []link.Frame, until <-chan struct{}) error {
	if !p.fits(frames) {
		return p.sendCut(frames, until)
	}
	return p.sendWhole(frames, until)
}

// sendWhole sends frames that need no cutting.
func (p *Path) sendWhole(frames []link.Frame, until <-chan struct{}) error {
	if p.kind == pathUnicast {
		mac, ok := p.i.neighbor(p.next)
		if !ok {
			p.i.hold(p, frames)
			return nil
		}
		for k := range frames {
			copy(frames[k].Head, mac[:])
		}
	}
	err := p.i.queue.write(frames, until)
	if p.kind == pathGroup && p.i.stack.hearsItself(p) {
		p.i.stack.lo.queue.write(frames, nil)
	}
	return err
}

// fits reports whether all frames are short enough for the path.
func (p *Path) fits(frames []link.Frame) bool {
	mtu := p.MTU() + wire.EthernetLen
	for k := range frames {
		n := frames[k].Len()
		if frames[k].SegSize != 0 { // the longest that it will be cut to
			n = min(n, len(frames[k].Head)+int(frames[k].SegSize))
		}
		if n > mtu {
			return false
		}
	}
	return true
}

// MTU returns how long the longest packet is that this path takes, with its IP header, in
// bytes, as far as that is known.
func (p *Path) MTU() int {
	if p.others {
		return p.i.mtuFor(p.dst)
	}
	mtu, _ := p.i.stack.mtus.lookup(p.dst, p.i.mtuFor(p.dst))
	return mtu
}

// LinkMTU returns the MTU of the link that this path begins with, in bytes.
func (p *Path) LinkMTU() int { return p.i.mtuFor(p.dst) }

// DontFragment reports whether routers should be told not to cut a packet with n bytes of transport
// header and payload, so that the path's MTU is found (RFC 1191, Section 6).
func (p *Path) DontFragment(n int) bool {
	mtu, narrow := p.i.stack.mtus.lookup(p.dst, p.i.mtuFor(p.dst))
	return p.src.Is4() && n+wire.IPv4Len <= mtu && !narrow
}

// Leave reports whether the checksum of a packet with n bytes of transport header and
// payload may be left to the device: see link.SumPartial.
func (p *Path) Leave(n int) bool {
	return p.i.offloads&link.OffloadChecksum != 0 && n+wire.IPv6Len+8 <= p.MTU()
}

// Units reports whether the path takes TCP segments of up to 64 KiB in one frame.
func (p *Path) Units() bool { return p.i.offloads&link.OffloadTSO != 0 }

// Src returns the address that packets on this path come from.
func (p *Path) Src() netip.Addr { return p.src }

// Dst returns the address that they go to.
func (p *Path) Dst() netip.Addr { return p.dst }

// Interface returns the interface that they leave by.
func (p *Path) Interface() *Interface { return p.i }

// Group reports whether they go to a group of machines, or all.
func (p *Path) Group() bool { return p.kind == pathGroup }

// IsBroadcast reports whether they go to all machines of an IPv4 network.
func (p *Path) IsBroadcast() bool { return p.kind == pathGroup && !p.dst.IsMulticast() }

// Stale reports whether something has changed since the path was found, so that it
// should be asked for again.
func (p *Path) Stale() bool { return p.number != p.i.stack.view.Load().number }

// A scratch is a place to build a packet in.
type scratch struct {
	head   [headLen + maxBuilt]byte
	frames [1]link.Frame
}

// maxBuilt is the longest packet that this package builds itself: an ICMPv6 error of
// the least MTU (RFC 4443, Section 2.4 c).
const maxBuilt = 1280

// sendPayload builds a packet and sends it, without waiting. It fills in the checksum of ICMPv6.
func (p *Path) sendPayload(h Header, payload []byte) error {
	s := p.i.stack.scratches.Get().(*scratch)
	defer p.i.stack.scratches.Put(s)
	h.DontFragment = h.DontFragment || p.DontFragment(len(payload))
	head := p.AppendHeader(s.head[:0], &h, len(payload))
	if h.Protocol == wire.ProtoICMPv6 {
		wire.ICMPv6(payload).FillChecksum(wire.PseudoSum(p.src, p.dst, h.Protocol, len(payload)))
	}
	n := min(len(payload), maxBuilt) // all headers have to be in Head: see link.Frame
	s.frames[0] = link.Frame{Head: append(head, payload[:n]...), Body: payload[n:]}
	err := p.Send(s.frames[:], nil)
	clear(s.frames[:])
	return err
}

// errno returns what a system says of a path that there is not.
func (d Drop) errno() syscall.Errno {
	switch d {
	case DropNoRoute:
		return syscall.ENETUNREACH
	case DropNoSource:
		return syscall.EADDRNOTAVAIL
	case DropTooBig:
		return syscall.EMSGSIZE
	case DropClosed:
		return syscall.ENETDOWN
	}
	return syscall.EINVAL
}
