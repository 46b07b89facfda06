package link

import (
	"landline/wire"
)

// A Device is one end of a wire on which Ethernet frames travel: an end of a
// Cable, a TAP, or another Device with something put before it.
//
// Write may be called by several goroutines at once. Each batch keeps its
// order; batches of different callers do not mix.
type Device interface {
	// Info says what the device is. It does not change.
	Info() Info

	// Attach makes h the one who hears what arrives. It is called once, before
	// the first Write; what arrived before it is lost.
	Attach(h Handler)

	// Write takes frames in their order and returns how many. It does not block:
	// it takes fewer than all, without an error, if it is full, and then calls
	// Handler.Room when it has room again. It never drops a frame that it took.
	//
	// A frame that the device cannot carry, as it is too long or asks for
	// an offload that is not there, is an error about the frame at the index that is
	// returned; net.ErrClosed says that the device has been closed. The frames
	// and their bytes belong to the caller: they are read until Write returns, and not
	// changed.
	Write(frames []Frame) (int, error)

	// Close ends the device and frees what it holds. It waits until no function of
	// the Handler is running, so they must not call it.
	Close() error
}

// A Handler is what a Device calls. Its functions must not block. They may write to
// the device, which leads to more calls: when these come is up to the device.
type Handler struct {
	// Receive is called with frames that have arrived. It is not called by two
	// goroutines at once. The frames and their bytes belong to the device: they may
	// be read until Receive returns, and must not be changed.
	Receive func(frames []Frame)

	// Room is called, by any goroutine, when a device that took fewer frames than
	// it was given can take some again. It may be nil.
	Room func()

	// Down is called once if the device ends otherwise than by Close: it was
	// deleted, or the other end was closed. It may be nil.
	Down func(error)
}

// Info is what a Device says of itself.
type Info struct {
	Name     string   // for people: "tap0"
	MAC      wire.MAC // the hardware address of whoever sits at this end
	MTU      int      // the largest IP packet on the wire, in bytes
	Offloads Offloads // what may be left to the device
}

// Offloads are what a Device takes that a bare wire would not. It may hand over
// frames of the same kinds.
type Offloads uint8

const (
	// OffloadChecksum says that the device takes frames with SumPartial.
	OffloadChecksum Offloads = 1 << iota
	// OffloadTSO says that it takes TCP segments of up to 64 KiB, over IPv4 and IPv6,
	// and cuts them to their SegSize where they have to be cut. It comes
	// with OffloadChecksum.
	OffloadTSO
)

// A Frame is an Ethernet frame without its check sequence: the bytes of Head,
// followed by those of Body.
type Frame struct {
	// Head is the whole frame if Body is empty. Otherwise it holds all the headers,
	// from Ethernet to the transport's, and perhaps the first bytes of what they carry.
	Head []byte
	// Body is the rest, where that lies elsewhere: in the ring of a connection, in the
	// buffer of a user.
	Body []byte

	// SegSize, if it is not zero, makes the frame a unit of several TCP segments
	// that share a header, with so many bytes of payload each, the last with what
	// is left. The lengths in the headers are those of the unit, and Sum is
	// SumPartial.
	SegSize uint16

	// Sum says how much is known of the checksum of the transport header.
	Sum SumState
	// SumStart is where the sum begins, at the transport header, and SumField where
	// the checksum field is. Both count from the beginning of the frame, and
	// mean something only if Sum is SumPartial.
	SumStart, SumField uint16
}

// Len returns the length of the frame in bytes.
func (f *Frame) Len() int { return len(f.Head) + len(f.Body) }

// AppendTo appends the bytes of the frame.
func (f *Frame) AppendTo(b []byte) []byte { return append(append(b, f.Head...), f.Body...) }

// A SumState is how much is known of a transport checksum.
type SumState uint8

const (
	// SumUnchecked: the checksum is there, and nobody has looked at it.
	SumUnchecked SumState = iota
	// SumGood: the checksum was found to be right.
	SumGood
	// SumPartial: the checksum field holds the sum of the pseudo-header alone. Who puts
	// the frame on a real wire has to finish it. Who receives the frame may take it
	// as good, for it has not been on one.
	SumPartial
)

const (
	// MaxFrame is the length of the longest frame, in bytes: a tag and an IP packet of
	// 65,535 bytes.
	MaxFrame = wire.EthernetLen + wire.VLANLen + 65535
	// MinMTU is the least MTU of a Device: every IPv4 link carries 68 bytes (RFC 791,
	// Section 3.2). IPv6 wants 1,280.
	MinMTU = 68
	// MaxMTU is the greatest.
	MaxMTU = 65535
)
