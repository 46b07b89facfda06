package pkt

import (
	"net/netip"

	"landline/wire"
)

// A flow is a TCP connection, or two ports of UDP that talk to each other, as the wire and as the script
// know it.
type flow struct {
	proto         wire.Protocol
	local, remote netip.AddrPort // a local port of 0 is not known yet

	// On the wire, sequence numbers are by so much greater than in the script.
	ours, theirs uint32
	// known says that ours is; it is not before SYN has been seen.
	known bool
	// What the script says of the peer's first number: its bytes begin behind it.
	peerFirst uint32
	peerNext  uint32 // the same of a SYN that may begin another connection between the same ends
	opened    bool   // peerFirst is known
	again     bool   // there has been such a SYN

	stamps  map[uint32]uint32 // TSval that the script has, to that on the wire
	stampBy uint32            // by how much the first one differed
	stamped bool

	written []byte // what was written to the socket
}

// tuple is what packets are told apart by.
type tuple struct {
	proto         wire.Protocol
	local, remote netip.AddrPort
}

func (f *flow) tuple() tuple { return tuple{f.proto, f.local, f.remote} }

// learn takes the first number of ours from a SYN, as it is on the wire and in the script.
func (f *flow) learn(live, script uint32) {
	if f.again {
		*f = flow{proto: f.proto, local: f.local, remote: f.remote, theirs: f.theirs, peerFirst: f.peerNext, opened: true}
	}
	f.ours, f.known = live-script, true
}

// peerSYN notes that a SYN comes from the peer.
func (f *flow) peerSYN(s *TCPFields) {
	switch {
	case !f.opened:
		f.peerFirst, f.opened = s.Seq, true
	case !s.Flags.Has(wire.FlagACK):
		f.peerNext, f.again = s.Seq, true
	}
}

// noteStamp takes a TSval of ours.
func (f *flow) noteStamp(live, script uint32) {
	if !f.stamped {
		f.stampBy, f.stamped = live-script, true
	}
	if f.stamps == nil {
		f.stamps = make(map[uint32]uint32)
	}
	f.stamps[script] = live
}

// stamp returns what the TSecr of a peer is on the wire.
func (f *flow) stamp(script uint32) uint32 {
	if live, ok := f.stamps[script]; ok {
		return live
	}
	if script == 0 || !f.stamped {
		return script
	}
	return script + f.stampBy
}

// fill writes what the peer sends from a number on: bytes that tell where in its stream they are.
func (f *flow) fill(b []byte, seq uint32) {
	at := seq
	if f.opened {
		at -= f.peerFirst + 1
	}
	for i := range b {
		b[i] = pattern(at + uint32(i))
	}
}

// pattern is the byte at a place of a stream. It repeats itself after four million bytes, and not earlier.
func pattern(at uint32) byte { return byte(at) ^ byte(at>>8)*31 ^ byte(at>>16)*7 }
