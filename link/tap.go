package link

import (
	"os"

	"landline/wire"
)

// TAPConfig says which TAP to open.
type TAPConfig struct {
	// Name is the name of the network interface. If there is none of that name
	// it is made, and goes away with the TAP. A "%d" in it becomes a free number; if
	// empty, "tap%d".
	Name string
	// File, if it is not nil, is a TAP that somebody has opened already, for instance the
	// parent process; Name is not used then. Like net.FileConn, OpenTAP makes a copy
	// of it, and the caller closes File. It must have been opened with IFF_NO_PI, and with
	// IFF_VNET_HDR if there are to be offloads.
	File *os.File

	// MAC is the hardware address of this end of the wire, which is not that of the
	// kernel's interface at the other. If zero, a local one is made up.
	MAC wire.MAC
	// MTU is the largest IP packet, in bytes, from MinMTU to MaxMTU. If zero, it is that
	// of the interface as OpenTAP finds it. It is needed only if File is
	// of another network namespace.
	MTU int
	// Without names offloads that are not to be used. TSO goes with the checksum.
	Without Offloads
}

// TAPStats counts what went through a TAP, and what did not.
type TAPStats struct {
	In, Out             uint64 // frames; a unit is one
	BytesIn, BytesOut   uint64
	BadLength           uint64 // from the kernel: shorter than its header, or over MaxFrame
	BadSum              uint64 // from the kernel: with a checksum at an impossible place
	BadUnit             uint64 // from the kernel: a unit that is not TCP, or contradicts itself
	LostDown, LostOther uint64 // taken by Write and lost: the interface was not up; no memory
	Full                uint64 // calls of Write that found no room for a frame
}

// offloads are those that are left of all.
func (c *TAPConfig) offloads() Offloads {
	o := (OffloadChecksum | OffloadTSO) &^ c.Without
	if o&OffloadChecksum == 0 {
		return 0
	}
	return o
}
