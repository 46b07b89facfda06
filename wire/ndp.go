package wire

import (
	"encoding/binary"
	"net/netip"
)

// Messages of Neighbor Discovery (RFC 4861). Each view is made of an ICMPv6
// message of its type by a Parse function that checks the code, the length and
// the length of every option. What also makes a message valid, the hop limit of
// 255, the checksum and the addresses of the packet, is for the host to check
// (Sections 6.1, 7.1 and 8.1). They are described as the ICMPv6 messages that
// they are.
type (
	// RouterSolicit asks routers to say that they are there.
	RouterSolicit []byte
	// RouterAdvert says that its sender is a router, and what is on the link.
	RouterAdvert []byte
	// NeighborSolicit asks for the hardware address of an address.
	NeighborSolicit []byte
	// NeighborAdvert tells it.
	NeighborAdvert []byte
	// Redirect names a better first hop to a destination.
	Redirect []byte
)

// NDPHopLimit is the hop limit of all these messages. A message with another
// has come from another link.
const NDPHopLimit = 255

const (
	routerSolicitLen = 8
	routerAdvertLen  = 16
	neighborLen      = 24
	redirectLen      = 40
)

// ParseRouterSolicit checks m.
func ParseRouterSolicit(m ICMPv6) (RouterSolicit, error) {
	m, err := checkNDP(m, routerSolicitLen)
	return RouterSolicit(m), err
}

// ParseRouterAdvert checks m.
func ParseRouterAdvert(m ICMPv6) (RouterAdvert, error) {
	m, err := checkNDP(m, routerAdvertLen)
	return RouterAdvert(m), err
}

// ParseNeighborSolicit checks m.
func ParseNeighborSolicit(m ICMPv6) (NeighborSolicit, error) {
	m, err := checkTarget(m, neighborLen)
	return NeighborSolicit(m), err
}

// ParseNeighborAdvert checks m.
func ParseNeighborAdvert(m ICMPv6) (NeighborAdvert, error) {
	m, err := checkTarget(m, neighborLen)
	return NeighborAdvert(m), err
}

// ParseRedirect checks m.
func ParseRedirect(m ICMPv6) (Redirect, error) {
	m, err := checkTarget(m, redirectLen)
	return Redirect(m), err
}

// checkNDP checks a message whose options begin after n bytes, and returns it
// if it is good.
func checkNDP(m ICMPv6, n int) (ICMPv6, error) {
	if len(m) < n {
		return nil, ErrNDPShort
	}
	if m.Code() != 0 {
		return nil, ErrNDPCode
	}
	o := NDPOptions{rest: m[n:]}
	for o.Next() {
	}
	if len(o.rest) != 0 {
		return nil, ErrNDPOption
	}
	return m, nil
}

// checkTarget is checkNDP for a message with a target: "The Target Address is
// not a multicast address" (RFC 4861, Sections 7.1.1 and 7.1.2).
func checkTarget(m ICMPv6, n int) (ICMPv6, error) {
	m, err := checkNDP(m, n)
	if err == nil && m[8] == 0xff {
		return nil, ErrNDPTarget
	}
	return m, err
}

// Options walks the options.
func (m RouterSolicit) Options() NDPOptions { return NDPOptions{rest: m[routerSolicitLen:]} }

// HopLimit returns the hop limit that hosts should send with, or 0 if the
// router does not say.
func (m RouterAdvert) HopLimit() uint8 { return m[4] }

// Managed reports whether DHCPv6 gives addresses out.
func (m RouterAdvert) Managed() bool { return m[5]&flagManaged != 0 }

// OtherConfig reports whether DHCPv6 tells other things than addresses.
func (m RouterAdvert) OtherConfig() bool { return m[5]&flagOther != 0 }

const (
	flagManaged = 0x80
	flagOther   = 0x40
)

// Lifetime returns for how many seconds the sender is a default router: 0 if it
// is none.
func (m RouterAdvert) Lifetime() uint16 { return binary.BigEndian.Uint16(m[6:]) }

// ReachableTime returns for how many milliseconds a neighbour is taken for
// reachable, or 0 if the router does not say.
func (m RouterAdvert) ReachableTime() uint32 { return binary.BigEndian.Uint32(m[8:]) }

// RetransTimer returns how many milliseconds lie between solicitations, or 0 if
// the router does not say.
func (m RouterAdvert) RetransTimer() uint32 { return binary.BigEndian.Uint32(m[12:]) }

// Options walks the options.
func (m RouterAdvert) Options() NDPOptions { return NDPOptions{rest: m[routerAdvertLen:]} }

// Target returns the address that is asked for.
func (m NeighborSolicit) Target() netip.Addr { return addr16(m[8:]) }

// Options walks the options.
func (m NeighborSolicit) Options() NDPOptions { return NDPOptions{rest: m[neighborLen:]} }

// Target returns the address that m tells about.
func (m NeighborAdvert) Target() netip.Addr { return addr16(m[8:]) }

// Flags returns what the sender says of itself and of m.
func (m NeighborAdvert) Flags() NeighborFlags { return NeighborFlags(m[4]) & allNeighborFlags }

// Options walks the options.
func (m NeighborAdvert) Options() NDPOptions { return NDPOptions{rest: m[neighborLen:]} }

// Target returns the better first hop. It is Dst itself if that is a neighbour.
func (m Redirect) Target() netip.Addr { return addr16(m[8:]) }

// Dst returns the destination that m is about.
func (m Redirect) Dst() netip.Addr { return addr16(m[24:]) }

// Options walks the options.
func (m Redirect) Options() NDPOptions { return NDPOptions{rest: m[redirectLen:]} }

// NeighborFlags are the bits of a NeighborAdvert.
type NeighborFlags uint8

// The flags (RFC 4861, Section 4.4).
const (
	NeighborRouter    NeighborFlags = 0x80 // the sender is a router
	NeighborSolicited NeighborFlags = 0x40 // m answers a solicitation
	NeighborOverride  NeighborFlags = 0x20 // m overrides what a cache holds

	allNeighborFlags = NeighborRouter | NeighborSolicited | NeighborOverride
)

// AppendRouterSolicit appends a message without options, as do the others here.
// Options may follow; then ICMPv6.FillChecksum.
func AppendRouterSolicit(b []byte) []byte {
	return AppendICMPv6(b, ICMPv6RouterSolicit, 0, 0, nil)
}

// RouterAdvertHeader is what AppendRouterAdvert writes.
type RouterAdvertHeader struct {
	HopLimit             uint8  // 0 says nothing
	Managed, OtherConfig bool   // DHCPv6 gives addresses, or other things
	Lifetime             uint16 // seconds; 0 is no default router
	ReachableTime        uint32 // milliseconds; 0 says nothing
	RetransTimer         uint32 // milliseconds; 0 says nothing
}

// AppendRouterAdvert appends a router's message.
func AppendRouterAdvert(b []byte, h *RouterAdvertHeader) []byte {
	rest := uint32(h.HopLimit)<<24 | uint32(h.Lifetime)
	if h.Managed {
		rest |= flagManaged << 16
	}
	if h.OtherConfig {
		rest |= flagOther << 16
	}
	b = AppendICMPv6(b, ICMPv6RouterAdvert, 0, rest, nil)
	b = binary.BigEndian.AppendUint32(b, h.ReachableTime)
	return binary.BigEndian.AppendUint32(b, h.RetransTimer)
}

// AppendNeighborSolicit appends a question for target's hardware address.
func AppendNeighborSolicit(b []byte, target netip.Addr) []byte {
	return append16(AppendICMPv6(b, ICMPv6NeighborSolicit, 0, 0, nil), target)
}

// AppendNeighborAdvert appends an answer about target. Its hardware address
// goes into an option.
func AppendNeighborAdvert(b []byte, f NeighborFlags, target netip.Addr) []byte {
	return append16(AppendICMPv6(b, ICMPv6NeighborAdvert, 0, uint32(f)<<24, nil), target)
}

// AppendRedirect appends a router's word that target is the better first hop to
// dst.
func AppendRedirect(b []byte, target, dst netip.Addr) []byte {
	b = append16(AppendICMPv6(b, ICMPv6Redirect, 0, 0, nil), target)
	return append16(b, dst)
}

// These describe what follows the name of the message.

func (m RouterSolicit) append(b []byte) []byte { return m.Options().append(b) }

func (m RouterAdvert) append(b []byte) []byte {
	b = appendField(b, "hop", m.HopLimit())
	b = appendField(b, "lifetime", m.Lifetime())
	b = appendFlag(b, "managed", m.Managed())
	b = appendFlag(b, "other", m.OtherConfig())
	return m.Options().append(b)
}

func (m NeighborSolicit) append(b []byte) []byte {
	b = m.Target().AppendTo(append(b, ' '))
	return m.Options().append(b)
}

func (m NeighborAdvert) append(b []byte) []byte {
	b = m.Target().AppendTo(append(b, ' '))
	b = appendFlag(b, "router", m.Flags()&NeighborRouter != 0)
	b = appendFlag(b, "solicited", m.Flags()&NeighborSolicited != 0)
	b = appendFlag(b, "override", m.Flags()&NeighborOverride != 0)
	return m.Options().append(b)
}

func (m Redirect) append(b []byte) []byte {
	b = m.Dst().AppendTo(append(b, ' '))
	b = m.Target().AppendTo(append(b, " via "...))
	return m.Options().append(b)
}
