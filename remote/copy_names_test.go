//go:build unix

package remote

import (
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// refusals gathers what OnError is told.
type refusals map[string]string

func (r refusals) note(name string, err error) { r[name] = err.Error() }

// want checks that exactly these failed: pairs of a name and a part of the error.
func (r refusals) want(t *testing.T, pairs ...string) {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(r[pairs[i]], pairs[i+1]) {
			t.Errorf("of %.60q the error is %q, want one with %q", pairs[i], r[pairs[i]], pairs[i+1])
		}
	}
	if len(r) != len(pairs)/2 {
		t.Errorf("%d entries failed, want %d: %.300q", len(r), len(pairs)/2, r)
	}
}

func TestEveryNameThatADiskHoldsSurvives(t *testing.T) {
	from, to := t.TempDir()+"/from", t.TempDir()
	names := []string{
		strings.Repeat("x", 255),
		"\xff\xfe not UTF-8",
		"new\nline", "\x1b[31mred\x1b[0m", "tab\there", "quote\"back\\slash", "\u2028", "ünï", "-rf", " ", "a%b", "*", "...",
	}
	for i, name := range names {
		putFile(t, from+"/"+name, []byte(name), 0o644)
		putFile(t, fmt.Sprintf("%s/dir%d%s/%s", from, i, name[:min(len(name), 200)], name), []byte(name), 0o644)
		if err := os.Symlink("to \xff "+name, fmt.Sprintf("%s/l%d", from, i)); err != nil {
			t.Fatal(err)
		}
	}
	copies(t, &source{paths: []string{from}}, &sink{dest: to})
	wantSame(t, to+"/from", from)
}

// deepTree makes directories in each other until the name below dir has the given
// length, with a file at the end, and returns that name.
func deepTree(t *testing.T, dir string, length int) string {
	t.Helper()
	at, err := openPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	name := "deep"
	for leaf := name; ; leaf = strings.Repeat("d", min(200, length-len(name)-4)) {
		if leaf != "deep" {
			name += "/" + leaf
		}
		if err := at.mkdir(leaf, 0o755); err != nil {
			t.Fatal(err)
		}
		next, err := at.open(leaf)
		at.close()
		if err != nil {
			t.Fatal(err)
		}
		at = next
		if len(name)+3 >= length {
			break
		}
	}
	leaf := strings.Repeat("f", length-len(name)-1)
	f, err := at.create(leaf, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.writeAt([]byte("found"), 0); err != nil {
		t.Fatal(err)
	}
	_ = f.close()
	at.close()
	return name + "/" + leaf
}

func TestNamesOf4096BytesAreCopied(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	name := deepTree(t, from, maxEntryName)
	o := copies(t, &source{paths: []string{from + "/deep"}}, &sink{dest: to})
	if o.sink.Failed != 0 {
		t.Fatalf("%d failed", o.sink.Failed)
	}
	top, err := openPath(to)
	if err != nil {
		t.Fatal(err)
	}
	defer top.close()
	i := strings.LastIndexByte(name, '/')
	dir, err := descend(top, name[:i])
	if err != nil {
		t.Fatal(err)
	}
	defer dir.close()
	if info, err := dir.lstat(name[i+1:]); err != nil || info.size != 5 {
		t.Errorf("the file at the end: %+v, %v", info, err)
	}
}

func TestALongerNameFailsAndTheRestGoesOn(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	name := deepTree(t, from, maxEntryName+1)
	putFile(t, from+"/deep/other", []byte("other"), 0o644)
	failed := refusals{}
	o := copies(t, &source{paths: []string{from + "/deep"}, onError: failed.note}, &sink{dest: to})
	failed.want(t, name, "longer than 4096 bytes")
	if o.sink.Failed != 1 {
		t.Errorf("%d failed, want 1", o.sink.Failed)
	}
	if b, _ := os.ReadFile(to + "/deep/other"); string(b) != "other" {
		t.Errorf("the other file is %q", b)
	}
}

func TestTreesDeeperThanTheOpenFoldersAreCopied(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	path := from + "/tree"
	for i := range 4 * maxOpenPlaces {
		path += "/d"
		putFile(t, path+"/f", []byte(fmt.Sprint(i)), 0o644)
	}
	copies(t, &source{paths: []string{from + "/tree"}}, &sink{dest: to})
	wantSame(t, to+"/tree", from+"/tree")
}

func TestSpecialFilesAreRefusedByName(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	putFile(t, from+"/tree/file", []byte("file"), 0o644)
	if err := unix.Mkfifo(from+"/tree/pipe", 0o644); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: from + "/tree/sock"}); err != nil {
		t.Fatal(err)
	}
	failed := refusals{}
	s := &source{paths: []string{from + "/tree", "/dev/null", "/nothing/here", "/"}, onError: failed.note}
	o := copies(t, s, &sink{dest: to, onError: func(name string, err error) {
		if want := failed[name]; want != err.Error() {
			t.Errorf("the sink hears %q of %s, the source %q", err, name, want)
		}
	}})
	failed.want(t, "tree/pipe", "a FIFO, which is not copied", "tree/sock", "a socket, which is not copied",
		"/dev/null", "a device, which is not copied", "/nothing/here", "no such file", "/", "no name to be copied under")
	if o.sink.Failed != 5 || o.sink.Files != 1 {
		t.Errorf("the account is %+v", o.sink)
	}
}

func TestOddThingsAtTheTargetFailTheirEntries(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	for _, name := range []string{"dir", "fifo", "dev", "link", "fine"} {
		putFile(t, from+"/tree/"+name, []byte("new"), 0o644)
	}
	putFile(t, from+"/tree/sub/below", []byte("new"), 0o644)
	putFile(t, from+"/tree/sub2/below", []byte("new"), 0o644)
	if err := os.Symlink("anywhere", from+"/tree/zlink"); err != nil {
		t.Fatal(err)
	}
	outside := t.TempDir()
	putFile(t, outside+"/victim", []byte("old"), 0o644)
	putFile(t, to+"/tree/dir/inside", []byte("old"), 0o644)
	putFile(t, to+"/tree/sub2", []byte("old"), 0o644)
	putFile(t, to+"/tree/zlink/inside", []byte("old"), 0o644)
	for name, target := range map[string]string{"link": outside + "/victim", "sub": outside} {
		if err := os.Symlink(target, to+"/tree/"+name); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Mkfifo(to+"/tree/fifo", 0o644); err != nil {
		t.Fatal(err)
	}
	failed := refusals{}
	want := []string{
		"tree/dir", "a directory is in the way", "tree/fifo", "a FIFO is in the way",
		"tree/sub", "a symbolic link is in the way", "tree/sub2", "a file is in the way",
		"tree/zlink", "a directory is in the way",
	}
	if err := unix.Mknod(to+"/tree/dev", unix.S_IFCHR|0o600, int(unix.Mkdev(1, 3))); err == nil {
		want = append(want, "tree/dev", "a device is in the way")
	}
	copies(t, &source{paths: []string{from + "/tree"}, onError: func(name string, err error) {
		if err.Error() != errLost.Error() {
			failed.note(name, err)
		}
	}}, &sink{dest: to})
	failed.want(t, want...)
	if b, _ := os.ReadFile(outside + "/victim"); string(b) != "old" {
		t.Error("a link at the target was followed")
	}
	if d, _ := os.ReadDir(outside); len(d) != 1 {
		t.Errorf("something was written through a link: %v", d)
	}
	if info, err := os.Lstat(to + "/tree/link"); err != nil || !info.Mode().IsRegular() {
		t.Errorf("a link where a file belongs was not replaced: %v, %v", info, err)
	}
	if b, _ := os.ReadFile(to + "/tree/fine"); string(b) != "new" {
		t.Errorf("what could be copied was not: %q", b)
	}
	wantNoLitter(t, to)
}

func TestAnExistingLinkIsReplacedOrKept(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	for _, name := range []string{"same", "other", "file"} {
		if err := os.MkdirAll(from+"/tree", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("target", from+"/tree/"+name); err != nil {
			t.Fatal(err)
		}
	}
	putFile(t, to+"/tree/file", []byte("old"), 0o644)
	_ = os.Symlink("target", to+"/tree/same")
	_ = os.Symlink("elsewhere", to+"/tree/other")
	copies(t, &source{paths: []string{from + "/tree"}}, &sink{dest: to})
	wantSame(t, to+"/tree", from+"/tree")
}

func TestANamedLinkIsFollowed(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	putFile(t, from+"/real", []byte("real"), 0o644)
	if err := os.Symlink("real", from+"/named"); err != nil {
		t.Fatal(err)
	}
	copies(t, &source{paths: []string{from + "/named"}}, &sink{dest: to})
	if info, err := os.Lstat(to + "/named"); err != nil || info.Mode()&fs.ModeType != 0 {
		t.Errorf("the copy is %v, %v; want a file", info, err)
	}
}

func TestTwoPathsOfOneNameAreNotMixed(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	putFile(t, from+"/a/same", []byte("first"), 0o644)
	putFile(t, from+"/b/same", []byte("second"), 0o644)
	failed := refusals{}
	copies(t, &source{paths: []string{from + "/a/same", from + "/b/same"}, onError: failed.note}, &sink{dest: to})
	failed.want(t, from+"/b/same", "same last component")
	if b, _ := os.ReadFile(to + "/same"); string(b) != "first" {
		t.Errorf("the file is %q", b)
	}
}

func TestASecondThingNeedsATargetThatIsADirectory(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	putFile(t, from+"/a", []byte("a"), 0o644)
	putFile(t, from+"/b/c", []byte("b"), 0o644)
	failed := refusals{}
	copies(t, &source{paths: []string{from + "/a", from + "/b"}}, &sink{dest: to + "/new", onError: failed.note})
	if len(failed) != 2 || failed["new"] == "" {
		t.Errorf("failed: %v", failed)
	}
	if b, _ := os.ReadFile(to + "/new"); string(b) != "a" {
		t.Errorf("the first is %q", b)
	}
}

func TestExcludedNamesAreLeftOut(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	for _, name := range []string{"keep", "skip.o", "sub/skip.o", "sub/keep", "build/x", "sub/build/x", "docs/a/x"} {
		putFile(t, from+"/tree/"+name, nil, 0o644)
	}
	s := &source{paths: []string{from + "/tree"}, exclude: []string{"*.o", "build", "tree/docs/?"}}
	copies(t, s, &sink{dest: to})
	got := snapshot(t, to+"/tree")
	if len(got) != 4 || got["keep"] == "" || got["sub/keep"] == "" || got["docs"] == "" {
		t.Errorf("copied: %v", got)
	}
	_, err := (&source{exclude: []string{"[a"}}).run(t.Context(), nil, nil)
	if err == nil || !strings.Contains(err.Error(), `"[a" is not a pattern`) {
		t.Errorf("a malformed pattern gives %v", err)
	}
}

func TestADryRunChangesNothing(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	sampleTree(t, from+"/tree")
	putFile(t, to+"/tree/small/in the way", nil, 0o644)
	before := snapshot(t, to)
	failed := refusals{}
	o := copies(t, &source{paths: []string{from + "/tree"}}, &sink{dest: to, dryRun: true, onError: failed.note})
	failed.want(t, "tree/small", "a directory is in the way")
	if want := (CopyResult{Files: 7, Dirs: 5, Links: 3, Failed: 1}); o.sink != want {
		t.Errorf("the account is %+v, want %+v", o.sink, want)
	}
	after := snapshot(t, to)
	if fmt.Sprint(before) != fmt.Sprint(after) {
		t.Errorf("before %v, after %v", before, after)
	}
	copies(t, &source{paths: []string{from + "/tree"}}, &sink{dest: to + "/new/", dryRun: true})
	if _, err := os.Lstat(to + "/new"); err == nil {
		t.Error("a dry run made the target")
	}
}

func TestModesAreExactWhateverTheMask(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	for mode := range fs.FileMode(0o1000) {
		putFile(t, fmt.Sprintf("%s/tree/%03o", from, mode), nil, mode)
	}
	if err := os.Chmod(from+"/tree/755", 0o755|fs.ModeSetuid|fs.ModeSetgid); err != nil {
		t.Fatal(err)
	}
	mask := unix.Umask(0o137)
	defer unix.Umask(mask)
	copies(t, &source{paths: []string{from + "/tree"}}, &sink{dest: to})
	for mode := range fs.FileMode(0o1000) {
		info, err := os.Lstat(fmt.Sprintf("%s/tree/%03o", to, mode))
		if err != nil || info.Mode() != mode {
			t.Errorf("mode %03o became %v (%v)", mode, info.Mode(), err)
		}
	}
}

func TestFilesWithoutALengthAreReadToTheirEnd(t *testing.T) {
	want, err := os.ReadFile("/proc/self/limits")
	if err != nil {
		t.Skipf("the system makes up no files: %v", err)
	}
	to := t.TempDir()
	copies(t, &source{paths: []string{"/proc/self/limits"}}, &sink{dest: to})
	if got, _ := os.ReadFile(to + "/limits"); string(got) != string(want) {
		t.Errorf("the copy is %q, want %q", got, want)
	}
}

type unixStat = syscall.Stat_t
