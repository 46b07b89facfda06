//go:build unix

package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// quickDir is a directory in memory where there is one.
func quickDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "landline-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// neverYoung lets a source give idents to the files that a test has just made.
func neverYoung(*diskInfo) bool { return false }

// smallTree makes a tree of which every part is small.
func smallTree(t *testing.T, dir, content string) {
	t.Helper()
	for _, name := range []string{"one", "two", "sub/three", "sub/sub/four"} {
		putFile(t, dir+"/"+name, []byte(content+" "+name), 0o640)
	}
	putFile(t, dir+"/pieces", bytes.Repeat([]byte(content), 1+maxWholeFile/len(content)), 0o600)
	_ = os.Remove(dir + "/link")
	if err := os.Symlink(content, dir+"/link"); err != nil {
		t.Fatal(err)
	}
}

// wantOldOrNew checks that every file of a tree is as in one of two others, or not
// there where old has none, and that nothing else is there.
func wantOldOrNew(t *testing.T, dir, old, fresh string) {
	t.Helper()
	now, before, after := contents(t, dir), contents(t, old), contents(t, fresh)
	for name, what := range now {
		leaf := filepath.Base(name)
		if strings.HasPrefix(leaf, reservedPrefix) {
			continue
		}
		if what != before[name] && what != after[name] {
			t.Errorf("%s is neither old nor new", name)
		}
	}
	for name := range before {
		if now[name] == "" {
			t.Errorf("%s is gone", name)
		}
	}
}

// contents describes a tree's contents, without modes and times.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := snapshot(t, dir)
	for name, what := range all {
		words := strings.Fields(what)
		if words[0][0] == 'd' {
			words = words[:1]
			words[0] = "d"
		}
		all[name] = words[0][:1] + " " + strings.Join(words[min(2, len(words)):], " ")
	}
	return all
}

// cutCopy runs a copy whose line breaks after so many bytes, and says how many
// have passed.
func cutCopy(t *testing.T, from, to string, records, replies int64) (int64, int64, outcome) {
	t.Helper()
	l := newCopyLine()
	l.records.cut, l.replies.cut = records, replies
	o := l.run(t.Context(), &source{paths: []string{from}, young: neverYoung}, &sink{dest: to})
	return l.records.passed, l.replies.passed, o
}

// A cutTest copies a fresh tree over an old one, again and again.
type cutTest struct {
	base, from, old string
	make            func(t *testing.T, dir, content string)
}

func newCutTest(t *testing.T, make func(t *testing.T, dir, content string)) *cutTest {
	base := quickDir(t)
	c := &cutTest{base: base, from: base + "/tree", old: base + "/old", make: make}
	c.make(t, c.from, "fresh content")
	c.makeOld(t, c.old)
	return c
}

func (c *cutTest) makeOld(t *testing.T, dir string) {
	c.make(t, dir, "old")
	_ = os.Remove(dir + "/new")
}

// length is how many bytes either side sends in a whole copy.
func (c *cutTest) length(t *testing.T) (records, replies int64) {
	t.Helper()
	records, replies, o := cutCopy(t, c.from, c.base+"/whole/", 0, 0)
	if o.sinkErr != nil {
		t.Fatal(o.sinkErr)
	}
	return records, replies
}

// at cuts a copy after so many bytes, looks, and finishes it.
func (c *cutTest) at(t *testing.T, cutRecords, cutReplies int64) {
	t.Helper()
	to := c.base + "/to"
	c.makeOld(t, to+"/tree")
	_, _, o := cutCopy(t, c.from, to, cutRecords, cutReplies)
	if o.sinkErr == nil && o.sourceErr == nil {
		t.Errorf("nobody noticed the cut")
	}
	wantOldOrNew(t, to+"/tree", c.old, c.from)
	wantNoTemps(t, to)
	copies(t, &source{paths: []string{c.from}}, &sink{dest: to})
	wantSame(t, to+"/tree", c.from)
	wantNoLitter(t, to)
	_ = os.RemoveAll(to)
	if t.Failed() {
		t.Fatalf("cut after %d bytes of records or %d of replies", cutRecords, cutReplies)
	}
}

func TestACopyCutAtAnyByteLeavesOldOrNew(t *testing.T) {
	c := newCutTest(t, func(t *testing.T, dir, content string) {
		putFile(t, dir+"/file", []byte(content), 0o640)
	})
	records, replies := c.length(t)
	for at := range records - 1 {
		c.at(t, at+1, 0)
	}
	for at := range replies - 1 {
		c.at(t, 0, at+1)
	}
}

func TestALongerCopyCutAnywhereLeavesOldOrNew(t *testing.T) {
	c := newCutTest(t, func(t *testing.T, dir, content string) {
		smallTree(t, dir, content)
		putFile(t, dir+"/new", []byte(content), 0o640)
	})
	records, replies := c.length(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range 25 {
		c.at(t, 1+random.Int64N(records-1), 0)
		c.at(t, 0, 1+random.Int64N(replies-1))
	}
}

func TestABigFileGoesOnWhereItStopped(t *testing.T) {
	base := quickDir(t)
	from := base + "/big"
	putFile(t, from, noise(5, 3*segmentSize+100), 0o444)
	to := base + "/to"
	if err := os.Mkdir(to, 0o755); err != nil {
		t.Fatal(err)
	}
	cutCopy(t, from, to, segmentSize+segmentSize/2, 0)
	_, _, o := cutCopy(t, from, to, segmentSize+segmentSize/2, 0)
	if o.sink.Resumed != segmentSize {
		t.Errorf("the second attempt found %d bytes, want %d", o.sink.Resumed, segmentSize)
	}
	o = copies(t, &source{paths: []string{from}, young: neverYoung}, &sink{dest: to})
	if o.sink.Resumed != 2*segmentSize || o.sink.Bytes != segmentSize+100 {
		t.Errorf("the third found %d bytes and moved %d", o.sink.Resumed, o.sink.Bytes)
	}
	wantSame(t, to+"/big", from)
	if describe(t, to+"/big") != describe(t, from) {
		t.Error("the copy differs")
	}
	wantNoLitter(t, to)
}

func TestABigFileThatWasJustMadeGoesOnToo(t *testing.T) {
	base := quickDir(t)
	putFile(t, base+"/big", noise(5, 2*segmentSize), 0o644)
	looks := 0
	young := func(*diskInfo) bool { looks++; return looks == 1 }
	l := newCopyLine()
	l.records.cut = segmentSize + segmentSize/2
	l.run(t.Context(), &source{paths: []string{base + "/big"}, young: young}, &sink{dest: base + "/to/"})
	o := copies(t, &source{paths: []string{base + "/big"}}, &sink{dest: base + "/to/"})
	if o.sink.Resumed != segmentSize {
		t.Errorf("%d bytes were found, want a segment", o.sink.Resumed)
	}
	wantSame(t, base+"/to/big", base+"/big")
	wantNoLitter(t, base+"/to")
}

func TestAFileThatChangesWhileItComesOfAgeIsLookedAtAnew(t *testing.T) {
	base := quickDir(t)
	putFile(t, base+"/big", noise(5, 2*segmentSize), 0o644)
	young := func(info *diskInfo) bool {
		if info.size > segmentSize+1 {
			putFile(t, base+"/big", noise(6, segmentSize+1), 0o644)
			return true
		}
		return false
	}
	var known int64
	s := &source{paths: []string{base + "/big"}, young: young, progress: func(p CopyProgress) { known = p.BytesKnown }}
	copies(t, s, &sink{dest: base + "/to/"})
	if known != segmentSize+1 {
		t.Errorf("it was announced with %d bytes, want %d", known, segmentSize+1)
	}
	wantSame(t, base+"/to/big", base+"/big")
}

func TestAFolderCopiedToANewNameGoesOnThere(t *testing.T) {
	base := quickDir(t)
	from, up, to := base+"/tree", base+"/to", base+"/to/new"
	putFile(t, from+"/a", noise(6, 600), 0o640)
	putFile(t, from+"/sub/big", noise(5, 2*segmentSize), 0o600)
	if err := errors.Join(os.Mkdir(up, 0o755), os.Chmod(from, 0o750), os.Chtimes(from, time.Unix(1, 0), time.Unix(1, 0))); err != nil {
		t.Fatal(err)
	}
	cutCopy(t, from, to, 400, 0) // when nothing but the directory is there
	if _, err := os.Stat(to); err != nil {
		t.Fatal(err)
	}
	cutCopy(t, from, to, segmentSize+segmentSize/2, 0)
	o := copies(t, &source{paths: []string{from}, young: neverYoung}, &sink{dest: to})
	if o.sink.Resumed < segmentSize {
		t.Errorf("%d bytes were found, want a segment", o.sink.Resumed)
	}
	wantSame(t, to, from)
	if got, want := describe(t, to), describe(t, from); got != want {
		t.Errorf("the folder is %s, want %s", got, want)
	}
	wantNoLitter(t, up)
	copies(t, &source{paths: []string{from}}, &sink{dest: to}) // that copy is over: this is another
	wantSame(t, to+"/tree", from)
}

func TestOnlyTheSameCopyGoesOnUnderANewName(t *testing.T) {
	base := quickDir(t)
	to := base + "/to/new"
	putFile(t, base+"/tree/big", noise(5, 2*segmentSize), 0o600)
	putFile(t, base+"/other/x", noise(5, 20), 0o600)
	putFile(t, base+"/to/x", nil, 0o600)
	cutCopy(t, base+"/tree", to, segmentSize+segmentSize/2, 0)
	copies(t, &source{paths: []string{base + "/other"}}, &sink{dest: to})
	wantSame(t, to+"/other", base+"/other")
	copies(t, &source{paths: []string{base + "/tree"}}, &sink{dest: to, into: true})
	wantSame(t, to+"/tree", base+"/tree")
	holder, err := filepath.Glob(base + "/to/.landline-*.journal")
	if err != nil || len(holder) != 1 {
		t.Fatalf("left behind: %q, %v", holder, err)
	}
	up, err := openPath(base + "/to")
	if err != nil {
		t.Fatal(err)
	}
	defer up.close()
	f, err := lockJournal(up, filepath.Base(holder[0]), false)
	if err != nil {
		t.Fatal(err)
	}
	_ = os.RemoveAll(to + "/tree")
	copies(t, &source{paths: []string{base + "/tree"}}, &sink{dest: to}) // the first one lives
	wantSame(t, to+"/tree", base+"/tree")
	_ = f.close()
}

func TestWhatWasDoneIsNotSentAgain(t *testing.T) {
	base := quickDir(t)
	for i := range 2000 {
		putFile(t, fmt.Sprintf("%s/tree/d%d/%d", base, i%7, i), noise(uint64(i), 700), 0o644)
	}
	cutCopy(t, base+"/tree", base+"/to/", 1_000_000, 0)
	o := copies(t, &source{paths: []string{base + "/tree"}, young: neverYoung}, &sink{dest: base + "/to"})
	if o.sink.Resumed < 100*700 || o.sink.Resumed+o.sink.Bytes != 2000*700 {
		t.Errorf("%d bytes were found, %d moved", o.sink.Resumed, o.sink.Bytes)
	}
	wantSame(t, base+"/to/tree", base+"/tree")
	wantNoLitter(t, base+"/to")
}

func TestAFileThatChangedSinceTheCutIsSentAnew(t *testing.T) {
	base := quickDir(t)
	putFile(t, base+"/tree/big", noise(5, 2*segmentSize), 0o644)
	putFile(t, base+"/tree/a", noise(6, 600), 0o644)
	cutCopy(t, base+"/tree", base+"/to/", segmentSize+segmentSize/2, 0)
	putFile(t, base+"/tree/big", noise(9, 2*segmentSize), 0o644)
	o := copies(t, &source{paths: []string{base + "/tree"}, young: neverYoung}, &sink{dest: base + "/to"})
	if o.sink.Resumed > 600 {
		t.Errorf("%d bytes were taken for the same", o.sink.Resumed)
	}
	wantSame(t, base+"/to/tree", base+"/tree")
	wantNoLitter(t, base+"/to")
}

func TestATargetThatChangedSinceTheCutIsSentAnew(t *testing.T) {
	base := quickDir(t)
	for i := range 500 {
		putFile(t, fmt.Sprintf("%s/tree/%d", base, i), noise(uint64(i), 2000), 0o644)
	}
	cutCopy(t, base+"/tree", base+"/to/", 500_000, 0)
	for name := range snapshot(t, base+"/to/tree") {
		if !strings.HasPrefix(name, reservedPrefix) {
			putFile(t, base+"/to/tree/"+name, []byte("spoilt"), 0o644)
		}
	}
	copies(t, &source{paths: []string{base + "/tree"}, young: neverYoung}, &sink{dest: base + "/to"})
	wantSame(t, base+"/to/tree", base+"/tree")
}

// spoiling changes what an interrupted copy of a big file left behind; the next
// copy must be right all the same.
func TestSpoiltRemainsAreNeverMixedIn(t *testing.T) {
	for what, spoil := range map[string]func(journal, temp string) error{
		"the temporary file is gone":  func(_, temp string) error { return os.Remove(temp) },
		"the temporary file is short": func(_, temp string) error { return os.Truncate(temp, 5) },
		"it is a link": func(_, temp string) error {
			if err := os.Rename(temp, temp+"x"); err != nil {
				return err
			}
			return os.Symlink(filepath.Base(temp)+"x", temp)
		},
		"it has another name":             func(_, temp string) error { return os.Link(temp, filepath.Dir(temp)+"/other") },
		"others may write to it":          func(_, temp string) error { return os.Chmod(temp, 0o666) },
		"others may write to the journal": func(journal, _ string) error { return os.Chmod(journal, 0o666) },
		"the journal is empty":            func(journal, _ string) error { return os.Truncate(journal, 0) },
		"the journal is noise":            func(journal, _ string) error { return os.WriteFile(journal, noise(1, 500), 0o600) },
		"the journal is a directory": func(journal, _ string) error {
			if err := os.Remove(journal); err != nil {
				return err
			}
			return os.Mkdir(journal, 0o755)
		},
	} {
		t.Run(what, func(t *testing.T) {
			base := quickDir(t)
			putFile(t, base+"/big", noise(5, segmentSize+maxChunk), 0o644)
			cutCopy(t, base+"/big", base+"/to/", segmentSize+maxChunk/2, 0)
			journals, _ := filepath.Glob(base + "/to/.landline-*.journal")
			temps, _ := filepath.Glob(base + "/to/.landline-*-1")
			if len(journals) != 1 || len(temps) != 1 {
				t.Fatalf("left behind: %q, %q", journals, temps)
			}
			if err := spoil(journals[0], temps[0]); err != nil {
				t.Fatal(err)
			}
			o := copies(t, &source{paths: []string{base + "/big"}, young: neverYoung}, &sink{dest: base + "/to"})
			if o.sink.Resumed != 0 {
				t.Errorf("%d bytes were trusted", o.sink.Resumed)
			}
			if got, _ := os.ReadFile(base + "/to/big"); !bytes.Equal(got, noise(5, segmentSize+maxChunk)) {
				t.Error("the copy differs")
			}
		})
	}
}

// The kill tests start this test binary again as a sink that kills itself.
const killEnv = "LANDLINE_TEST_KILL"

// TestMain must not be needed for this: the child runs only this test, which
// never returns.
func TestIsASinkThatKillsItself(t *testing.T) {
	spec := os.Getenv(killEnv)
	if spec == "" {
		return // in the parent there is nothing to do
	}
	at, dest, _ := strings.Cut(spec, " ")
	left, err := strconv.Atoi(at)
	if err != nil {
		t.Fatal(err)
	}
	k := &sink{dest: dest, fault: func(string) error {
		if left--; left < 0 {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
		return nil
	}}
	if _, err := k.run(context.Background(), os.Stdin, os.Stdout); err != nil {
		os.Exit(3)
	}
	os.Exit(0)
}

// killedCopy copies to a process of its own that kills itself before its
// operation number at, and says whether it came to that.
func killedCopy(t *testing.T, from, to string, at int) (killed bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestIsASinkThatKillsItself$")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d %s", killEnv, at, to))
	records, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	replies, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_, sourceErr := (&source{paths: []string{from}, young: neverYoung}).run(t.Context(), replies, records)
	_ = records.Close()
	_, _ = io.Copy(io.Discard, replies)
	_ = cmd.Wait()
	switch status := cmd.ProcessState.Sys().(syscall.WaitStatus); {
	case status.Signaled() && status.Signal() == syscall.SIGKILL:
		return true
	case status.ExitStatus() != 0 || sourceErr != nil:
		t.Fatalf("the sink ended with %v, the source with %v", cmd.ProcessState, sourceErr)
	}
	return false
}

func TestASinkKilledAtAnyStepLeavesOldOrNewAndNoLitter(t *testing.T) {
	c := newCutTest(t, func(t *testing.T, dir, content string) {
		smallTree(t, dir, content)
		putFile(t, dir+"/new", []byte(content), 0o640)
		putFile(t, dir+"/segments", bytes.Repeat([]byte(content), 1+segmentSize/len(content)), 0o444)
	})
	steps := 0
	count := func(string) error { steps++; return nil }
	c.makeOld(t, c.base+"/count/tree")
	copies(t, &source{paths: []string{c.from}, young: neverYoung}, &sink{dest: c.base + "/count", fault: count})
	seed := rand.Uint64()
	t.Logf("seed %d, %d steps", seed, steps)
	random := rand.New(rand.NewPCG(seed, 0))
	for at := random.IntN(3); at < steps; at += 1 + random.IntN(steps/3) {
		to := c.base + "/to"
		c.makeOld(t, to+"/tree")
		if !killedCopy(t, c.from, to, at) {
			if at < steps-10 { // a few depend on how the two processes take turns
				t.Fatalf("step %d did not come", at)
			}
			break
		}
		wantOldOrNew(t, to+"/tree", c.old, c.from)
		killedCopy(t, c.from, to, random.IntN(at+1)) // the one that goes on may be killed too
		wantOldOrNew(t, to+"/tree", c.old, c.from)
		copies(t, &source{paths: []string{c.from}, young: neverYoung}, &sink{dest: to})
		wantSame(t, to+"/tree", c.from)
		wantNoLitter(t, to)
		if t.Failed() {
			t.Fatalf("killed at step %d", at)
		}
		_ = os.RemoveAll(to)
	}
}

func TestTwoWritersToOneTargetDoNotMix(t *testing.T) {
	base := quickDir(t)
	const writers = journalSlots + 2
	for w := range writers {
		for i := range 50 {
			putFile(t, fmt.Sprintf("%s/%d/tree/%d", base, w, i), noise(uint64(w), 3000), 0o644)
		}
		putFile(t, fmt.Sprintf("%s/%d/tree/big", base, w), noise(uint64(w), segmentSize+10), 0o644)
	}
	results := make(chan outcome, writers)
	for w := range writers {
		go func() {
			s := &source{paths: []string{fmt.Sprintf("%s/%d/tree", base, w)}, young: neverYoung}
			results <- newCopyLine().run(t.Context(), s, &sink{dest: base + "/to/"})
		}()
	}
	for range writers {
		if o := <-results; o.sinkErr != nil || o.sourceErr != nil || o.sink.Failed != 0 {
			t.Errorf("%+v", o)
		}
	}
	any := map[string]bool{}
	for w := range writers {
		for name, what := range contents(t, fmt.Sprintf("%s/%d/tree", base, w)) {
			any[name+what] = true
		}
	}
	got := contents(t, base+"/to/tree")
	for name, what := range got {
		if !any[name+what] {
			t.Errorf("%s is of no writer", name)
		}
	}
	if len(got) != 51 {
		t.Errorf("%d files came, want 51", len(got))
	}
	wantNoLitter(t, base+"/to")
}

func TestACancelledCopyEnds(t *testing.T) {
	base := quickDir(t)
	putFile(t, base+"/big", noise(5, 2*segmentSize), 0o644)
	ctx, cancel := context.WithCancel(t.Context())
	s := &source{paths: []string{base + "/big"}, young: neverYoung, progress: func(p CopyProgress) {
		if p.BytesDone > segmentSize+segmentSize/2 {
			cancel()
		}
	}}
	o := newCopyLine().run(ctx, s, &sink{dest: base + "/to/"})
	if o.sourceErr != context.Canceled || o.sinkErr != context.Canceled {
		t.Errorf("source: %v, sink: %v", o.sourceErr, o.sinkErr)
	}
	if _, err := os.Lstat(base + "/to/big"); err == nil {
		t.Error("a file that is not whole has its name")
	}
}

// A durable copy's journal counts even after the system was started again, for
// whole files; nothing else does.
func TestOnlySyncedFilesSurviveARestart(t *testing.T) {
	base := quickDir(t)
	for i := range 300 {
		putFile(t, fmt.Sprintf("%s/tree/%d", base, i), noise(uint64(i), 5000), 0o644)
	}
	for _, durable := range []bool{false, true} {
		to := fmt.Sprintf("%s/%t", base, durable)
		l := newCopyLine()
		l.records.cut = 800_000
		l.run(t.Context(), &source{paths: []string{base + "/tree"}, young: neverYoung}, &sink{dest: to + "/", durable: durable})
		restart(t, to)
		o := copies(t, &source{paths: []string{base + "/tree"}, young: neverYoung}, &sink{dest: to, durable: durable})
		if (o.sink.Resumed > 0) != durable {
			t.Errorf("durable %t: %d bytes were trusted", durable, o.sink.Resumed)
		}
		wantSame(t, to+"/tree", base+"/tree")
		wantNoLitter(t, to)
	}
}

// restart makes the journal in a directory look like one from before the system
// was started.
func restart(t *testing.T, dir string) {
	t.Helper()
	names, _ := filepath.Glob(dir + "/.landline-*.journal")
	if len(names) != 1 {
		t.Fatalf("journals: %q", names)
	}
	b, err := os.ReadFile(names[0])
	if err != nil {
		t.Fatal(err)
	}
	var j journal
	for line := range strings.Lines(string(b)) {
		_, text, _ := strings.Cut(strings.TrimSpace(line), " ")
		j.line(strings.Split(strings.ReplaceAll(text, bootID(), "earlier"), " ")...)
	}
	if err := os.WriteFile(names[0], j.buf, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestASpoiltJournalGivesNothingMore(t *testing.T) {
	var j journal
	j.line("run", "0123456789abcdef", "boot")
	j.line("dir", strconv.Quote("some/where"))
	for i := range 20 {
		j.line("done", hexKey(uint64(i)*0x9e3779b97f4a7c15))
	}
	j.line("part", "3", hexKey(77), strconv.Quote("a \xff\n/b"))
	for i := range 20 {
		j.line("seal", "3", strconv.Itoa((i+1)*segmentSize))
	}
	whole := readJournal(j.buf)
	if len(whole.done) != 20 || whole.parts[3].offset != 20*segmentSize || whole.parts[3].dir != "a \xff\n/b" || whole.at != "some/where" {
		t.Fatalf("the whole journal gives %+v", whole)
	}
	for i := range j.buf {
		spoilt := bytes.Clone(j.buf)
		spoilt[i] ^= 0x11
		for _, b := range [][]byte{spoilt, j.buf[:i], j.buf[i:]} {
			got := readJournal(b)
			p := got.parts[3]
			if len(got.done) > 20 || len(got.parts) > 1 || p != nil && (p.offset%segmentSize != 0 || p.offset > 20*segmentSize || p.key != 77) {
				t.Fatalf("spoilt at %d it gives %+v", i, got)
			}
		}
	}
}

func readJournal(b []byte) *journal {
	j := &journal{parts: map[int]*part{}}
	j.read(bytes.NewReader(b), "boot")
	return j
}

func TestWhatWasNotSealedIsNotKept(t *testing.T) {
	to := quickDir(t)
	sealed := string(noise(1, segmentSize))
	s := newScript().file(1, "a", 2*segmentSize)
	for at := 0; at < segmentSize; at += maxChunk {
		s.chunk(1, at, sealed[at:at+maxChunk])
	}
	s.seal(1, segmentSize, sealed).chunk(1, segmentSize, "what was not sealed")
	if _, _, err := s.play(t, &sink{dest: to}); err != errCutOff {
		t.Fatal(err)
	}
	s = newScript().file(1, "a", 2*segmentSize).
		add("hole", nil, "n", 1, "offset", segmentSize, "length", segmentSize).
		add("close", nil, "n", 1, "length", 2*segmentSize).done()
	replies, r, err := s.play(t, &sink{dest: to})
	if err != nil || r.Resumed != segmentSize || !strings.Contains(replies, `"offset":8388608`) {
		t.Fatalf("%+v, %v\n%s", r, err, replies)
	}
	if got, _ := os.ReadFile(to + "/a"); string(got) != sealed+string(make([]byte, segmentSize)) {
		t.Errorf("%d bytes came, and not those that were sent", len(got))
	}
	wantNoLitter(t, to)
}

func TestWhatASecondWriterLeftIsRemovedToo(t *testing.T) {
	to := quickDir(t)
	dir, err := openPath(to)
	if err != nil {
		t.Fatal(err)
	}
	defer dir.close()
	var journals []*journal
	for range 2 {
		j, err := openJournal(dir, "key")
		if err != nil {
			t.Fatal(err)
		}
		if err := j.inDir(""); err != nil {
			t.Fatal(err)
		}
		putFile(t, to+"/"+j.temp(0), nil, 0o600)
		journals = append(journals, j)
	}
	_ = journals[1].f.close() // as if its process had died
	journals[0].remove()
	j, err := openJournal(dir, "key")
	if err != nil {
		t.Fatal(err)
	}
	j.remove()
	wantNoLitter(t, to)
}
