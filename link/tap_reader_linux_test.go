package link

import (
	"testing"

	"landline/wire"
)

func TestReaderCountsWhatItDoesNotTake(t *testing.T) {
	r := newTAPReader(vnetLen)
	for _, header := range []string{
		"00 00 0000 0000 0000 0000", "01 00 0000 0000 ffff ffff", "01 05 3a00 a805 2200 1000", "01 05 3a00 a805 2200 1000",
	} {
		r.take(append(unspaced(t, header), vnetFrame(wire.TypeIPv4, 0)...))
	}
	r.take(make([]byte, vnetLen-1))
	want := [vnetUnit + 1]uint64{vnetLength: 1, vnetSum: 1, vnetUnit: 2}
	if len(r.frames) != 1 || r.faults != want {
		t.Errorf("took %d frames, faults %v, want one and %v", len(r.frames), r.faults, want)
	}
}
