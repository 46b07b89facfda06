package frame

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
)

// A Reader takes frames from a byte stream. It reads exactly what a frame holds
// and never beyond it, so give it something buffered. It keeps one header and
// never a body. It is not safe for concurrent use.
type Reader struct {
	src       io.Reader
	header    []byte
	body      int // bytes of the present body that nobody has read yet
	maxHeader int
	maxBody   int
	prefix    [prefixLen]byte
	err       error // what ended the stream, returned again by every later call
}

// NewReader returns a Reader of src with the bounds of the format.
func NewReader(src io.Reader) *Reader {
	return &Reader{src: src, maxHeader: MaxHeader, maxBody: MaxBody}
}

// Limit lowers the bounds of the frames to come: a peer that has not been let in
// yet gets no 64 KiB of header. Values above the format's bounds mean those; a
// header below MinHeader lets nothing in.
func (r *Reader) Limit(header, body int) {
	r.maxHeader = min(header, MaxHeader)
	r.maxBody = min(body, MaxBody)
}

// Next reads the next header and leaves the stream at its body, whose unread rest
// it skips at the following call. The Header is valid until then. At the end of
// the stream the error is io.EOF between frames and io.ErrUnexpectedEOF within
// one; a frame out of bounds gives an *Error. Every error is final.
func (r *Reader) Next() (Header, error) {
	if r.err == nil {
		r.err = r.next()
	}
	if r.err != nil {
		return nil, r.err
	}
	return r.header, nil
}

func (r *Reader) next() error {
	if r.body > 0 {
		if _, err := io.Copy(io.Discard, r); err != nil {
			return err
		}
	}
	if _, err := io.ReadFull(r.src, r.prefix[:]); err != nil {
		return err // io.EOF only where nothing of the frame has come
	}
	n := binary.LittleEndian.Uint32(r.prefix[:])
	if n < MinHeader || int64(n) > int64(r.maxHeader) {
		return errorf("a header of %d bytes, allowed are %d to %d%s", n, MinHeader, r.maxHeader, looksLike(r.prefix[:]))
	}
	if cap(r.header) < int(n) {
		r.header = make([]byte, n, max(int(n), 512))
	}
	r.header = r.header[:n]
	if _, err := io.ReadFull(r.src, r.header); err != nil {
		return unexpected(err)
	}
	size, err := checkHeader(r.header)
	if err != nil {
		return err
	}
	if size > r.maxBody {
		return errorf("a body of %d bytes, allowed are %d", size, r.maxBody)
	}
	r.body = size
	return nil
}

// Read reads from the present frame's body; io.EOF is its end. A stream that ends
// first gives io.ErrUnexpectedEOF.
func (r *Reader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	if r.body == 0 {
		return 0, io.EOF
	}
	n, err := r.src.Read(p[:min(len(p), r.body)])
	r.body -= n
	if err != nil && r.body > 0 {
		r.err = unexpected(err)
		return n, r.err
	}
	return n, nil
}

// A Lender is a source that can show its bytes where they lie, which saves a copy.
type Lender interface {
	// Lend returns the next bytes, at least one and at most limit, valid until the
	// next call of any method. They count as read.
	Lend(limit int) ([]byte, error)
}

// Lend is Read without a copy, for a source that is a [Lender]; others panic. The
// bytes are valid until the next call of any method.
func (r *Reader) Lend(limit int) ([]byte, error) {
	if r.err != nil {
		return nil, r.err
	}
	if r.body == 0 {
		return nil, io.EOF
	}
	p, err := r.src.(Lender).Lend(min(limit, r.body))
	r.body -= len(p)
	if err != nil {
		r.err = unexpected(err)
		return nil, r.err
	}
	return p, nil
}

// Len is how many bytes of the present frame's body have not been read.
func (r *Reader) Len() int { return r.body }

func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// looksLike names a protocol by its first four bytes: the commonest reason for a
// wrong length is a peer that speaks something else.
func looksLike(b []byte) string {
	switch {
	case bytes.Equal(b, []byte("SSH-")):
		return " (the peer speaks SSH)"
	case bytes.Equal(b, []byte("HTTP")), bytes.Equal(b, []byte("GET ")), bytes.Equal(b, []byte("POST")), bytes.Equal(b, []byte("HEAD")):
		return " (the peer speaks HTTP)"
	case b[0] >= 0x14 && b[0] <= 0x17 && b[1] == 3 && b[2] <= 4:
		return " (the peer speaks TLS)"
	}
	return ""
}
