package link

import (
	"encoding/binary"
	"strings"
	"time"

	"landline/wire"
)

// What follows is how the file format pcapng lies on the disk, as far as it is
// written here (draft-ietf-opsawg-pcapng): blocks of a type, a length, a body and the length
// again, all in the writer's byte order, which is little-endian here, and all padded to four bytes.
const (
	blockSection    = 0x0a0d0d0a
	blockInterface  = 1
	blockStatistics = 5
	blockPacket     = 6 // "enhanced"

	byteOrderMagic = 0x1a2b3c4d
	linkEthernet   = 1

	optEnd          = 0
	optComment      = 1
	optUserApp      = 4 // of a section
	optName         = 2 // of an interface
	optMAC          = 6
	optResolution   = 9
	optPacketFlags  = 2 // of a packet
	optStatReceived = 4 // of statistics
	optStatDropped  = 5

	nanoseconds = 9 // as a resolution: 10^-9 s

	flagOpenChecksum = 1 << 9
	flagUnit         = 1 << 11
)

// maxText is how many bytes a name or a comment may have.
const maxText = 4096

// packetOverhead is how many bytes a block has at most besides a packet and its
// comment.
const packetOverhead = 64

// beginBlock appends the beginning of a block and returns where that is.
func beginBlock(b []byte, kind uint32) ([]byte, int) {
	start := len(b)
	b = binary.LittleEndian.AppendUint32(b, kind)
	return append(b, 0, 0, 0, 0), start
}

// endBlock ends the block that began at start.
func endBlock(b []byte, start int) []byte {
	n := uint32(len(b) - start + 4)
	binary.LittleEndian.PutUint32(b[start+4:], n)
	return binary.LittleEndian.AppendUint32(b, n)
}

// blockLen returns the length of the block that b begins with.
func blockLen(b []byte) int { return int(binary.LittleEndian.Uint32(b[4:])) }

func appendOption(b []byte, code, n int) []byte {
	b = binary.LittleEndian.AppendUint16(b, uint16(code))
	return binary.LittleEndian.AppendUint16(b, uint16(n))
}

// appendText appends an option that is text.
func appendText(b []byte, code int, s string) []byte {
	if len(s) > maxText {
		s = s[:maxText]
	}
	s = strings.ToValidUTF8(s, "") // also what the cut left of the last character
	b = appendOption(b, code, len(s))
	return padBlock(append(b, s...), len(s))
}

// padBlock appends what n bytes lack to a multiple of four.
func padBlock(b []byte, n int) []byte {
	const zeros = "\x00\x00\x00"
	return append(b, zeros[:-n&3]...)
}

func appendOptionsEnd(b []byte) []byte { return appendOption(b, optEnd, 0) }

// appendTime appends nanoseconds since 1970, the higher half first.
func appendTime(b []byte, at time.Time) []byte {
	ns := uint64(at.UnixNano())
	b = binary.LittleEndian.AppendUint32(b, uint32(ns>>32))
	return binary.LittleEndian.AppendUint32(b, uint32(ns))
}

// appendSection begins a file.
func appendSection(b []byte) []byte {
	le := binary.LittleEndian
	b, start := beginBlock(b, blockSection)
	b = le.AppendUint32(b, byteOrderMagic)
	b = append(b, 1, 0, 0, 0)       // version 1.0
	b = le.AppendUint64(b, 1<<64-1) // of a length that is not known yet
	b = appendText(b, optUserApp, "landline")
	return endBlock(appendOptionsEnd(b), start)
}

// appendInterface describes an interface. Those of a section are numbered in their
// order.
func appendInterface(b []byte, info *Info, snapLen int) []byte {
	b, start := beginBlock(b, blockInterface)
	b = append(b, linkEthernet, 0, 0, 0)
	b = binary.LittleEndian.AppendUint32(b, uint32(snapLen)) // 0 is no limit
	if info.Name != "" {
		b = appendText(b, optName, info.Name)
	}
	if m := info.MAC; m != (wire.MAC{}) {
		b = padBlock(append(appendOption(b, optMAC, len(m)), m[:]...), len(m))
	}
	b = append(appendOption(b, optResolution, 1), nanoseconds, 0, 0, 0)
	return endBlock(appendOptionsEnd(b), start)
}

// appendPacket writes a frame, cut to snapLen bytes if that is not zero.
func appendPacket(b []byte, face int, d Direction, at time.Time, f *Frame, comment string, c *PcapConfig) []byte {
	le := binary.LittleEndian
	n := f.Len()
	kept := n
	if c.SnapLen > 0 {
		kept = min(n, c.SnapLen)
	}
	flags := uint32(d)
	if f.SegSize != 0 {
		flags |= flagUnit
	}
	if f.Sum == SumPartial && c.OpenChecksums {
		flags |= flagOpenChecksum
	}
	b, start := beginBlock(b, blockPacket)
	b = le.AppendUint32(b, uint32(face))
	b = appendTime(b, at)
	b = le.AppendUint32(b, uint32(kept))
	b = le.AppendUint32(b, uint32(n))
	b = appendBytes(b, f, kept, c.OpenChecksums)
	b = padBlock(b, kept)
	if comment != "" {
		b = appendText(b, optComment, comment)
	}
	if flags != 0 {
		b = le.AppendUint32(appendOption(b, optPacketFlags, 4), flags)
	}
	if comment != "" || flags != 0 {
		b = appendOptionsEnd(b)
	}
	return endBlock(b, start)
}

// appendBytes appends the first kept bytes of a frame, and completes the checksum.
func appendBytes(b []byte, f *Frame, kept int, open bool) []byte {
	start := len(b)
	head := min(kept, len(f.Head))
	b = append(b, f.Head[:head]...)
	b = append(b, f.Body[:kept-head]...)
	if f.Sum != SumPartial || open || checkPartial(f) != nil || int(f.SumField)+2 > kept {
		return b
	}
	binary.BigEndian.PutUint16(b[start+int(f.SumField):], f.wholeSum())
	return b
}

// appendStatistics says how many frames an interface had, and how many of them are not in
// the file.
func appendStatistics(b []byte, face int, at time.Time, frames, dropped uint64) []byte {
	le := binary.LittleEndian
	b, start := beginBlock(b, blockStatistics)
	b = le.AppendUint32(b, uint32(face))
	b = appendTime(b, at)
	b = le.AppendUint64(appendOption(b, optStatReceived, 8), frames)
	b = le.AppendUint64(appendOption(b, optStatDropped, 8), dropped)
	return endBlock(appendOptionsEnd(b), start)
}
