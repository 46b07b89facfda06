//go:build unix

package remote

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// spoolBound is how many bytes of an output are kept, if the server does not say.
	spoolBound = 64 << 20
	// leastSpool is more than a client takes before it says so.
	leastSpool = 1 << 20
	// spoolRetry is how soon what could not be stored, on a full disk, is tried again.
	spoolRetry = 200 * time.Millisecond
)

// nobody is the floor of a spool that nobody reads: all of it may be dropped.
const nobody = math.MaxInt64

// A spool is what a command wrote to one output, the last of it up to a bound, in
// files of which each is named by the output's fd and the position of its first
// byte. The names and lengths say all there is to know, so that a spool needs no
// other record and whoever is killed leaves it right: what is in it was written, in
// this order. One goroutine writes; any number of readers read.
type spool struct {
	dir   string
	fd    int
	bound int64
	piece int64    // the most bytes of a file
	last  *os.File // the last file, while there is a writer

	mu      sync.Mutex
	moved   sync.Cond // something below has changed
	starts  []int64   // of the files, in order
	end     int64
	done    bool  // no more will be written
	closed  bool  // what is written from now on meets errStopped
	hurried bool  // do not wait for a disk that is full
	fault   error // why what was written could not be stored
	readers map[*spoolReader]bool
	held    int64 // what is kept for a reader that may come back; nobody for none
}

// newSpool returns an empty spool that a command is to write to, all of which is
// held.
func newSpool(dir string, fd int, bound int64) *spool {
	s := &spool{dir: dir, fd: fd, bound: bound, piece: bound / 16, readers: make(map[*spoolReader]bool)}
	s.moved.L = &s.mu
	return s
}

// openSpool returns what is left of a spool that nobody writes to any more.
func openSpool(dir string, fd int) (*spool, error) {
	s := newSpool(dir, fd, 0)
	s.done = true
	prefix := strconv.Itoa(fd) + "."
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if at, err := strconv.ParseInt(strings.TrimPrefix(e.Name(), prefix), 16, 64); err == nil && strings.HasPrefix(e.Name(), prefix) {
			s.starts = append(s.starts, at)
		}
	}
	if len(s.starts) == 0 {
		return s, nil
	}
	slices.Sort(s.starts)
	last := s.starts[len(s.starts)-1]
	info, err := os.Stat(s.file(last))
	if err != nil {
		return nil, err
	}
	s.end = last + info.Size()
	return s, nil
}

func (s *spool) file(start int64) string {
	return filepath.Join(s.dir, fmt.Sprintf("%d.%016x", s.fd, start))
}

// Write stores p. While somebody needs what is kept it waits for room; otherwise it
// drops the oldest files. A disk that is full makes it wait too, unless the command
// is to end. It fails with errStopped after stop, and if p cannot be stored.
func (s *spool) Write(p []byte) (n int, err error) {
	for len(p) > 0 {
		room, err := s.room()
		if err != nil {
			return n, err
		}
		m, err := s.store(p[:min(int64(len(p)), room)])
		n += m
		p = p[m:]
		if err != nil && !s.relieve() && !(mayPass(err) && s.wait(spoolRetry)) {
			s.fail(err)
			return n, err
		}
	}
	return n, nil
}

// mayPass says whether a disk or a system that is full is what err means.
func mayPass(err error) bool {
	for _, full := range []error{syscall.ENOSPC, syscall.EDQUOT, syscall.ENFILE, syscall.EMFILE, syscall.ENOMEM} {
		if errors.Is(err, full) {
			return true
		}
	}
	return false
}

// fail notes why the output is not whole.
func (s *spool) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault = err
}

// hurry has nothing wait for a disk any more: the command is to end.
func (s *spool) hurry() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hurried = true
	s.moved.Broadcast()
}

// relieve drops a file that nobody needs, if there is one, because the disk is full.
func (s *spool) relieve() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.starts) < 2 || s.starts[1] > s.floorLocked() {
		return false
	}
	s.dropFirstLocked()
	return true
}

// room waits until something can be stored, and returns how much.
func (s *spool) room() (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		if s.closed {
			return 0, errStopped
		}
		s.dropLocked()
		start := s.startLocked()
		if room := start + s.bound - s.end; room > 0 {
			return min(room, s.piece), nil
		}
		s.moved.Wait()
	}
}

// startLocked is the position of the first byte that is kept.
func (s *spool) startLocked() int64 {
	if len(s.starts) == 0 {
		return s.end
	}
	return s.starts[0]
}

// dropLocked drops the oldest files that nobody needs, if there is no room.
func (s *spool) dropLocked() {
	for len(s.starts) > 1 && s.end >= s.starts[0]+s.bound && s.starts[1] <= s.floorLocked() {
		s.dropFirstLocked()
	}
}

func (s *spool) dropFirstLocked() {
	// A file that cannot be removed only takes up room, until the job is cleared.
	_ = os.Remove(s.file(s.starts[0]))
	s.starts = s.starts[1:]
}

// floorLocked is the first position that somebody needs.
func (s *spool) floorLocked() int64 {
	floor := s.held
	for r := range s.readers {
		floor = min(floor, r.floor)
	}
	return floor
}

// store writes p, or as much as goes into the last file.
func (s *spool) store(p []byte) (int, error) {
	at := s.end // changed here only
	if s.last == nil || at == s.lastStart()+s.piece {
		if err := s.nextFile(at); err != nil {
			return 0, err
		}
	}
	p = p[:min(int64(len(p)), s.lastStart()+s.piece-at)]
	n, err := s.last.WriteAt(p, at-s.lastStart())
	s.mu.Lock()
	defer s.mu.Unlock()
	s.end += int64(n)
	s.moved.Broadcast()
	return n, err
}

func (s *spool) lastStart() int64 { return s.starts[len(s.starts)-1] }

func (s *spool) nextFile(at int64) error {
	f, err := os.OpenFile(s.file(at), os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if s.last != nil {
		s.last.Close()
	}
	s.last = f
	s.mu.Lock()
	defer s.mu.Unlock()
	s.starts = append(s.starts, at)
	return nil
}

// wait waits that long. It says whether to go on trying.
func (s *spool) wait(d time.Duration) bool {
	over := false
	t := time.AfterFunc(d, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		over = true
		s.moved.Broadcast()
	})
	defer t.Stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	for !over && !s.closed && !s.hurried {
		s.moved.Wait()
	}
	return !s.hurried
}

// stop has the writer fail: whose output it is wants no more.
func (s *spool) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.moved.Broadcast()
}

// finish says that nothing more will be written. The error is why something could
// not be.
func (s *spool) finish() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done = true
	s.moved.Broadcast()
	return s.fault
}

// hold keeps what begins at a position for a reader that may come back; nobody
// keeps nothing.
func (s *spool) hold(at int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = at
	s.moved.Broadcast()
}

// length says how much was ever written, and where what is kept of it begins.
func (s *spool) length() (start, end int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.startLocked(), s.end
}

// A spoolReader reads a spool. What lies behind its floor may be dropped.
type spoolReader struct {
	s     *spool
	pos   int64
	floor int64 // guarded by s.mu
	left  bool  // guarded by s.mu
	file  *os.File
	start int64 // of file
}

// reader returns a reader at a position, or at what there is that is nearest to it.
func (s *spool) reader(at int64) *spoolReader {
	s.mu.Lock()
	defer s.mu.Unlock()
	at = min(max(at, s.startLocked()), s.end)
	r := &spoolReader{s: s, pos: at, floor: at}
	s.readers[r] = true
	return r
}

// Read waits for bytes and reads some. The end of what will ever be written is
// io.EOF.
func (r *spoolReader) Read(p []byte) (int, error) {
	start, n, err := r.wait()
	if err != nil {
		return 0, err
	}
	if r.file == nil || r.start != start {
		if err := r.open(start); err != nil {
			return 0, err
		}
	}
	got, err := r.file.ReadAt(p[:min(int64(len(p)), n)], r.pos-start)
	r.pos += int64(got)
	if got > 0 {
		err = nil
	} else if err == io.EOF {
		err = io.ErrUnexpectedEOF // somebody has cut the file
	}
	return got, err
}

// wait waits until there is something to read, and returns the start of its file
// and how much is there.
func (r *spoolReader) wait() (start, n int64, err error) {
	s := r.s
	s.mu.Lock()
	defer s.mu.Unlock()
	for r.pos == s.end && !s.done && !r.left {
		s.moved.Wait()
	}
	switch {
	case r.left:
		return 0, 0, fs.ErrClosed
	case r.pos == s.end:
		return 0, 0, io.EOF
	}
	i, found := slices.BinarySearch(s.starts, r.pos)
	if !found {
		i--
	}
	if i < 0 {
		return 0, 0, errDropped
	}
	next := s.end
	if i+1 < len(s.starts) {
		next = s.starts[i+1]
	}
	return s.starts[i], next - r.pos, nil
}

var errDropped = errors.New("this part of the output is not kept any more")

func (r *spoolReader) open(start int64) error {
	r.closeFile()
	f, err := os.Open(r.s.file(start))
	r.file, r.start = f, start
	return err
}

func (r *spoolReader) closeFile() {
	if r.file != nil {
		r.file.Close()
	}
}

// free says that nothing before a position is needed any more.
func (r *spoolReader) free(to int64) {
	r.s.mu.Lock()
	defer r.s.mu.Unlock()
	if to > r.floor {
		r.floor = to
		r.s.moved.Broadcast()
	}
}

// leave ends the reading; a Read that waits fails. What this reader had not taken
// is held on if hold says so.
func (r *spoolReader) leave(hold bool) {
	s := r.s
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.left {
		return
	}
	r.left = true
	delete(s.readers, r)
	if hold {
		s.held = min(s.held, r.floor)
	}
	s.moved.Broadcast()
}
