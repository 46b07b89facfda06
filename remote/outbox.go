package remote

import (
	"io"

	"landline/frame"
)

// A giver is a writer that takes large blocks without a copy, as a sendStream does.
type giver interface {
	give(block []byte) error
}

// An outbox gathers small records and writes them together; a large one it has
// read straight into the block that is sent.
type outbox struct {
	w   io.Writer
	buf []byte // begins with headRoom
	h   frame.Builder
}

// outboxFull is how much is written at once: less than this is left of a block
// that has a piece of content in it.
const outboxFull = 240 << 10

func newOutbox(w io.Writer) *outbox { return &outbox{w: w, buf: make([]byte, headRoom)} }

// start begins a record; put or room ends it.
func (o *outbox) start(kind string) *frame.Builder { return o.h.Reset().Str("kind", kind) }

func (o *outbox) len() int { return len(o.buf) - headRoom }

// put adds the record that was begun, with a body.
func (o *outbox) put(body []byte) (err error) {
	if o.buf, err = frame.Append(o.buf, &o.h, body); err != nil {
		return err
	}
	return o.flushOver(outboxFull)
}

func (o *outbox) flushOver(limit int) error {
	if o.len() < limit {
		return nil
	}
	return o.flush()
}

func (o *outbox) flush() (err error) {
	g, ok := o.w.(giver)
	switch {
	case o.len() == 0:
	case ok && o.len() >= outboxFull && cap(o.buf) == largeBlock:
		err = g.give(o.buf)
		o.buf = newLargeBlock()
	default:
		_, err = o.w.Write(o.buf[headRoom:])
		o.buf = o.buf[:headRoom]
	}
	return err
}

// room adds the record that was begun, for a body of n bytes, at most readSize,
// that the caller reads straight into place. undo takes the record back.
func (o *outbox) room(n int) (body []byte, undo func(), err error) {
	const header = 1 << 10 // bytes at most
	if o.len() > 0 && len(o.buf)+header+n > largeBlock {
		if err := o.flush(); err != nil {
			return nil, nil, err
		}
	}
	if cap(o.buf) < largeBlock {
		o.buf = append(newLargeBlock(), o.buf[headRoom:]...)
	}
	mark := len(o.buf)
	if o.buf, err = frame.AppendHeader(o.buf, &o.h, n); err != nil {
		return nil, nil, err
	}
	start := len(o.buf)
	o.buf = o.buf[:start+n]
	return o.buf[start:], func() { o.buf = o.buf[:mark] }, nil
}
