package lan

// A Drop is why a frame went no further.
type Drop uint8

// Why frames go no further. The first ones are counted at the port where the frame came in, those
// from DropQueueFull on at the port that it was to leave by.
const (
	DropRunt           Drop        = iota // shorter than an Ethernet header
	DropGroupSource                       // it says that it comes from a group
	DropForeignSource                     // it says that it comes from a machine that is at another port for good
	DropSourceMAC                         // its hardware address is none that the machine may send from, or speak for
	DropSourceIP                          // its IP address is none that the machine may send from, or say that it has
	DropRogueDHCP                         // it gives out addresses, which is for the gateway to do
	DropRogueRA                           // it says that it is a router, or who is one, which is for the gateway to do
	DropReserved                          // for a group of neighbours, which no bridge forwards to
	DropSamePort                          // its destination is where it came from
	DropBroadcastStorm                    // more broadcasts than the port may send
	DropMulticastStorm                    // more multicasts than the port may send
	DropUnknownStorm                      // more frames for unknown addresses than the port may send
	DropDHCPStorm                         // more questions for DHCP servers than the port may send
	DropQueueFull                         // the machine is too slow
	DropTooLong                           // longer than the MTU of the port
	DropMalformed                         // a unit that could not be cut, or a checksum that could not be completed
	DropDevice                            // the device did not want it
	DropNobody                            // no machine has been attached to the port
	DropClosed                            // the port was closed
	Drops              = int(iota)        // how many reasons there are
)

var dropText = [Drops]string{
	"runt", "group source", "foreign source", "source mac", "source ip", "rogue DHCP", "rogue RA", "reserved", "same port", "broadcast storm",
	"multicast storm", "unknown unicast storm", "DHCP storm", "queue full", "too long", "malformed", "device", "nobody", "closed",
}

// String returns the reason in a few words: "queue full".
func (d Drop) String() string {
	if int(d) < Drops {
		return dropText[d]
	}
	return "unknown drop"
}

// DropCounts counts drops by reason: counts[lan.DropQueueFull].
type DropCounts [Drops]uint64

// Total returns the sum of all counts.
func (c DropCounts) Total() (n uint64) {
	for _, v := range c {
		n += v
	}
	return n
}

// Map returns the counts that are not zero by their reasons' names.
func (c DropCounts) Map() map[string]uint64 {
	m := map[string]uint64{}
	for d, n := range c {
		if n != 0 {
			m[Drop(d).String()] = n
		}
	}
	return m
}
