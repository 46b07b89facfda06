package remote

import (
	"bufio"
	"net"

	"landline/frame"
)

const outletBuffer = 4 << 10

// An outlet is the writing goroutine's way to the network. What is small gathers
// there until flush; what is large goes out as it lies in memory.
type outlet struct {
	nc      net.Conn
	w       *bufio.Writer
	control []byte // messages that the writing goroutine has taken
	h       frame.Builder
	head    [headRoom]byte
}

func newOutlet(nc net.Conn) *outlet {
	return &outlet{nc: nc, w: bufio.NewWriterSize(nc, outletBuffer)}
}

// write sends whole messages.
func (o *outlet) write(p []byte) error {
	if len(p) > o.w.Available() {
		if err := o.w.Flush(); err != nil {
			return err
		}
	}
	if len(p) <= o.w.Available() {
		_, err := o.w.Write(p)
		return err
	}
	_, err := o.nc.Write(p)
	return err
}

// stream sends the next bytes of a stream, which begin at room[headRoom:], or its
// end if room is nil, with the reason if it is none. The message's header is put right before them.
func (o *outlet) stream(s *sendStream, room []byte, broken string) error {
	kind := kindEnd
	if room != nil {
		kind = kindData
	}
	o.h.Reset().Str("kind", kind).Int("call", s.call).Int("fd", int64(s.fd)).Int("offset", s.offset)
	if room == nil && broken != "" {
		o.h.Str("error", broken)
	}
	head, err := frame.AppendHeader(o.head[:0], &o.h, max(len(room)-headRoom, 0))
	if err != nil {
		return err
	}
	if room == nil {
		return o.write(head)
	}
	start := headRoom - len(head)
	copy(room[start:], head)
	return o.write(room[start:])
}
