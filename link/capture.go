package link

import "sync"

// Capture returns a Device around dev that writes the frames of both directions to a
// capture file: what the device takes just before it does, what arrives just before the Handler hears
// it. Units of several segments are written as they are.
//
// The device works on whatever happens to the file. Its Close flushes the file, but
// does not close it. It takes dev over: only the Device that it returns may be used from then on.
func Capture(dev Device, file *PcapNG) Device {
	return &captured{Device: dev, file: file, face: file.Interface(dev.Info())}
}

type captured struct {
	Device
	file     *PcapNG
	face     int
	comments sync.Pool // of *remarks
}

func (c *captured) Attach(h Handler) {
	receive := h.Receive
	h.Receive = func(frames []Frame) {
		comments := c.ask(Inbound, frames)
		c.file.batch(c.face, Inbound, frames, comments.all())
		c.answer(comments)
		receive(frames)
	}
	c.Device.Attach(h)
}

func (c *captured) Write(frames []Frame) (int, error) {
	comments := c.ask(Outbound, frames)
	id := c.file.try(c.face, Outbound, frames, comments.all())
	c.answer(comments)
	n, err := c.Device.Write(frames)
	c.file.settle(id, n)
	return n, err
}

func (c *captured) Close() error {
	err := c.Device.Close()
	c.file.Flush() // its error stays in Err
	return err
}

// remarks are the comments on a batch, or nil if nobody makes any.
type remarks struct{ each []string }

func (r *remarks) all() []string {
	if r == nil {
		return nil
	}
	return r.each
}

// ask asks for comments, before the file is locked.
func (c *captured) ask(d Direction, frames []Frame) *remarks {
	comment := c.file.config.Comment
	if comment == nil {
		return nil
	}
	r, _ := c.comments.Get().(*remarks)
	if r == nil {
		r = new(remarks)
	}
	for i := range frames {
		r.each = append(r.each, comment(d, &frames[i]))
	}
	return r
}

// answer takes comments back that have been written.
func (c *captured) answer(r *remarks) {
	if r != nil {
		clear(r.each)
		r.each = r.each[:0]
		c.comments.Put(r)
	}
}
