package link

// receive cuts units, for faults hit packets, and the others are not to know that there are
// units on this wire.
func (d *Impaired) receive(frames []Frame) {
	for i := range frames {
		if frames[i].SegSize != 0 {
			d.receiveUnits(frames)
			return
		}
	}
	d.in.take(frames)
}

// receiveUnits is receive for frames of which some are units. A unit that is none is left as it
// is, but for its SegSize.
func (d *Impaired) receiveUnits(frames []Frame) {
	for i := range frames {
		if d.segments.Add(&frames[i]) != nil {
			f := frames[i]
			f.SegSize = 0
			d.segments.Add(&f)
		}
	}
	d.in.take(d.segments.Frames())
	d.segments.Reset()
}

// complete fills in a checksum that was left open. The frame is all in Head, and ours.
func complete(f *Frame) {
	if f.Sum == SumPartial && checkPartial(f) == nil {
		f.putSum()
	}
}
