package link

import (
	"errors"

	"landline/wire"
)

// The errors about a frame. Write returns them bare, with the index of the frame.
var (
	// ErrTooLong says that a frame, or a segment of a unit, is over the MTU.
	ErrTooLong = errors.New("frame is longer than the mtu allows")
	// ErrOffload says that a frame leaves to the device what it does not do.
	ErrOffload = errors.New("frame wants an offload that the device does not have")
	// ErrFrame says that a frame contradicts itself: it ends before its headers do, or
	// its checksum is left open at a place that is not in Head.
	ErrFrame = errors.New("frame is malformed")
)

// maxTags is how many VLAN tags a frame may have on top of the MTU.
const maxTags = 2

// longest is the length of the longest frame.
func (d *Info) longest() int {
	if d.Offloads&OffloadTSO != 0 {
		return MaxFrame
	}
	return min(MaxFrame, d.MTU+wire.EthernetLen+maxTags*wire.VLANLen)
}

// Check returns how many frames such a device can carry before the first that it cannot, and
// the error about that one: what its Write returns if it is not full.
func (d *Info) Check(frames []Frame) (int, error) {
	for i := range frames {
		if err := d.check(&frames[i]); err != nil {
			return i, err
		}
	}
	return len(frames), nil
}

func (d *Info) check(f *Frame) error {
	if len(f.Head) < wire.EthernetLen {
		return ErrFrame
	}
	if f.SegSize != 0 {
		return d.checkUnit(f)
	}
	if n := f.Len() - wire.EthernetLen; n > d.MTU && !d.fitsTagged(f) {
		return ErrTooLong
	}
	if f.Sum != SumPartial {
		return nil
	}
	if d.Offloads&OffloadChecksum == 0 {
		return ErrOffload
	}
	return checkPartial(f)
}

// checkUnit looks at the first segment of a unit only: the others are no longer.
func (d *Info) checkUnit(f *Frame) error {
	if d.Offloads&OffloadTSO == 0 {
		return ErrOffload
	}
	if f.Sum != SumPartial {
		return ErrFrame
	}
	if err := checkPartial(f); err != nil {
		return err
	}
	segment := int(f.SumStart) + wire.TCPLen + int(f.SegSize) // without options
	if f.Len() > MaxFrame || segment-headerLen(f) > d.MTU {
		return ErrTooLong
	}
	return nil
}

// checkPartial checks that the checksum field is where it can be filled in.
func checkPartial(f *Frame) error {
	start, field := int(f.SumStart), int(f.SumField)
	if start < wire.EthernetLen || field < start || field+2 > len(f.Head) {
		return ErrFrame
	}
	return nil
}

// fitsTagged reports whether a frame is over the MTU only by its VLAN tags.
func (d *Info) fitsTagged(f *Frame) bool {
	return f.Len()-headerLen(f) <= d.MTU && f.Len() <= MaxFrame
}

// headerLen returns the length of the Ethernet header with its tags.
func headerLen(f *Frame) int {
	e, err := wire.ParseEthernet(f.Head)
	if err != nil {
		return wire.EthernetLen
	}
	return len(e.Header())
}
