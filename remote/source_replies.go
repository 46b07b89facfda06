package remote

import (
	"context"
	"errors"
	"io"
	"sync"
)

// An answer is what the sink said of an entry.
type answer struct {
	verdict recordKind // repWant, repHave, repFailed
	offset  int64      // of repWant: where to begin
}

// An answerBook is where the goroutine that reads replies leaves them for the one
// that sends records.
type answerBook struct {
	wake chan struct{} // 1 deep: something is new

	mu       sync.Mutex
	sent     int64 // entries announced
	answered int64 // entries answered; the row has no gaps
	taken    int64 // answers taken
	failed   int64 // failed replies, never more than entries
	ring     [entryWindow]answer
	dropped  int64 // the latest entry that failed after it had been answered
	over     bool  // the source has said done
	done     bool
	result   CopyResult
	err      error // what ended the replies
}

// readReplies takes replies until done or the stream's end.
func (s *source) readReplies(replies io.Reader) {
	in := newInbox(&intake{src: replies}, replyShapes)
	for {
		r, err := in.next()
		if err == nil {
			err = s.take(r)
		}
		if err != nil || r.kind == repDone {
			s.book.end(err)
			return
		}
	}
}

func (s *source) take(r *record) error {
	if err := s.book.enter(r); err != nil {
		return err
	}
	if r.kind == repFailed {
		s.blame(string(r.name), &CopyError{Text: string(r.text)})
	}
	return nil
}

// enter enters a reply, if it obeys the rules.
func (b *answerBook) enter(r *record) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch r.kind {
	case repDone:
		if !b.over || b.answered < b.sent {
			return breach("done, when %d of %d entries are answered", b.answered, b.sent)
		}
		b.result = r.result
		b.done = true
		return nil
	case repFailed:
		return b.enterFailedLocked(r)
	}
	if r.n != b.answered+1 || r.count > b.sent-b.answered {
		return breach("an answer to entries %d and %d more, when %d of %d are answered", r.n, r.count-1, b.answered, b.sent)
	}
	if r.offset > 0 && (r.kind != repWant || r.count != 1) {
		return breach("an offset for more than one entry")
	}
	for range r.count {
		b.answerLocked(answer{r.kind, r.offset})
	}
	b.notify()
	return nil
}

func (b *answerBook) enterFailedLocked(r *record) error {
	b.failed++
	switch {
	case r.n > b.answered+1 || r.n > b.sent:
		return breach("entry %d failed, when %d of %d are answered", r.n, b.answered, b.sent)
	case b.failed > b.sent:
		return breach("more entries failed than there are")
	case r.n == b.answered+1:
		b.answerLocked(answer{verdict: repFailed})
		b.notify()
	default:
		b.dropped = r.n
	}
	return nil
}

func (b *answerBook) answerLocked(a answer) {
	b.answered++
	b.ring[b.answered%entryWindow] = a
}

func (b *answerBook) notify() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// end notes that no more replies come.
func (b *answerBook) end(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = errCutOff
	}
	if err == nil && !b.done {
		err = errCutOff
	}
	b.err = err
	b.notify()
}

// announced notes that entry n is about to be sent.
func (b *answerBook) announced(n int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sent = n
}

// overNow notes that the source is about to say done.
func (b *answerBook) overNow() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.over = true
}

// open is how many of n entries have not been taken from the book.
func (b *answerBook) open(n int64) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return n - b.taken
}

// take returns the answer to entry n, once; entries are taken in their order.
func (b *answerBook) take(n int64) (answer, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n > b.answered {
		return answer{}, false
	}
	b.taken = n
	return b.ring[n%entryWindow], true
}

// isDropped says whether the sink wants no more of entry n.
func (b *answerBook) isDropped(n int64) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.dropped == n
}

func (b *answerBook) account() (CopyResult, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.result, b.done
}

func (b *answerBook) failure() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}

// wait waits for something new, or for the end.
func (b *answerBook) wait(ctx context.Context) error {
	if err := b.failure(); err != nil {
		return err
	}
	select {
	case <-b.wake:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
