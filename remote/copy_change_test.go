//go:build unix

package remote

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A file is changed at one of three steps: before it is opened, before it is read
// (a big one: before its second piece), and before it is looked at again.
var stepsOfReading = []string{"open", "read", "check"}

// changing copies one file, over an old one, and acts at a step; it returns what is
// at the target afterwards and why the entry failed, if it did.
func changing(t *testing.T, content []byte, step string, act func(path string)) (got []byte, failure string) {
	t.Helper()
	from, to := t.TempDir(), t.TempDir()
	path := from + "/file"
	putFile(t, path, content, 0o644)
	putFile(t, to+"/file", []byte("old"), 0o644)
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, old, old); err != nil {
		t.Fatal(err)
	}
	failed := refusals{}
	s := &source{paths: []string{path}, onError: failed.note}
	passes := 0
	s.hook = func(op, _ string) {
		if op == step {
			if passes++; passes == 1 && (op != "read" || len(content) <= maxWholeFile) || passes == 2 {
				act(path)
			}
		}
	}
	o := copies(t, s, &sink{dest: to})
	if int(o.sink.Failed) != len(failed) {
		t.Errorf("%d failed, %d were told", o.sink.Failed, len(failed))
	}
	wantNoLitter(t, to)
	got, err := os.ReadFile(to + "/file")
	if err != nil {
		t.Fatal(err)
	}
	return got, failed["file"]
}

func eachChange(t *testing.T, check func(t *testing.T, step string, content []byte)) {
	for _, step := range stepsOfReading {
		for _, size := range []int{1, 4096, maxWholeFile, 3 * readSize} {
			t.Run(step, func(t *testing.T) { check(t, step, noise(7, size)) })
		}
	}
}

func TestAFileThatGrowsIsATruePrefix(t *testing.T) {
	eachChange(t, func(t *testing.T, step string, content []byte) {
		more := bytes.Repeat([]byte("more"), 100_000)
		got, failure := changing(t, content, step, func(path string) {
			f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if _, err := f.Write(more); err != nil {
				t.Fatal(err)
			}
		})
		whole := append(append([]byte{}, content...), more...)
		if failure != "" || !bytes.HasPrefix(whole, got) || len(got) < len(content) {
			t.Errorf("%d bytes came of %d that grew to %d; failure %q", len(got), len(content), len(whole), failure)
		}
	})
}

func TestAFileThatShrinksIsNotMixed(t *testing.T) {
	eachChange(t, func(t *testing.T, step string, content []byte) {
		got, failure := changing(t, content, step, func(path string) {
			if err := os.Truncate(path, int64(len(content)/2)); err != nil {
				t.Fatal(err)
			}
		})
		wantOldOr(t, got, failure, step, content[:len(content)/2])
	})
}

// wantOldOr checks that the target has its old content if the entry failed, and
// exactly what the file became if that was before it was opened.
func wantOldOr(t *testing.T, got []byte, failure, step string, became []byte) {
	t.Helper()
	switch {
	case step == "open" && failure == "":
		if !bytes.Equal(got, became) {
			t.Errorf("%d bytes came, want the %d that the file became", len(got), len(became))
		}
	case !strings.Contains(failure, "changed while it was read"):
		t.Errorf("the failure is %q", failure)
	case string(got) != "old":
		t.Errorf("the entry failed, and yet the target became %d bytes", len(got))
	}
}

func TestAFileThatIsRewrittenIsNotMixed(t *testing.T) {
	eachChange(t, func(t *testing.T, step string, content []byte) {
		fresh := noise(8, len(content))
		got, failure := changing(t, content, step, func(path string) {
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if _, err := f.Write(fresh); err != nil {
				t.Fatal(err)
			}
		})
		wantOldOr(t, got, failure, step, fresh)
	})
}

func TestAFileRewrittenUnderItsOldTimeIsNotMixed(t *testing.T) {
	eachChange(t, func(t *testing.T, step string, content []byte) {
		fresh := noise(8, len(content))
		got, failure := changing(t, content, step, func(path string) {
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			f, err := os.OpenFile(path, os.O_WRONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			_, err = f.Write(fresh)
			if f.Close() != nil || err != nil || os.Chtimes(path, info.ModTime(), info.ModTime()) != nil {
				t.Fatal(err)
			}
		})
		wantOldOr(t, got, failure, step, fresh)
	})
}

func TestAFileThatIsReplacedIsOneOrTheOther(t *testing.T) {
	eachChange(t, func(t *testing.T, step string, content []byte) {
		fresh := noise(8, len(content)/2)
		got, failure := changing(t, content, step, func(path string) {
			putFile(t, path+".new", fresh, 0o644)
			if err := os.Rename(path+".new", path); err != nil {
				t.Fatal(err)
			}
		})
		if want := map[bool][]byte{true: fresh, false: content}[step == "open"]; failure != "" || !bytes.Equal(got, want) {
			t.Errorf("%d bytes came, want %d; failure %q", len(got), len(want), failure)
		}
	})
}

func TestAFileThatVanishesIsWholeOrFails(t *testing.T) {
	eachChange(t, func(t *testing.T, step string, content []byte) {
		got, failure := changing(t, content, step, func(path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		})
		switch {
		case step == "open" && (string(got) != "old" || !strings.Contains(failure, "no such file")):
			t.Errorf("gone before it was opened: %d bytes, %q", len(got), failure)
		case step != "open" && (failure != "" || !bytes.Equal(got, content)):
			t.Errorf("gone while it was read: %d bytes, %q", len(got), failure)
		}
	})
}

func TestSomethingElsePutInAFilesPlaceFails(t *testing.T) {
	for what, put := range map[string]func(path string) error{
		"a FIFO has taken its place":    func(path string) error { return unix.Mkfifo(path, 0o644) },
		"too many levels":               func(path string) error { return os.Symlink("/etc/passwd", path) },
		"a directory has taken its":     func(path string) error { return os.Mkdir(path, 0o755) },
		"a device has taken its place":  func(path string) error { return unix.Mknod(path, unix.S_IFCHR|0o600, int(unix.Mkdev(1, 5))) },
		"no such device or address|soc": mksock,
	} {
		got, failure := changing(t, []byte("content"), "open", func(path string) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
			if err := put(path); err != nil && os.Geteuid() == 0 {
				t.Fatal(err)
			}
		})
		if strings.Contains(failure, "no such file") && os.Geteuid() != 0 {
			continue // only root can make a device
		}
		first, second, _ := strings.Cut(what, "|")
		if string(got) != "old" || !strings.Contains(failure, first) && (second == "" || !strings.Contains(failure, second)) {
			t.Errorf("%d bytes, %q; want %q", len(got), failure, what)
		}
	}
}

func mksock(path string) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return unix.Bind(fd, &unix.SockaddrUnix{Name: path})
}

func TestDirectoriesThatVanishDoNotEndTheCopy(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	for _, name := range []string{"a/x", "b/x", "c/x"} {
		putFile(t, from+"/tree/"+name, []byte(name), 0o644)
	}
	failed := refusals{}
	s := &source{paths: []string{from + "/tree"}, onError: failed.note}
	s.hook = func(op, name string) {
		if op == "open" && name == "tree/b/x" {
			if err := os.RemoveAll(from + "/tree/b"); err != nil {
				t.Fatal(err)
			}
		}
	}
	o := copies(t, s, &sink{dest: to})
	failed.want(t, "tree/b/x", "no such file")
	if o.sink.Files != 2 {
		t.Errorf("the account is %+v", o.sink)
	}
}

func TestHolesStayHoles(t *testing.T) {
	from, to := t.TempDir(), t.TempDir()
	const size = 24 << 20
	for name, pieces := range map[string][]int64{
		"all":    {},
		"start":  {0},
		"end":    {size - 5},
		"middle": {1 << 20, 1<<20 + 5000, 12 << 20, 13<<20 + 77},
		"big":    {3 << 20, 20 << 20},
	} {
		f, err := os.Create(from + "/" + name)
		if err != nil {
			t.Fatal(err)
		}
		for i, at := range pieces {
			if _, err := f.WriteAt(noise(uint64(i), 5), at); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.Truncate(size); err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
	}
	if fi, err := os.Stat(from + "/all"); err != nil || fi.Sys().(*unixStat).Blocks > 1000 {
		t.Skip("the file system here stores zeros")
	}
	o := copies(t, &source{paths: []string{from}}, &sink{dest: to + "/to"})
	wantSame(t, to+"/to", from)
	if o.sink.Bytes > 5<<20 {
		t.Errorf("%d bytes were sent", o.sink.Bytes)
	}
	for name := range snapshot(t, from) {
		fi, err := os.Stat(to + "/to/" + name)
		if err != nil {
			t.Fatal(err)
		}
		if stored := fi.Sys().(*unixStat).Blocks * 512; stored > 5<<20 {
			t.Errorf("%s takes %d bytes", name, stored)
		}
	}
}
