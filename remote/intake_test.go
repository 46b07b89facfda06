package remote

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"
	"testing/iotest"
	"testing/synctest"
)

// A lendingReader lends its pieces one by one, and spoils each when it is to be
// used no more.
type lendingReader struct {
	io.Reader
	pieces [][]byte
	lent   []byte
}

func (l *lendingReader) lend(limit int) ([]byte, error) {
	clear(l.lent)
	if l.lent = nil; len(l.pieces) == 0 {
		return nil, io.EOF
	}
	l.lent = l.pieces[0][:min(limit, len(l.pieces[0]))]
	if l.pieces[0] = l.pieces[0][len(l.lent):]; len(l.pieces[0]) == 0 {
		l.pieces = l.pieces[1:]
	}
	return l.lent, nil
}

func TestIntakeIsAReader(t *testing.T) {
	want := noise(1, 300_000)
	lending := &lendingReader{}
	for piece := range slices.Chunk(bytes.Clone(want), 7000) {
		lending.pieces = append(lending.pieces, piece)
	}
	for name, in := range map[string]*intake{
		"a reader":        {src: bytes.NewReader(want)},
		"a slow reader":   {src: iotest.OneByteReader(bytes.NewReader(want))},
		"data with error": {src: iotest.DataErrReader(bytes.NewReader(want))},
		"a lender":        {src: lending},
		"a limit":         {src: bytes.NewReader(want), most: 512},
	} {
		if err := iotest.TestReader(in, want); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestIntakeAnswersBeforeItReads(t *testing.T) {
	var order []string
	in := &intake{
		src:   bytes.NewReader(make([]byte, 100)),
		most:  60,
		ahead: func() error { order = append(order, "ahead"); return nil },
		after: func(n int) error {
			if n > 60 {
				t.Errorf("%d bytes at once, allowed are 60", n)
			}
			order = append(order, "after")
			return nil
		},
	}
	if _, err := io.ReadFull(in, make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	if want := []string{"ahead", "after", "ahead", "after"}; !slices.Equal(order, want) {
		t.Errorf("%v, want %v", order, want)
	}
	in.ahead = func() error { return errCut }
	if _, err := in.Read(make([]byte, 1)); !errors.Is(err, errCut) {
		t.Errorf("with answers that cannot be sent: %v", err)
	}
}

func TestLentBytesCountAsReadAtTheNextLend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newLink(0, steady(0))
		f := newFlow(t, a, b)
		f.from.Write([]byte("some words"))
		f.from.Close()
		var got []byte
		for {
			p, err := f.to.lend(4)
			if err == io.EOF {
				break
			}
			if err != nil || len(p) == 0 || len(p) > 4 || f.to.read != int64(len(got)) {
				t.Fatalf("%q after %q, of which %d count as read: %v", p, got, f.to.read, err)
			}
			got = append(got, p...)
		}
		if string(got) != "some words" || f.to.read != int64(len(got)) {
			t.Errorf("%q, %d counted as read", got, f.to.read)
		}
	})
}

// TestAbandonLeavesLentBytes gives a stream up, and then the whole call, while
// bytes of it are lent.
func TestAbandonLeavesLentBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newLink(0, steady(0))
		f := newFlow(t, a, b)
		f.from.Write([]byte("some words"))
		p, err := f.to.lend(100)
		if err != nil {
			t.Fatal(err)
		}
		f.to.abandon()
		f.far.drop(1)
		f.far.mu.Lock()
		held := f.to.buf.size
		f.far.mu.Unlock()
		if held == 0 || string(p) != "some words" {
			t.Errorf("%q is lent, and the stream holds %d bytes", p, held)
		}
		if p, err := f.to.lend(100); err != io.EOF || len(f.to.buf.blocks) != 0 {
			t.Errorf("after that %q, %v, with %d blocks held", p, err, len(f.to.buf.blocks))
		}
	})
}
