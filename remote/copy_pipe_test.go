package remote

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// A copyPipe is a stream with room for some bytes, as a flow-controlled one is.
type copyPipe struct {
	mu     sync.Mutex
	moved  sync.Cond
	buf    []byte // a ring
	head   int
	fill   int
	chop   *rand.Rand // if not nil, reads are cut at random
	closed error
	passed int64 // bytes that were written
	cut    int64 // if not 0, the stream breaks after so many bytes
}

var errCut = errors.New("the line was cut")

func newCopyPipe(room int) *copyPipe {
	p := &copyPipe{buf: make([]byte, room)}
	p.moved.L = &p.mu
	return p
}

func (p *copyPipe) Read(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.fill == 0 {
		if p.closed != nil {
			return 0, p.closed
		}
		p.moved.Wait()
	}
	if p.chop != nil && len(b) > 1 {
		b = b[:1+p.chop.IntN(min(len(b), 5000))]
	}
	n := copy(b, p.buf[p.head:min(p.head+p.fill, len(p.buf))])
	p.head = (p.head + n) % len(p.buf)
	p.fill -= n
	p.moved.Broadcast()
	return n, nil
}

func (p *copyPipe) Write(b []byte) (n int, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for n < len(b) {
		for p.fill == len(p.buf) && p.closed == nil {
			p.moved.Wait()
		}
		if p.closed != nil {
			return n, errCut
		}
		tail := (p.head + p.fill) % len(p.buf)
		room := min(len(p.buf)-p.fill, len(p.buf)-tail, len(b)-n)
		if p.cut > 0 {
			room = int(min(int64(room), p.cut-p.passed))
		}
		m := copy(p.buf[tail:tail+room], b[n:])
		p.fill += m
		p.passed += int64(m)
		n += m
		if p.cut > 0 && p.passed == p.cut {
			p.closed = errCut
		}
		p.moved.Broadcast()
	}
	return n, nil
}

// end ends the stream for both sides; what is in it can still be read.
func (p *copyPipe) end(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed == nil {
		p.closed = err
	}
	p.moved.Broadcast()
}

// An outcome is what both sides say of a copy.
type outcome struct {
	source, sink       CopyResult
	sourceErr, sinkErr error
}

// A copyLine joins a source and a sink.
type copyLine struct {
	records, replies *copyPipe
}

func newCopyLine() *copyLine { return &copyLine{newCopyPipe(1 << 20), newCopyPipe(1 << 20)} }

func (l *copyLine) run(ctx context.Context, s *source, k *sink) (o outcome) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		l.records.end(context.Canceled)
		l.replies.end(context.Canceled)
	})
	defer stop()
	var both sync.WaitGroup
	both.Go(func() {
		o.source, o.sourceErr = s.run(ctx, l.replies, l.records)
		l.records.end(io.EOF)
	})
	both.Go(func() {
		o.sink, o.sinkErr = k.run(ctx, l.records, l.replies)
		l.replies.end(io.EOF)
		if o.sinkErr != nil {
			l.records.end(errCut)
		}
	})
	both.Wait()
	return o
}

// copies runs a copy that must succeed.
func copies(t *testing.T, s *source, k *sink) outcome {
	t.Helper()
	o := newCopyLine().run(t.Context(), s, k)
	if o.sourceErr != nil || o.sinkErr != nil {
		t.Fatalf("source: %v, sink: %v", o.sourceErr, o.sinkErr)
	}
	if o.source != o.sink {
		t.Fatalf("the source's account %+v differs from the sink's %+v", o.source, o.sink)
	}
	return o
}

// snapshot describes a tree: a line for each name, with what must be copied.
func snapshot(t *testing.T, dir string) map[string]string {
	t.Helper()
	seen := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		if rel != "." {
			seen[rel] = describe(t, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return seen
}

func describe(t *testing.T, path string) string {
	t.Helper()
	info, err := os.Lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	what := info.Mode().String() + " " + info.ModTime().UTC().Format(time.RFC3339Nano)
	switch {
	case info.Mode().IsRegular():
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		h := newHasher()
		h.add(b)
		what += " " + h.take().hex()
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(path)
		if err != nil {
			t.Fatal(err)
		}
		what += " -> " + target
	}
	return what
}

// wantSame checks that two trees are alike.
func wantSame(t *testing.T, got, want string) {
	t.Helper()
	g, w := snapshot(t, got), snapshot(t, want)
	for name, what := range w {
		if g[name] != what {
			t.Errorf("%q is %q, want %q", name, g[name], what)
		}
	}
	for name := range g {
		if _, ok := w[name]; !ok {
			t.Errorf("%q should not be there", name)
		}
	}
}

// wantNoLitter checks that no temporary file is left.
func wantNoLitter(t *testing.T, dir string) {
	t.Helper()
	for name := range snapshot(t, dir) {
		if strings.HasPrefix(filepath.Base(name), reservedPrefix) {
			t.Errorf("%s is left behind", name)
		}
	}
}

// wantNoTemps is wantNoLitter, but for a journal that a later copy may use.
func wantNoTemps(t *testing.T, dir string) {
	t.Helper()
	for name := range snapshot(t, dir) {
		if leaf := filepath.Base(name); strings.HasPrefix(leaf, reservedPrefix) && !strings.HasSuffix(leaf, ".journal") {
			t.Errorf("%s is left behind", name)
		}
	}
}

func putFile(t *testing.T, path string, content []byte, mode fs.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// noise is n bytes that depend on the seed, and differ from place to place.
func noise(seed uint64, n int) []byte {
	const block = 4096
	var key [32]byte
	binary.LittleEndian.PutUint64(key[:], seed)
	b := make([]byte, n)
	_, _ = rand.NewChaCha8(key).Read(b[:min(n, block)])
	for at := block; at < n; at += block {
		copy(b[at:], b[:block])
		if n-at >= 8 {
			binary.LittleEndian.PutUint64(b[at:], uint64(at)*0x9e3779b97f4a7c15)
		}
	}
	return b
}

// sampleTree makes a tree with some of everything.
func sampleTree(t *testing.T, dir string) {
	t.Helper()
	putFile(t, dir+"/empty", nil, 0o644)
	putFile(t, dir+"/small", []byte("some words"), 0o640)
	putFile(t, dir+"/run.sh", []byte("#!/bin/sh\n"), 0o755)
	putFile(t, dir+"/whole", noise(1, maxWholeFile), 0o600)
	putFile(t, dir+"/pieces", noise(2, maxWholeFile+1), 0o444)
	putFile(t, dir+"/segments", noise(3, 2*segmentSize+12345), 0o664)
	putFile(t, dir+"/a/b/c/deep", []byte("deep"), 0o666)
	putFile(t, dir+"/a/other", bytes.Repeat([]byte{0}, 300_000), 0o600)
	if err := os.Mkdir(dir+"/a/void", 0o711); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"/link": "small", "/a/up": "../../../..", "/dangling": "nowhere/at all"} {
		if err := os.Symlink(target, dir+name); err != nil {
			t.Fatal(err)
		}
	}
	old := time.Unix(-12345, 678_900_000) // before 1970
	for _, name := range []string{"/small", "/a/b/c/deep", "/a/b", "/a/void"} {
		if err := os.Chtimes(dir+name, old, old); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir+"/a/b", 0o555); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(dir+"/a/b", 0o755) })
}
