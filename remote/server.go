package remote

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"landline/identity"
)

const (
	defaultMaxJobs = 1024
	// shutdownWithin is how long a server that ends waits for its commands, which
	// got TERM, to end and for their last words to reach the clients.
	shutdownWithin = 10 * time.Second
	acceptRetry    = 50 * time.Millisecond // after a failure that may pass, such as too many files
)

// A Guest is who was let in, and what they may do.
type Guest struct {
	// Name tells for logs who it is: a key's fingerprint, a user.
	Name string
	// Command, if not empty, is run with /bin/sh -c in place of whatever is asked
	// for, which it finds in SSH_ORIGINAL_COMMAND. The variables and the directory
	// that are asked for are not taken. Copying files is refused.
	Command string
	// NoPorts keeps the guest from carrying ports. Who has a Command may not either.
	NoPorts bool
	// NoTerminal refuses terminals to them.
	NoTerminal bool
}

// A Server runs commands and moves files for those who connect. Its fields are
// set before its first use; then it is safe for concurrent use.
type Server struct {
	// Admit makes a connection out of what a listener accepted, and says who is at
	// its other end. Its context ends 10 seconds after the connection came. Serve
	// needs it, ServeConn does not.
	Admit func(ctx context.Context, raw net.Conn) (net.Conn, Guest, error)
	// MaxJobs is how many commands and copies may run at once. If zero, 1,024.
	MaxJobs int
	// Home is where commands and relative paths begin. If empty, the home
	// directory of the user that this process runs as.
	Home string
	// State is the folder in which jobs are kept that outlive their connection; it is
	// made when the first one comes. Its path is absolute. The program must call
	// [KeepJob] first. If empty, there are no such jobs.
	State string
	// Spool is how many bytes of each output of such a job are kept, at least 1 MiB. If
	// zero, 64 MiB.
	Spool int64
	// Software is what the server calls itself in its hello.
	Software string
	// Log tells of connections and calls. If nil, nothing is logged.
	Log *slog.Logger
	// Audit is told who did what: of each connection, call and copied file. It may be called
	// by several goroutines, and what it says waits for it. If nil, nobody is told.
	Audit func(Event)

	// Upstream, if not nil, is a line that this server shares with those who connect: it runs nothing itself, but has
	// commands run there. It says of itself what the server there says. Nothing else than commands is passed on.
	Upstream *Client

	connections atomic.Uint64 // that have come
	jobs        jobTable
	adopt       sync.Once        // of the jobs that an earlier server left running
	keeper      *keeper          // if not nil, this is a job's keeper and serves its job alone
	unfinished  identity.Limiter // connections whose hello has not come
}

// Serve answers the connections of ln until ctx ends; then it closes ln, ends
// what runs (TERM, then KILL), tells the clients so, and returns nil. It returns
// an error if ln fails, or there is no Admit.
func (s *Server) Serve(ctx context.Context, ln net.Listener) error {
	if s.Admit == nil {
		return errNoAdmit
	}
	stop := context.AfterFunc(ctx, func() { ln.Close() })
	defer stop()
	var wg sync.WaitGroup
	defer wg.Wait()
	tending, cancel := context.WithCancel(ctx)
	defer cancel()
	s.adopt.Do(s.adoptJobs)
	wg.Go(func() { s.tend(tending) })
	for {
		raw, err := ln.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return err
			}
			s.logger().Warn("accept", "err", err)
			select {
			case <-ctx.Done():
			case <-time.After(acceptRetry):
			}
			continue
		}
		wg.Go(func() { s.answer(ctx, raw) })
	}
}

// answer lets one connection in, or not, and serves it.
func (s *Server) answer(ctx context.Context, raw net.Conn) {
	log := s.logger().With("from", addressOf(raw))
	start := time.Now()
	release, ok := s.unfinished.Acquire(raw.RemoteAddr())
	if !ok {
		log.Warn("too many unfinished connections")
		raw.Close()
		return
	}
	release = sync.OnceFunc(release)
	defer release()
	// A connection that Admit does not end by then ends itself.
	raw.SetDeadline(start.Add(helloWithin))
	admit, cancel := context.WithDeadline(ctx, start.Add(helloWithin))
	nc, guest, err := s.Admit(admit, raw)
	cancel()
	number := s.connections.Add(1)
	s.admitted(raw, number, guest, err)
	if err != nil {
		log.Info("not let in", "err", err)
		raw.Close()
		return
	}
	log = log.With("who", guest.Name)
	log.Info("let in")
	err = s.serveConn(ctx, nc, guest, number, start.Add(helloWithin), release)
	s.left(raw, number, guest, time.Since(start), err)
	log.Info("gone", "err", err)
}

// ServeConn serves one connection, whose other end is guest, until it ends or
// ctx does. It closes nc. The error says why the connection ended; a client that
// took its leave is nil.
func (s *Server) ServeConn(ctx context.Context, nc net.Conn, guest Guest) error {
	number, start := s.connections.Add(1), time.Now()
	s.admitted(nc, number, guest, nil)
	err := s.serveConn(ctx, nc, guest, number, start.Add(helloWithin), func() {})
	s.left(nc, number, guest, time.Since(start), err)
	return err
}

// serveConn wants the client's hello in time, and calls greeted when it has come.
func (s *Server) serveConn(ctx context.Context, nc net.Conn, guest Guest, number uint64, hello time.Time, greeted func()) error {
	c := newServerConn(s, nc, guest)
	c.number = number
	stop := context.AfterFunc(ctx, c.shutDown)
	defer stop() // last, for commands of clients that are gone are to end, too
	defer c.end()
	if err := c.greet(hello); err != nil {
		return c.ended(err)
	}
	greeted()
	err := c.read()
	if bye, ok := errors.AsType[*GoodbyeError](err); ok && bye.Reason == "done" {
		return nil
	}
	return err
}

func (s *Server) logger() *slog.Logger {
	if s.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return s.Log
}

func (s *Server) home() string {
	if s.Home != "" {
		return s.Home
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return string(filepath.Separator)
	}
	return home
}

// resolve returns the place that a client's path means.
func (s *Server) resolve(path string) string {
	switch {
	case path == "~" || path == "":
		return s.home()
	case strings.HasPrefix(path, "~/"):
		return s.home() + path[1:]
	case filepath.IsAbs(path):
		return path
	}
	return s.home() + string(filepath.Separator) + path // not cleaned: "a/." keeps its meaning
}

// charset returns the character set of the locale, as LC_ALL, LC_CTYPE and LANG
// have it, or "".
func charset() string {
	locale := cmp.Or(os.Getenv("LC_ALL"), os.Getenv("LC_CTYPE"), os.Getenv("LANG"))
	_, set, _ := strings.Cut(locale, ".")
	set, _, _ = strings.Cut(set, "@")
	return clip(set, 64)
}

// A jobTable knows which jobs run and which ids have been used.
type jobTable struct {
	mu      sync.Mutex
	running int
	known   map[string]bool
	order   []string // of known, oldest first
}

// maxKnown bounds the memory of used ids: 64 bytes each and some more.
const maxKnown = 1 << 16

var (
	errNoAdmit  = errors.New("a Server needs Admit to serve a listener")
	errJobKnown = errors.New("a job with this id has been started before")
	errJobsFull = errors.New("as many jobs run here as may")
)

// start counts a job in. An id (none for copies) is good for one start, ever: the
// last 65,536 are remembered.
func (t *jobTable) start(id string, most int) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case id != "" && t.known[id]:
		return errJobKnown
	case t.running >= most:
		return errJobsFull
	}
	t.running++
	if id != "" {
		t.rememberLocked(id)
	}
	return nil
}

func (t *jobTable) rememberLocked(id string) {
	if t.known == nil {
		t.known = make(map[string]bool)
	}
	if len(t.order) == maxKnown {
		delete(t.known, t.order[0])
		t.order = t.order[1:]
	}
	t.known[id] = true
	t.order = append(t.order, id)
}

// adopt counts in a job that an earlier server has started.
func (t *jobTable) adopt() {
	t.mu.Lock()
	t.running++
	t.mu.Unlock()
}

func (t *jobTable) end() {
	t.mu.Lock()
	t.running--
	t.mu.Unlock()
}
