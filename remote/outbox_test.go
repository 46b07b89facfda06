package remote

import (
	"bytes"
	"io"
	"testing"
	"testing/synctest"

	"landline/frame"
)

// A givenWriter keeps what it is given apart from what it is written.
type givenWriter struct {
	all    []byte
	blocks int
}

func (g *givenWriter) Write(p []byte) (int, error) {
	g.all = append(g.all, p...)
	return len(p), nil
}

func (g *givenWriter) give(block []byte) error {
	g.blocks++
	g.all = append(g.all, block[headRoom:]...)
	freeBlock(block)
	return nil
}

// fillOutbox puts small records, large ones and one that is taken back, and
// returns the bodies.
func fillOutbox(t *testing.T, o *outbox) (bodies [][]byte) {
	t.Helper()
	for i, n := range []int{10, 5000, readSize, readSize, 0, 9000, readSize - 1, 300} {
		body := noise(uint64(i), n)
		bodies = append(bodies, body)
		o.start("chunk")
		if n < maxWholeFile {
			if err := o.put(body); err != nil {
				t.Fatal(err)
			}
			continue
		}
		for _, undone := range []bool{true, false} {
			p, undo, err := o.room(n)
			if err != nil || len(p) != n {
				t.Fatalf("room for %d bytes, want %d: %v", len(p), n, err)
			}
			copy(p, body)
			if undone {
				undo()
			}
		}
		if err := o.flushOver(outboxFull); err != nil {
			t.Fatal(err)
		}
	}
	if err := o.flush(); err != nil {
		t.Fatal(err)
	}
	return bodies
}

func TestOutboxSendsRecordsInOrder(t *testing.T) {
	var given givenWriter
	var plain bytes.Buffer
	bodies := fillOutbox(t, newOutbox(&given))
	fillOutbox(t, newOutbox(&plain))
	if given.blocks != 3 {
		t.Errorf("%d blocks were given, want one for each piece of content, 3", given.blocks)
	}
	if !bytes.Equal(given.all, plain.Bytes()) {
		t.Error("a giver gets something else than a writer")
	}
	frames := frame.NewReader(&plain)
	for i, want := range bodies {
		if _, err := frames.Next(); err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(frames); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("record %d has a body of %d bytes, want %d: %v", i, len(got), len(want), err)
		}
	}
	if _, err := frames.Next(); err != io.EOF {
		t.Errorf("after the last record: %v", err)
	}
}

func TestGivenBlocksArriveInOneMessageEach(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newLink(0, steady(0))
		f := newFlow(t, a, b)
		var want []byte
		for i := range 3 {
			block := newLargeBlock()[:headRoom+readSize+100]
			copy(block[headRoom:], noise(uint64(i), readSize+100))
			want = append(want, block[headRoom:]...)
			if err := f.from.give(block); err != nil {
				t.Fatal(err)
			}
		}
		f.from.Close()
		var got []byte
		for len(got) < len(want) {
			p, err := f.to.lend(largeBlock)
			if err != nil {
				t.Fatal(err)
			}
			if i := len(got) / (readSize + 100); i > 0 && len(p) != readSize+100 { // the first goes to small blocks
				t.Errorf("block %d came in pieces, the first of %d bytes", i, len(p))
			}
			got = append(got, p...)
		}
		if !bytes.Equal(got, want) {
			t.Error("what came is not what was given")
		}
	})
}

func TestGiveWaitsForCreditAndHeedsStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newLink(0, steady(0))
		f := newFlow(t, a, b)
		gave := make(chan error)
		go func() {
			for {
				if err := f.from.give(newLargeBlock()[:largeBlock]); err != nil {
					gave <- err
					return
				}
			}
		}()
		synctest.Wait()
		if held := f.from.buf.size; held >= maxUnsent+largeBlock {
			t.Errorf("the sender holds %d bytes, allowed are %d and a block", held, maxUnsent)
		}
		f.to.abandon()
		if err := <-gave; err != errStopped {
			t.Errorf("give: %v, want %v", err, errStopped)
		}
	})
}
