package remote

import (
	"errors"
	"hash/fnv"
	"io"
)

// A wanted file is one whose content the source owes.
type wanted struct {
	n      int64
	dir    *sinkPlace
	leaf   string
	length int64
	mode   uint32
	mtime  diskTime
	key    uint64 // of its name and ident; 0 if it had no ident
	part   *part  // the beginning that is there already, or nil
}

func (w *wanted) name() string { return joinName(w.dir, w.leaf) }

// An incoming file is the one that is being written.
type incoming struct {
	wanted
	temp     string
	f        *diskFile
	pos      int64
	unsealed int64 // bytes since the last seal or hole
	stored   int64 // where the last byte that was written ends
}

// journalKey returns what stands for a name with an ident in a journal; never 0.
func journalKey(name string, ident []byte) uint64 {
	h := fnv.New64a()
	_, _ = io.WriteString(h, name)
	_, _ = h.Write([]byte{0})
	_, _ = h.Write(ident)
	return max(h.Sum64(), 1)
}

// entryFile answers a file: its content is wanted, unless an earlier copy has
// brought it.
func (k *sink) entryFile(e *located) error {
	w := wanted{n: e.n, dir: e.dir, leaf: e.leaf, length: e.length, mode: e.mode, mtime: e.mtime}
	if k.journal != nil && len(e.ident) > 0 {
		w.key = journalKey(e.name(), e.ident)
	}
	have, err := k.lookFor(&w)
	switch {
	case err != nil:
		return k.failEntry(e, err)
	case have || k.dryRun:
		k.result.Files++
		if have {
			k.result.Resumed += e.length
		}
		k.state.Files++
		k.state.BytesDone += e.length
		k.out.have(e.n)
		k.tell(e)
		return k.out.flushOver()
	case len(k.owed) == maxOwed:
		return breach("more than %d files owed", maxOwed)
	}
	var offset int64
	if w.part != nil {
		offset = w.part.offset
	}
	k.out.want(e.n, offset)
	k.owed = append(k.owed, w)
	return k.out.flushOver()
}

// lookFor finds out what is at the target, and whether it is what an earlier copy
// has brought, whole or in part.
func (k *sink) lookFor(w *wanted) (have bool, err error) {
	if w.dir.fresh || w.dir.hollow {
		return false, nil
	}
	dir, err := k.tree.places.folder(&w.dir.place)
	if err != nil {
		return false, err
	}
	there, err := dir.lstat(w.leaf)
	switch {
	case err != nil && !isMissing(err):
		return false, err
	case err == nil && there.kind != kindFile && there.kind != kindLink:
		return false, inTheWay(there.kind)
	case w.key == 0:
		return false, nil
	case there.kind == kindFile && there.size == w.length && there.mtime == w.mtime && k.journal.isDone(w.key):
		return true, nil
	}
	k.lookForPart(dir, w)
	return false, nil
}

func (k *sink) lookForPart(dir *folder, w *wanted) {
	p := k.journal.take(w.key)
	if p == nil {
		return
	}
	info, err := dir.lstat(k.journal.temp(p.seq))
	if err == nil && info.mine() && info.size >= p.offset && p.offset <= w.length {
		w.part = p
		k.journal.worth = true
		return
	}
	k.journal.discard(p)
}

// owe returns the file to which content n belongs, nil if this side has failed it.
func (k *sink) owe(n int64) (*wanted, error) {
	switch {
	case k.now != nil && k.now.n == n:
		return &k.now.wanted, nil
	case k.now != nil:
		return nil, breach("content of entry %d amid that of %d", n, k.now.n)
	case n == k.skip:
		return nil, nil
	case len(k.owed) == 0 || k.owed[0].n != n:
		return nil, breach("content of entry %d, which is not the next that is wanted", n)
	}
	w := k.owed[0]
	k.owed = k.owed[1:]
	return &w, nil
}

// content takes a record of a file's content.
func (k *sink) content(r *record) error {
	w, err := k.owe(r.n)
	if err != nil || w == nil {
		return err
	}
	if r.kind == recFile {
		return k.whole(r, w)
	}
	if k.now == nil {
		in, err := k.create(w)
		if err != nil {
			return k.failFile(w, err)
		}
		k.now = in
	}
	switch r.kind {
	case recChunk:
		return k.chunk(r)
	case recSeal:
		return k.seal(r)
	case recHole:
		return k.hole(r)
	}
	return k.closeFile(r)
}

var errDamaged = errors.New("the content was damaged on its way")

// whole takes a file in one record.
func (k *sink) whole(r *record, w *wanted) error {
	if k.now != nil || w.part != nil {
		return breach("a whole file after a part of it")
	}
	body, err := k.body(r.size)
	if err != nil {
		return streamError(err)
	}
	k.hash.reset()
	if k.hash.add(body); k.hash.take() != r.hash {
		return k.failFile(w, errDamaged)
	}
	in, err := k.create(w)
	if err != nil {
		return k.failFile(w, err)
	}
	k.now = in
	if err := k.write(in, body); err != nil {
		return k.failNow(err)
	}
	return k.complete(r)
}

// body returns a record's body in one piece, which is valid until the next record.
func (k *sink) body(size int) (body []byte, err error) {
	if size > 0 {
		body, err = k.in.frames.Lend(size)
	}
	if err != nil || len(body) == size {
		return body, err
	}
	if k.buf == nil {
		k.buf = make([]byte, maxWholeFile)
	}
	n := copy(k.buf, body)
	_, err = io.ReadFull(k.in.frames, k.buf[n:size])
	return k.buf[:size], err
}

// create makes the temporary file, or opens the one of which a part is there.
func (k *sink) create(w *wanted) (*incoming, error) {
	k.hash.reset()
	in := &incoming{wanted: *w}
	dir, err := k.tree.places.folder(&w.dir.place)
	if err != nil {
		return nil, err
	}
	if w.part != nil {
		return in, k.reopen(in, dir)
	}
	mode := w.mode
	if k.journal != nil && w.key != 0 && w.length > segmentSize {
		if in.part, err = k.journal.newPart(w.key, w.dir.name()); err != nil {
			return nil, err
		}
		in.temp = k.journal.temp(in.part.seq)
		mode |= 0o600 // so that it can be continued
	} else if in.temp, err = k.tempIn(w.dir); err != nil {
		return nil, err
	}
	if err := k.trip("create"); err != nil {
		return nil, err
	}
	in.f, err = dir.create(in.temp, mode)
	return in, err
}

// reopen opens the part that is there and cuts off what was not sealed.
func (k *sink) reopen(in *incoming, dir *folder) (err error) {
	in.temp = k.journal.temp(in.part.seq)
	if in.f, err = dir.reopen(in.temp, false); err != nil {
		k.journal.discard(in.part)
		return err
	}
	info, err := in.f.stat()
	if err == nil && (!info.mine() || info.size < in.part.offset) {
		err = errReplaced
	}
	if err == nil {
		err = in.f.truncate(in.part.offset)
	}
	if err != nil {
		_ = in.f.close()
		k.journal.discard(in.part)
		return err
	}
	in.pos, in.stored = in.part.offset, in.part.offset
	k.result.Resumed += in.pos
	k.state.BytesDone += in.pos
	return nil
}

// tempIn is the name of the temporary file that comes and goes, in a directory
// of which the journal knows.
func (k *sink) tempIn(dir *sinkPlace) (string, error) {
	if k.journal != nil {
		if err := k.journal.inDir(dir.name()); err != nil {
			return "", err
		}
	}
	return tempName(k.tempID, 0), nil
}

func (k *sink) write(in *incoming, p []byte) error {
	if err := k.trip("write"); err != nil {
		return err
	}
	if err := in.f.writeAt(p, in.pos); err != nil {
		return err
	}
	in.pos += int64(len(p))
	in.stored = in.pos
	k.result.Bytes += int64(len(p))
	k.state.BytesDone += int64(len(p))
	return nil
}

// chunk takes a piece of a file.
func (k *sink) chunk(r *record) error {
	in := k.now
	if r.offset != in.pos || in.unsealed+int64(r.size) > segmentSize {
		return breach("a chunk at %d of %d bytes, at %d with %d unsealed", r.offset, r.size, in.pos, in.unsealed)
	}
	for k.in.frames.Len() > 0 {
		p, err := k.in.frames.Lend(readSize)
		if err != nil {
			return streamError(err)
		}
		k.hash.add(p)
		if err := k.write(in, p); err != nil {
			return k.failNow(err)
		}
		in.unsealed += int64(len(p))
	}
	if k.progress != nil {
		k.state.Name = in.name()
		k.progress(k.state)
	}
	return nil
}

// seal checks a segment.
func (k *sink) seal(r *record) error {
	in := k.now
	if r.offset != in.pos || in.unsealed == 0 {
		return breach("a seal at %d, at %d with %d unsealed", r.offset, in.pos, in.unsealed)
	}
	if k.hash.take() != r.hash {
		return k.failNow(errDamaged)
	}
	in.unsealed = 0
	if in.part != nil {
		k.journal.sealed(in.part, in.pos)
	}
	return nil
}

// hole steps over zeros that are not stored.
func (k *sink) hole(r *record) error {
	in := k.now
	if r.offset != in.pos || in.unsealed > 0 || r.length == 0 || r.length > maxInt-in.pos {
		return breach("a hole of %d bytes at %d, at %d with %d unsealed", r.length, r.offset, in.pos, in.unsealed)
	}
	in.pos += r.length
	k.state.BytesDone += r.length
	return nil
}

// closeFile ends a file that came in pieces.
func (k *sink) closeFile(r *record) error {
	in := k.now
	if r.length != in.pos || in.unsealed > 0 {
		return breach("a close at %d, at %d with %d unsealed", r.length, in.pos, in.unsealed)
	}
	if in.pos > in.stored {
		if err := in.f.truncate(in.pos); err != nil {
			return k.failNow(err)
		}
	}
	return k.complete(r)
}

// complete gives the file that has all its content its mode, time and name.
func (k *sink) complete(r *record) error {
	in := k.now
	if r.has&fieldTime != 0 {
		in.mtime = r.mtime
		in.key = 0 // the ident was an older content's
	}
	if err := k.settle(in); err != nil {
		return k.failNow(err)
	}
	k.now = nil
	k.result.Files++
	k.state.Files++
	if k.journal != nil {
		if in.part != nil {
			k.journal.dropped(in.part)
		}
		if in.key != 0 {
			k.journal.finished(in.key, k.durable)
		}
	}
	if k.progress != nil {
		k.state.Name = in.name()
		k.progress(k.state)
	}
	return nil
}
