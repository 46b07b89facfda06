package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"
	"testing"

	"landline/frame"
)

// A script is a row of records or replies made by hand.
type script struct {
	box  outbox
	last *script // what comes when the other side is done
}

func newScript() *script { return &script{} }

// add adds a frame; a member is a name and an int, a string or a hash256.
func (s *script) add(kind string, body []byte, members ...any) *script {
	h := s.box.start(kind)
	for i := 0; i < len(members); i += 2 {
		name := members[i].(string)
		switch v := members[i+1].(type) {
		case int:
			h.Int(name, int64(v))
		case string:
			putText(h, name, v)
		case hash256:
			h.Str(name, v.hex())
		}
	}
	s.box.buf, _ = frame.Append(s.box.buf, h, body)
	return s
}

func (s *script) dir(n int, name string) *script {
	return s.add("entry", nil, "n", n, "type", "dir", "name", name, "mode", 0o755, "mtime", 1)
}

func (s *script) file(n int, name string, length int) *script {
	return s.add("entry", nil, "n", n, "type", "file", "name", name, "mode", 0o644, "mtime", 1, "length", length, "ident", "i"+name[:min(len(name), 50)])
}

func (s *script) link(n int, name, target string) *script {
	return s.add("entry", nil, "n", n, "type", "link", "name", name, "mode", 0o777, "mtime", 1, "target", target)
}

func (s *script) content(n int, body string) *script {
	return s.add("file", []byte(body), "n", n, "hash", hashOf(body))
}

func (s *script) chunk(n, offset int, body string) *script {
	return s.add("chunk", []byte(body), "n", n, "offset", offset)
}

func (s *script) seal(n, offset int, sealed string) *script {
	return s.add("seal", nil, "n", n, "offset", offset, "hash", hashOf(sealed))
}

func (s *script) leave(n int) *script { return s.add("leave", nil, "n", n) }

func (s *script) done() *script { return s.add("done", nil) }

func hashOf(body string) hash256 {
	h := newHasher()
	h.add([]byte(body))
	return h.take()
}

// play lets a sink take the script, and returns its replies.
func (s *script) play(t *testing.T, k *sink) (string, CopyResult, error) {
	t.Helper()
	var replies bytes.Buffer
	r, err := k.run(t.Context(), bytes.NewReader(s.box.buf), &replies)
	return headers(t, replies.Bytes()), r, err
}

// headers lists the headers of a row of frames.
func headers(t *testing.T, b []byte) string {
	t.Helper()
	var list strings.Builder
	r := frame.NewReader(bytes.NewReader(b))
	for {
		h, err := r.Next()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				t.Errorf("a sink's own replies: %v", err)
			}
			return list.String()
		}
		list.Write(h)
		list.WriteByte('\n')
	}
}

func TestASinkRefusesWhatBreaksTheRules(t *testing.T) {
	long := strings.Repeat("x", 256)
	for what, s := range map[string]*script{
		"a name that climbs":             newScript().file(1, "../x", 1),
		"a name that climbs later":       newScript().dir(1, "a").file(2, "a/../x", 1),
		"an absolute name":               newScript().file(1, "/etc/passwd", 1),
		"a dot":                          newScript().dir(1, "."),
		"an empty component":             newScript().dir(1, "a").file(2, "a//x", 1),
		"a slash at the end":             newScript().dir(1, "a/"),
		"an empty name":                  newScript().dir(1, ""),
		"a NUL":                          newScript().add("entry", nil, "n", 1, "type", "dir", "name_b64", "YQBi", "mode", 0, "mtime", 0),
		"a component of 256 bytes":       newScript().dir(1, long),
		"a parent that is no entry":      newScript().file(1, "a/x", 1),
		"a parent that was left":         newScript().dir(1, "a").leave(1).file(2, "a/x", 1),
		"a parent that is a link":        newScript().link(1, "a", "/tmp").file(2, "a/x", 1),
		"a parent that is a file":        newScript().file(1, "a", 1).file(2, "a/x", 1),
		"a number left out":              newScript().dir(2, "a"),
		"a number twice":                 newScript().dir(1, "a").dir(1, "b"),
		"a number of 0":                  newScript().dir(0, "a"),
		"both forms of a name":           newScript().add("entry", nil, "n", 1, "type", "dir", "name", "a", "name_b64", "YQ==", "mode", 0, "mtime", 0),
		"a name in broken base64":        newScript().add("entry", nil, "n", 1, "type", "dir", "name_b64", "YQ=", "mode", 0, "mtime", 0),
		"a mode above 0777":              newScript().add("entry", nil, "n", 1, "type", "file", "name", "a", "mode", 0o4755, "mtime", 0, "length", 1),
		"no mode":                        newScript().add("entry", nil, "n", 1, "type", "dir", "name", "a", "mtime", 0),
		"a file without length":          newScript().add("entry", nil, "n", 1, "type", "file", "name", "a", "mode", 0, "mtime", 0),
		"a negative length":              newScript().file(1, "a", -1),
		"nanoseconds above a second":     newScript().add("entry", nil, "n", 1, "type", "dir", "name", "a", "mode", 0, "mtime", 0, "mtime_ns", 1_000_000_000),
		"a link without target":          newScript().add("entry", nil, "n", 1, "type", "link", "name", "a", "mode", 0, "mtime", 0),
		"a link to nothing":              newScript().link(1, "a", ""),
		"a device":                       newScript().add("entry", nil, "n", 1, "type", "device", "name", "a", "mode", 0, "mtime", 0),
		"an unknown kind":                newScript().add("chmod", nil, "n", 1),
		"a reply":                        newScript().add("want", nil, "n", 1),
		"no kind":                        newScript().add("", nil, "n", 1),
		"a body where none belongs":      newScript().add("done", []byte("x")),
		"content of nothing":             newScript().content(1, "x"),
		"content of a directory":         newScript().dir(1, "a").content(1, "x"),
		"content out of order":           newScript().file(1, "a", 1).file(2, "b", 1).content(2, "x"),
		"content twice":                  newScript().file(1, "a", 1).content(1, "x").content(1, "x"),
		"content amid another's":         newScript().file(1, "a", 1).file(2, "b", 1).chunk(1, 0, "x").content(2, "x"),
		"a whole file after a piece":     newScript().file(1, "a", 1).chunk(1, 0, "x").content(1, "x"),
		"a whole file above its bound":   newScript().file(1, "a", 1).content(1, strings.Repeat("x", maxWholeFile+1)),
		"a chunk further on":             newScript().file(1, "a", 9).chunk(1, 1, "x"),
		"a chunk twice":                  newScript().file(1, "a", 9).chunk(1, 0, "x").chunk(1, 0, "x"),
		"a seal further on":              newScript().file(1, "a", 9).chunk(1, 0, "x").seal(1, 2, "x"),
		"a seal of nothing":              newScript().file(1, "a", 9).seal(1, 0, ""),
		"a hash of another length":       newScript().file(1, "a", 9).add("file", nil, "n", 1, "hash", "00"),
		"a hash that is not hexadecimal": newScript().file(1, "a", 9).add("file", nil, "n", 1, "hash", strings.Repeat("zz", 32)),
		"a hole over unsealed bytes":     newScript().file(1, "a", 9).chunk(1, 0, "x").add("hole", nil, "n", 1, "offset", 1, "length", 1),
		"a hole of nothing":              newScript().file(1, "a", 9).add("hole", nil, "n", 1, "offset", 0, "length", 0),
		"a hole beyond all numbers":      newScript().file(1, "a", 9).add("hole", nil, "n", 1, "offset", 0, "length", 5).add("hole", nil, "n", 1, "offset", 5, "length", 1<<53-1),
		"a close elsewhere":              newScript().file(1, "a", 9).chunk(1, 0, "x").seal(1, 1, "x").add("close", nil, "n", 1, "length", 2),
		"a close over unsealed bytes":    newScript().file(1, "a", 9).chunk(1, 0, "x").add("close", nil, "n", 1, "length", 1),
		"an error of nothing":            newScript().add("error", nil, "error", "x"),
		"an error of what is not owed":   newScript().dir(1, "a").add("error", nil, "n", 1, "error", "x"),
		"a leave of nothing":             newScript().leave(1),
		"a leave twice":                  newScript().dir(1, "a").leave(1).leave(1),
		"done with content owed":         newScript().file(1, "a", 1).done(),
		"done amid content":              newScript().file(1, "a", 1).chunk(1, 0, "x").done(),
		"done with a directory entered":  newScript().dir(1, "a").done(),
		"something that is no frame":     {box: outbox{buf: []byte("GET / HTTP/1.1\r\n\r\n")}},
	} {
		t.Run(what, func(t *testing.T) {
			to := t.TempDir()
			_, _, err := s.play(t, &sink{dest: to})
			var bad *Breach
			if !errors.As(err, &bad) {
				t.Errorf("the sink says %v, want a breach", err)
			}
			wantNoTemps(t, to)
		})
	}
}

func TestAGetTakesOnlyWhatWasAskedFor(t *testing.T) {
	for _, c := range []struct {
		paths  string // between blanks
		script *script
		breach bool
	}{
		{"a", newScript().dir(1, "a").file(2, "a/x", 1).content(2, "x").leave(1).done(), false},
		{"a", newScript().file(1, ".bashrc", 1), true},
		{"a", newScript().dir(1, "a").leave(1).link(2, "b", "/etc"), true},
		{"a b/c", newScript().dir(1, "c").leave(1).dir(2, "a").leave(2).done(), false},
		{"a b/c", newScript().dir(1, "b"), true},
		{"~/x/./c//", newScript().dir(1, "c").leave(1).done(), false},
		{"/x/../c", newScript().dir(1, "c").leave(1).done(), false},
		{"/x/../c", newScript().dir(1, "x"), true},
		{"/", newScript().dir(1, "x"), true},
		{`C:\x\c`, newScript().dir(1, "c").leave(1).done(), false},
		{`C:\x\c`, newScript().dir(1, "x"), true},
		{"~", newScript().dir(1, "ann").file(2, "ann/x", 1).content(2, "x").leave(1).done(), false},
		{"~", newScript().dir(1, "ann").leave(1).dir(2, "bob"), true},
		{"", newScript().dir(1, "ann").leave(1).dir(2, "bob"), true},
		{"a/..", newScript().dir(1, "ann").leave(1).dir(2, "a"), true},
		{"../..", newScript().dir(1, "ann").leave(1).dir(2, "bob"), true},
		{"~ .. a", newScript().dir(1, "ann").leave(1).dir(2, "a").leave(2).dir(3, "home").leave(3).done(), false},
		{"~ .. a", newScript().dir(1, "ann").leave(1).dir(2, "home").leave(2).dir(3, "c"), true},
	} {
		to := t.TempDir()
		_, _, err := c.script.play(t, &sink{dest: to, asked: newAskedNames(strings.Split(c.paths, " "))})
		if _, got := errors.AsType[*Breach](err); got != c.breach || !c.breach && err != nil {
			t.Errorf("asked for %q, got %q: the sink says %v", c.paths, c.script.box.buf, err)
		}
		wantNoTemps(t, to)
	}
}

func TestAFileThatFailsOnBothSidesCountsOnce(t *testing.T) {
	s := newScript().file(1, "a", 9).chunk(1, 0, "x").add("error", nil, "n", 1, "error", "unreadable").add("error", nil, "name", "b", "error", "odd").done()
	told := 0
	k := &sink{dest: t.TempDir(), onError: func(string, error) { told++ }}
	k.fault = func(op string) error {
		if op == "write" {
			return errors.New("no room")
		}
		return nil
	}
	if _, r, err := s.play(t, k); err != nil || r.Failed != 2 || told != 2 {
		t.Errorf("%d entries failed, the user was told of %d, %v; want 2 and 2", r.Failed, told, err)
	}
}

func TestAClientEndsAGetOfWhatItDidNotAskFor(t *testing.T) {
	p, cl := peerOfClient(t)
	to := t.TempDir()
	got := make(chan error, 1)
	go func() {
		_, err := cl.Get(t.Context(), Copy{Paths: []string{"docs"}, Dest: to})
		got <- err
	}()
	m := p.expect(kindGet)
	p.send(fmt.Sprintf(`{"kind":"data","call":%d,"fd":1,"offset":0}`, m.call), string(newScript().file(1, ".bashrc", 1).box.buf))
	p.expect(kindCancel)
	p.send(fmt.Sprintf(`{"kind":"exit","call":%d,"reason":"cancelled"}`, m.call), "")
	if _, ok := errors.AsType[*Breach](<-got); !ok {
		t.Error("the get did not end with a breach")
	}
	if names, err := os.ReadDir(to); err != nil || len(names) > 0 {
		t.Errorf("in the target: %v, %v", names, err)
	}
}

// In which order two messages leave is a race with the goroutine that writes, which a
// wrong order loses in one of some hundred copies: hence so many.
func TestAClientThatFailsCancelsBeforeItEndsItsStream(t *testing.T) {
	p, cl := peerOfClient(t)
	to := t.TempDir() + "/no/such/"
	for call := 1; call <= 500 && !t.Failed(); call++ {
		ended := make(chan error, 1)
		go func() {
			_, err := cl.Get(t.Context(), Copy{Paths: []string{"f"}, Dest: to})
			ended <- err
		}()
		p.expect(kindGet)
		for m := p.expectAny(); m.kind != kindCancel; m = p.expectAny() {
			if m.kind == kindEnd {
				t.Error("the replies end before the call is cancelled: the server may take it for a cut")
				break
			}
		}
		p.send(fmt.Sprintf(`{"kind":"end","call":%d,"fd":1,"offset":0}`, call), "")
		p.send(fmt.Sprintf(`{"kind":"exit","call":%d,"reason":"cancelled","code":0,"stdout_bytes":0}`, call), "")
		if err := <-ended; !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("got %v, want the reason of this side", err)
		}
	}
}

func TestAMalformedPatternOpensNoCall(t *testing.T) {
	_, cl := peerOfClient(t)
	for _, do := range []func(context.Context, Copy) (CopyResult, error){cl.Get, cl.Put} {
		if _, err := do(t.Context(), Copy{Paths: []string{"f"}, Dest: ".", Exclude: []string{"["}}); !errors.Is(err, path.ErrBadPattern) {
			t.Errorf("got %v", err)
		}
	}
	if cl.last != 0 {
		t.Errorf("%d calls were opened", cl.last)
	}
}

func TestASegmentHasABound(t *testing.T) {
	s := newScript().file(1, "a", 1<<30)
	piece := strings.Repeat("x", maxChunk)
	for i := range segmentSize/maxChunk + 1 {
		s.chunk(1, i*maxChunk, piece)
	}
	_, _, err := s.play(t, &sink{dest: t.TempDir()})
	var bad *Breach
	if !errors.As(err, &bad) {
		t.Errorf("the sink says %v, want a breach", err)
	}
}

func TestWhatIsOwedHasABound(t *testing.T) {
	for what, s := range map[string]*script{
		"files owed":           newScript().file(1, "a", 1).file(2, "b", 1),
		"directories entered":  newScript().dir(1, "a").dir(2, "b"),
		"directories in depth": newScript().dir(1, "a").dir(2, "a/b"),
	} {
		k := &sink{dest: t.TempDir()}
		k.fault = func(op string) error {
			if op == "journal" { // the first entry is being looked at: there is room for one
				k.owed = make([]wanted, maxOwed-1)
				for i := range maxUnleft - 1 {
					k.tree.byN[int64(-i)] = &sinkPlace{}
				}
			}
			return nil
		}
		_, _, err := s.play(t, k)
		var bad *Breach
		if !errors.As(err, &bad) || !strings.Contains(bad.Reason, "65536") || k.last != 2 {
			t.Errorf("%s: at entry %d the sink says %v, want a breach at 2", what, k.last, err)
		}
	}
}

// forget makes the sink forget its open folders, as if there had been too many,
// after something was put in the place of one.
func (k *sink) forgetFolders(t *testing.T, put error) {
	t.Helper()
	if put != nil {
		t.Fatal(put)
	}
	for _, p := range k.tree.places.open {
		p.dir = nil
	}
	k.tree.places.open = nil
}

func TestALinkPutInMidwayIsNotFollowed(t *testing.T) {
	for _, at := range []string{"before it is opened", "after"} {
		to, outside := t.TempDir(), t.TempDir()
		s := newScript().dir(1, "a").file(2, "a/x", 1)
		if at == "after" {
			s.content(2, "x")
		}
		s.dir(3, "a/b").file(4, "a/b/y", 1)
		if at != "after" {
			s.content(2, "x")
		}
		s.leave(3).leave(1).done()
		k := &sink{dest: to}
		swap := func(now bool) {
			if now {
				k.forgetFolders(t, errors.Join(os.Rename(to+"/a", to+"/moved"), os.Symlink(outside, to+"/a")))
			}
		}
		entries, creates := 0, 0
		k.progress = func(CopyProgress) {
			entries++
			swap(at != "after" && entries == 1)
		}
		k.fault = func(op string) error {
			if op == "time" {
				creates++
				swap(at == "after" && creates == 1)
			}
			return nil
		}
		_, r, err := s.play(t, k)
		if err != nil || r.Failed == 0 {
			t.Errorf("%s: the account is %+v, %v", at, r, err)
		}
		if d, _ := os.ReadDir(outside); len(d) != 0 {
			t.Errorf("%s: something was written through the link: %v", at, d)
		}
	}
}

func TestAnotherDirectoryPutInMidwayIsNotTouched(t *testing.T) {
	to := t.TempDir()
	s := newScript().dir(1, "a").file(2, "a/x", 1).content(2, "x").file(3, "a/y", 1).content(3, "y").leave(1).done()
	k := &sink{dest: to}
	creates := 0
	k.fault = func(op string) error {
		if op == "time" {
			if creates++; creates == 1 {
				k.forgetFolders(t, errors.Join(os.Rename(to+"/a", to+"/moved"), os.Mkdir(to+"/a", 0o700)))
			}
		}
		return nil
	}
	_, r, err := s.play(t, k)
	if err != nil || r.Failed != 2 {
		t.Errorf("the account is %+v, %v", r, err)
	}
	if d, _ := os.ReadDir(to + "/a"); len(d) != 0 {
		t.Errorf("the other directory holds %v", d)
	}
	if info, err := os.Stat(to + "/a"); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the other directory became %v, %v", info.Mode(), err)
	}
}

func TestDamagedContentFailsItsEntryAlone(t *testing.T) {
	to := t.TempDir()
	if err := os.WriteFile(to+"/b", []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	s := newScript().file(1, "a", 1).file(2, "b", 1).file(3, "c", 1).
		add("file", []byte("x"), "n", 1, "hash", hashOf("y")).
		chunk(2, 0, "x").seal(2, 1, "y").chunk(2, 1, "more").add("close", nil, "n", 2, "length", 5).
		content(3, "fine").done()
	replies, r, err := s.play(t, &sink{dest: to})
	if err != nil {
		t.Fatal(err)
	}
	if r.Failed != 2 || r.Files != 1 || !strings.Contains(replies, `{"kind":"failed","n":2,"name":"b","error":"the content was damaged on its way"}`) {
		t.Errorf("the account is %+v, the replies\n%s", r, replies)
	}
	if b, _ := os.ReadFile(to + "/b"); string(b) != "old" {
		t.Errorf("what was there became %q", b)
	}
	wantNoLitter(t, to)
}

func TestDuplicateNamesLeaveOneWholeFile(t *testing.T) {
	to := t.TempDir()
	s := newScript().file(1, "a", 1).file(2, "a", 1).content(1, "one").content(2, "two").done()
	if _, r, err := s.play(t, &sink{dest: to}); err != nil || r.Files != 2 {
		t.Errorf("%+v, %v", r, err)
	}
	if b, _ := os.ReadFile(to + "/a"); string(b) != "two" {
		t.Errorf("the file is %q", b)
	}
	s = newScript().dir(1, "d").dir(2, "d").file(3, "d/x", 1).content(3, "x").leave(2).leave(1).done()
	if _, r, err := s.play(t, &sink{dest: to}); err != nil || r.Failed != 1 || r.Dirs != 1 || r.Files != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}

func TestReservedNamesAreNotTaken(t *testing.T) {
	to := t.TempDir()
	s := newScript().file(1, ".landline-x", 1).dir(2, ".landline-d").file(3, ".landline-d/x", 1).leave(2).done()
	_, r, err := s.play(t, &sink{dest: to})
	if err != nil || r.Failed != 3 {
		t.Errorf("%+v, %v", r, err)
	}
	wantNoLitter(t, to)
}

func TestTimesFarFromOursAreKeptOrFail(t *testing.T) {
	to := t.TempDir()
	s := newScript()
	for i, sec := range []int{-1 << 31, -1, 0, 1<<32 + 5, 1<<53 - 1, -(1<<53 - 1)} {
		s.add("entry", nil, "n", i+1, "type", "file", "name", string(rune('a'+i)), "mode", 0o644, "mtime", sec, "length", 0).content(i+1, "")
	}
	_, r, err := s.done().play(t, &sink{dest: to})
	if err != nil || r.Files+r.Failed != 6 || r.Files < 4 {
		t.Errorf("%+v, %v", r, err)
	}
	if info, err := os.Stat(to + "/b"); err != nil || info.ModTime().Unix() != -1 {
		t.Errorf("a second before 1970 became %v, %v", info.ModTime(), err)
	}
}

// then adds a reply to the source's done.
func (s *script) then(members ...any) *script {
	s.last = newScript().add("done", nil, members...)
	return s
}

// hear lets a source of two files hear a script of replies.
func (s *script) hear(t *testing.T) (string, CopyResult, error) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"a", "b"} {
		if err := os.WriteFile(dir+"/"+name, []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	src := &source{paths: []string{dir + "/a", dir + "/b"}}
	replies, records := newCopyPipe(1<<16), newCopyPipe(1<<16)
	await := func(what string, times int) {
		records.mu.Lock()
		defer records.mu.Unlock()
		for strings.Count(string(records.buf[:records.fill]), what) < times {
			records.moved.Wait()
		}
	}
	var teller sync.WaitGroup
	teller.Go(func() {
		await(`"entry"`, 2)
		_, _ = replies.Write(s.box.buf)
		if s.last != nil {
			await(`{"kind":"done"}`, 1)
			_, _ = replies.Write(s.last.box.buf)
		}
		replies.end(io.EOF)
	})
	defer teller.Wait()
	r, err := src.run(t.Context(), replies, records)
	return headers(t, records.buf[:records.fill]), r, err
}

func TestASourceRefusesWhatBreaksTheRules(t *testing.T) {
	for what, s := range map[string]*script{
		"an answer to what was never said": newScript().add("want", nil, "n", 3),
		"an answer with a gap":             newScript().add("want", nil, "n", 2),
		"an answer twice":                  newScript().add("want", nil, "n", 1).add("have", nil, "n", 1),
		"a count beyond the entries":       newScript().add("want", nil, "n", 1, "count", 3),
		"a count beyond all numbers":       newScript().add("want", nil, "n", 1, "count", 1<<53-1),
		"a count of 0":                     newScript().add("want", nil, "n", 1, "count", 0),
		"an offset for two":                newScript().add("want", nil, "n", 1, "count", 2, "offset", 1),
		"an offset of what is there":       newScript().add("have", nil, "n", 1, "offset", 1),
		"a failure to come":                newScript().add("failed", nil, "n", 2, "error", "x"),
		"a failure of nothing":             newScript().add("failed", nil, "n", 3, "error", "x"),
		"more failures than entries":       newScript().add("have", nil, "n", 1, "count", 2).add("failed", nil, "n", 1, "error", "x").add("failed", nil, "n", 1, "error", "x").add("failed", nil, "n", 1, "error", "x"),
		"a failure without reason":         newScript().add("failed", nil, "n", 1),
		"done before the answers":          newScript().add("want", nil, "n", 1).add("done", nil),
		"a record":                         newScript().add("chunk", []byte("x"), "n", 1, "offset", 0),
		"a body":                           newScript().add("want", []byte("x"), "n", 1),
	} {
		t.Run(what, func(t *testing.T) {
			_, _, err := s.hear(t)
			var bad *Breach
			if !errors.As(err, &bad) {
				t.Errorf("the source says %v, want a breach", err)
			}
		})
	}
}

func TestASinkIsNotDoneBeforeTheSource(t *testing.T) {
	b := answerBook{wake: make(chan struct{}, 1)}
	b.announced(2)
	if err := b.enter(&record{kind: repWant, n: 1, count: 2}); err != nil {
		t.Fatal(err)
	}
	if _, ok := errors.AsType[*Breach](b.enter(&record{kind: repDone})); !ok {
		t.Error("no breach")
	}
	b.overNow()
	if err := b.enter(&record{kind: repDone}); err != nil {
		t.Error(err)
	}
}

func TestASourceSendsNothingThatWasNotAskedFor(t *testing.T) {
	records, r, err := newScript().add("have", nil, "n", 1).add("failed", nil, "n", 2, "name", "b", "error", "full").
		then("files", 1, "failed", 1).hear(t)
	if err != nil || r.Failed != 1 || strings.Contains(records, `"file","n"`) {
		t.Errorf("%+v, %v, after\n%s", r, err, records)
	}
}

func TestAnOffsetBeyondTheFileFailsIt(t *testing.T) {
	records, _, err := newScript().add("want", nil, "n", 1, "offset", 1000).add("have", nil, "n", 2).then().hear(t)
	if err != nil || !strings.Contains(records, `{"kind":"error","n":1,"name":"a","error":"it changed since it was listed"}`) {
		t.Errorf("%v, after\n%s", err, records)
	}
}

func TestRepliesThatEndEarlyAreACutOff(t *testing.T) {
	if _, _, err := newScript().add("want", nil, "n", 1, "count", 2).hear(t); !errors.Is(err, errCutOff) {
		t.Errorf("the source says %v", err)
	}
}
