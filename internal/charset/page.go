package charset

import (
	"io"
	"unicode/utf8"

	"golang.org/x/text/transform"
)

// pieceSize is how many bytes are decoded at a time, and maxGrowth by how much
// they may grow: a byte gives at most U+FFFD, which has three.
const (
	pieceSize = 4 << 10
	maxGrowth = utf8.UTFMax - 1
)

// pageWriter decodes everything by one code page.
type pageWriter struct {
	w    io.Writer
	dec  transform.Transformer
	held int // src[:held] is a character that is not whole yet
	src  [pieceSize]byte
	dst  [pieceSize * maxGrowth]byte
	err  error
}

func newPageWriter(w io.Writer, page codePage) *pageWriter {
	return &pageWriter{w: w, dec: page.decoder()}
}

func (d *pageWriter) Write(p []byte) (int, error) {
	n := 0
	for n < len(p) && d.err == nil {
		k := copy(d.src[d.held:], p[n:])
		d.held += k
		if d.decode(false); d.err == nil {
			n += k
		}
	}
	return n, d.err
}

// Close writes what is left, as U+FFFD.
func (d *pageWriter) Close() error {
	if d.err == nil {
		d.decode(true)
	}
	return d.err
}

// decode writes out all whole characters of src, or, at the end, everything.
func (d *pageWriter) decode(atEOF bool) {
	// Neither of the two errors that a decoder has is one here:
	// dst is large enough, and a short src is completed later.
	nDst, nSrc, _ := d.dec.Transform(d.dst[:], d.src[:d.held], atEOF)
	d.held = copy(d.src[:], d.src[nSrc:d.held])
	if nDst > 0 {
		d.err = write(d.w, d.dst[:nDst])
	}
}

// write writes all of p or returns an error.
func write(w io.Writer, p []byte) error {
	n, err := w.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	return err
}

// utf8Decoder replaces what is not UTF-8. The decoder in it waits for as many
// bytes as a sequence's first byte announces, even when the second one has
// already spoiled it; so it is never shown a sequence that may go on.
type utf8Decoder struct{ transform.Transformer }

func (d utf8Decoder) Transform(dst, src []byte, atEOF bool) (nDst, nSrc int, err error) {
	if !atEOF {
		src = src[:len(src)-incomplete(src)]
	}
	return d.Transformer.Transform(dst, src, true)
}

// lineDecoder lets no line wait. A decoder of characters of three or four bytes
// wants all of them even if they cannot belong together any more: GB18030
// takes 0x81 '1' '\n' for the beginning of a character. Since no such character
// contains a byte below '0', one that comes ends the waiting.
type lineDecoder struct{ transform.Transformer }

func (d lineDecoder) Transform(dst, src []byte, atEOF bool) (nDst, nSrc int, err error) {
	nDst, nSrc, err = d.Transformer.Transform(dst, src, atEOF)
	if err == transform.ErrShortSrc && src[len(src)-1] < '0' {
		n, k, err := d.Transformer.Transform(dst[nDst:], src[nSrc:], true)
		return nDst + n, nSrc + k, err
	}
	return nDst, nSrc, err
}
