package wire

// A Fault is what is wrong with a header: every error of a Parse or Verify
// function here is one. Faults are small, comparable and not allocated, so they
// can count what a host drops: var drops [wire.Faults]uint64.
type Fault uint8

// What can be wrong. "Short" means that the bytes end before the header does.
const (
	_                Fault = iota
	ErrEthernetShort       // also a tag that is cut off
	ErrARPShort
	ErrARPKind // not about IPv4 on Ethernet
	ErrIPv4Short
	ErrIPv4Version   // the version is not 4
	ErrIPv4HeaderLen // below 20, or over the packet's length
	ErrIPv4TotalLen  // below the header's length, or more than has come
	ErrIPv4Checksum
	ErrIPv4Option // an option's length is impossible
	ErrIPv6Short
	ErrIPv6Version        // the version is not 6
	ErrIPv6PayloadLen     // more than has come
	ErrIPv6ExtensionShort // an extension header ends after the packet
	ErrIPv6ExtensionOrder // hop-by-hop options that are not first
	ErrIPv6ExtensionCount // more than MaxExtensions
	ErrIPv6Option         // an option ends after its header
	ErrICMPShort
	ErrICMPChecksum
	ErrICMPv6Short
	ErrICMPv6Checksum
	ErrQuoteShort // an ICMP error quotes too little to tell what it is about
	ErrNDPShort
	ErrNDPCode   // the code is not 0
	ErrNDPTarget // the target is a multicast address
	ErrNDPOption // an option's length is 0, or ends after the message
	ErrMLDShort  // also a list of records or sources that is cut off
	ErrIGMPShort // also a list of records or sources that is cut off
	ErrIGMPChecksum
	ErrUDPShort
	ErrUDPLen // below 8, or more than has come
	ErrUDPChecksum
	ErrUDPNoChecksum // it says that there is none: legal over IPv4 only
	ErrTCPShort
	ErrTCPDataOffset // below 20, or over the segment's length
	ErrTCPChecksum
	ErrTCPOption // an option's length is impossible

	// Faults is one more than the greatest Fault.
	Faults = iota
)

var faultText = [Faults]string{
	"no fault",
	"ethernet short",
	"arp short", "arp of another kind",
	"ipv4 short", "ipv4 version", "ipv4 header length", "ipv4 total length", "ipv4 checksum", "ipv4 option",
	"ipv6 short", "ipv6 version", "ipv6 payload length", "ipv6 extension short", "ipv6 extension order",
	"ipv6 extension count", "ipv6 option",
	"icmp short", "icmp checksum",
	"icmpv6 short", "icmpv6 checksum",
	"icmp quote short",
	"ndp short", "ndp code", "ndp target", "ndp option",
	"mld short",
	"igmp short", "igmp checksum",
	"udp short", "udp length", "udp checksum", "udp without checksum",
	"tcp short", "tcp data offset", "tcp checksum", "tcp option",
}

// String returns the protocol and what is wrong: "udp length".
func (f Fault) String() string {
	if f >= Faults {
		return "unknown fault"
	}
	return faultText[f]
}

// Error returns "bad header: " and what String returns.
func (f Fault) Error() string { return "bad header: " + f.String() }
