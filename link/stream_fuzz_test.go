package link

import (
	"bytes"
	"testing"
)

// Whatever the pieces are in which a stream comes, its frames are the same, and nothing in it does
// harm.
func FuzzStream(f *testing.F) {
	f.Add([]byte("\x00\x00\x00\x02ab\x00\x00\x00\x00\x00\x00\x00\x01c\x00\x00"), uint16(3))
	f.Add([]byte("\x00\x00\x00\x01c\x00\x01\x00\x20"), uint16(1)) // what is before the bad length is good
	f.Fuzz(func(t *testing.T, b []byte, size uint16) {
		whole, wholeErr := streamed(b, len(b))
		cut, cutErr := streamed(b, int(size))
		if !bytes.Equal(whole, cut) || wholeErr != cutErr {
			t.Fatalf("at once %x, %v, in pieces of %d %x, %v", whole, wholeErr, size, cut, cutErr)
		}
	})
}

// streamed returns the frames in b, each after a mark, when it is read in pieces of a size.
func streamed(b []byte, size int) (got []byte, err error) {
	in := streamReader{buf: make([]byte, streamRead), receive: func(frames []Frame) {
		for i := range frames {
			got = frames[i].AppendTo(append(got, '|'))
		}
	}}
	for len(b) > 0 && err == nil {
		n := copy(in.buf[in.end:], b[:min(len(b), max(size, 1))])
		in.end += n
		b = b[n:]
		err = in.deliver()
	}
	return got, err
}
