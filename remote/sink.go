package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
)

// A sink writes what a source sends. It answers every entry, makes directories
// and links at once, and files when their contents come: see SPEC.md, section 6,
// "What a sink does". It runs once.
type sink struct {
	dest     string
	base     string // where a relative dest begins; if empty, the working directory
	into     bool
	asked    *askedNames // what the source may send; if nil, anything
	durable  bool
	dryRun   bool
	limit    int64 // bytes a second, if zero no limit
	progress func(CopyProgress)
	onError  func(name string, err error)
	fault    func(op string) error // in tests, makes an operation fail

	in      *inbox
	out     *replyBox
	tree    sinkTree
	there   string   // the target, if it is a directory that was not asked to be one
	journal *journal // nil if there is none: nothing is resumed then
	tempID  string   // of temporary files while there is no journal
	begun   bool
	last    int64    // the last entry's number
	owed    []wanted // files whose content is to come, in order
	now     *incoming
	skip    int64 // the entry whose content is thrown away
	hash    *hasher
	buf     []byte // of a small file that came in pieces
	limiter limiter
	state   CopyProgress
	result  CopyResult
}

// run copies. It ends when the source's done has been answered, or when something
// breaks. A failed entry is not an error but counted in the result. A breach by
// the source is a *Breach.
func (k *sink) run(ctx context.Context, records io.Reader, replies io.Writer) (CopyResult, error) {
	k.limiter.set(k.limit)
	k.out = newReplyBox(replies)
	k.hash = newHasher()
	k.tempID = randomID()
	if err := k.openTarget(); err != nil {
		return k.result, fmt.Errorf("%s: %w", k.dest, err)
	}
	defer k.tree.close()
	k.in = newInbox(k.intake(ctx, records), recordShapes)
	err := k.take(ctx)
	if err != nil {
		k.abandon()
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		if errors.Is(err, io.ErrUnexpectedEOF) {
			err = errCutOff
		}
	}
	return k.result, err
}

// intake reads records no faster than the limit allows. The source may be waiting
// for replies, so they go first.
func (k *sink) intake(ctx context.Context, records io.Reader) *intake {
	in := &intake{src: records, ahead: k.out.flush}
	if k.limit > 0 {
		in.most = k.limiter.piece
		in.after = func(n int) error { return k.limiter.wait(ctx, n) }
	}
	return in
}

// take takes records until done.
func (k *sink) take(ctx context.Context) error {
	for {
		r, err := k.in.next()
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if r.kind == recDone {
			return k.finish()
		}
		if err := k.handle(r); err != nil {
			return err
		}
	}
}

// handle takes one record. An error that it returns ends the copy.
func (k *sink) handle(r *record) error {
	switch r.kind {
	case recEntry:
		return k.entry(r)
	case recLeave:
		return k.leave(r)
	case recError:
		return k.sourceError(r)
	}
	return k.content(r)
}

// openTarget opens the directory in which names are made, and finds out whether
// the first component of names is replaced by the target's.
func (k *sink) openTarget() error {
	full, err := absolute(k.base, k.dest)
	if err != nil {
		return err
	}
	inside := k.into || strings.HasSuffix(k.dest, "/")
	top, err := openPath(full)
	switch {
	case err == nil:
		k.tree.init(top, "")
		if !inside {
			k.there = full
		}
		return nil
	case !isMissing(err) && !isInTheWay(err), inside && !isMissing(err):
		return plainError(err)
	}
	up, err := openPath(filepath.Dir(full))
	if err != nil {
		return plainError(err)
	}
	leaf := filepath.Base(full)
	if !inside {
		k.tree.init(up, leaf)
		return nil
	}
	defer up.close()
	return k.makeTarget(up, leaf)
}

// makeTarget makes the target's directory itself.
func (k *sink) makeTarget(up *folder, leaf string) error {
	if k.dryRun {
		k.tree.init(nil, "")
		return nil
	}
	err := up.mkdir(leaf, 0o777)
	if err != nil && !isThere(err) {
		return plainError(err)
	}
	top, err := up.open(leaf)
	if err != nil {
		return plainError(err)
	}
	k.tree.init(top, "")
	return nil
}

// entry answers an entry.
func (k *sink) entry(r *record) error {
	if r.n != k.last+1 {
		return breach("entry %d follows entry %d", r.n, k.last)
	}
	k.last = r.n
	k.state.Entries++
	if k.there != "" && r.n == 1 && r.typ == kindDir {
		k.renameAgain(string(r.name))
	}
	e, err := k.locate(r)
	if err != nil {
		return err
	}
	if !k.begun && !k.dryRun {
		k.begun = true
		k.beginJournal(r)
	}
	err = e.check()
	switch {
	case r.typ == kindDir:
		return k.entryDir(e, err)
	case err != nil:
		return k.failEntry(e, err)
	case r.typ == kindLink:
		return k.entryLink(e)
	}
	k.state.BytesKnown += r.length
	return k.entryFile(e)
}

// beginJournal opens the journal; without one the copy works, but cannot be
// continued.
func (k *sink) beginJournal(first *record) {
	if k.tree.top.dir == nil {
		return
	}
	name, _, _ := strings.Cut(string(first.name), "/")
	key := copyKey(k.tree.rename, name)
	if err := k.trip("journal"); err != nil {
		return
	}
	if j, err := openJournal(k.tree.top.dir, key); err == nil {
		k.journal = j
		k.tempID = j.id
	}
}

// renameAgain makes the target the new name of a directory, although it is there,
// if it was that to this very copy, and this copy was cut off. Only that leaves
// such a journal beside the target.
func (k *sink) renameAgain(first string) {
	up, err := openPath(filepath.Dir(k.there))
	if err != nil {
		return
	}
	leaf := filepath.Base(k.there)
	info, err := up.lstat(leaf)
	if err != nil || info.kind != kindDir || !wasCutOff(up, copyKey(leaf, first)) {
		up.close()
		return
	}
	k.tree.close()
	k.tree.init(up, leaf)
}

// sourceError takes the source's word that it could not read something.
func (k *sink) sourceError(r *record) error {
	name := string(r.name)
	if r.n != 0 {
		w, err := k.owe(r.n)
		if err != nil {
			return err
		}
		if w == nil {
			return nil // this side has failed already, and counted it
		}
		name = w.name()
		k.forget(w)
	}
	k.result.Failed++
	k.blame(name, &CopyError{Text: string(r.text)})
	return nil
}

// forget removes what is there of a file that will not come.
func (k *sink) forget(w *wanted) {
	switch {
	case k.now != nil:
		k.dropIncoming()
	case w.part != nil:
		k.journal.discard(w.part)
	}
}

// finish ends the copy in order.
func (k *sink) finish() error {
	if len(k.owed) > 0 || k.now != nil {
		return breach("done, with contents still owed")
	}
	if n := k.tree.unleft(); n > 0 {
		return breach("done, with %d directories not left", n)
	}
	if k.journal != nil {
		k.journal.remove()
		k.journal = nil
	}
	if k.durable && !k.dryRun && k.tree.top.dir != nil {
		if err := k.tree.top.dir.sync(); err != nil {
			return err
		}
	}
	k.out.done(k.result)
	return k.out.flush()
}

// abandon ends the copy out of order: what a later one can use is kept, the rest
// removed.
func (k *sink) abandon() {
	if k.now != nil {
		k.shelve()
	}
	if k.journal != nil {
		k.journal.keep()
		k.journal = nil
	}
}

// failEntry answers that an entry failed.
func (k *sink) failEntry(e *located, err error) error {
	k.out.failed(e.n, e.name(), k.failed(e.name(), err))
	return k.out.flushOver()
}

// failed counts a failure and tells the user of it; it returns the plain reason.
func (k *sink) failed(name string, err error) error {
	err = plainError(err)
	k.result.Failed++
	k.blame(name, err)
	return err
}

func (k *sink) blame(name string, err error) {
	if k.onError != nil {
		k.onError(name, err)
	}
}

func (k *sink) tell(e *located) {
	if k.progress != nil {
		k.state.Name = e.name()
		k.progress(k.state)
	}
}

// trip fails on a test's behalf.
func (k *sink) trip(op string) error {
	if k.fault == nil {
		return nil
	}
	return k.fault(op)
}
