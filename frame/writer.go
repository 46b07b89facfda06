package frame

import (
	"encoding/binary"
	"errors"
	"io"
)

// ErrBodyLength is returned by Write for bytes beyond the size that Begin was
// told, and by Begin and Frame while a body lacks bytes.
var ErrBodyLength = errors.New("frame: the body is not as long as its header says")

// A Writer puts frames on a byte stream. It writes each header and each piece of
// a body at once and apart: give it a bufio.Writer and flush that. It is not safe
// for concurrent use.
type Writer struct {
	dst  io.Writer
	body int // bytes that the present body still lacks
	buf  []byte
}

// NewWriter returns a Writer on dst.
func NewWriter(dst io.Writer) *Writer { return &Writer{dst: dst} }

// Frame writes a whole frame: the header h, to which it adds the member "size",
// and the body. h is as it was afterwards and may be used again.
func (w *Writer) Frame(h *Builder, body []byte) error {
	if err := w.Begin(h, len(body)); err != nil {
		return err
	}
	if len(body) == 0 {
		return nil
	}
	_, err := w.Write(body)
	return err
}

// Begin writes the frame's header and promises a body of size bytes, which the
// following calls of Write bring.
func (w *Writer) Begin(h *Builder, size int) error {
	if w.body != 0 {
		return ErrBodyLength
	}
	var err error
	if w.buf, err = AppendHeader(w.buf[:0], h, size); err != nil {
		return err
	}
	if _, err := w.dst.Write(w.buf); err != nil {
		return err
	}
	w.body = size
	return nil
}

// Write writes a piece of the present frame's body.
func (w *Writer) Write(p []byte) (int, error) {
	if len(p) > w.body {
		return 0, ErrBodyLength
	}
	n, err := w.dst.Write(p)
	w.body -= n
	return n, err
}

// Append appends the frame of header h and the given body to dst, or nothing if
// one of them is out of bounds.
func Append(dst []byte, h *Builder, body []byte) ([]byte, error) {
	dst, err := AppendHeader(dst, h, len(body))
	if err != nil {
		return dst, err
	}
	return append(dst, body...), nil
}

// AppendHeader appends a frame's length and header to dst, for a body of size
// bytes that is to follow; or nothing if one of them is out of bounds.
func AppendHeader(dst []byte, h *Builder, size int) ([]byte, error) {
	if size < 0 || size > MaxBody {
		return dst, errorf("a body of %d bytes, allowed are %d", size, MaxBody)
	}
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	dst = append(dst, h.buf...)
	if size > 0 {
		dst = appendInt(dst, "size", int64(size))
	}
	dst = closeObject(dst, start+prefixLen)
	n := len(dst) - start - prefixLen
	if n > MaxHeader {
		return dst[:start], errorf("a header of %d bytes, allowed are %d", n, MaxHeader)
	}
	binary.LittleEndian.PutUint32(dst[start:], uint32(n))
	return dst, nil
}
