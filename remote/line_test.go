package remote

import (
	"bytes"
	"cmp"
	"context"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	KeepJob()
	os.Setenv("GORACE", "atexit_sleep_ms=0") // or each keeper takes a second longer to end
	// Commands inherit what is ignored here: nohup ignores a hang-up, and & in a script an interrupt.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP, syscall.SIGINT)
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("os/signal.signal_recv"), goleak.IgnoreTopFunction("os/signal.loop"))
}

// A line is a client and the server that serves it, joined by a socketPair.
type line struct {
	*Client
	server *Server
	home   string
	linger time.Duration // of its commands, if they have none
}

// Run is the client's, of a command that lingers if the line's do.
func (l *line) Run(ctx context.Context, cmd Command) (Result, error) {
	cmd.Linger = cmp.Or(cmd.Linger, l.linger)
	return l.Client.Run(ctx, cmd)
}

// newLine starts both ends. They are closed, and waited for, at the test's end.
func newLine(t testing.TB) *line {
	t.Helper()
	if strings.HasPrefix(t.Name(), keptName) {
		l := newKeepingLine(t)
		l.linger = time.Minute
		return l
	}
	home := t.TempDir()
	return newLineTo(t, &Server{Home: home, Software: "test"})
}

func newLineTo(t testing.TB, s *Server) *line {
	t.Helper()
	l := &line{server: s, home: s.Home}
	if testing.Verbose() {
		l.server.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	near, far := socketPair(t)
	l.serve(t, far)
	l.Client = NewClient(near, "test")
	t.Cleanup(func() { l.Close() })
	return l
}

// serve answers nc until the test ends.
func (l *line) serve(t testing.TB, nc net.Conn) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.server.ServeConn(ctx, nc, Guest{Name: "test"})
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
}

// socketPair returns the two ends of a connection on which a line is built. TestLineOverLandline has others.
var socketPair = unixPair

// unixPair returns two ends of a Unix stream socket.
func unixPair(t testing.TB) (near, far net.Conn) {
	t.Helper()
	ln, err := net.Listen("unix", t.TempDir()+"/s")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	near, err = net.Dial("unix", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	far, err = ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	return near, far
}

// run runs a command and returns what came of it.
func (l *line) run(t testing.TB, cmd Command) (r Result, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r, err := l.Run(ctx, cmd)
	if err != nil {
		t.Fatalf("Run(%q): %v", cmd.Args, err)
	}
	return r, out.String(), errs.String()
}

// sh is a command for the shell.
func sh(script string, args ...string) Command {
	return Command{Args: append([]string{"/bin/sh", "-c", script, "sh"}, args...)}
}

func TestRunGivesBothStreamsAndTheCode(t *testing.T) {
	l := newLine(t)
	cmd := sh("cat; echo to-stderr >&2; exit 7")
	cmd.Stdin = strings.NewReader("to-stdin")
	r, out, errs := l.run(t, cmd)
	if r.Reason != Exited || r.Code != 7 || out != "to-stdin" || errs != "to-stderr\n" {
		t.Errorf("got %+v, stdout %q, stderr %q", r, out, errs)
	}
}
