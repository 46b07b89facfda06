package link

import (
	"encoding/binary"

	"landline/wire"
)

// vnetLen is the length of the virtio-net header that goes before each frame of a
// TAP, of struct virtio_net_hdr (Virtual I/O Device 1.2, Section 5.1.6).
const vnetLen = 10

// Where its fields are, and what they hold. All are little-endian.
const (
	vnetFlags    = 0
	vnetType     = 1
	vnetHdrLen   = 2 // the length of all the headers
	vnetSegSize  = 4
	vnetSumStart = 6
	vnetSumField = 8 // from vnetSumStart

	vnetNeedsSum = 1 // flag: the checksum is partial
	vnetSumValid = 2 // flag: it was checked

	vnetNoUnit = 0 // types
	vnetTCPv4  = 1
	vnetTCPv6  = 4
	vnetECN    = 0x80 // in addition to those: the unit has CWR set
)

// A vnetFault is why a frame of the kernel is not taken.
type vnetFault uint8

const (
	vnetGood vnetFault = iota
	vnetLength
	vnetSum
	vnetUnit
)

// readVnet sets what h says of f, whose bytes are all in Head.
func (f *Frame) readVnet(h []byte) vnetFault {
	if len(f.Head) < wire.EthernetLen || len(f.Head) > MaxFrame {
		return vnetLength
	}
	if len(h) == 0 { // a TAP without such headers
		return vnetGood
	}
	le := binary.LittleEndian
	switch {
	case h[vnetFlags]&vnetNeedsSum != 0:
		start := int(le.Uint16(h[vnetSumStart:]))
		field := start + int(le.Uint16(h[vnetSumField:]))
		f.Sum, f.SumStart, f.SumField = SumPartial, uint16(start), uint16(field)
		if field > 0xffff || checkPartial(f) != nil {
			return vnetSum
		}
	case h[vnetFlags]&vnetSumValid != 0:
		f.Sum = SumGood
	}
	return f.readVnetUnit(h)
}

func (f *Frame) readVnetUnit(h []byte) vnetFault {
	le := binary.LittleEndian
	switch h[vnetType] &^ vnetECN {
	case vnetNoUnit:
		return vnetGood
	case vnetTCPv4, vnetTCPv6:
		f.SegSize = le.Uint16(h[vnetSegSize:])
	}
	tcp := int(f.SumStart)
	if f.SegSize == 0 || f.Sum != SumPartial || int(f.SumField) != tcp+tcpChecksum ||
		tcp+wire.TCPLen > len(f.Head) || int(le.Uint16(h[vnetHdrLen:])) > len(f.Head) {
		return vnetUnit
	}
	return vnetGood
}

// putVnet sets h to what it has to say of f. The error is ErrFrame.
func (f *Frame) putVnet(h *[vnetLen]byte) error {
	*h = [vnetLen]byte{}
	if f.Sum != SumPartial {
		return nil
	}
	le := binary.LittleEndian
	h[vnetFlags] = vnetNeedsSum
	le.PutUint16(h[vnetSumStart:], f.SumStart)
	le.PutUint16(h[vnetSumField:], f.SumField-f.SumStart)
	if f.SegSize == 0 {
		return nil
	}
	end, err := f.unitHeaderLen()
	if err != nil {
		return err
	}
	switch wire.Ethernet(f.Head).Type() {
	case wire.TypeIPv4:
		h[vnetType] = vnetTCPv4
	case wire.TypeIPv6:
		h[vnetType] = vnetTCPv6
	default:
		return ErrFrame
	}
	if wire.TCP(f.Head[f.SumStart:]).Flags().Has(wire.FlagCWR) {
		h[vnetType] |= vnetECN
	}
	le.PutUint16(h[vnetHdrLen:], uint16(end))
	le.PutUint16(h[vnetSegSize:], f.SegSize)
	return nil
}
