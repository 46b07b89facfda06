//go:build linux

package remote

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// A faultTest copies a fresh tree over an old one while an operation fails.
type faultTest struct {
	base, from, old string
}

func newFaultTest(t *testing.T, make func(t *testing.T, dir, content string)) *faultTest {
	base := quickDir(t)
	f := &faultTest{base: base, from: base + "/tree", old: base + "/old"}
	make(t, f.from, "fresh content")
	make(t, f.old, "old")
	_ = os.Remove(f.old + "/sub/three")
	return f
}

// failing lets the first operation fail for which choose says so, and returns it.
// Whatever it is, there is the old content or the new, and no litter.
func (f *faultTest) failing(t *testing.T, choose func(op string) bool) (failed string) {
	t.Helper()
	to := f.base + "/to"
	copies(t, &source{paths: []string{f.old}}, &sink{dest: to + "/"})
	if err := os.Rename(to+"/old", to+"/tree"); err != nil {
		t.Fatal(err)
	}
	told := refusals{}
	fault := func(op string) error {
		if failed != "" || !choose(op) {
			return nil
		}
		failed = op
		return unix.EDQUOT
	}
	o := copies(t, &source{paths: []string{f.from}, young: neverYoung},
		&sink{dest: to, durable: true, fault: fault, onError: told.note})
	if failed != "" && failed != "journal" && o.sink.Failed == 0 || int(o.sink.Failed) != len(told) {
		t.Errorf("%s failed: %d failures, %d told", failed, o.sink.Failed, len(told))
	}
	wantOldOrNew(t, to+"/tree", f.old, f.from)
	wantNoLitter(t, to)
	copies(t, &source{paths: []string{f.from}}, &sink{dest: to})
	wantSame(t, to+"/tree", f.from)
	_ = os.RemoveAll(to)
	return failed
}

func TestAnErrorAtAnyOperationFailsItsEntryAlone(t *testing.T) {
	f := newFaultTest(t, smallTree)
	seen := map[string]int{}
	for at := 0; !t.Failed(); at++ {
		left := at
		op := f.failing(t, func(string) bool { left--; return left < 0 })
		if op == "" {
			break // there are no more operations
		}
		if seen[op]++; t.Failed() {
			t.Fatalf("operation %d, %s", at, op)
		}
	}
	for _, op := range []string{"journal", "mkdir", "create", "write", "time", "sync", "close", "rename", "symlink", "leave"} {
		if seen[op] == 0 {
			t.Errorf("no %s was made to fail", op)
		}
	}
}

func TestAnErrorInALongFileFailsItAlone(t *testing.T) {
	f := newFaultTest(t, func(t *testing.T, dir, content string) {
		putFile(t, dir+"/segments", bytes.Repeat([]byte(content), 1+segmentSize/len(content)), 0o640)
	})
	for _, want := range []string{"create", "write", "chmod", "time", "sync", "close", "rename"} {
		if op := f.failing(t, func(op string) bool { return op == want }); op != want || t.Failed() {
			t.Fatalf("failing at %s: %q", want, op)
		}
	}
	writes := 0
	f.failing(t, func(op string) bool { // the last piece, after a seal
		if op == "write" {
			writes++
		}
		return writes == segmentSize/readSize+1
	})
}

// mounted mounts a file system of its own for the test, which needs root.
func mounted(t *testing.T, options string) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		if os.Getenv("LANDLINE_INTEROP") == "1" {
			t.Fatalf("mounting a tmpfs: %v", err)
		}
		t.Skipf("mounting a tmpfs needs root: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestAFullDiskFailsWhatDoesNotFit(t *testing.T) {
	from, to := quickDir(t), mounted(t, "size=1m")
	putFile(t, from+"/tree/big", noise(1, segmentSize+5), 0o644)
	putFile(t, from+"/tree/middle", noise(2, 2<<20), 0o644)
	for i := range 5 {
		putFile(t, fmt.Sprintf("%s/tree/small%d", from, i), noise(3, 5000), 0o644)
	}
	putFile(t, to+"/tree/big", []byte("old"), 0o644)
	failed := refusals{}
	o := copies(t, &source{paths: []string{from + "/tree"}, young: neverYoung}, &sink{dest: to, onError: failed.note})
	failed.want(t, "tree/big", "no space left on device", "tree/middle", "no space left on device")
	if o.sink.Files != 5 {
		t.Errorf("the account is %+v", o.sink)
	}
	if b, _ := os.ReadFile(to + "/tree/big"); string(b) != "old" {
		t.Errorf("what was there became %d bytes", len(b))
	}
	wantNoLitter(t, to)
	if err := unix.Mount("tmpfs", to, "tmpfs", unix.MS_REMOUNT, "size=64m"); err != nil {
		t.Fatal(err)
	}
	copies(t, &source{paths: []string{from + "/tree"}}, &sink{dest: to})
	wantSame(t, to+"/tree", from+"/tree")
}

func TestADiskWithoutRoomForNamesFailsTheRest(t *testing.T) {
	from, to := quickDir(t), mounted(t, "nr_inodes=10")
	for i := range 20 {
		putFile(t, fmt.Sprintf("%s/tree/%d/x", from, i), []byte("x"), 0o644)
	}
	o := copies(t, &source{paths: []string{from + "/tree"}, young: neverYoung}, &sink{dest: to})
	if o.sink.Failed == 0 || o.sink.Files+o.sink.Dirs+o.sink.Failed != 41 {
		t.Errorf("the account is %+v", o.sink)
	}
	wantNoLitter(t, to)
}

func TestAReadOnlyTargetFailsEveryEntry(t *testing.T) {
	from, to := t.TempDir(), mounted(t, "size=1m")
	putFile(t, from+"/tree/a", []byte("new"), 0o644)
	putFile(t, from+"/tree/sub/b", []byte("new"), 0o644)
	if err := os.Symlink("a", from+"/tree/link"); err != nil {
		t.Fatal(err)
	}
	putFile(t, to+"/tree/a", []byte("old"), 0o644)
	if err := unix.Mount("tmpfs", to, "tmpfs", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	failed := refusals{}
	o := copies(t, &source{paths: []string{from + "/tree"}}, &sink{dest: to, onError: failed.note})
	failed.want(t, "tree", "read-only file system", "tree/a", "read-only file system", "tree/link", "read-only file system",
		"tree/sub", "read-only file system", "tree/sub/b", errLost.Error())
	if o.sink.Files != 0 || o.sink.Links != 0 {
		t.Errorf("the account is %+v", o.sink)
	}
	_, err := (&sink{dest: to + "/new/"}).run(t.Context(), nil, nil)
	if !errors.Is(err, unix.EROFS) {
		t.Errorf("a target that cannot be made gives %v", err)
	}
}

func TestAFolderThatMayNotBeReadFailsByName(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may read everything")
	}
	from, to := t.TempDir(), t.TempDir()
	putFile(t, from+"/tree/shut/x", nil, 0o644)
	putFile(t, from+"/tree/secret", nil, 0)
	if err := os.Chmod(from+"/tree/shut", 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(from+"/tree/shut", 0o755) })
	failed := refusals{}
	copies(t, &source{paths: []string{from + "/tree"}, onError: failed.note}, &sink{dest: to})
	failed.want(t, "tree/shut", "permission denied", "tree/secret", "permission denied")
}

func TestALimitOfFileSizeFailsTheFile(t *testing.T) {
	from, to := quickDir(t), quickDir(t)
	putFile(t, from+"/tree/big", noise(1, 3<<20), 0o644)
	putFile(t, from+"/tree/small", noise(1, 300), 0o644)
	putFile(t, to+"/tree/big", []byte("old"), 0o644)
	var was unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 1 << 20, Max: was.Max}); err != nil {
		t.Fatal(err)
	}
	failed := refusals{}
	o := newCopyLine().run(t.Context(), &source{paths: []string{from + "/tree"}}, &sink{dest: to, onError: failed.note})
	if err := unix.Setrlimit(unix.RLIMIT_FSIZE, &was); err != nil {
		t.Fatal(err)
	}
	failed.want(t, "tree/big", "file too large")
	if o.sinkErr != nil || o.sink.Files != 1 {
		t.Errorf("%+v", o)
	}
	if b, _ := os.ReadFile(to + "/tree/big"); string(b) != "old" {
		t.Errorf("what was there became %d bytes", len(b))
	}
	wantNoLitter(t, to)
}

// A million files are a soak; what makes them bearable is that a directory is read
// in pieces and that neither side has more than the window in mind.
func TestALargeDirectoryIsNeverHeldWhole(t *testing.T) {
	base := quickDir(t)
	const files = 3*entryWindow + 5
	dir := base + "/many"
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range files {
		if err := os.WriteFile(fmt.Sprintf("%s/%d", dir, i), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s := &source{paths: []string{dir}}
	k := &sink{dest: base + "/to/"}
	names, queue, owed := 0, 0, 0
	s.progress = func(CopyProgress) {
		if len(s.walk.stack) > 0 {
			names = max(names, len(s.walk.stack[0].names))
		}
		queue = max(queue, len(s.queue))
	}
	k.progress = func(CopyProgress) { owed = max(owed, len(k.owed)) }
	o := copies(t, s, k)
	if names > namesAtOnce || queue > entryWindow+1 || owed > entryWindow+1 {
		t.Errorf("held at a time: %d names, %d entries at the source, %d at the sink", names, queue, owed)
	}
	if o.sink.Files != files {
		t.Errorf("%d files came", o.sink.Files)
	}
}

func TestALimitIsKeptAndProgressGrows(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	putFile(t, from+"/f", noise(1, 100_000), 0o644)
	var last CopyProgress
	s := &source{paths: []string{from + "/f"}, limit: 50 << 20, progress: func(p CopyProgress) {
		if p.BytesDone < last.BytesDone || p.Entries < last.Entries || p.BytesDone > p.BytesKnown {
			t.Errorf("after %+v comes %+v", last, p)
		}
		last = p
	}}
	copies(t, s, &sink{dest: to, limit: 50 << 20})
	if want := (CopyProgress{Entries: 1, Files: 1, BytesDone: 100_000, BytesKnown: 100_000, Name: "f"}); last != want {
		t.Errorf("at the end %+v, want %+v", last, want)
	}
	if got, _ := os.ReadFile(to + "/f"); !bytes.Equal(got, noise(1, 100_000)) {
		t.Error("the copy differs")
	}
}
