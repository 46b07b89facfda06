package ip

import "landline/wire"

// A Drop is why a packet went no further. A wire.Fault, which is what is wrong with
// a header, is the Drop of the same number; the rest is what this host decided.
type Drop uint8

// Why packets go no further, beside a wire.Fault.
const (
	DropEtherType       = Drop(wire.Faults) + iota // neither ARP, IPv4 nor IPv6
	DropVLAN                                       // a tag of a network that is not ours
	DropOtherHost                                  // the frame is for another hardware address
	DropGroupSource                                // the frame comes from a group address
	DropMartian                                    // the packet has a source or destination that cannot be
	DropOwnSource                                  // the packet claims to come from this host
	DropNotForUs                                   // no address of ours, and we do not forward
	DropNoGroup                                    // a multicast group that nobody here joined: in a quiet LAN, what others tell all routers
	DropTTL                                        // it has passed as many routers as it may
	DropTooBig                                     // it does not fit the next link, and may not be cut
	DropNoRoute                                    // no network that we know holds its destination
	DropNoSource                                   // no address of ours can be its source
	DropProtocol                                   // nobody here speaks the transport protocol
	DropNoPort                                     // nobody here listens at the port
	DropNoEcho                                     // an echo reply that nobody waits for
	DropICMPKind                                   // a kind of ICMP message that we do not act upon
	DropICMPQuote                                  // an ICMP error about a packet that is not one of ours
	DropICMPLimit                                  // an ICMP error that we did not send, having sent many
	DropExtension                                  // an IPv6 header or option that may not be ignored
	DropFragmentRange                              // a fragment that lies outside of any packet
	DropFragmentOverlap                            // a fragment that contradicts another
	DropFragmentTiny                               // a first fragment without its headers
	DropFragmentMemory                             // a fragment, for want of memory for it
	DropFragmentTimeout                            // fragments whose others never came
	DropNeighborQueue                              // too many packets wait for a hardware address
	DropNeighborFailed                             // the neighbor did not answer
	DropNeighborTable                              // too many neighbors
	DropARP                                        // an ARP message that is not to be believed
	DropNDPHopLimit                                // Neighbor Discovery from another link
	DropNDP                                        // a Neighbor Discovery message that is not to be believed
	DropGroupMessage                               // a multicast query or report that is not to be believed
	DropGroupLimit                                 // too many multicast groups
	DropTentative                                  // for an address that is not proved to be ours alone
	DropSocketFull                                 // the socket's reader is too slow
	DropFiltered                                   // the socket is connected to somebody else
	DropQueueFull                                  // the device and the queue before it are full
	DropDevice                                     // the device did not take it
	DropClosed                                     // the host is closed

	// Drops is one more than the greatest Drop.
	Drops = int(DropClosed) + 1
)

var dropText = [...]string{
	"ethertype", "vlan", "other host", "group source", "martian", "own source", "not for us", "no group", "ttl",
	"too big", "no route", "no source address", "protocol", "no port", "no echo", "icmp kind", "icmp quote",
	"icmp limit", "extension header", "fragment range", "fragment overlap", "fragment tiny", "fragment memory",
	"fragment timeout", "neighbor queue", "neighbor failed", "neighbor table", "arp", "ndp hop limit", "ndp",
	"group message", "group limit", "tentative address", "socket full", "filtered", "queue full", "device", "closed",
}

// String returns the reason in a few words: "udp checksum", "no route".
func (d Drop) String() string {
	if int(d) < wire.Faults {
		return wire.Fault(d).String()
	}
	if int(d) < Drops {
		return dropText[int(d)-wire.Faults]
	}
	return "unknown drop"
}

// Error returns "dropped: " and what String returns.
func (d Drop) Error() string { return "dropped: " + d.String() }

// DropOf returns the Drop that an error is: a wire.Fault or a Drop.
func DropOf(err error) Drop {
	switch e := err.(type) {
	case wire.Fault:
		return Drop(e)
	case Drop:
		return e
	}
	return DropDevice
}
