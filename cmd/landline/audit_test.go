package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"landline/remote"
)

func openTestAudit(t *testing.T, path string) *auditFile {
	t.Helper()
	d := daemon{f: &serveFlags{audit: path}, log: slog.New(slog.DiscardHandler)}
	if err := d.openAudit(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.audit.close)
	return d.audit
}

// events reads a file of them.
func events(t *testing.T, path string) (all []map[string]any) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		var e map[string]any
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		all = append(all, e)
	}
	return all
}

func TestAuditFilesRotateAndTheOldestGoes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit")
	a := openTestAudit(t, path)
	a.most = 1000
	const n = 100
	for i := range n {
		a.write(remote.Event{What: "run", Code: i, Error: strings.Repeat("x", 200)})
	}
	var codes []float64
	for i := auditFiles; i >= 0; i-- {
		info, err := os.Stat(a.numbered(i))
		if err != nil || info.Size() > a.most || info.Mode().Perm() != 0o600 {
			t.Fatalf("file %d: %v, %v", i, info, err)
		}
		for _, e := range events(t, a.numbered(i)) {
			codes = append(codes, e["code"].(float64))
		}
	}
	for i, code := range codes {
		if code != float64(n-len(codes)+i) {
			t.Fatalf("there are %v", codes)
		}
	}
	if _, err := os.Stat(a.numbered(auditFiles + 1)); err == nil || len(codes) == n {
		t.Errorf("%d events are kept, and more files than are to be", len(codes))
	}
}

func TestAuditFileThatWasMovedAwayIsMadeAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit")
	a := openTestAudit(t, path)
	a.write(remote.Event{What: "run", Code: 1})
	if err := os.Rename(path, path+".old"); err != nil {
		t.Fatal(err)
	}
	a.write(remote.Event{What: "run", Code: 2})
	if e := events(t, path); len(e) != 1 || e[0]["code"] != 2.0 {
		t.Errorf("there is %v", e)
	}
}

// The lines of copied files wait for each other, but not for long, and for nothing else that happens.
func TestLinesOfCopiedFilesAreWrittenTogether(t *testing.T) {
	copied := func(code int) remote.Event {
		return remote.Event{What: remote.AuditFile, Reason: remote.Copied, Code: code}
	}
	for name, then := range map[string]func(*auditFile){
		"after a moment":         func(*auditFile) { time.Sleep(gatherFor + 1) },
		"before what comes next": func(a *auditFile) { a.write(remote.Event{What: "run", Code: 3}) },
		"before the end":         (*auditFile).close,
		"when they are many": func(a *auditFile) {
			many := copied(3)
			many.Name = strings.Repeat("x", gatherMost)
			a.write(many)
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "audit")
				a := openTestAudit(t, path)
				a.write(copied(1))
				a.write(copied(2))
				if e := events(t, path); len(e) != 0 {
					t.Errorf("there is %v at once", e)
				}
				then(a)
				synctest.Wait()
				if e := events(t, path); len(e) < 2 || e[0]["code"] != 1.0 || e[1]["code"] != 2.0 {
					t.Errorf("there is %v", e)
				}
			})
		})
	}
}

// Whoever is not let in cannot push out what guests did.
func TestStrangersAreWrittenDownSeldom(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit")
	a := openTestAudit(t, path)
	start := time.Now()
	for i := range 1000 {
		a.write(remote.Event{Time: start.Add(time.Duration(i) * time.Millisecond), What: remote.AuditConnection, Reason: remote.NotLetIn})
	}
	a.write(remote.Event{Time: start, What: remote.AuditConnection, Reason: remote.LetIn})
	a.write(remote.Event{Time: start.Add(strangersEvery), What: remote.AuditConnection, Reason: remote.NotLetIn})
	if e := events(t, path); len(e) != 3 || e[2]["more"] != 999.0 {
		t.Errorf("there is %v", e)
	}
}

func TestFailureToWriteDownIsToldOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit")
	a := openTestAudit(t, path)
	var log bytes.Buffer
	a.log = slog.New(slog.NewTextHandler(&log, nil))
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	a.write(remote.Event{What: "run"})
	a.write(remote.Event{What: "run"})
	if n := strings.Count(log.String(), "cannot write down"); n != 1 {
		t.Errorf("it says %q", log.String())
	}
}
