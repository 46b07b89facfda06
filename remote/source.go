package remote

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"landline/frame"
)

// A source reads what is to be copied and sends it as records: the entries as it
// finds them, and the contents that the sink's replies ask for, in between. It
// runs once.
type source struct {
	paths    []string
	exclude  []string
	base     string // where relative paths begin; if empty, the working directory
	limit    int64  // bytes a second, if zero no limit
	progress func(CopyProgress)
	onError  func(name string, err error)
	hook     func(op, name string) // in tests, is called before each step with a file
	young    func(*diskInfo) bool  // in tests, says whether a file is too young for an ident

	places  places
	walk    walker
	walked  bool
	queue   []*item // entries and leaves in order, as long as they need something
	out     *outbox
	book    answerBook
	ident   identMaker
	scratch []byte
	hash    *hasher
	limiter limiter
	calls   sync.Mutex // so that progress and onError are called one at a time
	state   CopyProgress
	result  CopyResult
}

// run copies. It ends when the sink has answered done, or when something breaks;
// then replies must end or fail soon too. A failed entry is not an error but
// counted in the result. A breach by the sink is a *Breach.
func (s *source) run(ctx context.Context, replies io.Reader, records io.Writer) (CopyResult, error) {
	if err := checkPatterns(s.exclude); err != nil {
		return CopyResult{}, err
	}
	s.limiter.set(s.limit)
	if s.limit > 0 {
		records = &limitedWriter{ctx, records, &s.limiter}
	}
	s.out = newOutbox(records)
	s.walk = walker{places: &s.places, base: s.base, paths: s.paths, exclude: s.exclude, seen: map[string]bool{}}
	s.book.wake = make(chan struct{}, 1)
	s.ident = newIdentMaker()
	s.hash = newHasher()
	var reading sync.WaitGroup
	reading.Go(func() { s.readReplies(replies) })
	defer reading.Wait()
	defer s.places.closeAll()
	defer s.walk.close()
	return s.pump(ctx)
}

// pump does what is to be done next until all is done: what the sink has
// answered comes first, then looking further.
func (s *source) pump(ctx context.Context) (CopyResult, error) {
	for {
		if err := ctx.Err(); err != nil {
			return s.result, context.Cause(ctx)
		}
		done, err := s.turn(ctx)
		if err != nil || done {
			return s.result, s.why(ctx, err)
		}
	}
}

// why prefers the reason for an end to its consequence.
func (s *source) why(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	if told := s.book.failure(); told != nil {
		return told
	}
	return err
}

func (s *source) turn(ctx context.Context) (done bool, err error) {
	if it, a, ok := s.head(); ok {
		return false, s.serve(ctx, it, a)
	}
	if !s.walked && s.book.open(s.state.Entries) < entryWindow {
		return false, s.step(ctx)
	}
	if s.walked && len(s.queue) == 0 {
		return true, s.finish(ctx)
	}
	if err := s.out.flush(); err != nil {
		return false, err
	}
	return false, s.book.wait(ctx)
}

// head takes the first of the queue if its time has come.
func (s *source) head() (*item, answer, bool) {
	if len(s.queue) == 0 {
		return nil, answer{}, false
	}
	it := s.queue[0]
	var a answer
	if it.kind == itemEntry {
		var ok bool
		if a, ok = s.book.take(it.n); !ok {
			return nil, a, false
		}
	}
	s.queue[0] = nil
	s.queue = s.queue[1:]
	return it, a, true
}

// step takes the next thing from the walk.
func (s *source) step(ctx context.Context) error {
	it, ok := s.walk.next()
	if !ok {
		s.walked = true
		return s.out.flush()
	}
	switch it.kind {
	case itemError:
		return s.cannot(it, it.err)
	case itemLeave:
		s.queue = append(s.queue, it)
		if it.err != nil {
			return s.cannot(&item{name: it.name}, it.err)
		}
		return nil
	}
	if err := s.outwait(ctx, it); err != nil {
		return err
	}
	return s.announce(it)
}

// flushEntries is after how many entries they are sent, full buffer or not, so
// that the sink can begin.
const flushEntries = 256

func (s *source) announce(it *item) error {
	h, err := s.describe(it)
	if err != nil {
		return s.cannot(it, err)
	}
	s.state.Entries++
	it.n = s.state.Entries
	h.Int("n", it.n)
	if it.info.kind == kindFile {
		s.state.BytesKnown += it.info.size
	}
	s.book.announced(it.n)
	s.queue = append(s.queue, it)
	if err := s.out.put(nil); err != nil {
		return err
	}
	if it.info.kind == kindDir {
		if err := s.walk.enter(it); err != nil {
			s.queue = append(s.queue, &item{kind: itemLeave, n: it.n, name: it.name})
			return s.cannot(&item{name: it.name}, err)
		}
	}
	s.tell(it.name)
	if it.n%flushEntries == 0 {
		return s.out.flush()
	}
	return nil
}

// describe begins the entry's record; its number is still to come.
func (s *source) describe(it *item) (*frame.Builder, error) {
	var target string
	if it.info.kind == kindLink {
		f, err := s.places.folder(&it.dir.place)
		if err == nil {
			target, err = f.readlink(it.leaf)
		}
		if err != nil {
			return nil, plainError(err)
		}
		if len(target) > maxLinkTarget {
			return nil, errors.New("a link to a name that is too long")
		}
	}
	h := s.out.start("entry")
	switch it.info.kind {
	case kindDir:
		h.Str("type", "dir")
	case kindLink:
		putText(h.Str("type", "link"), "target", target)
	default:
		h.Str("type", "file").Int("length", it.info.size)
		if id := s.identOf(&it.info); id != "" {
			h.Str("ident", id)
		}
	}
	putText(h, "name", it.name)
	h.Int("mode", int64(it.info.perm))
	putTime(h, it.info.mtime)
	return h, nil
}

func (s *source) identOf(info *diskInfo) string {
	if s.isYoung(info) {
		return ""
	}
	return s.ident.of(info)
}

func (s *source) isYoung(info *diskInfo) bool {
	if s.young != nil {
		return s.young(info)
	}
	return isYoung(info)
}

// outwait lets a file come of age that is long enough to be continued after a
// cut, and looks at it again. It waits for a clockTick at most; a file that is
// younger by then has no ident. It fails only when ctx ends.
func (s *source) outwait(ctx context.Context, it *item) error {
	if it.info.kind != kindFile || it.info.size <= segmentSize || !s.isYoung(&it.info) {
		return nil
	}
	left := youth(&it.info)
	if left > clockTick {
		return nil
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(left):
	}
	dir, err := s.places.folder(&it.dir.place)
	if err != nil {
		return nil // as its opening will say
	}
	if now, err := dir.lstat(it.leaf); err == nil && now.kind == kindFile {
		it.info = now
	}
	return nil
}

// serve does what the answer to an entry asks for.
func (s *source) serve(ctx context.Context, it *item, a answer) error {
	if it.kind == itemLeave {
		if it.place != nil {
			s.places.drop(&it.place.place)
		}
		s.out.start("leave").Int("n", it.n)
		return s.out.put(nil)
	}
	switch {
	case a.verdict == repFailed && it.place != nil:
		it.place.pruned = true
	case a.verdict == repHave && it.info.kind == kindFile:
		s.finished(it, it.info.size)
	case a.verdict == repWant && it.info.kind == kindFile:
		return s.send(ctx, it, a.offset)
	}
	return nil
}

// finished counts a file whose content needs to be moved no more.
func (s *source) finished(it *item, bytes int64) {
	s.state.Files++
	s.state.BytesDone += bytes
	s.tell(it.name)
}

// cannot says that an entry failed on this side.
func (s *source) cannot(it *item, err error) error {
	s.result.Failed++
	s.blame(it.name, err)
	h := s.out.start("error")
	if it.n != 0 {
		h.Int("n", it.n)
	}
	putText(h, "name", cutName(it.name))
	h.Str("error", plain(err.Error(), maxText))
	return s.out.put(nil)
}

// cutName shortens a name that is too long to be sent; that is why it failed.
func cutName(name string) string { return name[:min(len(name), maxEntryName)] }

// pass lets a test act between two steps.
func (s *source) pass(op, name string) {
	if s.hook != nil {
		s.hook(op, name)
	}
}

func (s *source) blame(name string, err error) {
	if s.onError == nil {
		return
	}
	s.calls.Lock()
	defer s.calls.Unlock()
	s.onError(name, err)
}

func (s *source) tell(name string) {
	if s.progress == nil {
		return
	}
	s.state.Name = name
	s.calls.Lock()
	defer s.calls.Unlock()
	s.progress(s.state)
}

// finish says that there is no more and waits for the sink's account.
func (s *source) finish(ctx context.Context) error {
	s.book.overNow()
	s.out.start("done")
	if err := s.out.put(nil); err != nil {
		return err
	}
	if err := s.out.flush(); err != nil {
		return err
	}
	for {
		if r, ok := s.book.account(); ok {
			s.result = r
			return nil
		}
		if err := s.book.wait(ctx); err != nil {
			return err
		}
	}
}
