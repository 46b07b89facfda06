//go:build unix

package remote

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"landline/frame"
)

// The files in the folder of a job that is kept. Besides them there are the files of
// its spools.
const (
	jobFile     = "job"   // what was asked for
	stateFile   = "state" // that it was started, or how it ended
	startFile   = "state.start"
	endFile     = "state.end"
	lockFile    = "lock"   // is locked while the keeper lives
	socketFile  = "socket" // where the keeper answers
	ackedFile   = "acked"  // is there once a client has all of it
	cgroupFile  = "cgroup" // the folder of its control group
	keeperWords = "keeper.log"
)

// cgroupPrefix and the job's id are the name of its control group.
const cgroupPrefix = "landline-"

// A job is one that is kept, as its folder tells.
type job struct {
	dir     string
	m       message // the run that began it
	spec    processSpec
	who     string // the guest's name
	only    bool   // the guest may run one command alone
	spool   int64  // bytes of each output that are kept
	created time.Time

	state message // of kind started or exit; of none, if it was never started
	ended time.Time
	acked bool
}

// over says whether the job has ended, and its state is the last.
func (j *job) over() bool { return j.state.kind == kindExit }

func (j *job) file(name string) string { return filepath.Join(j.dir, name) }

// linger is how long the job goes on without a client.
func (j *job) linger() time.Duration { return milliseconds(j.m.linger) }

// encode is what stands in the job's file: frames, as a client sends them.
func (j *job) encode() ([]byte, error) {
	var h frame.Builder
	var dst []byte
	body := joinStrings(j.spec.args, j.spec.env)
	for len(body) > frame.MaxBody {
		var err error
		h.Reset().Str("kind", kindArgs).Int("call", 1)
		if dst, err = frame.Append(dst, &h, body[:frame.MaxBody]); err != nil {
			return nil, err
		}
		body = body[frame.MaxBody:]
	}
	h.Reset().Str("kind", kindRun).Int("call", 1).Str("job", j.m.job).Int("args", int64(len(j.spec.args)))
	strOrBase64(&h, "dir", j.spec.dir)
	h.Bool("stdin", j.spec.stdin).Bool("detach", j.m.detach).Bool("login", j.spec.login)
	if tty := j.spec.tty; tty != nil {
		h.Bool("tty", true).Str("term", tty.term).Int("rows", int64(tty.size.Rows)).Int("cols", int64(tty.size.Cols))
	}
	for _, n := range []struct {
		name  string
		value int64
	}{{"timeout_ms", j.m.timeout}, {"kill_after_ms", j.m.killAfter}, {"linger_ms", j.m.linger}} {
		if n.value > 0 {
			h.Int(n.name, n.value)
		}
	}
	h.Str("who", j.who).Bool("only", j.only).Int("spool_bytes", j.spool).Int("created_ms", j.created.UnixMilli())
	return frame.Append(dst, &h, body)
}

// joinStrings makes a body of strings, each ended by NUL.
func joinStrings(lists ...[]string) []byte {
	var b []byte
	for _, list := range lists {
		for _, s := range list {
			b = append(append(b, s...), 0)
		}
	}
	return b
}

// readJob reads a job's folder.
func readJob(dir string) (*job, error) {
	j := &job{dir: dir}
	f, err := os.Open(j.file(jobFile))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := j.decode(f); err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name(), err)
	}
	j.readState()
	_, err = os.Lstat(j.file(ackedFile))
	j.acked = err == nil
	return j, nil
}

func (j *job) decode(r io.Reader) error {
	frames := frame.NewReader(bufio.NewReader(r))
	var body []byte
	for j.m.kind != kindRun {
		h, err := frames.Next()
		if err != nil {
			return err
		}
		if err := j.m.parse(h, frames.Len()); err != nil {
			return err
		}
		j.takeOwn(h)
		part, err := io.ReadAll(frames)
		if err != nil {
			return err
		}
		body = append(body, part...)
	}
	list, err := splitStrings(body)
	if err != nil {
		return err
	}
	if len(list) < j.m.args {
		return errors.New("not as many arguments as there should be")
	}
	j.spec = processSpec{
		args: list[:j.m.args], env: list[j.m.args:], dir: j.m.dir, stdin: j.m.stdin,
		tty: j.m.terminal(), login: j.m.login, job: j.m.job,
	}
	return nil
}

// takeOwn takes the members that only a job's file has.
func (j *job) takeOwn(h frame.Header) {
	// What is not there, or not right, is as if it were empty.
	j.who, _ = h.Get("who").Text(maxText)
	j.only, _ = h.Get("only").Bool()
	j.spool, _ = h.Get("spool_bytes").Int(0, maxInt)
	j.spool = max(j.spool, leastSpool)
	ms, _ := h.Get("created_ms").Int(0, maxInt)
	j.created = time.UnixMilli(ms)
}

// readState reads how far the job is. A state that cannot be read is that of a job
// that was started, and nobody knows how it ended.
func (j *job) readState() {
	f, err := os.Open(j.file(stateFile))
	if errors.Is(err, os.ErrNotExist) {
		return
	}
	j.state = message{kind: kindStarted}
	if err != nil {
		return
	}
	defer f.Close()
	var m message
	h, err := frame.NewReader(bufio.NewReader(f)).Next()
	if err != nil || m.parse(h, 0) != nil || m.kind != kindExit {
		return
	}
	j.state = m
	ms, _ := h.Get("ended_ms").Int(0, maxInt)
	j.ended = time.UnixMilli(ms)
}

// writeStarted writes down that the job is being started: from now on, nobody may
// start it again.
func (j *job) writeStarted() error {
	var h frame.Builder
	return j.writeState(startFile, h.Str("kind", kindStarted).Int("call", 1).Str("job", j.m.job))
}

// writeEnded writes down how the job ended. total are the lengths of its outputs.
func (j *job) writeEnded(e *ending, total [2]int64) error {
	h := e.header(1, total)
	return j.writeState(endFile, h.Int("ended_ms", time.Now().UnixMilli()))
}

// writeState gives the state file new content, which is written to another file before:
// whoever reads it, or is killed, finds the old or the new.
func (j *job) writeState(temp string, h *frame.Builder) error {
	b, err := frame.Append(nil, h, nil)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(j.file(temp), os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Truncate(int64(len(b)))
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), j.file(stateFile))
}

// reserve makes sure that the disk has room for the job's end.
func (j *job) reserve() error {
	return os.WriteFile(j.file(endFile), make([]byte, 4096), 0o600)
}

// contain gives the job a control group, if it can have one.
func (j *job) contain() error {
	if j.spec.group = makeCgroup(j.m.job); j.spec.group == "" {
		return nil
	}
	return os.WriteFile(j.file(cgroupFile), []byte(j.spec.group), 0o600)
}

// group returns the folder of the job's control group, "" if it has none.
func (j *job) group() string {
	b, _ := os.ReadFile(j.file(cgroupFile))
	if dir := string(b); strings.HasPrefix(filepath.Base(dir), cgroupPrefix) {
		return dir
	}
	return ""
}

// release removes the job's control group, if it has one and nobody is in it.
func (j *job) release() {
	if dir := j.group(); dir != "" {
		_ = syscall.Rmdir(dir)
	}
}

// killLeft kills what a dead keeper has left of the job.
func (j *job) killLeft() {
	if dir := j.group(); dir != "" {
		killCgroup(dir)
	}
	killJob(j.m.job)
}

// spools opens what is left of a job's outputs once nobody writes them any more.
func (j *job) spools() (outs [2]*spool, err error) {
	for i := range outs {
		if outs[i], err = openSpool(j.dir, i+1); err != nil {
			return outs, err
		}
	}
	return outs, nil
}
