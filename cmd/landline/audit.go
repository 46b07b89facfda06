package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"landline/remote"
)

const (
	auditSize  = 16 << 20 // bytes of a file, then it gets a number
	auditFiles = 8        // with a number
	// strangersEvery is how often somebody who is not let in is written down: what strangers do must not
	// push out of the files what guests did.
	strangersEvery = time.Second
	// gatherFor is how long the lines of copied files may wait for more of them, because a write for each costs a
	// copy of small files a tenth of its speed. Whatever else happens is written down at once, and they with it.
	gatherFor  = 100 * time.Millisecond
	gatherMost = 32 << 10 // bytes
)

// An auditFile is where a server's events are written to, one JSON line each. It may be used concurrently.
type auditFile struct {
	path string
	log  *slog.Logger
	most int64 // bytes

	mu       sync.Mutex
	f        *os.File
	info     fs.FileInfo
	size     int64
	lines    bytes.Buffer // not yet in the file
	stranger time.Time    // when the last one was written down
	more     int64        // strangers since then
	failing  bool         // and that has been told
}

// openAudit opens the file for who did what, if there is to be one. That nobody has asked for it by name is no
// reason not to serve if it fails.
func (d *daemon) openAudit() error {
	path := d.f.audit
	switch path {
	case "none":
		return nil
	case "":
		path = filepath.Join(filepath.Dir(d.server.State), "audit.jsonl")
		_ = os.MkdirAll(filepath.Dir(path), 0o700) // the open says why it fails
	}
	a := &auditFile{path: path, log: d.log, most: auditSize}
	err := a.openLocked()
	switch {
	case err == nil:
		d.audit, d.server.Audit = a, a.write
	case d.f.audit != "":
		return fmt.Errorf("--audit: %w", err)
	default:
		d.log.Warn("nobody writes down who did what", "err", err)
	}
	return nil
}

// openLocked opens the file anew.
func (a *auditFile) openLocked() error {
	if a.f != nil {
		a.f.Close()
		a.f = nil
	}
	f, err := os.OpenFile(a.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return err
	}
	a.f, a.info, a.size = f, info, info.Size()
	return nil
}

// write writes an event down. If it cannot be, that is told once, and the server goes on.
func (a *auditFile) write(e remote.Event) {
	a.mu.Lock()
	defer a.mu.Unlock()
	line := struct {
		remote.Event
		More int64 `json:"more,omitempty"` // that were not let in meanwhile
	}{Event: e}
	if e.Reason == remote.NotLetIn {
		if e.Time.Sub(a.stranger) < strangersEvery {
			a.more++
			return
		}
		a.stranger = e.Time
		line.More, a.more = a.more, 0
	}
	waiting := a.lines.Len() > 0
	if err := printJSON(&a.lines, line); err != nil {
		a.toldLocked(err)
	}
	switch {
	case e.What != remote.AuditFile || e.Reason != remote.Copied || a.lines.Len() >= gatherMost:
		a.flushLocked()
	case !waiting:
		time.AfterFunc(gatherFor, a.flush)
	}
}

func (a *auditFile) flush() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.flushLocked()
}

// flushLocked writes the lines that wait.
func (a *auditFile) flushLocked() {
	if a.lines.Len() > 0 {
		a.toldLocked(a.appendLocked(a.lines.Bytes()))
		a.lines.Reset()
	}
}

// toldLocked tells of the first of several failures.
func (a *auditFile) toldLocked(err error) {
	if err != nil && !a.failing {
		a.log.Error("cannot write down who did what", "file", a.path, "err", err)
	}
	a.failing = err != nil
}

// appendLocked appends lines, to a new file if the one that is there is full, or another has taken its place.
func (a *auditFile) appendLocked(lines []byte) error {
	if now, err := os.Stat(a.path); a.f == nil || err != nil || !os.SameFile(now, a.info) {
		if err := a.openLocked(); err != nil {
			return err
		}
	}
	if a.size > 0 && a.size+int64(len(lines)) > a.most {
		a.rotate()
		if err := a.openLocked(); err != nil {
			return err
		}
	}
	n, err := a.f.Write(lines)
	a.size += int64(n)
	return err
}

// rotate moves each file to the next number. What cannot be moved is written on.
func (a *auditFile) rotate() {
	for n := auditFiles - 1; n >= 0; n-- {
		_ = os.Rename(a.numbered(n), a.numbered(n+1))
	}
}

func (a *auditFile) numbered(n int) string {
	if n == 0 {
		return a.path
	}
	return fmt.Sprintf("%s.%d", a.path, n)
}

func (a *auditFile) close() {
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.flushLocked()
	if a.f != nil {
		a.f.Close()
	}
}
