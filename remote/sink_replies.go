package remote

import "io"

// A replyBox gathers replies. Answers to entries that follow each other, and are
// alike, become one.
type replyBox struct {
	box  *outbox
	kind string // of the answers gathered; empty if none
	n    int64  // the first
	rows int64  // how many
	err  error  // what keeps the stream from taking more
}

const repliesFull = 16 << 10

func newReplyBox(w io.Writer) *replyBox { return &replyBox{box: newOutbox(w)} }

func (b *replyBox) want(n, offset int64) {
	if offset == 0 {
		b.row("want", n)
		return
	}
	b.endRow()
	b.box.start("want").Int("n", n).Int("offset", offset)
	b.put()
}

func (b *replyBox) have(n int64) { b.row("have", n) }

// row adds an answer to those gathered. Numbers rise one by one, but for failed,
// which ends a row.
func (b *replyBox) row(kind string, n int64) {
	if b.kind != kind {
		b.endRow()
		b.kind, b.n = kind, n
	}
	b.rows++
}

func (b *replyBox) endRow() {
	if b.kind == "" {
		return
	}
	h := b.box.start(b.kind).Int("n", b.n)
	if b.rows > 1 {
		h.Int("count", b.rows)
	}
	b.kind, b.rows = "", 0
	b.put()
}

func (b *replyBox) failed(n int64, name string, err error) {
	b.endRow()
	h := b.box.start("failed").Int("n", n)
	putText(h, "name", cutName(name))
	h.Str("error", plain(err.Error(), maxText))
	b.put()
}

func (b *replyBox) done(r CopyResult) {
	b.endRow()
	b.box.start("done").Int("files", r.Files).Int("dirs", r.Dirs).Int("links", r.Links).
		Int("bytes", r.Bytes).Int("resumed", r.Resumed).Int("failed", r.Failed)
	b.put()
}

func (b *replyBox) put() {
	if err := b.box.put(nil); b.err == nil {
		b.err = err
	}
}

func (b *replyBox) flush() error {
	b.endRow()
	if err := b.box.flush(); b.err == nil {
		b.err = err
	}
	return b.err
}

// flushOver sends what has been gathered if it is much.
func (b *replyBox) flushOver() error {
	if b.box.len() < repliesFull {
		return b.err
	}
	return b.flush()
}
