package remote

import (
	"context"
	"errors"
	"fmt"
)

var (
	errChanged = errors.New("it changed while it was read")
	errNewer   = errors.New("it changed since it was listed")
	errEndless = errors.New("it has no length, and more content than can be sent so")
)

const (
	readSize = 256 << 10 // content that is read, hashed and sent at once
	minHole  = 64 << 10  // less is sent as zeros
)

// A sending is a file whose content is on its way.
type sending struct {
	it       *item
	f        *diskFile
	info     diskInfo // when it was opened
	pos      int64
	unsealed int64 // bytes since the last seal or hole
}

// send sends a file's content from offset on. The length is that at the opening:
// what a file that grows had then is a true prefix. An error that it returns is
// the stream's; what concerns the file alone is sent as such.
func (s *source) send(ctx context.Context, it *item, offset int64) error {
	f, info, err := s.open(it, offset)
	if err != nil {
		return s.cannot(it, plainError(err))
	}
	defer f.close()
	s.hash.reset()
	c := &sending{it: it, f: f, info: info, pos: offset}
	s.state.BytesDone += offset
	if info.size <= maxWholeFile && offset == 0 {
		return s.sendWhole(c)
	}
	return s.sendPieces(ctx, c)
}

// open opens a file and makes sure that it is one.
func (s *source) open(it *item, offset int64) (*diskFile, diskInfo, error) {
	dir, err := s.places.folder(&it.dir.place)
	if err != nil {
		return nil, diskInfo{}, err
	}
	s.pass("open", it.name)
	f, err := dir.openFile(it.leaf)
	if err != nil {
		return nil, diskInfo{}, err
	}
	info, err := f.stat()
	switch {
	case err != nil:
	case info.kind != kindFile:
		err = fmt.Errorf("%s has taken its place", info.kind)
	case offset > 0 && (!info.same(&it.info) || offset > info.size):
		err = errNewer
	default:
		return f, info, nil
	}
	_ = f.close()
	return nil, diskInfo{}, err
}

// sendWhole sends a small file in one record.
func (s *source) sendWhole(c *sending) error {
	if s.scratch == nil {
		s.scratch = make([]byte, maxWholeFile)
	}
	body, err := s.readWhole(c)
	if err == nil {
		err = s.unchanged(c)
	}
	if err != nil {
		return s.cannot(c.it, err)
	}
	s.hash.add(body)
	h := s.out.start("file").Int("n", c.it.n).Str("hash", s.hash.take().hex())
	if c.info.mtime != c.it.info.mtime {
		putTime(h, c.info.mtime)
	}
	if err := s.out.put(body); err != nil {
		return err
	}
	s.finished(c.it, int64(len(body)))
	return nil
}

// readWhole reads a small file. One that has no length may have content all the
// same, where the system makes it up as it is read.
func (s *source) readWhole(c *sending) ([]byte, error) {
	if c.info.size > 0 {
		body := s.scratch[:c.info.size]
		return body, s.read(c, body)
	}
	n, err := c.f.readAt(s.scratch, 0)
	if err != nil {
		return nil, plainError(err)
	}
	if n == len(s.scratch) {
		return nil, errEndless
	}
	return s.scratch[:n], nil
}

// read fills p from the present position.
func (s *source) read(c *sending, p []byte) error {
	s.pass("read", c.it.name)
	n, err := c.f.readAt(p, c.pos)
	if err != nil {
		return plainError(err)
	}
	if n < len(p) {
		return errChanged
	}
	return nil
}

func (s *source) unchanged(c *sending) error {
	s.pass("check", c.it.name)
	now, err := c.f.stat()
	if err != nil {
		return plainError(err)
	}
	if now.changedSince(&c.info) {
		return errChanged
	}
	return nil
}

// sendPieces sends chunks, seals and holes, and closes.
func (s *source) sendPieces(ctx context.Context, c *sending) error {
	for c.pos < c.info.size {
		start, end := c.pos, c.info.size
		if c.info.sparse {
			start, end = c.f.data(c.pos, c.info.size)
		}
		if start-c.pos >= minHole {
			if err := s.sendHole(c, start); err != nil {
				return err
			}
		}
		for c.pos < end {
			if s.book.isDropped(c.it.n) {
				return nil
			}
			if err := ctx.Err(); err != nil {
				return context.Cause(ctx)
			}
			whole, err := s.sendChunk(c, end)
			if err != nil || !whole {
				return err
			}
		}
	}
	if err := s.unchanged(c); err != nil {
		return s.cannot(c.it, err)
	}
	return s.sendClose(c)
}

func (s *source) sendHole(c *sending, until int64) error {
	if err := s.seal(c); err != nil {
		return err
	}
	s.out.start("hole").Int("n", c.it.n).Int("offset", c.pos).Int("length", until-c.pos)
	s.state.BytesDone += until - c.pos
	c.pos = until
	return s.out.put(nil)
}

// sendChunk reads a piece straight into the buffer that is sent. It is not whole
// if the file could not be read.
func (s *source) sendChunk(c *sending, end int64) (whole bool, err error) {
	n := min(readSize, end-c.pos, segmentSize-c.unsealed)
	s.out.start("chunk").Int("n", c.it.n).Int("offset", c.pos)
	body, undo, err := s.out.room(int(n))
	if err != nil {
		return false, err
	}
	if err := s.read(c, body); err != nil {
		undo()
		return false, s.cannot(c.it, err)
	}
	s.hash.add(body)
	c.pos += n
	c.unsealed += n
	s.state.BytesDone += n
	s.tell(c.it.name)
	if c.unsealed == segmentSize {
		if err := s.seal(c); err != nil {
			return false, err
		}
	}
	return true, s.out.flushOver(outboxFull)
}

// seal ends a segment.
func (s *source) seal(c *sending) error {
	if c.unsealed == 0 {
		return nil
	}
	c.unsealed = 0
	s.out.start("seal").Int("n", c.it.n).Int("offset", c.pos).Str("hash", s.hash.take().hex())
	return s.out.put(nil)
}

func (s *source) sendClose(c *sending) error {
	if err := s.seal(c); err != nil {
		return err
	}
	h := s.out.start("close").Int("n", c.it.n).Int("length", c.pos)
	if c.info.mtime != c.it.info.mtime {
		putTime(h, c.info.mtime)
	}
	s.finished(c.it, 0)
	return s.out.put(nil)
}
