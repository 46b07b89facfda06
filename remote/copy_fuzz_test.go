package remote

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
)

// FuzzRecords lets a sink take any bytes: it neither panics nor leaves its target,
// and what it says it has made is there.
func FuzzRecords(f *testing.F) {
	f.Add(newScript().dir(1, "d").file(2, "d/a", 1).link(3, "d/l", "..").content(2, "x").leave(1).done().box.buf)
	f.Add(newScript().file(1, "a", 3).chunk(1, 0, "abc").seal(1, 3, "abc").add("hole", nil, "n", 1, "offset", 3, "length", 70000).
		add("close", nil, "n", 1, "length", 70003).done().box.buf)
	f.Add(newScript().file(1, "a", 3).add("error", nil, "n", 1, "name", "a", "error", "gone").done().box.buf)
	f.Add(newScript().link(1, "d", "/").dir(2, "d").file(3, "d/evil", 1).content(3, "x").leave(2).done().box.buf)
	f.Fuzz(func(t *testing.T, records []byte) {
		base := t.TempDir()
		if err := os.Mkdir(base+"/to", 0o755); err != nil {
			t.Fatal(err)
		}
		var replies bytes.Buffer
		k := &sink{dest: base + "/to"}
		r, err := k.run(t.Context(), bytes.NewReader(records), &replies)
		headers(t, replies.Bytes())
		if d, _ := os.ReadDir(base); len(d) != 1 {
			t.Errorf("beside the target there is %v", d)
		}
		if d, _ := os.ReadDir(base + "/to"); err == nil && len(d) == 0 && r.Files+r.Dirs+r.Links > 0 {
			t.Errorf("the account is %+v, and there is nothing", r)
		}
		wantNoTempsUnder(t, base+"/to")
	})
}

// wantNoTempsUnder is wantNoTemps for trees that may not be readable.
func wantNoTempsUnder(t *testing.T, dir string) {
	t.Helper()
	d, _ := os.ReadDir(dir)
	for _, e := range d {
		if strings.HasPrefix(e.Name(), reservedPrefix) && !strings.HasSuffix(e.Name(), ".journal") {
			t.Errorf("%s is left behind", e.Name())
		}
	}
}

// FuzzReplies lets a source hear any bytes.
func FuzzReplies(f *testing.F) {
	f.Add(newScript().add("want", nil, "n", 1, "count", 2).add("done", nil).box.buf)
	f.Add(newScript().add("want", nil, "n", 1, "offset", 1).add("failed", nil, "n", 2, "name", "b", "error", "x").add("done", nil).box.buf)
	f.Add(newScript().add("have", nil, "n", 1).add("want", nil, "n", 2).add("failed", nil, "n", 2, "error", "x").add("done", nil, "files", 1).box.buf)
	dir := f.TempDir()
	for _, name := range []string{"a", "b"} {
		if err := os.WriteFile(dir+"/"+name, []byte(name), 0o644); err != nil {
			f.Fatal(err)
		}
	}
	f.Fuzz(func(t *testing.T, replies []byte) {
		records := &announced{want: 2, seen: make(chan struct{})}
		s := &source{paths: []string{dir + "/a", dir + "/b"}}
		_, err := s.run(t.Context(), &lateReader{records.seen, bytes.NewReader(replies)}, records)
		var bad *Breach
		if err != nil && !errors.As(err, &bad) && !errors.Is(err, errCutOff) && !errors.Is(err, context.Canceled) {
			t.Errorf("the source says %v", err)
		}
		headers(t, records.buf.Bytes())
	})
}

// announced tells when so many entries were written.
type announced struct {
	buf  bytes.Buffer
	want int
	seen chan struct{}
}

func (a *announced) Write(p []byte) (int, error) {
	_, _ = a.buf.Write(p)
	if a.want > 0 && bytes.Count(a.buf.Bytes(), []byte(`"entry"`)) >= a.want {
		a.want = 0
		close(a.seen)
	}
	return len(p), nil
}

// A lateReader has nothing to read before something happened.
type lateReader struct {
	after <-chan struct{}
	r     io.Reader
}

func (l *lateReader) Read(p []byte) (int, error) {
	<-l.after
	return l.r.Read(p)
}

// FuzzJournal reads any bytes as a journal: whatever they are, names lead down,
// and a line that is not as it was written says nothing.
func FuzzJournal(f *testing.F) {
	var j journal
	j.line("run", "0123456789abcdef", "boot")
	j.line("dir", `"a/b"`)
	j.line("part", "1", hexKey(5), `""`)
	j.line("seal", "1", "8388608")
	j.line("done", hexKey(6))
	j.line("drop", "1")
	f.Add(j.buf)
	f.Add([]byte("00000000 \n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		got := readJournal(b)
		if got.at != "" && checkName([]byte(got.at)) != nil {
			t.Errorf("the directory %q", got.at)
		}
		for seq, p := range got.parts {
			if p.dir != "" && checkName([]byte(p.dir)) != nil || p.offset < 0 || seq < 1 || p.seq != seq || got.seq < seq {
				t.Errorf("part %d: %+v", seq, p)
			}
		}
		if got.id != "" && len(got.id) != 16 {
			t.Errorf("the id %q", got.id)
		}
	})
}
