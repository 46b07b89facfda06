package wire

import (
	"encoding/binary"
	"strconv"
)

// Kinds of TCP option. A kind that is not known here is stepped over (RFC 9293,
// Section 3.1, MUST-6).
const (
	TCPOptMSS           = 2
	TCPOptWindowScale   = 3 // RFC 7323
	TCPOptSACKPermitted = 4 // RFC 2018
	TCPOptSACK          = 5
	TCPOptTimestamps    = 8 // RFC 7323
)

const (
	// MaxWindowScale is the greatest shift of a window. "If a Window Scale
	// option is received with a shift.cnt value larger than 14, the TCP SHOULD
	// log the error but MUST use 14 instead of the specified value" (RFC 7323,
	// Section 2.3).
	MaxWindowScale = 14
	// MaxSACKBlocks is how many blocks a header has room for.
	MaxSACKBlocks = 4
)

// A SACKBlock is a run of bytes that has arrived: Start ≤ n < End. Whether it
// makes sense is for the connection to judge.
type SACKBlock struct{ Start, End Seq }

// TCPOptions are the options of one segment that are known here. The zero value
// is a segment without any.
type TCPOptions struct {
	MSS            uint16 // 0 if absent
	HasWindowScale bool
	WindowScale    uint8 // at most MaxWindowScale
	SACKPermitted  bool
	HasTimestamps  bool
	TSVal, TSEcr   uint32
	SACKCount      int // of SACK that are set
	SACK           [MaxSACKBlocks]SACKBlock
}

// SACKBlocks returns the blocks that are set.
func (o *TCPOptions) SACKBlocks() []SACKBlock { return o.SACK[:o.SACKCount] }

// timestampsOnly is how the option area of most segments begins: two
// no-operations, so that the numbers are aligned, and a timestamps option (RFC
// 7323, Appendix A).
const timestampsOnly = "\x01\x01\x08\x0a"

// ReadOptions sets o to t's options. An option of a known kind with a length
// that is not that kind's is stepped over like one of an unknown kind, and of
// an option that comes twice the last counts. If the walk ends at an impossible
// length, o holds what came before and the error is ErrTCPOption: the segment
// may be used nevertheless.
func (t TCP) ReadOptions(o *TCPOptions) error {
	*o = TCPOptions{}
	if t.HeaderLen() == TCPLen {
		return nil
	}
	if t.HeaderLen() == TCPLen+12 && string(t[TCPLen:TCPLen+4]) == timestampsOnly {
		o.readTimestamps(t[TCPLen+4:])
		return nil
	}
	walk := t.Options()
	for walk.Next() {
		o.read(walk.Kind(), walk.Data())
	}
	return walk.Err()
}

func (o *TCPOptions) read(kind uint8, data []byte) {
	switch {
	case kind == TCPOptMSS && len(data) == 2:
		o.MSS = binary.BigEndian.Uint16(data)
	case kind == TCPOptWindowScale && len(data) == 1:
		o.HasWindowScale, o.WindowScale = true, min(data[0], MaxWindowScale)
	case kind == TCPOptSACKPermitted && len(data) == 0:
		o.SACKPermitted = true
	case kind == TCPOptTimestamps && len(data) == 8:
		o.readTimestamps(data)
	case kind == TCPOptSACK && isSACK(data):
		o.readSACK(data)
	}
}

func (o *TCPOptions) readTimestamps(data []byte) {
	o.HasTimestamps = true
	o.TSVal, o.TSEcr = binary.BigEndian.Uint32(data), binary.BigEndian.Uint32(data[4:])
}

// isSACK reports whether data is one block or more, and nothing else. At most
// four find room in a header.
func isSACK(data []byte) bool { return len(data) > 0 && len(data)%8 == 0 }

func (o *TCPOptions) readSACK(data []byte) {
	o.SACKCount = len(data) / 8
	for i := range o.SACKBlocks() {
		o.SACK[i] = sackBlock(data[8*i:])
	}
}

func sackBlock(b []byte) SACKBlock {
	return SACKBlock{Seq{binary.BigEndian.Uint32(b)}, Seq{binary.BigEndian.Uint32(b[4:])}}
}

// AppendMSS appends a maximum segment size option, of 4 bytes.
func AppendMSS(b []byte, mss uint16) []byte {
	return append(b, TCPOptMSS, 4, byte(mss>>8), byte(mss))
}

// AppendWindowScale appends a window scale option, of 3 bytes. The shift is at
// most MaxWindowScale.
func AppendWindowScale(b []byte, shift uint8) []byte {
	return append(b, TCPOptWindowScale, 3, shift)
}

// AppendSACKPermitted appends a SACK-permitted option, of 2 bytes.
func AppendSACKPermitted(b []byte) []byte { return append(b, TCPOptSACKPermitted, 2) }

// AppendTimestamps appends a timestamps option, of 10 bytes.
func AppendTimestamps(b []byte, val, ecr uint32) []byte {
	b = append(b, TCPOptTimestamps, 10)
	b = binary.BigEndian.AppendUint32(b, val)
	return binary.BigEndian.AppendUint32(b, ecr)
}

// AppendSACK appends a SACK option of 2 bytes and 8 a block. There is room for
// MaxSACKBlocks if there is no other option, and for three beside timestamps.
func AppendSACK(b []byte, blocks ...SACKBlock) []byte {
	b = append(b, TCPOptSACK, byte(2+8*len(blocks)))
	for _, r := range blocks {
		b = binary.BigEndian.AppendUint32(b, r.Start.n)
		b = binary.BigEndian.AppendUint32(b, r.End.n)
	}
	return b
}

// AppendNOP appends a no-operation of 1 byte, which aligns the option after it.
func AppendNOP(b []byte) []byte { return append(b, optNone) }

// appendOptions describes the options in their order: " <mss 1460, sackok, ts 7
// 0>".
func (t TCP) appendOptions(b []byte) []byte {
	if t.HeaderLen() == TCPLen {
		return b
	}
	b = append(b, " <"...)
	start := len(b)
	o := t.Options()
	for o.Next() {
		b = appendTCPOption(b, o.Kind(), o.Data())
		b = append(b, ", "...)
	}
	if o.Err() != nil {
		b = append(b, "bad option, "...)
	}
	if len(b) > start {
		b = b[:len(b)-2]
	}
	return append(b, '>')
}

func appendTCPOption(b []byte, kind uint8, data []byte) []byte {
	switch {
	case kind == TCPOptMSS && len(data) == 2:
		return appendNumber(append(b, "mss "...), binary.BigEndian.Uint16(data))
	case kind == TCPOptWindowScale && len(data) == 1:
		return appendNumber(append(b, "wscale "...), data[0])
	case kind == TCPOptSACKPermitted && len(data) == 0:
		return append(b, "sackok"...)
	case kind == TCPOptTimestamps && len(data) == 8:
		b = appendNumber(append(b, "ts "...), binary.BigEndian.Uint32(data))
		return appendNumber(append(b, ' '), binary.BigEndian.Uint32(data[4:]))
	case kind == TCPOptSACK && isSACK(data):
		return appendSACKText(b, data)
	}
	b = append(b, "option "...)
	return appendLen(strconv.AppendUint(b, uint64(kind), 10), len(data))
}

func appendSACKText(b, data []byte) []byte {
	b = append(b, "sack"...)
	for ; len(data) > 0; data = data[8:] {
		r := sackBlock(data)
		b = appendNumber(append(b, ' '), r.Start.n)
		b = appendNumber(append(b, '-'), r.End.n)
	}
	return b
}
