package remote

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A tally counts what is written, and tells once there is enough.
type tally struct {
	n      atomic.Int64
	most   int64
	enough chan struct{}
}

func newTally(most int64) *tally { return &tally{most: most, enough: make(chan struct{})} }

func (c *tally) Write(p []byte) (int, error) {
	before := c.n.Add(int64(len(p))) - int64(len(p))
	if before < c.most && before+int64(len(p)) >= c.most {
		close(c.enough)
	}
	return len(p), nil
}

// pass is a reader of n zeros.
func pass(n int64) io.Reader { return io.LimitReader(zeros{}, n) }

func stdinArrivesWhole(t *testing.T, n int64) {
	l := newLine(t)
	cmd := sh("wc -c")
	cmd.Stdin = pass(n)
	if r, out, _ := l.run(t, cmd); r.Code != 0 || strings.TrimSpace(out) != strconv.FormatInt(n, 10) {
		t.Errorf("%+v, %q", r, out)
	}
}

func TestLongStdinArrivesWhole(t *testing.T) { stdinArrivesWhole(t, 64<<20) }

func TestStdinThatNobodyReadsHoldsNothingUp(t *testing.T) {
	l := newLine(t)
	for script, code := range map[string]int{
		"exit 3":                               3,
		"exec <&-; echo; exit 4":               4, // closed at once
		"head -c 100000 >/dev/null; exit 5":    5, // closed early
		"exec 0</dev/null; cat; echo; exit 6":  6,
		"cat <&0 | head -c 1 >/dev/null; true": 0,
	} {
		cmd := sh(script)
		cmd.Stdin = zeros{}
		if r, _, _ := l.run(t, cmd); r.Reason != Exited || r.Code != code {
			t.Errorf("%s: %+v", script, r)
		}
	}
	l.wantAlive(t)
}

func TestWithoutStdinTheProgramReadsNothing(t *testing.T) {
	l := newLine(t)
	if r, out, _ := l.run(t, sh("cat; echo end")); r.Code != 0 || out != "end\n" {
		t.Errorf("%+v, %q", r, out)
	}
}

// A brokenReader gives some bytes and then an error.
type brokenReader struct{ io.Reader }

var errBroken = errors.New("the disk is broken")

func (r brokenReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err == io.EOF {
		err = errBroken
	}
	return n, err
}

func TestBrokenStdinIsNotItsEnd(t *testing.T) {
	l := newLine(t)
	cmd := sh("cat >/dev/null; touch complete")
	cmd.Stdin = brokenReader{strings.NewReader("half")}
	r, err := l.Run(t.Context(), cmd)
	if r.Reason != Cancelled || !errors.Is(err, errBroken) {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := os.Stat(l.home + "/complete"); err == nil {
		t.Error("the program took it for the end")
	}
	l.wantAlive(t)
}

// TestProgramWaitsForAPausedReader has a program report how much it got rid of.
func TestProgramWaitsForAPausedReader(t *testing.T) {
	const chunk = 64 << 10
	l := newLine(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cmd := sh(`while printf %s "$FULL"; do echo >&2; done`)
	cmd.Env = []string{"FULL=" + strings.Repeat("x", chunk)}
	reader := make(chan struct{})
	progress := newTally(firstLimit / chunk) // as much as its credit lets it
	cmd.Stdout, cmd.Stderr = stuck(reader), progress
	result := make(chan Result, 1)
	go func() {
		r, _ := l.Run(ctx, cmd)
		result <- r
	}()
	<-progress.enough
	for range 20 { // others go on, and the program has time to go wrong
		l.wantAlive(t)
	}
	// The window, what the server holds, what it has in hand, and the pipe.
	const most = firstLimit + maxUnsent + pipeBuffer + 64<<10
	if got := progress.n.Load() * chunk; got > most {
		t.Errorf("%d bytes are gone to a reader that reads nothing, at most %d may be", got, most)
	}
	cancel()
	close(reader)
	if r := <-result; r.Reason != Cancelled {
		t.Errorf("%+v", r)
	}
}

// pausedReader moves n bytes of output to a reader that pauses, and watches the
// memory of both ends.
func pausedReader(t *testing.T, n int64) {
	l := newLine(t)
	cmd := sh(`head -c "$1" /dev/zero`, strconv.FormatInt(n, 10))
	out := &pausing{line: l, t: t}
	cmd.Stdout = out
	r, err := l.Run(t.Context(), cmd)
	if err != nil || r.Code != 0 || out.n != n || r.StdoutBytes != n {
		t.Errorf("%+v, %d bytes, %v", r, out.n, err)
	}
	if out.most > 32<<20 {
		t.Errorf("%d bytes of heap", out.most)
	}
}

// A pausing writer stops now and then for as long as other commands take.
type pausing struct {
	line    *line
	t       *testing.T
	n, next int64
	most    uint64
}

func (w *pausing) Write(p []byte) (int, error) {
	w.n += int64(len(p))
	if w.n >= w.next {
		w.next = w.n*2 + 1<<20
		w.line.wantAlive(w.t)
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		w.most = max(w.most, m.HeapAlloc)
	}
	return len(p), nil
}

func TestPausesLoseNothingAndTakeNoMemory(t *testing.T) { pausedReader(t, 256<<20) }

func TestBothPipesMayBeFullAtOnce(t *testing.T) {
	const n = 4 << 20
	l := newLine(t)
	errs := newTally(n)
	cmd := sh("head -c 4194304 /dev/zero & head -c 4194304 /dev/zero >&2; wait")
	out := newTally(n)
	cmd.Stderr = errs
	cmd.Stdout = io.MultiWriter(stuck(errs.enough), out) // first all of the one, then the other
	r, err := l.Run(t.Context(), cmd)
	if err != nil || r.Code != 0 || out.n.Load() != n || errs.n.Load() != n {
		t.Errorf("%+v, %d and %d bytes, %v", r, out.n.Load(), errs.n.Load(), err)
	}
}

func TestFailingStdoutGivesTheProgramSIGPIPE(t *testing.T) {
	l := newLine(t)
	for _, fd := range []int{1, 2} {
		cmd := sh("exec yes >&" + strconv.Itoa(fd))
		if fd == 1 {
			cmd.Stdout = failing{}
		} else {
			cmd.Stderr = failing{}
		}
		r, err := l.Run(t.Context(), cmd)
		if r.Reason != Signalled || r.Signal != "PIPE" || !errors.Is(err, errFull) {
			t.Errorf("fd %d: %+v, %v", fd, r, err)
		}
	}
	l.wantAlive(t)
}

var errFull = errors.New("the disk is full")

// failing is a writer that takes nothing.
type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errFull }

func TestOneFailingStreamLeavesTheOtherWhole(t *testing.T) {
	l := newLine(t)
	var errs bytes.Buffer
	cmd := sh("trap '' PIPE; head -c 3000000 /dev/zero 2>/dev/null; head -c 3000000 /dev/zero >&2; exit 8")
	cmd.Stdout, cmd.Stderr = failing{}, &errs
	r, err := l.Run(t.Context(), cmd)
	if r.Reason != Exited || r.Code != 8 || errs.Len() != 3000000 || !errors.Is(err, errFull) {
		t.Errorf("%+v, %d bytes, %v", r, errs.Len(), err)
	}
}

func TestPausedReaderHoldsUpNobodyElse(t *testing.T) {
	l := newLine(t)
	reader := make(chan struct{})
	results := make(chan Result, 4)
	for range cap(results) {
		go func() {
			r, _ := l.Run(t.Context(), Command{Args: []string{"head", "-c", "3000000", "/dev/zero"}, Stdout: stuck(reader)})
			results <- r
		}()
	}
	sideBySide(8, func(i int) {
		want := 2<<20 + i
		r, out, _ := l.run(t, sh(`head -c "$1" /dev/zero`, strconv.Itoa(want)))
		if r.Code != 0 || len(out) != want {
			t.Errorf("%+v, %d bytes of %d", r, len(out), want)
		}
	})
	close(reader)
	for range cap(results) {
		if r := <-results; r.Code != 0 || r.StdoutBytes != 3000000 {
			t.Errorf("a paused one: %+v", r)
		}
	}
}

func TestCancelPassesAStreamThatIsBlocked(t *testing.T) {
	l := newLine(t)
	ctx, cancel := context.WithCancel(t.Context())
	reader := make(chan struct{})
	pid := make(report, 1)
	cmd := sh("echo $$ >&2; exec yes")
	cmd.Stdout, cmd.Stderr = stuck(reader), pid
	result := make(chan Result, 1)
	go func() {
		r, _ := l.Run(ctx, cmd)
		result <- r
	}()
	leader := <-pid
	cancel()
	wantGone(t, leader) // although nobody has read a byte
	l.wantAlive(t)
	close(reader)
	// The pipe is closed too, and either may come first.
	if r := <-result; r.Reason != Cancelled || r.Signal != "TERM" && r.Signal != "PIPE" {
		t.Errorf("%+v", r)
	}
}

// killLater kills the process, whose number is text, at the test's end.
func killLater(t *testing.T, pid string) {
	n, err := strconv.Atoi(strings.TrimSpace(pid))
	if err != nil {
		t.Errorf("not a process number: %q", pid)
		return
	}
	t.Cleanup(func() { unix.Kill(n, unix.SIGKILL) })
}

func TestSilentGrandchildIsNotWaitedFor(t *testing.T) {
	l := newLine(t)
	scripts := []string{
		"sleep 600 & echo $!; exit 4",
		"sleep 600 2>&1 >/dev/null & echo $!; exit 4", // the one stream
		"sleep 600 2>/dev/null & echo $!; exit 4",     // the other
		"setsid sleep 600 & echo $!; exit 4",
	}
	sideBySide(len(scripts), func(i int) {
		r, out, _ := l.run(t, sh(scripts[i]))
		killLater(t, out)
		if r.Reason != Exited || r.Code != 4 || !r.Held {
			t.Errorf("%s: %+v", scripts[i], r)
		}
	})
}

func TestGrandchildThatClosesItsOutputsIsNotHeld(t *testing.T) {
	l := newLine(t)
	r, out, _ := l.run(t, sh("sleep 600 >/dev/null 2>&1 & echo $!; exit 4"))
	killLater(t, out)
	if r.Code != 4 || r.Held {
		t.Errorf("%+v", r)
	}
	if r, out, _ := l.run(t, sh("(sleep 0.2; echo late) & exit 4")); r.Code != 4 || r.Held || out != "late\n" {
		t.Errorf("%+v, %q", r, out)
	}
}

const noisy = "while :; do echo x; sleep 0.1; done"

func TestNoisyGrandchildIsReadUntilTheTimeout(t *testing.T) {
	l := newLine(t)
	scripts := []string{
		"(" + noisy + ") & exit 4",
		"setsid sh -c '" + noisy + "' & exit 4",
	}
	sideBySide(len(scripts), func(i int) {
		cmd := sh(scripts[i])
		cmd.Timeout, cmd.KillAfter = 2*heldAfter, 10*time.Millisecond
		r, out, _ := l.run(t, cmd)
		// More than an idle second holds: it was read on.
		if r.Reason != TimedOut || strings.Count(out, "x") < 11 {
			t.Errorf("%s: %+v, %q", scripts[i], r, out)
		}
	})
}

// TestNoisyGrandchildIsReadUntilCancelled has a grandchild that never pauses, so that its pipe
// is never silent, however seldom it gets to run.
func TestNoisyGrandchildIsReadUntilCancelled(t *testing.T) {
	l := newLine(t)
	ctx, cancel := context.WithCancel(t.Context())
	cmd := sh("setsid sh -c 'echo $$; exec yes' & exit 4")
	cmd.KillAfter = 10 * time.Millisecond
	lines, result := l.background(t, ctx, cmd)
	pid := <-lines
	killLater(t, pid)
	for range 5 {
		<-lines
	}
	cancel()
	for range lines { // Run waits until what has come is written
	}
	// Whether the command had exited when it was cancelled is a matter of a moment. Its grandchild's output ends either way.
	if r := <-result; r.Reason != Cancelled && (r.Reason != Exited || r.Code != 4) {
		t.Errorf("%+v", r)
	}
	wantGone(t, pid) // it left the group, but meets a closed pipe
}

func TestNoisyGrandchildMeetsAClosedPipeWhenStopped(t *testing.T) {
	l := newLine(t)
	pid := make(report, 1)
	cmd := sh("(" + noisy + ") & echo $! >&2; exit 4")
	cmd.Stdout, cmd.Stderr = failing{}, pid
	r, err := l.Run(t.Context(), cmd)
	if r.Reason != Exited || r.Code != 4 || !errors.Is(err, errFull) {
		t.Errorf("%+v, %v", r, err)
	}
	wantGone(t, <-pid)
}

// TestPauseOfTheServerLosesNoOutput has the time for silence run out while nobody
// read: what is in the pipe is output, not silence.
func TestPauseOfTheServerLosesNoOutput(t *testing.T) {
	f, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	w.Write(make([]byte, 60_000))
	w.Close()
	f.SetReadDeadline(time.Unix(1, 0))
	r := &running{start: time.Now().Add(-time.Hour)}
	r.ended.Store(true)
	s := newConn(nil).newSendStream(1, 1)
	r.drain(f, s)
	if s.buf.size != 60_000 || r.held.Load() {
		t.Errorf("%d bytes of 60,000, held %v", s.buf.size, r.held.Load())
	}
}
