//go:build unix

package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// newKeepingLine is a line whose server keeps jobs. Those that still run when the
// test ends are ended.
func newKeepingLine(t testing.TB) *line {
	t.Helper()
	return newLineTo(t, newKeepingServer(t))
}

func newKeepingServer(t testing.TB) *Server {
	t.Helper()
	home := t.TempDir()
	s := &Server{Home: home, Software: "test", State: home + "/state"}
	t.Cleanup(func() { endJobs(t, s) })
	return s
}

// dial makes another connection to the line's server.
func (l *line) dial(t testing.TB) *Client {
	near, far := socketPair(t)
	l.serve(t, far)
	cl := NewClient(near, "test")
	t.Cleanup(func() { cl.Close() })
	return cl
}

// endJobs ends the jobs of a server's store, and waits for their keepers.
func endJobs(t testing.TB, s *Server) {
	st, _ := s.store()
	list, err := st.jobs()
	if err != nil {
		t.Error(err)
	}
	for _, j := range list {
		waitFor(t, "the end of a job", func() bool {
			if nc, err := j.dial(); err == nil {
				cl := NewClient(nc, "test")
				ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
				cl.Attach(ctx, Attachment{Job: j.m.job, Cancel: true})
				cancel()
				cl.Close()
			}
			return !j.alive()
		})
	}
	waitFor(t, "the server to count them out", func() bool {
		s.jobs.mu.Lock()
		defer s.jobs.mu.Unlock()
		return s.jobs.running == 0
	})
}

// attach gives out what there is of a job, and its result.
func attach(t testing.TB, cl *Client, a Attachment) (r Result, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	a.Stdout, a.Stderr = &out, &errs
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r, err := cl.Attach(ctx, a)
	if err != nil {
		t.Fatalf("Attach(%s): %v", a.Job, err)
	}
	return r, out.String(), errs.String()
}

// keptName begins the names of tests whose commands are all kept.
const keptName = "TestKeptCommandIsLikeOthers/"

// TestKeptCommandIsLikeOthers does with a keeper in between what other tests do without.
func TestKeptCommandIsLikeOthers(t *testing.T) {
	for name, test := range map[string]func(*testing.T){
		"run":                 TestRunGivesBothStreamsAndTheCode,
		"refused":             TestWhatCannotBeStartedIsRefused,
		"arguments":           TestArgumentsReachTheProgramAsTheyAre,
		"long arguments":      TestArgumentListAtTheSystemsLimitIsTaken,
		"variables":           TestVariablesAreAddedAndTheLastWins,
		"path":                TestProgramIsFoundInThePathThatItGets,
		"directory":           TestDirectoryIsAskedForOrHome,
		"bytes":               TestBytesPassUntouched,
		"stop and continue":   TestStopAndContinueAreDelivered,
		"signals":             TestSignalsReachTheWholeGroup,
		"timeout":             TestTimeoutEndsTheGroup,
		"cancel":              TestCancelAsksWithTERMFirst,
		"cancel when blocked": TestCancelPassesAStreamThatIsBlocked,
		"SIGPIPE":             TestFailingStdoutGivesTheProgramSIGPIPE,
		"one stream fails":    TestOneFailingStreamLeavesTheOtherWhole,
		"no input":            TestWithoutStdinTheProgramReadsNothing,
		"input unread":        TestStdinThatNobodyReadsHoldsNothingUp,
		"broken input":        TestBrokenStdinIsNotItsEnd,
		"long input":          TestLongStdinArrivesWhole,
		"both pipes full":     TestBothPipesMayBeFullAtOnce,
		"silent grandchild":   TestSilentGrandchildIsNotWaitedFor,
		"noisy grandchild":    TestNoisyGrandchildIsReadUntilCancelled,
	} {
		t.Run(name, test)
	}
}

func TestDetachedJobOutlivesItsConnection(t *testing.T) {
	l := newKeepingLine(t)
	r, err := l.Start(t.Context(), sh("echo one; echo two >&2; while ! test -e go; do sleep 0.02; done; echo three; exit 7"))
	if err != nil || r.Reason != Running {
		t.Fatal(r, err)
	}
	l.Close()
	l.file(t, "go", "", 0o600)
	r, out, errs := attach(t, l.dial(t), Attachment{Job: r.Job})
	if r.Reason != Exited || r.Code != 7 || out != "one\nthree\n" || errs != "two\n" {
		t.Errorf("%+v, %q, %q", r, out, errs)
	}
	r, out, errs = attach(t, l.dial(t), Attachment{Job: r.Job, StdoutOffset: 4, StderrOffset: 100})
	if r.Code != 7 || out != "three\n" || errs != "" || r.StdoutBytes != 10 || r.StderrBytes != 4 {
		t.Errorf("from an offset: %+v, %q, %q", r, out, errs)
	}
	list, err := l.dial(t).Jobs(t.Context())
	if err != nil || len(list) != 1 || list[0].State != Exited || !strings.HasPrefix(list[0].Args[2], "echo one") {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestJobStartsOnceHoweverOftenItIsStarted(t *testing.T) {
	l := newKeepingLine(t)
	cmd := sh("echo x >>starts; cat fifo")
	cmd.Job = NewJobID()
	sideBySide(16, func(int) {
		if r, err := l.Start(t.Context(), cmd); err != nil || r.Reason != Running || r.Job != cmd.Job {
			t.Errorf("%+v, %v", r, err)
		}
	})
	waitFor(t, "the end", func() bool { return state(t, l, cmd.Job) != Running }) // there is no fifo
	if b, err := os.ReadFile(filepath.Join(l.home, "starts")); string(b) != "x\n" {
		t.Errorf("%d starts, %v", len(b)/2, err)
	}
	if r, _, _ := l.run(t, cmd); r.Reason != Exited || r.Code != 1 {
		t.Errorf("an ordinary run of the same id: %+v", r)
	}
}

// state is what the server says of a job.
func state(t testing.TB, l *line, id string) string {
	t.Helper()
	for _, j := range list(t, l) {
		if j.ID == id {
			return j.State
		}
	}
	return ""
}

func list(t testing.TB, l *line) []Job {
	t.Helper()
	list, err := l.Jobs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestIdOfAnOrdinaryCommandStartsNoJob(t *testing.T) {
	l := newKeepingLine(t)
	cmd := sh("echo x >>starts")
	cmd.Job = NewJobID()
	l.run(t, cmd)
	if r, err := l.Start(t.Context(), cmd); err != nil || r.Reason != Refused || r.Error != errJobKnown.Error() {
		t.Errorf("%+v, %v", r, err)
	}
	if jobs := list(t, l); len(jobs) != 0 {
		t.Errorf("%+v", jobs)
	}
}

// start starts a job and returns its id.
func start(t testing.TB, l *line, cmd Command) string {
	t.Helper()
	r, err := l.Start(t.Context(), cmd)
	if err != nil || r.Reason != Running {
		t.Fatalf("Start: %+v, %v", r, err)
	}
	return r.Job
}

// stops returns what says whether there is a job, and it has written nothing since it
// was asked before.
func stops(t testing.TB, l *line) func() bool {
	size := int64(-1)
	return func() bool {
		before := size
		if jobs := list(t, l); len(jobs) > 0 {
			size = jobs[0].StdoutBytes
		}
		return size > 0 && size == before
	}
}

func TestForsakenSpoolDropsTheOldestAndSaysSo(t *testing.T) {
	l := newKeepingLine(t)
	l.server.Spool = leastSpool
	text := string(lines(5_000_000))
	l.file(t, "text", text, 0o600)
	id := start(t, l, sh("cat text; echo done >&2"))
	waitFor(t, "the end", func() bool { return state(t, l, id) == Exited })
	j := list(t, l)[0]
	if kept := j.StdoutBytes - j.StdoutOffset; j.StdoutBytes != int64(len(text)) || kept > leastSpool || kept < leastSpool/2 {
		t.Errorf("%+v", j)
	}
	var gaps [][3]int64
	gap := func(fd int, from, to int64) { gaps = append(gaps, [3]int64{int64(fd), from, to}) }
	r, out, errs := attach(t, l.Client, Attachment{Job: id, OnGap: gap})
	want := [][3]int64{{1, 0, j.StdoutOffset}}
	if out != text[j.StdoutOffset:] || errs != "done\n" || !reflect.DeepEqual(gaps, want) || r.StdoutGap != j.StdoutOffset || r.StderrGap != 0 {
		t.Errorf("%d bytes, gaps %v of %v, %+v", len(out), gaps, want, r)
	}
	if r, out, _ := attach(t, l.Client, Attachment{Job: id, StdoutOffset: j.StdoutOffset + 5}); out != text[j.StdoutOffset+5:] || r.StdoutGap != 0 {
		t.Errorf("%d bytes, %+v", len(out), r)
	}
}

func TestAttachedReaderMakesTheProgramWait(t *testing.T) {
	l := newKeepingLine(t)
	l.server.Spool = leastSpool
	text := lines(12_000_000)
	l.file(t, "text", string(text), 0o600)
	id := start(t, l, sh("while ! test -e go; do sleep 0.01; done; cat text; touch written"))
	var got bytes.Buffer
	first := true
	out := writerFunc(func(p []byte) (int, error) {
		if first { // more than fits all buffers is to be written, and is not
			first = false
			waitFor(t, "the output to stop", stops(t, l))
		}
		return got.Write(p)
	})
	result := make(chan Result, 1)
	go func() {
		r, err := l.Attach(t.Context(), Attachment{Job: id, Stdout: out, OnGap: func(int, int64, int64) { t.Error("a gap") }})
		if err != nil {
			t.Error(err)
		}
		result <- r
	}()
	l.file(t, "go", "", 0o600)
	if r := <-result; r.Reason != Exited || r.StdoutGap != 0 || !bytes.Equal(got.Bytes(), text) {
		t.Errorf("%+v, %d bytes of %d", r, got.Len(), len(text))
	}
}

func TestViewerOfOneOutputDoesNotMissTheEnd(t *testing.T) {
	l := newKeepingLine(t)
	l.server.Spool = leastSpool
	l.file(t, "text", string(lines(5_000_000)), 0o600)
	id := start(t, l, sh("echo begin; while ! test -e go; do sleep 0.01; done; cat text; echo done >&2; exit 3"))
	var errs bytes.Buffer
	out := writerFunc(func([]byte) (int, error) {
		l.file(t, "go", "", 0o600)
		return 0, errFull
	})
	r, err := l.Attach(t.Context(), Attachment{Job: id, Stdout: out, Stderr: &errs})
	if r.Reason != Exited || r.Code != 3 || !errors.Is(err, errFull) || errs.String() != "done\n" {
		t.Errorf("%+v, %v, %q", r, err, errs.String())
	}
}

// TestOutputsOfAnEndedJobDoNotWaitForEachOther has a client take all of one output before the
// other, when the keeper has ended and the server has some of both in hand.
func TestOutputsOfAnEndedJobDoNotWaitForEachOther(t *testing.T) {
	const n = 6 << 20
	l := newKeepingLine(t)
	other := l.dial(t)
	errs := newTally(n)
	over := make(chan struct{})
	out := newTally(n)
	cmd := sh("head -c 6291456 /dev/zero & head -c 6291456 /dev/zero >&2; wait")
	cmd.Job, cmd.Linger = "a", time.Minute
	cmd.Stdout = io.MultiWriter(stuck(errs.enough), out)
	cmd.Stderr = io.MultiWriter(stuck(over), errs)
	go func() {
		defer close(over)
		waitFor(t, "its end", func() bool {
			list, err := other.Jobs(context.Background())
			return err != nil || len(list) == 1 && list[0].State != Running
		})
	}()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, err := l.Run(ctx, cmd)
	if err != nil || r.Code != 0 || out.n.Load() != n || errs.n.Load() != n {
		t.Errorf("%+v, %d and %d bytes, %v", r, out.n.Load(), errs.n.Load(), err)
	}
}

// TestOutputOfAnEndedJobThatIsCutIsLost has the server end while an ended job's output is
// on its way.
func TestOutputOfAnEndedJobThatIsCutIsLost(t *testing.T) {
	l := newKeepingLine(t)
	id := start(t, l, sh("head -c 20000000 /dev/zero"))
	waitFor(t, "its end", func() bool { return state(t, l, id) == Exited })
	near, far := socketPair(t)
	ctx, shutDown := context.WithCancel(t.Context())
	served := make(chan struct{})
	go func() {
		defer close(served)
		l.server.ServeConn(ctx, far, Guest{})
	}()
	cl := NewClient(near, "test")
	defer cl.Close()
	out := writerFunc(func(p []byte) (int, error) {
		shutDown()
		<-served
		return len(p), nil
	})
	if r, err := cl.Attach(t.Context(), Attachment{Job: id, Stdout: out}); r.Reason != Lost || err == nil {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestClientThatMayComeBackMakesTheProgramWait(t *testing.T) {
	l := newKeepingLine(t)
	l.server.Spool = leastSpool
	text := lines(6_000_000)
	l.file(t, "text", string(text), 0o600)
	cl := l.Client
	away := make(chan bool)
	lasting := &Lasting{Within: time.Minute, Dial: func(context.Context) (*Client, error) {
		<-away
		return l.dial(t), nil
	}}
	go func() {
		waitFor(t, "the output to stop", stops(t, &line{Client: l.dial(t)}))
		close(away)
	}()
	var got bytes.Buffer
	broken := false
	cmd := sh("cat text; exit 9")
	cmd.Stdout = writerFunc(func(p []byte) (int, error) {
		if !broken {
			broken = true
			cl.c.fail(ErrSilent)
		}
		return got.Write(p)
	})
	r, err := lasting.Run(t.Context(), cl, cmd)
	if err != nil || r.Code != 9 || !bytes.Equal(got.Bytes(), text) {
		t.Errorf("%+v, %v, %d bytes of %d", r, err, got.Len(), len(text))
	}
}

func TestCommandEndsWhenItsClientStaysAway(t *testing.T) {
	l := newKeepingLine(t)
	cmd := sh("echo $$; exec sleep 600")
	cmd.Job, cmd.Linger = NewJobID(), 50*time.Millisecond
	lines, result := l.background(t, t.Context(), cmd)
	pid := <-lines
	l.c.fail(ErrSilent)
	if r := <-result; r.Reason != Lost {
		t.Errorf("%+v", r)
	}
	wantGone(t, pid)
	if r, out, _ := attach(t, l.dial(t), Attachment{Job: cmd.Job}); r.Reason != Cancelled || r.Error != errLeft.Error() || out != pid+"\n" {
		t.Errorf("%+v, %q", r, out)
	}
}

func TestViewerKeepsACommandThatItsClientHasLeft(t *testing.T) {
	l := newKeepingLine(t)
	cmd := sh("echo ready; while ! test -e go; do sleep 0.01; done; echo done; exit 3")
	cmd.Job, cmd.Linger = NewJobID(), 100*time.Millisecond
	lines, result := l.background(t, t.Context(), cmd)
	<-lines
	viewer := l.dial(t)
	seen := make(report, 10)
	end := make(chan Result, 1)
	go func() {
		r, err := viewer.Attach(t.Context(), Attachment{Job: cmd.Job, Stdout: seen})
		if err != nil {
			t.Error(err)
		}
		end <- r
	}()
	<-seen
	l.c.fail(ErrSilent)
	<-result
	time.AfterFunc(5*cmd.Linger, func() { os.WriteFile(filepath.Join(l.home, "go"), nil, 0o600) })
	if r := <-end; r.Reason != Exited || r.Code != 3 {
		t.Errorf("%+v", r)
	}
}

func TestJobWhoseKeeperIsKilledIsLost(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("what is left of it ends on Linux alone")
	}
	l := newKeepingLine(t)
	id := start(t, l, sh("setsid sleep 600 & echo $$ $PPID $!; echo oops >&2; exec sleep 600"))
	seen, oops := make(report, 10), make(report, 10)
	end := make(chan error, 1)
	go func() {
		r, err := l.Attach(t.Context(), Attachment{Job: id, Stdout: seen, Stderr: oops})
		if r.Reason != Lost || r.Error != errKeeperGone.Error() {
			t.Errorf("%+v", r)
		}
		end <- err
	}()
	<-oops
	numbers := strings.Fields(<-seen)
	n, err := strconv.Atoi(numbers[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Kill(n, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := <-end; err == nil {
		t.Error("no error")
	}
	wantGone(t, numbers[0])
	wantGone(t, numbers[2]) // although it has left the session
	var out bytes.Buffer
	r, err := l.Attach(t.Context(), Attachment{Job: id, Stderr: &out})
	if r.Reason != Lost || err == nil || out.String() != "oops\n" {
		t.Errorf("%+v, %v, %q", r, err, out.String())
	}
	if j := list(t, l)[0]; j.State != Lost || j.StderrBytes != 5 || j.Error != errKeeperGone.Error() {
		t.Errorf("%+v", j)
	}
}

// TestSpoiltFilesAreSurvived spoils what a job that runs, one that has ended and one
// whose keeper is dead have on disk, each file in several ways.
func TestSpoiltFilesAreSurvived(t *testing.T) {
	for _, name := range []string{jobFile, stateFile, "1.0000000000000000"} {
		for how, spoil := range map[string]func([]byte) []byte{
			"empty":   func([]byte) []byte { return nil },
			"half":    func(b []byte) []byte { return b[:len(b)/2] },
			"garbage": func(b []byte) []byte { return bytes.Repeat([]byte{0xff}, len(b)) },
			"longer":  func(b []byte) []byte { return append(b, "more"...) },
		} {
			t.Run(name+", "+how, func(t *testing.T) { spoiltFile(t, name, spoil) })
		}
	}
}

func spoiltFile(t *testing.T, name string, spoil func([]byte) []byte) {
	l := newKeepingLine(t)
	ended := start(t, l, sh("echo ended; exit 3"))
	attach(t, l.Client, Attachment{Job: ended})
	path := filepath.Join(l.server.State, jobPrefix+ended, name)
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, spoil(b), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := l.Attach(t.Context(), Attachment{Job: ended})
	switch {
	case r.Reason == Exited && r.Code == 3 && err == nil:
	case r.Reason == Lost && err != nil:
	case r.Reason == Refused && r.Code == 125 && err == nil:
	default:
		t.Errorf("%+v, %v", r, err)
	}
	other := start(t, l, sh("exit 4"))
	if r, _, _ := attach(t, l.Client, Attachment{Job: other}); r.Code != 4 {
		t.Errorf("the next one: %+v", r)
	}
	if state(t, l, other) != Exited {
		t.Error("the next one is not listed")
	}
	st, _ := l.server.store()
	waitFor(t, "the store to be empty after a week", func() bool { // once the keepers have ended
		st.sweep(time.Now().Add(keptUnacked + time.Hour))
		left, err := os.ReadDir(st.dir)
		return err == nil && len(left) == 0
	})
}

func TestEndedJobsAreKeptForTheirTime(t *testing.T) {
	l := newKeepingLine(t)
	seen, unseen := start(t, l, sh("echo seen")), start(t, l, sh("echo unseen"))
	running := start(t, l, sh("exec sleep 600"))
	attach(t, l.Client, Attachment{Job: seen, Acknowledge: true})
	attach(t, l.Client, Attachment{Job: unseen})
	waitFor(t, "the acknowledgment", func() bool { return list(t, l)[0].Acknowledged })
	st, _ := l.server.store()
	waitFor(t, "the end of both keepers", func() bool { // who hold what is to be cleared
		return !(&job{dir: st.path(seen)}).alive() && !(&job{dir: st.path(unseen)}).alive()
	})
	for _, row := range []struct {
		after time.Duration
		want  []string
	}{
		{23 * time.Hour, []string{seen, unseen, running}},
		{25 * time.Hour, []string{unseen, running}},
		{6 * 24 * time.Hour, []string{unseen, running}},
		{8 * 24 * time.Hour, []string{running}},
	} {
		st.sweep(time.Now().Add(row.after))
		var ids []string
		for _, j := range list(t, l) {
			ids = append(ids, j.ID)
		}
		if !reflect.DeepEqual(ids, row.want) {
			t.Errorf("after %v: %v, want %v", row.after, ids, row.want)
		}
	}
	if r, _, _ := attach(t, l.Client, Attachment{Job: seen}); r.Reason != Refused || r.Error != errNoJob.Error() {
		t.Errorf("one that is not kept any more: %+v", r)
	}
}

func TestNoMoreEndedJobsAreKeptThanAllowed(t *testing.T) {
	now := time.Now()
	var jobs []*job
	for i := range maxKept + 3 { // the oldest last
		jobs = append(jobs, &job{state: message{kind: kindExit}, ended: now.Add(-time.Duration(i) * time.Second)})
	}
	running := &job{state: message{kind: kindStarted}}
	want := []*job{jobs[maxKept+2], jobs[maxKept+1], jobs[maxKept]}
	if got := expired(append(jobs, running), now); !slices.Equal(got, want) {
		t.Errorf("%d are too old, not the three oldest", len(got))
	}
}

func TestSweepRemovesWhatWasLeftHalfDone(t *testing.T) {
	st := store{t.TempDir()}
	for _, name := range []string{newPrefix + "1", oldPrefix + "2", newPrefix + "locked"} {
		if err := os.Mkdir(filepath.Join(st.dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	lock, err := takeLock(filepath.Join(st.dir, newPrefix+"locked"), os.O_CREATE)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	wantFiles := func(when time.Duration, want ...string) {
		t.Helper()
		st.sweep(time.Now().Add(when))
		var got []string
		entries, _ := os.ReadDir(st.dir)
		for _, e := range entries {
			got = append(got, e.Name())
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%v, want %v", got, want)
		}
	}
	wantFiles(0, newPrefix+"1", newPrefix+"locked") // the one may still be begun
	wantFiles(2*youngFor, newPrefix+"locked")
}

func TestJobThatWasNeverStartedMayBeStartedAgain(t *testing.T) {
	l := newKeepingLine(t)
	st, _ := l.server.store()
	cmd := sh("echo ran")
	cmd.Job = NewJobID()
	// A server that was killed before it could start the keeper leaves this.
	j := &job{m: message{job: cmd.Job}, spec: processSpec{args: []string{"false"}, dir: "/"}, created: time.Now()}
	lock, err := st.create(j)
	if err != nil {
		t.Fatal(err)
	}
	lock.Close()
	if r, out, _ := l.run(t, Command{Args: cmd.Args, Job: cmd.Job, Linger: time.Minute}); r.Reason != Exited || out != "ran\n" {
		t.Errorf("%+v, %q", r, out)
	}
}

func TestNextServerFindsTheJobs(t *testing.T) {
	l := newKeepingLine(t)
	l.server.MaxJobs = 2
	running := start(t, l, sh("exec sleep 600"))
	killed := start(t, l, sh("echo $PPID >keeper; exec sleep 600"))
	waitFor(t, "its keeper's number", func() bool {
		b, _ := os.ReadFile(filepath.Join(l.home, "keeper"))
		n, err := strconv.Atoi(strings.TrimSpace(string(b)))
		return err == nil && unix.Kill(n, unix.SIGKILL) == nil
	})
	waitFor(t, "its end", func() bool { return state(t, l, killed) == Lost })
	next := &Server{Home: l.home, State: l.server.State, MaxJobs: 2}
	next.adoptJobs()
	l2 := newLineTo(t, next)
	if got := state(t, l2, running); got != Running {
		t.Errorf("the one that runs: %q", got)
	}
	third := start(t, l2, sh("exec sleep 600")) // the second that runs
	if r, _, _ := l2.run(t, sh("true")); r.Reason != Refused || r.Error != errJobsFull.Error() {
		t.Errorf("one too many: %+v", r)
	}
	for _, id := range []string{running, third} {
		if r, _, _ := attach(t, l2.Client, Attachment{Job: id, Cancel: true}); r.Reason != Cancelled || r.Signal != "TERM" {
			t.Errorf("%+v", r)
		}
	}
	waitFor(t, "both to be counted out", func() bool {
		next.jobs.mu.Lock()
		defer next.jobs.mu.Unlock()
		return next.jobs.running == 0
	})
}

func TestGuestHeldToOneCommandSeesItsOwnJobsAlone(t *testing.T) {
	s := newKeepingServer(t)
	as := func(g Guest) *line {
		near, far := socketPair(t)
		done := make(chan struct{})
		go func() {
			defer close(done)
			s.ServeConn(context.Background(), far, g)
		}()
		l := &line{Client: NewClient(near, "test"), server: s, home: s.Home}
		t.Cleanup(func() { l.Close(); <-done })
		return l
	}
	anybody := as(Guest{Name: "anybody"})
	held := as(Guest{Name: "held", Command: "echo forced; exit 5"})
	theirs := start(t, anybody, sh("echo secret"))
	own := start(t, held, sh("echo mine"))
	if r, out, _ := attach(t, held.Client, Attachment{Job: own}); r.Code != 5 || out != "forced\n" {
		t.Errorf("its own: %+v, %q", r, out)
	}
	for _, a := range []Attachment{{Job: theirs}, {Job: theirs, Cancel: true}} {
		if r, out, _ := attach(t, held.Client, a); r.Reason != Refused || r.Error != errNotYours.Error() || out != "" {
			t.Errorf("another's: %+v, %q", r, out)
		}
	}
	if r, out, _ := held.run(t, Command{Args: []string{"x"}, Job: theirs, Linger: time.Minute}); r.Reason != Refused || out != "" {
		t.Errorf("a run with another's id: %+v, %q", r, out)
	}
	if jobs := list(t, held); len(jobs) != 1 || jobs[0].ID != own {
		t.Errorf("it sees %+v", jobs)
	}
	if jobs := list(t, anybody); len(jobs) != 2 {
		t.Errorf("others see %+v", jobs)
	}
}

func TestServerWithoutStateKeepsNothing(t *testing.T) {
	l := newLine(t)
	if r, err := l.Start(t.Context(), sh("true")); r.Reason != Lost || !errors.Is(err, ErrNoJobs) {
		t.Errorf("Start: %+v, %v", r, err)
	}
	if _, err := l.Jobs(t.Context()); !errors.Is(err, ErrNoJobs) {
		t.Errorf("Jobs: %v", err)
	}
	p, _ := peerOfServer(t, &Server{Home: "/"}, Guest{})
	p.send(helloLine, "")
	p.send(`{"kind":"run","call":1,"job":"a","args":1,"detach":true}`, "true\x00")
	p.send(`{"kind":"attach","call":2,"job":"a"}`, "")
	p.send(`{"kind":"jobs","call":3}`, "")
	p.send(`{"kind":"ack","job":"a"}`, "")
	for range 3 {
		if m := p.expect(kindExit); m.reason != Refused || m.code != 125 || m.err != errNotKept.Error() {
			t.Errorf("%+v", m)
		}
	}
}

func TestKeptCommandLeadsASessionAndInheritsNothing(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("reads /proc")
	}
	l := newKeepingLine(t)
	id := []string{"cut", "-d ", "-f1,5,6", "/proc/self/stat"}
	_, out, _ := l.run(t, Command{Args: id, Linger: time.Minute})
	if f := strings.Fields(out); len(f) != 3 || f[0] != f[1] || f[0] != f[2] {
		t.Errorf("process, group and session: %q", out)
	}
	files := []string{"ls", "/proc/self/fd"}
	_, plain, _ := l.run(t, Command{Args: files})
	if _, kept, _ := l.run(t, Command{Args: files, Linger: time.Minute}); kept != plain {
		t.Errorf("it has the files %q, others have %q", kept, plain)
	}
}

// TestRunThatIsSentAgainGivesItsInputOnce sends a run whose answer the client never
// saw a second time, when the job has a part of its input.
func TestRunThatIsSentAgainGivesItsInputOnce(t *testing.T) {
	s := newKeepingServer(t)
	again := func(input string, end bool) *peer {
		p, _ := peerOfServer(t, s, Guest{})
		p.send(helloLine, "")
		p.send(`{"kind":"run","call":1,"job":"a","args":1,"stdin":true,"linger_ms":60000}`, "cat\x00")
		p.send(`{"kind":"data","call":1,"fd":0,"offset":0}`, input)
		if end {
			p.send(fmt.Sprintf(`{"kind":"end","call":1,"fd":0,"offset":%d}`, len(input)), "")
		}
		return p
	}
	first := again("abc", false)
	first.expect(kindStarted)
	if _, body, err := first.next(); string(body) != "abc" {
		t.Fatalf("%q, %v", body, err)
	}
	first.nc.Close()
	second := again("abcdef", true)
	if m := second.expect(kindStarted); m.begin != [3]int64{3, 0, 0} {
		t.Errorf("%+v", m)
	}
	var out string
	for {
		m, body, err := second.next()
		if err != nil {
			t.Fatal(err)
		}
		if m.kind == kindExit {
			if m.reason != Exited || m.stdoutBytes != 6 || out != "abcdef" {
				t.Errorf("%+v, %q", m, out)
			}
			return
		}
		out += string(body)
	}
}

func TestLateCallDoesNotTakeThePlaceOfTheNext(t *testing.T) {
	l := newKeepingLine(t)
	cmd := sh("read x; echo $x; exit 5")
	cmd.Job = NewJobID()
	input, never := io.Pipe()
	defer never.Close()
	first := make(chan Result, 1)
	go func() {
		r, _ := l.Client.Run(t.Context(), Command{Args: cmd.Args, Job: cmd.Job, Linger: time.Minute, Stdin: input})
		first <- r
	}()
	waitFor(t, "the job", func() bool { return state(t, l, cmd.Job) == Running })
	own := func(rank int64, input string) chan Result {
		result := make(chan Result, 1)
		e := &errand{Command: Command{Job: cmd.Job}, rank: rank}
		if input != "" {
			e.feed = newReplay(strings.NewReader(input)).feed
		}
		cl := l.dial(t)
		go func() {
			r, err := cl.attach(t.Context(), e, false)
			if err != nil {
				t.Error(err)
			}
			result <- r
		}()
		return result
	}
	third := own(3, "")
	wantTakenOver := func(who string, result chan Result) {
		t.Helper()
		if r := <-result; r.Reason != Cancelled || r.Error != errTakenOver.Error() {
			t.Errorf("%s: %+v", who, r)
		}
	}
	wantTakenOver("the first", first)
	wantTakenOver("the second, which is late", own(2, "never\n"))
	fourth := own(4, "hello\n")
	wantTakenOver("the third", third)
	if r := <-fourth; r.Reason != Exited || r.Code != 5 || r.StdoutBytes != 6 {
		t.Errorf("the fourth: %+v", r)
	}
}

func TestCommandEndsWithItsKeeper(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells it")
	}
	socket := t.TempDir() + "/s"
	killServer := serveAt(t, socket)
	nc, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	l := &line{Client: NewClient(nc, "test")}
	defer l.Close()
	file := t.TempDir() + "/numbers"
	start(t, l, sh(`echo $PPID $$ >"$1.new"; mv "$1.new" "$1"; exec sleep 600`, file))
	var numbers []string
	waitFor(t, "its numbers", func() bool {
		b, err := os.ReadFile(file)
		numbers = strings.Fields(string(b))
		return err == nil
	})
	killServer() // which would have killed it, too
	keeper, err := strconv.Atoi(numbers[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Kill(keeper, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	wantGone(t, numbers[1])
}

func TestRequestsOfKeepersAreStrict(t *testing.T) {
	p, served := peerOfServer(t, newKeepingServer(t), Guest{})
	p.send(helloLine, "")
	p.send(`{"kind":"run","call":1,"job":"a","args":1,"linger_ms":60000}`, "true\x00")
	p.send(`{"kind":"taken","call":1,"fd":1,"offset":5}`, "")
	if reason, text := p.goodbye(); reason != "protocol" || !strings.Contains(text, "of which 0 were sent") {
		t.Errorf("%s: %s", reason, text)
	}
	<-served
}

// A keeperByHand is what keeps a job, one connection after another. The job has no process.
type keeperByHand struct {
	t  *testing.T
	j  *job
	ln net.Listener
}

func newKeeperByHand(t *testing.T, s *Server, id string) *keeperByHand {
	st, _ := s.store()
	k := &keeperByHand{t: t, j: &job{m: message{job: id}, spec: processSpec{args: []string{"true"}, dir: "/"}, created: time.Now()}}
	lock, err := st.create(k.j)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { lock.Close() })
	if err := k.j.writeStarted(); err != nil {
		t.Fatal(err)
	}
	if k.ln, err = net.Listen("unix", k.j.file(socketFile)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.ln.Close() })
	return k
}

// attached takes the next connection, and says where the streams of the call on it begin.
func (k *keeperByHand) attached(stdin, stdout int64) (*peer, message) {
	k.t.Helper()
	nc, err := k.ln.Accept()
	if err != nil {
		k.t.Fatal(err)
	}
	p := newPeer(k.t, nc)
	k.t.Cleanup(func() { nc.Close() })
	p.send(`{"kind":"hello","version":1,"features":["attach"]}`, "")
	m := p.expect(kindAttach)
	p.send(fmt.Sprintf(`{"kind":"started","call":1,"job":%q,"stdin_offset":%d,"stdout_offset":%d}`, k.j.m.job, stdin, stdout), "")
	return p, m
}

// TestKeeperThatBreaksOffAndLivesMixesNothing has the connection between a server and a keeper
// break, and another one go on where it stopped, or not.
func TestKeeperThatBreaksOffAndLivesMixesNothing(t *testing.T) {
	for _, row := range []struct {
		name          string
		input         string // the client's; then it ends
		taken         int    // of it, by the first connection
		stdin, stdout int64  // where the second begins
		why           error
	}{
		{"no input", "", 0, 0, 3, nil},
		{"a gap", "", 0, 0, 4, errDropped},
		{"all of the input", "ab", 2, 2, 3, nil},
		{"some of the input", "ab", 2, 1, 3, errInputCut},
	} {
		t.Run(row.name, func(t *testing.T) { brokenOff(t, row.input, row.taken, row.stdin, row.stdout, row.why) })
	}
}

func brokenOff(t *testing.T, input string, taken int, stdin, stdout int64, why error) {
	home := t.TempDir()
	l := newLineTo(t, &Server{Home: home, State: home + "/state"})
	k := newKeeperByHand(t, l.server, "a")
	var out bytes.Buffer
	came := newTally(3)
	cmd := Command{Args: []string{"true"}, Job: "a", Linger: time.Minute, Stdout: io.MultiWriter(&out, came)}
	if input != "" {
		cmd.Stdin = strings.NewReader(input)
	}
	result := make(chan Result, 1)
	go func() {
		r, _ := l.Client.Run(t.Context(), cmd)
		result <- r
	}()
	first, _ := k.attached(0, 0)
	first.send(`{"kind":"data","call":1,"fd":1,"offset":0}`, "abc")
	if input != "" {
		if m := first.expect(kindEnd); m.fd != 0 || m.offset != int64(taken) {
			t.Fatalf("%+v", m)
		}
	}
	<-came.enough
	first.nc.Close()
	second, m := k.attached(stdin, stdout)
	if m.begin[1] != 3 {
		t.Errorf("it is asked for the output from %d on", m.begin[1])
	}
	if why == nil && input != "" {
		if m := second.expect(kindEnd); m.fd != 0 || m.offset != stdin {
			t.Errorf("the input's end: %+v", m)
		}
	}
	if why == nil {
		k.end(t, "abcdef")
		second.nc.Close()
	}
	var r Result
	select {
	case r = <-result:
	case <-time.After(20 * time.Second):
		t.Fatal("it does not end")
	}
	switch {
	case why == nil && (r.Reason != Exited || r.Code != 5 || out.String() != "abcdef"):
		t.Errorf("%+v, %q", r, out.String())
	case why != nil && (r.Reason != Lost || r.Error != why.Error() || out.String() != "abc"):
		t.Errorf("%+v, %q", r, out.String())
	}
}

// end writes down the job's end, and its output.
func (k *keeperByHand) end(t *testing.T, output string) {
	if err := os.WriteFile(k.j.file("1.0000000000000000"), []byte(output), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := k.j.writeEnded(&ending{reason: Exited, code: 5}, [2]int64{int64(len(output)), 0}); err != nil {
		t.Fatal(err)
	}
	k.ln.Close()
}
