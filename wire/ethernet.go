package wire

import "encoding/binary"

const (
	// EthernetLen is the length of an Ethernet header without tags, in bytes.
	EthernetLen = 14
	// VLANLen is what each tag adds to it.
	VLANLen = 4
)

// maxTags is how many tags are read: one of the customer inside one of the
// provider (802.1ad). What a third one carries is of the unknown type "vlan".
const maxTags = 2

// Ethernet is an Ethernet II frame without its check sequence, as checked by
// ParseEthernet: destination, source, up to two VLAN tags, type, payload.
//
// The payload ends where the frame does. Frames of less than 60 bytes are
// padded on the wire, and only the payload's own length tells how much of it is
// padding.
type Ethernet []byte

// ParseEthernet checks that the header, with its tags, is whole. Frames of any
// greater length are taken, also those shorter than the wire's minimum of 60
// bytes: a cable in memory has none.
func ParseEthernet(b []byte) (Ethernet, error) {
	if len(b) < EthernetLen || len(b) < Ethernet(b).headerLen() {
		return nil, ErrEthernetShort
	}
	return b, nil
}

// AppendEthernet appends a header without tags.
func AppendEthernet(b []byte, dst, src MAC, t EtherType) []byte {
	b = append(b, dst[:]...)
	b = append(b, src[:]...)
	return binary.BigEndian.AppendUint16(b, uint16(t))
}

// AppendEthernetVLAN appends a header with an 802.1Q tag.
func AppendEthernetVLAN(b []byte, dst, src MAC, tag VLAN, t EtherType) []byte {
	b = AppendEthernet(b, dst, src, TypeVLAN)
	b = binary.BigEndian.AppendUint16(b, uint16(tag))
	return binary.BigEndian.AppendUint16(b, uint16(t))
}

// Dst returns the hardware address that the frame goes to.
func (e Ethernet) Dst() MAC { return MAC(e[0:6]) }

// Src returns the hardware address that the frame says it comes from.
func (e Ethernet) Src() MAC { return MAC(e[6:12]) }

// Type says what the payload is. Below 0x0600 it is not a type but a length
// (IEEE 802.3).
func (e Ethernet) Type() EtherType { return e.typeAt(e.headerLen() - 2) }

// Tag returns the first tag, the outer one if there are two, and whether there
// is one.
func (e Ethernet) Tag() (VLAN, bool) {
	if !isTag(e.typeAt(12)) {
		return 0, false
	}
	return VLAN(binary.BigEndian.Uint16(e[14:])), true
}

// Payload returns what follows the header, and its padding if it has any.
func (e Ethernet) Payload() []byte { return e[e.headerLen():] }

// Header returns the header with its tags.
func (e Ethernet) Header() []byte { return e[:e.headerLen()] }

// headerLen is the header's length with tags, as far as e says: it may be over
// len(e) before e is checked.
func (e Ethernet) headerLen() int {
	n := EthernetLen
	for range maxTags {
		if n > len(e) || !isTag(e.typeAt(n-2)) {
			break
		}
		n += VLANLen
	}
	return n
}

func (e Ethernet) typeAt(i int) EtherType { return EtherType(binary.BigEndian.Uint16(e[i:])) }

func isTag(t EtherType) bool { return t == TypeVLAN || t == TypeQinQ }

// A VLAN is the control information of an 802.1Q tag.
type VLAN uint16

// NewVLAN returns the tag of a network from 1 to 4094 (0 is none, priority
// only) and a priority from 0 to 7. Higher bits of both are ignored.
func NewVLAN(id, priority int) VLAN { return VLAN(id&0xfff | priority&7<<13) }

// ID returns the number of the virtual network, from 0 to 4095.
func (v VLAN) ID() int { return int(v & 0xfff) }

// Priority returns the priority, from 0 to 7.
func (v VLAN) Priority() int { return int(v >> 13) }

// DropEligible reports whether the frame may be dropped before others are.
func (v VLAN) DropEligible() bool { return v&0x1000 != 0 }

// append describes the frame: "eth 02:00:00:00:00:01 > ff:ff:ff:ff:ff:ff vlan 5
// | arp …".
func (e Ethernet) append(b []byte) []byte {
	b = append(b, "eth "...)
	b = e.Src().append(b)
	b = append(b, " > "...)
	b = e.Dst().append(b)
	for i := EthernetLen; i < e.headerLen(); i += VLANLen {
		v := VLAN(binary.BigEndian.Uint16(e[i:]))
		b = appendField(b, "vlan", v.ID())
		if v.Priority() != 0 {
			b = appendField(b, "priority", v.Priority())
		}
	}
	p := e.Payload()
	switch t := e.Type(); {
	case t == TypeIPv4:
		return appendParsed(b, p, ParseIPv4)
	case t == TypeIPv6:
		return appendParsed(b, p, ParseIPv6)
	case t == TypeARP:
		return appendParsed(b, p, ParseARP)
	case t < minType:
		return appendLen(append(b, " | 802.3"...), len(p))
	default:
		b = append(b, " | type "...)
		return appendLen(append(b, t.String()...), len(p))
	}
}
