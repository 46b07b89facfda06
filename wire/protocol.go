package wire

import "strconv"

// An EtherType says what an Ethernet frame carries.
type EtherType uint16

// Types that are known here. Below 0x0600 the field is a length in the older
// framing of IEEE 802.3, which carries nothing that we speak.
const (
	TypeIPv4 EtherType = 0x0800
	TypeARP  EtherType = 0x0806
	TypeVLAN EtherType = 0x8100 // 802.1Q tag
	TypeIPv6 EtherType = 0x86dd
	TypeQinQ EtherType = 0x88a8 // 802.1ad outer tag
	minType  EtherType = 0x0600
)

// String returns the name that the describers use, or the number: "0x88cc".
func (t EtherType) String() string {
	switch t {
	case TypeIPv4:
		return "ip4"
	case TypeARP:
		return "arp"
	case TypeVLAN, TypeQinQ:
		return "vlan"
	case TypeIPv6:
		return "ip6"
	}
	return "0x" + string(appendHex16(nil, uint16(t)))
}

// A Protocol says what an IP packet or an IPv6 extension header carries next.
type Protocol uint8

// Protocols that are known here.
const (
	ProtoHopByHop    Protocol = 0 // IPv6 options for every router
	ProtoICMP        Protocol = 1
	ProtoIGMP        Protocol = 2
	ProtoTCP         Protocol = 6
	ProtoUDP         Protocol = 17
	ProtoRouting     Protocol = 43
	ProtoFragment    Protocol = 44
	ProtoICMPv6      Protocol = 58
	ProtoNone        Protocol = 59 // nothing follows
	ProtoDestination Protocol = 60 // IPv6 options for the destination
)

// String returns the name that the describers use, or the number: "proto 89".
func (p Protocol) String() string {
	switch p {
	case ProtoHopByHop:
		return "hopbyhop"
	case ProtoICMP:
		return "icmp"
	case ProtoIGMP:
		return "igmp"
	case ProtoTCP:
		return "tcp"
	case ProtoUDP:
		return "udp"
	case ProtoRouting:
		return "routing"
	case ProtoFragment:
		return "fragment"
	case ProtoICMPv6:
		return "icmp6"
	case ProtoNone:
		return "none"
	case ProtoDestination:
		return "destination"
	}
	return "proto " + strconv.Itoa(int(p))
}
