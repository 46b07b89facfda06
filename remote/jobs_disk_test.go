//go:build linux

package remote

import (
	"bytes"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// newTinyLine is a line whose server has 2 MiB for its jobs.
func newTinyLine(t *testing.T) *line {
	home := t.TempDir()
	s := &Server{Home: home, State: filepath.Join(mounted(t, "size=2m"), "state")}
	t.Cleanup(func() { endJobs(t, s) })
	return newLineTo(t, s)
}

func TestForsakenJobOnAFullDiskDropsItsOldestOutput(t *testing.T) {
	l := newTinyLine(t)
	l.server.Spool = 8 << 20
	text := lines(6_000_000)
	l.file(t, "text", string(text), 0o600)
	id := start(t, l, sh("cat text; exit 2"))
	waitFor(t, "the end", func() bool { return state(t, l, id) == Exited })
	r, out, _ := attach(t, l.Client, Attachment{Job: id})
	if r.Code != 2 || len(out) < 500_000 || !bytes.HasSuffix(text, []byte(out)) {
		t.Errorf("%+v, %d bytes", r, len(out))
	}
}

func TestJobOnAFullDiskWaitsForItsClient(t *testing.T) {
	l := newTinyLine(t)
	l.server.Spool = 8 << 20
	text := lines(6_000_000)
	l.file(t, "text", string(text), 0o600)
	cmd := sh("cat text; exit 2")
	cmd.Linger = time.Minute
	if r, out, _ := l.run(t, cmd); r.Code != 2 || out != string(text) {
		t.Errorf("%+v, %d bytes of %d", r, len(out), len(text))
	}
}

func TestJobOnAFullDiskCanBeCancelled(t *testing.T) {
	l := newTinyLine(t)
	l.server.Spool = 8 << 20
	// Two jobs: what the one has filled, the other cannot drop.
	full := start(t, l, sh("head -c 1900000 /dev/zero; exec sleep 600"))
	waitFor(t, "its output", func() bool { return list(t, l)[0].StdoutBytes == 1_900_000 })
	stuck := start(t, l, sh("head -c 1000000 /dev/zero; head -c 1000000 /dev/zero >&2"))
	waitFor(t, "the disk to be full", func() bool {
		var st unix.Statfs_t
		return unix.Statfs(l.server.State, &st) == nil && st.Bavail == 0
	})
	for _, id := range []string{stuck, full} {
		if r, _, _ := attach(t, l.Client, Attachment{Job: id, Cancel: true, StdoutOffset: maxInt}); r.Reason != Cancelled {
			t.Errorf("%+v", r)
		}
	}
}

func TestSpoolSaysWhatItCouldNotStore(t *testing.T) {
	s := newSpool(mounted(t, "size=1m"), 1, 8<<20)
	defer func() { s.last.Close() }()
	s.hurry()
	n, err := s.Write(make([]byte, 2<<20))
	if n == 0 || n > 1<<20 || !errors.Is(err, unix.ENOSPC) {
		t.Errorf("%d bytes, %v", n, err)
	}
	if start, end := s.length(); start != 0 || end != int64(n) || !errors.Is(s.finish(), unix.ENOSPC) {
		t.Errorf("from %d to %d of %d", start, end, n)
	}
	e := ending{reason: Exited}
	if e.unstored(err); e.reason != Lost || e.err == "" {
		t.Errorf("%+v", e)
	}
}
