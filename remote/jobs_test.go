//go:build unix

package remote

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"
)

// newKeepingLine is a line whose server keeps jobs. Those that still run when the
// test ends are ended.
func newKeepingLine(t testing.TB) *line {
	t.Helper()
	return newLineTo(t, newKeepingServer(t))
}

func newKeepingServer(t testing.TB) *Server {
	t.Helper()
	home := t.TempDir()
	s := &Server{Home: home, Software: "test", State: home + "/state"}
	t.Cleanup(func() { endJobs(t, s) })
	return s
}

// dial makes another connection to the line's server.
func (l *line) dial(t testing.TB) *Client {
	near, far := socketPair(t)
	l.serve(t, far)
	cl := NewClient(near, "test")
	t.Cleanup(func() { cl.Close() })
	return cl
}

// endJobs ends the jobs of a server's store, and waits for their keepers.
func endJobs(t testing.TB, s *Server) {
	st, _ := s.store()
	list, err := st.jobs()
	if err != nil {
		t.Error(err)
	}
	for _, j := range list {
		waitFor(t, "the end of a job", func() bool {
			if nc, err := j.dial(); err == nil {
				cl := NewClient(nc, "test")
				ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
				cl.Attach(ctx, Attachment{Job: j.m.job, Cancel: true})
				cancel()
				cl.Close()
			}
			return !j.alive()
		})
	}
	waitFor(t, "the server to count them out", func() bool {
		s.jobs.mu.Lock()
		defer s.jobs.mu.Unlock()
		return s.jobs.running == 0
	})
}

// attach gives out what there is of a job, and its result.
func attach(t testing.TB, cl *Client, a Attachment) (r Result, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	a.Stdout, a.Stderr = &out, &errs
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	r, err := cl.Attach(ctx, a)
	if err != nil {
		t.Fatalf("Attach(%s): %v", a.Job, err)
	}
	return r, out.String(), errs.String()
}

func TestDetachedJobOutlivesItsConnection(t *testing.T) {
	l := newKeepingLine(t)
	r, err := l.Start(t.Context(), sh("echo one; echo two >&2; while ! test -e go; do sleep 0.02; done; echo three; exit 7"))
	if err != nil || r.Reason != Running {
		t.Fatal(r, err)
	}
	l.Close()
	l.file(t, "go", "", 0o600)
	r, out, errs := attach(t, l.dial(t), Attachment{Job: r.Job})
	if r.Reason != Exited || r.Code != 7 || out != "one\nthree\n" || errs != "two\n" {
		t.Errorf("%+v, %q, %q", r, out, errs)
	}
	r, out, errs = attach(t, l.dial(t), Attachment{Job: r.Job, StdoutOffset: 4, StderrOffset: 100})
	if r.Code != 7 || out != "three\n" || errs != "" || r.StdoutBytes != 10 || r.StderrBytes != 4 {
		t.Errorf("from an offset: %+v, %q, %q", r, out, errs)
	}
	list, err := l.dial(t).Jobs(t.Context())
	if err != nil || len(list) != 1 || list[0].State != Exited || !strings.HasPrefix(list[0].Args[2], "echo one") {
		t.Errorf("%+v, %v", list, err)
	}
}
