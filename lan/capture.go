package lan

import (
	"sync/atomic"

	"landline/link"
)

// Capture writes the frames of the port to a file from now on, until stop is called: those that the machine sends, as
// link.Inbound, and those that it gets. The file stays the caller's. There may be several at once.
//
// A port that is always captured has link.Capture before or behind it.
func (p *Port) Capture(file *link.PcapNG) (stop func()) {
	c := &capture{Port: p}
	c.write = link.Capture(c, file)
	c.write.Attach(link.Handler{Receive: func(frames []link.Frame) { p.comeBy(c.next.Load(), frames) }})
	p.mu.Lock()
	c.next.Store(p.capture.Load())
	p.capture.Store(c)
	p.mu.Unlock()
	return func() {
		p.release(c)
		file.Flush()
	}
}

// A capture is the device of a port's machine, as it is seen from the switch. Those of a port stand one behind the other,
// the machine behind the last of them.
type capture struct {
	*Port   // for its Info
	write   link.Device
	receive func([]link.Frame)
	next    atomic.Pointer[capture]
}

func (c *capture) Attach(h link.Handler) { c.receive = h.Receive }
func (c *capture) Write(frames []link.Frame) (int, error) {
	return c.Port.handBy(c.next.Load(), frames)
}

// release takes a capture out, if it is there. Frames that have come to it already go on from there.
func (p *Port) release(c *capture) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for at := &p.capture; at.Load() != nil; at = &at.Load().next {
		if at.Load() == c {
			at.Store(c.next.Load())
			return
		}
	}
}

// come takes frames that the machine sends.
func (p *Port) come(frames []link.Frame) { p.comeBy(p.capture.Load(), frames) }

// comeBy takes frames that have still to pass a capture, or none if it is nil.
func (p *Port) comeBy(c *capture, frames []link.Frame) {
	if c != nil {
		c.receive(frames)
		return
	}
	p.forward(frames)
}

// handBy hands frames to the machine, which have still to pass a capture, or none if it is nil. They are taken as by
// link.Device.Write.
func (p *Port) handBy(c *capture, frames []link.Frame) (int, error) {
	if c != nil {
		return c.write.Write(frames)
	}
	return p.hand(frames)
}

// open lets frames go to the machine. They are taken as by link.Device.Write.
func (p *Port) open(hand func([]link.Frame) (int, error)) {
	p.hand = hand
	p.out.open(func(frames []link.Frame) (int, error) { return p.handBy(p.capture.Load(), frames) })
}
