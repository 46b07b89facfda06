package lan

import (
	"errors"

	"landline/link"
)

// ErrCaptured says that the frames of a port are being captured already.
var ErrCaptured = errors.New("port is being captured")

// Capture writes the frames of the port to a file from now on, until stop is called: those that the machine sends, as
// link.Inbound, and those that it gets. The file stays the caller's. The error is ErrCaptured.
//
// A port that is always captured has link.Capture before or behind it.
func (p *Port) Capture(file *link.PcapNG) (stop func(), err error) {
	c := &capture{Port: p}
	c.write = link.Capture(c, file)
	c.write.Attach(link.Handler{Receive: p.forward})
	if !p.capture.CompareAndSwap(nil, c) {
		return nil, ErrCaptured
	}
	return func() {
		p.capture.CompareAndSwap(c, nil)
		file.Flush()
	}, nil
}

// A capture is the device of a port's machine, as it is seen from the switch.
type capture struct {
	*Port   // for its Info
	write   link.Device
	receive func([]link.Frame)
}

func (c *capture) Attach(h link.Handler)                  { c.receive = h.Receive }
func (c *capture) Write(frames []link.Frame) (int, error) { return c.Port.hand(frames) }

// come takes frames that the machine sends.
func (p *Port) come(frames []link.Frame) {
	if c := p.capture.Load(); c != nil {
		c.receive(frames)
		return
	}
	p.forward(frames)
}

// open lets frames go to the machine. They are taken as by link.Device.Write.
func (p *Port) open(hand func([]link.Frame) (int, error)) {
	p.hand = hand
	p.out.open(func(frames []link.Frame) (int, error) {
		if c := p.capture.Load(); c != nil {
			return c.write.Write(frames)
		}
		return hand(frames)
	})
}
