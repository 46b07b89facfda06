//go:build unix

package remote

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"landline/frame"
)

const (
	// keptAcked and keptUnacked are how long a job is kept that has ended, after a
	// client has said that it has all of it, and if none has.
	keptAcked   = 24 * time.Hour
	keptUnacked = 7 * 24 * time.Hour
	// maxKept is how many are kept that have ended.
	maxKept    = 1024
	sweepEvery = time.Hour
	// youngFor is how long what is being made is let alone.
	youngFor = time.Minute

	maxListedWords = 4096
)

func sortJobs(list []*job) {
	slices.SortFunc(list, func(a, b *job) int {
		return cmp.Or(a.created.Compare(b.created), strings.Compare(a.m.job, b.m.job))
	})
}

// listJobs answers with the jobs that the guest may see.
func (call *serverCall) listJobs() ending {
	st, ok := call.c.s.store()
	if !ok {
		return refusal(125, errNotKept.Error())
	}
	list, err := st.jobs()
	if err != nil {
		return refusal(125, err.Error())
	}
	stop := context.AfterFunc(call.ctx, call.stdout.stopped)
	defer stop()
	for _, j := range list {
		if !call.c.guest.sees(j) {
			continue
		}
		b, err := st.describe(j)
		if err != nil {
			continue // it has been removed meanwhile
		}
		if _, err := call.stdout.Write(b); err != nil {
			return ending{reason: Cancelled, err: err.Error()}
		}
	}
	return ending{reason: Exited}
}

// describe makes a job's record.
func (st store) describe(j *job) ([]byte, error) {
	if !j.over() && !j.alive() {
		if err := st.settle(j); err != nil {
			return nil, err
		}
	}
	outs, err := j.spools()
	if err != nil {
		return nil, err
	}
	var h frame.Builder
	h.Str("kind", "job").Str("job", j.m.job).Int("start_ms", j.created.UnixMilli()).Bool("acked", j.acked).Bool("tty", j.m.tty)
	took := time.Since(j.created).Milliseconds()
	if e := j.state; j.over() {
		h.Str("state", e.reason).Int("code", int64(e.code))
		if e.signalNo != 0 {
			h.Str("signal", e.signal).Int("signal_number", int64(e.signalNo))
		}
		if e.err != "" {
			h.Str("error", e.err)
		}
		took = e.duration
	} else {
		h.Str("state", Running)
	}
	h.Int("duration_ms", max(took, 0))
	for i, name := range []string{"stdout", "stderr"} {
		start, end := outs[i].length()
		h.Int(name+"_offset", start).Int(name+"_bytes", end)
	}
	words := joinStrings(j.spec.args)
	return frame.Append(nil, &h, words[:min(len(words), maxListedWords)])
}

// acknowledge notes that a client has all that it wanted of a job.
func (s *Server) acknowledge(g Guest, id string) {
	st, ok := s.store()
	if !ok {
		return
	}
	j, err := st.load(id)
	if err != nil || !j.over() || !g.sees(j) {
		return
	}
	f, err := os.OpenFile(j.file(ackedFile), os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		s.logger().Warn("job", "job", id, "err", err)
		return
	}
	f.Close()
}

// tend clears the store of what need not be kept, now and then until ctx ends.
func (s *Server) tend(ctx context.Context) {
	st, ok := s.store()
	for ok {
		st.sweep(time.Now())
		ok = wait(ctx, sweepEvery) == nil
	}
}

// adoptJobs counts in the jobs that an earlier server has left running, and settles
// those whose keeper was killed.
func (s *Server) adoptJobs() {
	st, ok := s.store()
	if !ok {
		return
	}
	list, err := st.jobs()
	if err != nil {
		s.logger().Warn("jobs", "err", err)
	}
	for _, j := range list {
		if !j.over() {
			s.adoptJob(st, j)
		}
	}
}

func (s *Server) adoptJob(st store, j *job) {
	nc, err := j.dial()
	if err != nil {
		err = st.settle(j)
		s.logger().Info("job found", "job", j.m.job, "state", cmp.Or(j.state.reason, "unknown"), "err", err)
		return
	}
	s.logger().Info("job found", "job", j.m.job, "state", Running)
	s.jobs.adopt()
	go func() {
		cl := NewClient(nc, "landline server")
		<-cl.Done()
		cl.Close()
		s.jobEnded(j)
	}()
}

// sweep removes what need not be kept any more, and what whoever was killed has left
// half made or half removed.
func (st store) sweep(now time.Time) {
	entries, err := os.ReadDir(st.dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		dir := filepath.Join(st.dir, e.Name())
		info, err := e.Info()
		if err != nil {
			continue
		}
		age := now.Sub(info.ModTime())
		switch id, isJob := strings.CutPrefix(e.Name(), jobPrefix); {
		case strings.HasPrefix(e.Name(), oldPrefix), strings.HasPrefix(e.Name(), newPrefix) && age > youngFor:
			st.clear(dir)
		case isJob && age > keptUnacked:
			if _, err := st.load(id); err != nil { // nobody can read it
				st.clear(dir)
			}
		}
	}
	list, err := st.jobs()
	if err != nil {
		return
	}
	for _, j := range list {
		if j.over() {
			j.release() // when it ended, somebody may still have been in it
		}
	}
	for _, j := range expired(list, now) {
		st.clear(j.dir)
	}
}

// expired returns which of the jobs need not be kept any more.
func expired(list []*job, now time.Time) (old []*job) {
	list = slices.DeleteFunc(list, func(j *job) bool { return !j.over() })
	slices.SortFunc(list, func(a, b *job) int { return a.ended.Compare(b.ended) })
	for i, j := range list {
		keep := keptUnacked
		if j.acked {
			keep = keptAcked
		}
		if now.Sub(j.ended) > keep || i < len(list)-maxKept {
			old = append(old, j)
		}
	}
	return old
}

// clear removes a folder unless somebody holds its lock.
func (st store) clear(dir string) {
	lock, err := takeLock(dir, 0)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return
	}
	st.remove(dir)
	if lock != nil {
		lock.Close()
	}
}
