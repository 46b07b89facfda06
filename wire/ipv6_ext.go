package wire

import "encoding/binary"

// MaxExtensions is how many extension headers are read before a packet is
// refused. Each kind has a reason to occur once, destination options twice (RFC
// 8200, Section 4.1).
const MaxExtensions = 8

// Extensions walks the extension headers of an IPv6 packet. It allocates
// nothing. Its use:
//
//	e := h.Extensions()
//	for e.Next() {
//		switch e.Kind() { … }
//	}
//	// e.Err(), then e.Protocol() and e.Payload()
//
// The walk ends before the first header that is not an extension header, or
// after a fragment header with which the packet is not whole.
type Extensions struct {
	packet   []byte
	at, next int // where the current header begins, and what follows it
	field    int // where the type of what follows is
	count    int
	kind     Protocol
	fault    Fault
	fragment bool // the current header makes this a fragment
}

// Extensions returns a walk that stands before the first extension header.
func (h IPv6) Extensions() Extensions {
	return Extensions{packet: h, at: IPv6Len, next: IPv6Len, field: 6}
}

// Next goes to the next extension header and reports whether there is one.
func (e *Extensions) Next() bool {
	kind := e.Protocol()
	if e.fault != 0 || e.fragment || !isExtension(kind) {
		return false
	}
	n := extensionLen(kind, e.packet[e.next:])
	switch {
	case kind == ProtoHopByHop && e.count != 0:
		e.fault = ErrIPv6ExtensionOrder // RFC 8200, Section 4.1: "restricted to appear immediately after an IPv6 header only"
	case e.count == MaxExtensions:
		e.fault = ErrIPv6ExtensionCount
	case n == 0:
		e.fault = ErrIPv6ExtensionShort
	default:
		e.step(kind, n)
	}
	return e.fault == 0
}

// step makes the n bytes that follow the current header.
func (e *Extensions) step(kind Protocol, n int) {
	e.kind, e.at, e.field, e.next = kind, e.next, e.next, e.next+n
	e.count++
	f, ok := e.Fragment()
	e.fragment = ok && !f.IsAtomic()
}

func isExtension(p Protocol) bool {
	switch p {
	case ProtoHopByHop, ProtoRouting, ProtoFragment, ProtoDestination:
		return true
	}
	return false
}

// extensionLen returns the length of the extension header that b begins with,
// or 0 if b is too short for it.
func extensionLen(kind Protocol, b []byte) int {
	if len(b) < 8 {
		return 0
	}
	n := 8
	if kind != ProtoFragment {
		n += int(b[1]) * 8
	}
	if n > len(b) {
		return 0
	}
	return n
}

// Kind says what the current header is: one of ProtoHopByHop, ProtoRouting,
// ProtoFragment and ProtoDestination.
func (e *Extensions) Kind() Protocol { return e.kind }

// Bytes returns the current header, of at least 8 bytes.
func (e *Extensions) Bytes() []byte { return e.packet[e.at:e.next] }

// Offset returns where in the packet the current header begins.
func (e *Extensions) Offset() int { return e.at }

// Protocol says what follows the current header.
func (e *Extensions) Protocol() Protocol { return Protocol(e.packet[e.field]) }

// ProtocolOffset returns where in the packet Protocol was read: what an ICMPv6
// parameter problem points to if nobody knows that protocol.
func (e *Extensions) ProtocolOffset() int { return e.field }

// Payload returns what follows the current header.
func (e *Extensions) Payload() []byte { return e.packet[e.next:] }

// Err returns the Fault that ended the walk, or nil. Protocol and Payload are
// then of the header that is at fault.
func (e *Extensions) Err() error {
	if e.fault != 0 {
		return e.fault
	}
	return nil
}

// Fragment returns the current header if it is a fragment header.
func (e *Extensions) Fragment() (IPv6Fragment, bool) {
	if e.kind != ProtoFragment || e.count == 0 {
		return nil, false
	}
	return e.Bytes(), true
}

// Routing returns the type of the current header and how many addresses the
// packet has still to visit, if it is a routing header. A host that knows no
// type ignores one that is finished and refuses any other (RFC 8200, Section
// 4.4).
func (e *Extensions) Routing() (typ, left uint8, ok bool) {
	if e.kind != ProtoRouting || e.count == 0 {
		return 0, 0, false
	}
	b := e.Bytes()
	return b[2], b[3], true
}

// Upper walks all extension headers and returns what is behind them. The
// payload of a fragment is a piece of one.
func (h IPv6) Upper() (Protocol, []byte, error) {
	e := h.Extensions()
	for e.Next() {
	}
	return e.Protocol(), e.Payload(), e.Err()
}

// IPv6Fragment is a fragment header (RFC 8200, Section 4.5), as Extensions
// found it.
type IPv6Fragment []byte

// IPv6FragmentLen is the length of a fragment header, in bytes.
const IPv6FragmentLen = 8

// AppendIPv6Fragment appends a fragment header. The offset is in bytes, a
// multiple of 8.
func AppendIPv6Fragment(b []byte, next Protocol, offset int, more bool, id uint32) []byte {
	v := uint16(offset) &^ 7
	if more {
		v |= 1
	}
	b = append(b, byte(next), 0, byte(v>>8), byte(v))
	return binary.BigEndian.AppendUint32(b, id)
}

// NextHeader says what the fragments are when they are put together.
func (f IPv6Fragment) NextHeader() Protocol { return Protocol(f[0]) }

// Offset returns where the fragment's data begin, in bytes.
func (f IPv6Fragment) Offset() int { return int(binary.BigEndian.Uint16(f[2:]) &^ 7) }

// MoreFragments reports whether this is not the last fragment.
func (f IPv6Fragment) MoreFragments() bool { return f[3]&1 != 0 }

// ID returns the identification that fragments of one packet share.
func (f IPv6Fragment) ID() uint32 { return binary.BigEndian.Uint32(f[4:]) }

// IsAtomic reports whether the one fragment is the whole packet (RFC 6946).
func (f IPv6Fragment) IsAtomic() bool { return f.Offset() == 0 && !f.MoreFragments() }

// AppendRouterAlert appends a hop-by-hop header that asks routers to look at a
// multicast listener report (RFC 2711), of 8 bytes.
func AppendRouterAlert(b []byte, next Protocol) []byte {
	return append(b, byte(next), 0, 5, 2, 0, 0, 1, 0)
}

// IPv6Options walks the options of a hop-by-hop or destination options header,
// as Options does for IPv4. Padding is not shown.
type IPv6Options struct {
	header   []byte
	at, next int
	bad      bool
}

// Options returns a walk over the current header's options. There are none if
// it is of a kind that has none.
func (e *Extensions) Options() IPv6Options {
	if e.count == 0 || e.kind != ProtoHopByHop && e.kind != ProtoDestination {
		return IPv6Options{}
	}
	return IPv6Options{header: e.Bytes(), next: 2}
}

// Types of option that only fill space.
const (
	ipv6OptPad1 = 0
	ipv6OptPadN = 1
)

// Next goes to the next option that says something and reports whether there is
// one.
func (o *IPv6Options) Next() bool {
	for !o.bad && o.next < len(o.header) {
		o.at = o.next
		rest := o.header[o.at:]
		switch {
		case rest[0] == ipv6OptPad1:
			o.next++
			continue
		case len(rest) < 2 || 2+int(rest[1]) > len(rest):
			o.bad = true
			return false
		}
		o.next += 2 + int(rest[1])
		if rest[0] != ipv6OptPadN {
			return true
		}
	}
	return false
}

// Type returns the type of the current option.
func (o *IPv6Options) Type() uint8 { return o.header[o.at] }

// Data returns what the current option holds, up to 255 bytes.
func (o *IPv6Options) Data() []byte { return o.header[o.at+2 : o.next] }

// Offset returns where in its header the current option begins, or the bad one
// after an error.
func (o *IPv6Options) Offset() int { return o.at }

// Action says what to do with a packet if the current option's type is not
// known.
func (o *IPv6Options) Action() OptionAction { return OptionAction(o.Type() >> 6) }

// Err returns ErrIPv6Option if the walk ended at an option that ends after its
// header.
func (o *IPv6Options) Err() error {
	if o.bad {
		return ErrIPv6Option
	}
	return nil
}

// An OptionAction is what an IPv6 node does with a packet with an option that
// it does not know (RFC 8200, Section 4.2).
type OptionAction uint8

// The actions, in the order of their bits.
const (
	OptionSkip             OptionAction = iota // go on
	OptionDrop                                 // drop the packet
	OptionDropReply                            // drop it and send a parameter problem, code 2
	OptionDropReplyUnicast                     // the same, unless it was sent to a multicast address
)
