package remote

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// sideBySide calls f with 0 to n-1, eight at a time.
func sideBySide(n int, f func(i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
	wg.Wait()
}

func TestEveryExitCodeArrives(t *testing.T) {
	l := newLine(t)
	sideBySide(256, func(i int) {
		r, _, _ := l.run(t, sh("exit "+strconv.Itoa(i)))
		if r.Reason != Exited || r.Code != i || r.Signal != "" || r.Held {
			t.Errorf("exit %d: %+v", i, r)
		}
	})
}

// endsBy says how a process ends by a signal whose action is the default one.
func endsBy(sig int) bool {
	switch unix.Signal(sig) {
	case unix.SIGCHLD, unix.SIGCONT, unix.SIGURG, unix.SIGWINCH, // ignored
		unix.SIGSTOP, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU: // stop
		return false
	}
	return true
}

func TestEverySignalThatEndsACommandIsNamed(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the numbers are those of Linux")
	}
	l := newLine(t)
	sideBySide(64, func(i int) {
		sig := i + 1
		if !endsBy(sig) {
			return
		}
		r, _, _ := l.run(t, sh("ulimit -c 0; kill -"+strconv.Itoa(sig)+" $$; exit 9"))
		name := strings.TrimPrefix(unix.SignalName(unix.Signal(sig)), "SIG")
		if name == "" {
			name = strconv.Itoa(sig)
		}
		if r.Reason != Signalled || r.SignalNumber != sig || r.Signal != name {
			t.Errorf("signal %d (%s): %+v", sig, name, r)
		}
	})
}

// A report is a writer that passes on the lines of a command's output.
type report chan string

func (c report) Write(p []byte) (int, error) {
	for line := range strings.Lines(string(p)) {
		c <- strings.TrimSuffix(line, "\n")
	}
	return len(p), nil
}

// background runs a command whose standard output is reported by lines.
func (l *line) background(t testing.TB, ctx context.Context, cmd Command) (lines report, result <-chan Result) {
	lines = make(report, 1000)
	cmd.Stdout = lines
	done := make(chan Result, 1)
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		r, err := l.Run(ctx, cmd)
		if err != nil && r.Reason != Lost {
			t.Errorf("Run: %v, %+v", err, r)
		}
		close(lines) // nobody waits for a line that will not come
		done <- r
	}()
	t.Cleanup(func() {
		l.Close()
		<-finished
	})
	return lines, done
}

func TestEverySignalIsDeliveredByName(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the numbers are those of Linux")
	}
	l := newLine(t)
	sideBySide(64, func(i int) {
		sig := unix.Signal(i + 1)
		if !endsBy(int(sig)) {
			return
		}
		name := strings.TrimPrefix(unix.SignalName(sig), "SIG")
		if name == "" {
			name = strconv.Itoa(int(sig))
		}
		signals := make(chan string, 1)
		cmd := sh("ulimit -c 0; echo ready; exec sleep 60")
		cmd.Signals = signals
		lines, result := l.background(t, t.Context(), cmd)
		<-lines
		signals <- name
		if r := <-result; r.Reason != Signalled || r.SignalNumber != int(sig) {
			t.Errorf("signal %s: %+v", name, r)
		}
	})
}

func TestSignalsReachTheWholeGroup(t *testing.T) {
	l := newLine(t)
	signals := make(chan string, 4)
	cmd := sh(`trap 'echo leader' USR1; (trap 'echo child; exit' USR1; echo ready; while :; do sleep 0.01; done) & wait; wait; wait`)
	cmd.Signals = signals
	lines, result := l.background(t, t.Context(), cmd)
	if got := <-lines; got != "ready" {
		t.Fatal(got)
	}
	signals <- "NOSUCH" // ignored
	signals <- strings.Repeat("X", 100)
	signals <- "USR1"
	seen := map[string]bool{<-lines: true}
	seen[<-lines] = true
	if !seen["leader"] || !seen["child"] {
		t.Errorf("USR1 reached %v", seen)
	}
	if r := <-result; r.Reason != Exited || r.Code != 0 {
		t.Errorf("%+v", r)
	}
}

func TestStopAndContinueAreDelivered(t *testing.T) {
	l := newLine(t)
	signals := make(chan string, 4)
	cmd := sh("trap 'echo continued; exit 4' CONT; echo ready; while :; do sleep 0.01; done")
	cmd.Signals = signals
	lines, result := l.background(t, t.Context(), cmd)
	<-lines
	signals <- "STOP"
	signals <- "CONT"
	if got := <-lines; got != "continued" {
		t.Errorf("got %q", got)
	}
	if r := <-result; r.Code != 4 {
		t.Errorf("%+v", r)
	}
}

// exitsAtOnce runs a program n times that leaves both pipes full behind it.
func exitsAtOnce(t *testing.T, n int) {
	l := newLine(t)
	full := strings.Repeat("0123456789abcdef", 4096)
	sideBySide(n, func(i int) {
		code := i % 256
		cmd := sh(`printf %s "$FULL"; printf %s "$FULL" >&2; exit ` + strconv.Itoa(code))
		cmd.Env = []string{"FULL=" + full}
		r, out, errs := l.run(t, cmd)
		if r.Reason != Exited || r.Code != code || out != full || errs != full || r.Held {
			t.Errorf("run %d: %+v, %d and %d bytes", i, r, len(out), len(errs))
		}
	})
}

func TestProgramsThatExitAtOnceLoseNothing(t *testing.T) {
	n := 2000
	if testing.Short() {
		n = 200
	}
	exitsAtOnce(t, n)
}

func TestTimeoutEndsTheGroup(t *testing.T) {
	l := newLine(t)
	cmd := sh("sleep 600 & echo $!; wait")
	cmd.Timeout = 50 * time.Millisecond
	r, out, _ := l.run(t, cmd)
	if r.Reason != TimedOut || r.Signal != "TERM" || r.Error == "" {
		t.Errorf("%+v", r)
	}
	wantGone(t, out)
}

// wantGone fails unless the process, whose number is text, ends.
func wantGone(t testing.TB, pid string) {
	t.Helper()
	n, err := strconv.Atoi(strings.TrimSpace(pid))
	if err != nil {
		t.Fatalf("not a process number: %q", pid)
	}
	waitFor(t, fmt.Sprintf("the end of process %d", n), func() bool { return !alive(n) })
}

// alive says whether a process runs: it is there and no zombie.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return unix.Kill(pid, 0) == nil && runtime.GOOS != "linux"
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(state, "Z")
}

// waitFor polls for what nobody tells: the state of other processes.
func waitFor(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s does not come", what)
		}
	}
}

func TestProgramThatIgnoresTERMIsKilled(t *testing.T) {
	l := newLine(t)
	ctx, cancel := context.WithCancel(t.Context())
	cmd := sh("trap '' TERM; echo ready; while :; do sleep 0.01; done")
	cmd.KillAfter = 50 * time.Millisecond
	lines, result := l.background(t, ctx, cmd)
	<-lines
	cancel()
	if r := <-result; r.Reason != Cancelled || r.Signal != "KILL" {
		t.Errorf("%+v", r)
	}
}

func TestCancelAsksWithTERMFirst(t *testing.T) {
	l := newLine(t)
	ctx, cancel := context.WithCancel(t.Context())
	said := filepath.Join(l.home, "said")
	cmd := sh("trap 'echo bye >said; exit 6' TERM; echo ready; while :; do sleep 0.01; done")
	lines, result := l.background(t, ctx, cmd)
	<-lines
	cancel()
	r := <-result
	if r.Reason != Cancelled || r.Signal != "" || r.Code != 6 {
		t.Errorf("%+v", r)
	}
	if _, err := os.Stat(said); err != nil {
		t.Error("the program could not tidy up")
	}
}

func TestEndedContextStartsNothing(t *testing.T) {
	l := newLine(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	cmd := sh("exit 3")
	cmd.Job = NewJobID()
	r, err := l.Run(ctx, cmd)
	if r.Reason != Cancelled || err != nil {
		t.Errorf("%+v, %v", r, err)
	}
	if r, _, _ := l.run(t, cmd); r.Code != 3 { // a job that was asked for would be known
		t.Errorf("afterwards: %+v", r)
	}
}

func TestVanishedClientEndsTheGroup(t *testing.T) {
	l := newLine(t)
	cmd := sh("trap '' TERM; (trap '' TERM; while :; do sleep 0.01; done) & echo $!; echo $$; while :; do sleep 0.01; done")
	cmd.KillAfter = 20 * time.Millisecond
	lines, result := l.background(t, t.Context(), cmd)
	child, leader := <-lines, <-lines
	l.c.fail(fmt.Errorf("the cable is cut"))
	if r := <-result; r.Reason != Lost || !strings.Contains(r.Error, "the cable is cut") {
		t.Errorf("%+v", r)
	}
	wantGone(t, child)
	wantGone(t, leader)
}

func TestLostConnectionIsNoEndOfInput(t *testing.T) {
	l := newLine(t)
	in, feed, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	defer feed.Close()
	cmd := sh("trap '' TERM; echo $$; read line; echo $line; cat; touch complete; sleep 60")
	cmd.KillAfter = 200 * time.Millisecond
	cmd.Stdin = in
	lines, _ := l.background(t, t.Context(), cmd)
	leader := <-lines
	fmt.Fprintln(feed, "half")
	if got := <-lines; got != "half" {
		t.Fatal(got)
	}
	l.c.fail(fmt.Errorf("the cable is cut"))
	wantGone(t, leader)
	if _, err := os.Stat(filepath.Join(l.home, "complete")); err == nil {
		t.Error("the program took the cut for the end of its input")
	}
}

func TestServerThatEndsTellsItsClients(t *testing.T) {
	home := t.TempDir()
	s := &Server{Home: home}
	near, far := socketPair(t)
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- s.ServeConn(ctx, far, Guest{}) }()
	l := &line{Client: NewClient(near, "test"), server: s, home: home}
	lines, result := l.background(t, t.Context(), sh("trap 'echo last words; exit 3' TERM; echo ready; while :; do sleep 0.01; done"))
	<-lines
	cancel()
	if got := <-lines; got != "last words" {
		t.Errorf("got %q", got)
	}
	if r := <-result; r.Reason != Cancelled || r.Code != 3 || r.Error != errShutDown.Error() {
		t.Errorf("%+v", r)
	}
	<-l.Done()
	if err := l.err(); !strings.Contains(err.Error(), "shutdown") {
		t.Errorf("the client's error is %v", err)
	}
	if err := <-served; err != errShutDown {
		t.Errorf("ServeConn: %v", err)
	}
}

// stuckLimit is the time limit of stuckRun. It is long, so that a busy machine gets to what is
// tested before it is over.
const stuckLimit = 5 * time.Second

// stuckRun runs a program whose reader takes nothing until every limit of the command is over. It
// begins with script once all credit is used up. What goes on from there is sure: while credit is
// being spent, a writer that waits goes on at a moment that differs from run to run.
func stuckRun(t *testing.T, script string) (r Result, err error) {
	l := newLine(t)
	reader := make(chan struct{})
	timer := time.AfterFunc(stuckLimit+time.Second, func() { close(reader) })
	defer timer.Stop()
	in, feed := io.Pipe()
	cmd := sh(fmt.Sprintf("head -c %d /dev/zero; read line; %s", firstLimit, script))
	cmd.Stdin, cmd.Stdout = in, stuck(reader)
	cmd.Timeout, cmd.KillAfter = stuckLimit, 100*time.Millisecond
	done := make(chan struct{})
	go func() {
		defer close(done)
		r, err = l.Run(t.Context(), cmd)
	}()
	waitFor(t, "all that the credit lets come", func() bool { return l.hasReceived(firstLimit) })
	fmt.Fprintln(feed)
	feed.Close()
	<-done
	return r, err
}

// hasReceived says whether n bytes of the only command's standard output have come.
func (l *line) hasReceived(n int64) bool {
	l.c.mu.Lock()
	defer l.c.mu.Unlock()
	for _, s := range l.c.calls {
		return s.in[1].arrived >= n
	}
	return false
}

func TestTimeLimitIsNotForTheReader(t *testing.T) {
	t.Parallel()
	// All that waits to be sent, something that the drain has in hand, and what a pipe surely has
	// room for, so that the program ends while its last words are unread.
	r, err := stuckRun(t, fmt.Sprintf("head -c %d /dev/zero; sleep 0.2; head -c %d /dev/zero", maxUnsent+1, pipeBuffer/2))
	const n = firstLimit + maxUnsent + 1 + pipeBuffer/2
	if err != nil || r.Reason != Exited || r.Code != 0 || r.StdoutBytes != n || r.Held {
		t.Errorf("%+v, %v; want all %d bytes of a program that ended by itself", r, err, n)
	}
}

func TestKilledProgramsPipeIsReadToItsEnd(t *testing.T) {
	t.Parallel()
	r, err := stuckRun(t, "exec cat /dev/zero")
	const least = firstLimit + maxUnsent + 1 + pipeBuffer // something is in the drain's hand, and the pipe was full
	if err != nil || r.Reason != TimedOut || r.SignalNumber != 15 || r.StdoutBytes < least || r.Held {
		t.Errorf("%+v, %v; want at least %d bytes and nobody who holds a pipe", r, err, least)
	}
}

func TestServerEndsWhateverACommandWasGranted(t *testing.T) {
	near, far := socketPair(t)
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() {
		s := Server{Home: t.TempDir()}
		served <- s.ServeConn(ctx, far, Guest{Name: "test"})
	}()
	cl := NewClient(near, "test")
	defer cl.Close()
	up := make(chan struct{})
	go func() {
		<-up
		stop()
	}()
	cmd := sh(`trap "" TERM; echo up; while :; do sleep 1; done`)
	cmd.Stdout, cmd.KillAfter = onFirst(func() { close(up) }), time.Hour
	r, err := cl.Run(t.Context(), cmd)
	if err != nil || r.Reason != Cancelled || r.SignalNumber != 9 {
		t.Errorf("%+v, %v", r, err)
	}
	select {
	case <-served:
	case <-time.After(time.Minute):
		t.Error("the server waits for the hour that the command was granted")
	}
}

// onFirst is a writer that calls f at the first write.
func onFirst(f func()) io.Writer { return &firstWrite{f: f} }

type firstWrite struct {
	once sync.Once
	f    func()
}

func (w *firstWrite) Write(p []byte) (int, error) {
	w.once.Do(w.f)
	return len(p), nil
}
