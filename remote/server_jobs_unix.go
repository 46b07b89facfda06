//go:build unix

package remote

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"landline/frame"
)

const (
	// keeperWithin is how long a job's keeper may take to be there.
	keeperWithin = 10 * time.Second
	keeperPoll   = 5 * time.Millisecond
	// maxBreaks is how often a keeper may break off a call and live.
	maxBreaks = 3
)

var (
	errTakenOver  = errors.New("another client has taken over the job")
	errNotKept    = errors.New("this server keeps no jobs: it has no folder for their state")
	errNotYours   = errors.New("this key may see its own jobs only")
	errDetached   = errors.New("left to go on without a client")
	errMuteKeeper = errors.New("what keeps the job does not answer")
	errInputCut   = errors.New("what keeps the job broke off amid its input")
)

func (s *Server) store() (store, bool) { return store{s.State}, s.State != "" }

// keep starts a job that is to be kept, or finds that it has been started, and
// attaches to it.
func (call *serverCall) keep(m *message, list []string) ending {
	s := call.c.s
	st, ok := s.store()
	switch {
	case !ok:
		return refusal(125, errNotKept.Error())
	case m.detach && m.stdin:
		return refusal(125, "a command that is detached has no input")
	}
	j := &job{
		m: *m, spec: call.c.spec(m, list), who: call.c.guest.Name, only: call.c.guest.Command != "",
		spool: cmp.Or(s.Spool, spoolBound), created: call.start,
	}
	lock, err := st.create(j)
	switch {
	case errors.Is(err, errJobKnown):
		return call.attach(m, nil)
	case err != nil:
		return refusal(125, "the job cannot be kept: "+err.Error())
	}
	defer lock.Close()
	if err := s.jobs.start(m.job, cmp.Or(s.MaxJobs, defaultMaxJobs)); err != nil {
		st.remove(j.dir)
		return refusal(125, err.Error())
	}
	nc, p, err := startKeeper(j, lock)
	if err != nil {
		s.jobs.end()
		st.remove(j.dir)
		return refusal(125, "the job cannot be kept: "+err.Error())
	}
	go func() {
		<-p.exited()
		p.reap()
		s.jobEnded(j)
	}()
	lock.Close() // the keeper has it
	return call.attach(m, nc)
}

// jobEnded counts out a job whose keeper has ended.
func (s *Server) jobEnded(j *job) {
	s.jobs.end()
	st, _ := s.store()
	words, _ := os.ReadFile(j.file(keeperWords)) // none, if all is well
	if err := st.settle(j); err != nil && !errors.Is(err, errNoJob) {
		s.logger().Warn("job", "job", j.m.job, "err", err, "keeper", clip(string(words), maxText))
	} else if err == nil && j.over() {
		s.audit(Event{
			What: AuditJob, Who: j.who, Job: j.m.job, Args: bounded(j.spec.args), Dir: j.spec.dir,
			Reason: j.state.reason, Code: j.state.code, Signal: j.state.signal, Error: j.state.err,
			Sent: j.state.stdoutBytes + j.state.stderrBytes, DurationMS: j.state.duration,
		})
	}
}

// sees says whether this guest may see a job.
func (g *Guest) sees(j *job) bool { return g.Command == "" || g.Name == j.who }

// attach carries a call on a job that is kept: by its keeper while it lives, over nc
// if that is not nil, and then from the job's folder.
func (call *serverCall) attach(m *message, nc net.Conn) ending {
	st, ok := call.c.s.store()
	if !ok {
		return refusal(125, errNotKept.Error())
	}
	v := view{call: call, m: m, fed: -1}
	if nc != nil {
		if e, final := v.relay(nc); final {
			return e
		}
	}
	late := time.Now().Add(keeperWithin)
	for breaks := 0; breaks < maxBreaks && time.Now().Before(late); {
		j, err := call.find(st, m)
		switch {
		case err != nil:
			return refusal(125, err.Error())
		case j.over():
			return v.replay(j)
		}
		nc, err := j.dial()
		if err == nil {
			if e, final := v.relay(nc); final {
				return e
			}
			breaks++
			late = time.Now().Add(keeperWithin)
			continue
		}
		if !j.alive() {
			if err := st.settle(j); err != nil {
				return refusal(125, err.Error())
			}
		}
		// The keeper is not there yet, or no more.
		if err := wait(call.ctx, keeperPoll); err != nil {
			return call.left(err)
		}
	}
	return refusal(125, errMuteKeeper.Error())
}

// find reads the job that a call is about, if the guest may see it.
func (call *serverCall) find(st store, m *message) (*job, error) {
	j, err := st.load(m.job)
	switch {
	case errors.Is(err, errNoJob) && m.kind == kindRun:
		return nil, errNeverStarted
	case err != nil:
		return nil, err
	case !call.c.guest.sees(j):
		return nil, errNotYours
	case call.c.guest.NoTerminal && j.m.tty && m.ofOwn():
		return nil, errNoTerminal
	}
	return j, nil
}

// left is how a call ends without its job: by the client's wish, or with its
// connection.
func (call *serverCall) left(why error) ending {
	if errors.Is(why, errAsked) {
		return ending{reason: Cancelled, err: "left by the client"}
	}
	return ending{}
}

// begin tells the client that the job runs, and where the call's streams begin. One that
// is not wanted any more before that stays at 0, where it ends.
func (call *serverCall) begin(how *message) {
	c, at := call.c, how.begin
	c.mu.Lock() // so that no stop and no end comes in between
	defer c.mu.Unlock()
	switch {
	case call.stdin == nil, call.stdin.stop:
		at[0] = 0
	case how.kind == kindAttach:
		// Nothing has come: the client waits for what follows. That of a run begins at 0,
		// and what the job has already is left out.
		_ = call.stdin.beginLocked(at[0])
	}
	for i, s := range []*sendStream{call.stdout, call.stderr} {
		if s.stop {
			at[i+1] = 0
		} else {
			s.beginLocked(at[i+1])
		}
	}
	var h frame.Builder
	h.Str("kind", kindStarted).Int("call", call.id).Str("job", how.job).Int("pid", how.pid).Int("own", how.own)
	h.Int("stdin_offset", at[0]).Int("stdout_offset", at[1]).Int("stderr_offset", at[2])
	_ = c.postLocked(&h, nil)
}

// A view is a client's call on a job that is kept.
type view struct {
	call    *serverCall
	m       *message // run or attach
	started bool     // the client knows
	// flows carry the outputs from the keeper. Each outlives it until the client has taken
	// what came, which may be after it has taken all of the other output.
	flows [2]sync.WaitGroup
	fed   int64 // how long the input is that the keeper was given whole; 0 if the command wants no more, -1 before
}

// ofOwn says whether a call is to be the run's own.
func (m *message) ofOwn() bool { return m.own > 0 || m.take || m.kind == kindRun && !m.detach }

// own is the call's rank as the run's own, 0 if it is none, or the keeper has not yet
// said which.
func (v *view) own() int64 {
	if v.m.kind == kindRun && !v.m.detach {
		return max(v.m.own, 1)
	}
	return v.m.own
}

// begin tells the client where its streams begin. It is not told twice.
func (v *view) begin(how message) {
	if v.started {
		return
	}
	v.started = true
	if v.m.take {
		v.m.take, v.m.own = false, how.own
	}
	how.kind, how.job = v.m.kind, v.m.job
	v.call.begin(&how)
}

// from is where an output, 0 or 1, goes on.
func (v *view) from(i int) int64 {
	v.flows[i].Wait()
	if !v.started {
		return v.m.begin[i+1]
	}
	return v.outs()[i].position()
}

func (v *view) outs() [2]*sendStream { return [2]*sendStream{v.call.stdout, v.call.stderr} }

// relay carries the call over a connection to the job's keeper. It is final if the
// call has ended by that; otherwise the keeper has.
func (v *view) relay(nc net.Conn) (e ending, final bool) {
	call := v.call
	up := NewClient(nc, "landline server")
	at := [2]int64{v.from(0), v.from(1)}
	uc, err := up.openCall(func(h *frame.Builder) {
		h.Str("kind", kindAttach).Str("job", v.m.job).Int("stdout_offset", at[0]).Int("stderr_offset", at[1])
		h.Int("own", v.own()).Bool("take", v.m.take).Bool("stdin", call.stdin != nil)
		h.Bool("cancel", v.m.cancel).Bool("detach", v.m.kind == kindAttach && v.m.detach)
		if v.m.rows > 0 && v.m.cols > 0 {
			h.Int("rows", int64(v.m.rows)).Int("cols", int64(v.m.cols))
		}
	}, nil, callShape{stdin: call.stdin != nil, stderr: true, resumes: true})
	if err != nil {
		up.Close()
		return e, false
	}
	var feed sync.WaitGroup
	defer func() {
		if call.stdin != nil {
			call.stdin.abandon() // the keeper is gone, or the client
		}
		up.Close()
		up.forget(uc)
		feed.Wait()
		if final {
			v.flows[0].Wait()
			v.flows[1].Wait()
		}
	}()
	begun := uc.started
	ended := call.ctx.Done()
	for {
		select {
		case <-begun:
			begun = nil
			if err := v.resumes(at, &uc.how); err != nil {
				return ending{reason: Lost, err: err.Error()}, true
			}
			v.begin(uc.how)
			v.join(&feed, up, uc, uc.how.begin[0])
		case m := <-uc.exit:
			return m.ending(), true
		case name := <-call.signals:
			up.signal(uc, name)
		case w := <-call.windows:
			v.m.rows, v.m.cols = w.Rows, w.Cols
			up.resize(uc, w)
		case <-ended:
			why := context.Cause(call.ctx)
			if !errors.Is(why, errAsked) || !v.m.ofOwn() {
				return call.left(why), true
			}
			ended = nil
			var h frame.Builder
			_ = up.c.post(h.Str("kind", kindCancel).Int("call", uc.id), nil)
		case <-call.c.done:
			return ending{}, true
		case <-up.Done():
			return e, false
		}
	}
}

// resumes fails if the client, which knows where its streams began, cannot go on with those of
// another connection to a keeper that lives: an output does not begin at its place, or input that the client has
// sent is lost.
func (v *view) resumes(at [2]int64, how *message) error {
	if !v.started {
		return nil
	}
	if v.call.stdin != nil && (v.fed < 0 || how.begin[0] < v.fed) {
		return errInputCut
	}
	for i, s := range v.outs() {
		if how.begin[i+1] != at[i] && s.fault() == nil {
			return errDropped
		}
	}
	return nil
}

// join joins the call's streams with those toward the keeper. The job's input
// begins at stdin.
func (v *view) join(feed *sync.WaitGroup, up *Client, uc *clientCall, stdin int64) {
	call := v.call
	for i, out := range []struct {
		from *recvStream
		to   *sendStream
	}{{uc.stdout, call.stdout}, {uc.stderr, call.stderr}} {
		if v.m.ofOwn() {
			out.to.whenTaken(func(offset int64) { up.c.taken(uc.id, out.from.fd, offset) })
		} else {
			out.from.confirms() // what is on its way to the client
		}
		v.flows[i].Go(func() {
			if _, err := out.from.WriteTo(out.to); errors.Is(err, errStopped) {
				out.from.abandon()
			}
		})
	}
	if call.stdin == nil {
		return
	}
	uc.stdin.whenTaken(func(offset int64) { call.c.taken(call.id, 0, offset) })
	if v.m.kind == kindAttach {
		stdin = 0 // the client begins there
	}
	feed.Go(func() {
		_, err := call.stdin.WriteTo(&skipping{uc.stdin, stdin})
		if errors.Is(err, errStopped) {
			v.fed = 0
			call.stdin.abandon()
		}
		if err == nil && call.stdin.whole() {
			v.fed = call.stdin.position()
		}
		if err == nil && v.fed >= 0 {
			uc.stdin.Close()
		}
	})
}

// skipping leaves out the first n bytes.
type skipping struct {
	w io.Writer
	n int64
}

func (s *skipping) Write(p []byte) (int, error) {
	skip := int(min(s.n, int64(len(p))))
	s.n -= int64(skip)
	if skip == len(p) {
		return skip, nil
	}
	n, err := s.w.Write(p[skip:])
	return skip + n, err
}

// replay carries the call on a job that has ended.
func (v *view) replay(j *job) ending {
	e := j.state.ending()
	if e.reason == Refused {
		return e
	}
	outs, err := j.spools()
	if err != nil {
		return refusal(125, err.Error())
	}
	if !v.started {
		v.begin(message{begin: [3]int64{0, outs[0].reader(v.from(0)).pos, outs[1].reader(v.from(1)).pos}})
	}
	// A client that wants no more, and one that is gone, end the writing.
	stop := context.AfterFunc(v.call.ctx, func() {
		v.call.stdout.stopped()
		v.call.stderr.stopped()
	})
	defer stop()
	var flows sync.WaitGroup
	var errs [2]error
	for i, to := range v.outs() {
		flows.Go(func() { errs[i] = copyOutput(to, outs[i].reader(v.from(i))) })
	}
	flows.Wait()
	if why := context.Cause(v.call.ctx); why != nil && (!v.m.ofOwn() || !errors.Is(why, errAsked)) {
		return v.call.left(why) // what was sent is not all
	}
	if err := cmp.Or(errs[0], errs[1]); err != nil {
		return ending{reason: Lost, err: err.Error()}
	}
	return e
}

// copyOutput moves a spool to a stream, which goes on where the reader is, until
// either ends. The error is the spool's.
func copyOutput(to *sendStream, r *spoolReader) error {
	defer r.closeFile()
	switch {
	case to.fault() != nil:
		return nil
	case to.position() != r.pos:
		return errDropped
	}
	b := pipeBuffers.Get().(*[pipeBuffer]byte)
	defer pipeBuffers.Put(b)
	for {
		n, err := r.Read(b[:])
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := to.Write(b[:n]); err != nil {
			return nil
		}
	}
}
