//go:build unix

package remote

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// keeperName is what a keeper is called by, in place of its program's name.
const keeperName = "landline-keeper"

// What a keeper inherits, besides the three usual files.
const (
	keeperLock = 3 + iota // the lock of its job's folder, which is its working directory
	keeperConn            // a connection to the server that started it
)

// KeepJob is the first thing to call in main of a program whose [Server] has a State: the
// server starts its program anew for each job that is to outlive it, and such a
// process runs its job in KeepJob and ends there. In all others KeepJob does nothing.
func KeepJob() {
	if len(os.Args) != 2 || os.Args[0] != keeperName {
		return
	}
	// The command is told, by the kernel, of the end of the thread that started it.
	runtime.LockOSThread()
	syscall.CloseOnExec(keeperLock)
	syscall.CloseOnExec(keeperConn)
	if err := keep(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// startKeeper starts the keeper of a job, whose lock it gets, and returns the
// connection to it and its process.
func startKeeper(j *job, lock *os.File) (net.Conn, *process, error) {
	near, far, err := socketFiles()
	if err != nil {
		return nil, nil, err
	}
	defer far.Close()
	defer near.Close()
	nc, err := net.FileConn(near)
	if err != nil {
		return nil, nil, err
	}
	words, err := os.OpenFile(j.file(keeperWords), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		nc.Close()
		return nil, nil, err
	}
	defer words.Close()
	program := "/proc/self/exe" // the same even if it has been replaced on disk
	if runtime.GOOS != "linux" {
		if program, err = os.Executable(); err != nil {
			nc.Close()
			return nil, nil, err
		}
	}
	p := &process{ended: make(chan struct{}), cmd: &exec.Cmd{
		Path: program, Args: []string{keeperName, j.m.job}, Env: os.Environ(), Dir: j.dir,
		Stdout: words, Stderr: words, ExtraFiles: []*os.File{lock, far},
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}}
	if err := p.start(); err != nil {
		nc.Close()
		return nil, nil, err
	}
	return nc, p, nil
}

// socketFiles returns the two ends of a socket.
func socketFiles() (near, far *os.File, err error) {
	syscall.ForkLock.RLock()
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fds[0])
		syscall.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, nil, os.NewSyscallError("socketpair", err)
	}
	return os.NewFile(uintptr(fds[0]), "keeper"), os.NewFile(uintptr(fds[1]), "server"), nil
}

// A keeper runs one job, and serves those who attach to it. It is a server of the
// same protocol, whose one kind of call is attach.
type keeper struct {
	j       *job
	start   time.Time
	pid     int
	out     [2]*spool
	in      *inlet // nil if the command has no input
	ctx     context.Context
	end     context.CancelCauseFunc
	signals chan string
	windows chan Window

	mu       sync.Mutex
	attached int         // calls
	owner    *serverCall // the one that is the run's own
	rank     int64       // of the last one that was
	linger   *time.Timer
	detached bool // it goes on without a client
}

// keep is the life of a keeper.
func keep() error {
	j, err := readJob(".")
	if err != nil {
		return err
	}
	k := newKeeper(j)
	ln, err := net.Listen("unix", socketFile)
	if err != nil {
		return err
	}
	defer ln.Close() // removes the socket
	if err := os.Chmod(socketFile, 0o600); err != nil {
		return err
	}
	if err := j.reserve(); err != nil {
		return err
	}
	if err := j.contain(); err != nil {
		return err
	}
	defer j.release()
	if err := j.writeStarted(); err != nil {
		return err
	}
	e := k.run(ln)
	e.took = max(time.Since(k.start), 1)
	var total [2]int64
	for i, s := range k.out {
		if err := s.finish(); err != nil {
			e.unstored(err)
		}
		_, total[i] = s.length()
	}
	signal.Reset(syscall.SIGTERM, syscall.SIGINT)
	for err = j.writeEnded(&e, total); mayPass(err); err = j.writeEnded(&e, total) {
		time.Sleep(spoolRetry)
	}
	return err
}

// unstored makes the ending of a command whose output could not be stored: its code
// means nothing to those who read the output.
func (e *ending) unstored(err error) {
	e.err = "not all of its output could be stored: " + err.Error()
	if e.reason == Exited || e.reason == Signalled {
		e.reason = Lost
	}
}

// hurry has no output wait for room on the disk.
func (k *keeper) hurry() {
	for _, s := range k.out {
		s.hurry()
	}
}

func newKeeper(j *job) *keeper {
	k := &keeper{j: j, start: time.Now(), signals: make(chan string, 16), windows: make(chan Window, 1), detached: j.m.detach}
	k.ctx, k.end = context.WithCancelCause(context.Background())
	for i := range k.out {
		k.out[i] = newSpool(".", i+1, j.spool)
	}
	if j.spec.stdin || j.m.tty { // who attaches later may type
		k.in = newInlet()
	}
	first := j.linger()
	if !j.m.detach {
		first = max(first, arrival)
	}
	k.linger = time.AfterFunc(first, k.forsaken)
	return k
}

// arrival is how long the one who started a job may take to be there for the first time, on a machine that has much to do.
const arrival = 30 * time.Second

// run runs the command.
func (k *keeper) run(ln net.Listener) ending {
	down := terminated()
	p, err := startProcess(&k.j.spec)
	if err != nil {
		return startRefusal(err)
	}
	k.pid = p.pid()
	server := &Server{Software: "landline keeper", keeper: k}
	if nc, err := net.FileConn(os.NewFile(keeperConn, "server")); err == nil {
		go server.ServeConn(context.Background(), nc, Guest{})
	}
	go func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return // it is closed, or nobody can attach any more
			}
			go server.ServeConn(context.Background(), nc, Guest{})
		}
	}()
	r := running{
		p: p, start: k.start, ctx: k.ctx, down: down, signals: k.signals, windows: k.windows,
		stdout: k.out[0], stderr: k.out[1], asked: k.hurry,
	}
	if k.in != nil {
		r.stdin = k.in
	}
	r.limits(&k.j.m)
	return r.wait()
}

// terminated returns a channel that is closed when this process is asked to end.
func terminated() <-chan struct{} {
	signals := make(chan os.Signal, 1)
	down := make(chan struct{})
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	go func() {
		<-signals
		close(down)
	}()
	return down
}

// forsaken is called when nobody has been attached, or the run's own call has been
// away, for the job's time to linger.
func (k *keeper) forsaken() {
	k.mu.Lock()
	alone := k.attached == 0 && !k.detached
	back := k.owner != nil
	k.mu.Unlock()
	if !back {
		k.out[0].hold(nobody)
		k.out[1].hold(nobody)
	}
	if alone {
		k.end(errLeft)
	}
}

// serve answers a call.
func (k *keeper) serve(call *serverCall, m *message) ending {
	if m.kind != kindAttach {
		return refusal(125, "a keeper only lets attach")
	}
	var readers [2]*spoolReader
	for i, s := range k.out {
		readers[i] = s.reader(m.begin[i+1])
	}
	defer k.linger.Reset(k.j.linger())
	e := ending{reason: Cancelled, err: errTakenOver.Error()}
	rank, ok := k.arrive(call, m)
	switch {
	case !ok:
	case m.detach:
		k.detach()
		e.err = errDetached.Error()
	default:
		if m.cancel {
			k.end(errAsked)
		}
		v := viewer{k: k, call: call, rank: rank, readers: readers}
		e = v.follow()
	}
	own := k.leave(call)
	for _, r := range readers {
		r.leave(own)
	}
	return e
}

// arrive counts a call in. If it has a rank, it takes the place of the run's own call,
// unless one of a higher rank has had it: a client that comes back may overtake what it
// asked for before. Then arrive says no.
func (k *keeper) arrive(call *serverCall, m *message) (rank int64, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.attached++
	rank = m.own
	switch {
	case m.take:
		rank = k.rank + 1
	case rank == 0:
		return 0, true
	case rank < k.rank:
		return 0, false
	}
	if m.rows > 0 && m.cols > 0 {
		w := m.window()
		w.redraw = m.take // its new owner has seen nothing of it
		replaceWindow(k.windows, w)
	}
	if k.owner != nil {
		k.owner.end(errTakenOver)
	}
	k.owner, k.rank = call, rank
	for _, s := range k.out {
		s.hold(nobody) // the call's readers hold what it needs
	}
	return rank, true
}

// detach has the job go on without a client, and ends the run's own call, for which
// nothing is held any more.
func (k *keeper) detach() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.detached = true
	if k.owner != nil {
		k.owner.end(errDetached)
		k.owner = nil
	}
	for _, s := range k.out {
		s.hold(nobody)
	}
}

// resize passes on the size of the terminal at which the run's own client is.
func (k *keeper) resize(call *serverCall, w Window) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.owner == call {
		replaceWindow(k.windows, w)
	}
}

// stop closes an output of the command for the run's own call. One whose place another has taken only wants no more itself.
func (k *keeper) stop(call *serverCall, s *spool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.owner == call {
		s.stop()
	}
}

// leave counts a call out, and says whether it was still the run's own.
func (k *keeper) leave(call *serverCall) (own bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.attached--
	if own = k.owner == call; own {
		k.owner = nil
	}
	return own
}

// A viewer is one call's view of the job.
type viewer struct {
	k       *keeper
	call    *serverCall
	rank    int64 // as the run's own, 0 if it is none
	readers [2]*spoolReader
}

// follow sends what the command writes until the call ends. The job's end is this
// process's, so it is not seen here: whoever asked reads the job's folder then.
func (v *viewer) follow() ending {
	call, k := v.call, v.k
	out := [2]*sendStream{call.stdout, call.stderr}
	at := [3]int64{0, v.readers[0].pos, v.readers[1].pos}
	for i, s := range out {
		s.whenTaken(v.readers[i].free)
		// Or the program would wait for room that only what was taken gives.
		s.whenStopped(func() {
			v.readers[i].leave(false)
			k.stop(call, k.out[i])
		})
	}
	switch {
	case call.stdin == nil:
	case k.in == nil:
		call.stdin.abandon()
	default:
		call.stdin.confirms()
		at[0] = k.in.own(call.stdin)
		defer k.in.disown(call.stdin)
	}
	call.begin(&message{kind: kindAttach, job: k.j.m.job, pid: int64(k.pid), own: v.rank, begin: at})
	for i, s := range out {
		go copyOutput(s, v.readers[i]) // a client that is gone may come back for what it has not taken
	}
	if call.stdin != nil && k.in != nil {
		go k.in.fill(call.stdin)
	}
	return v.steer()
}

// steer passes on what the client asks for until the call is over.
func (v *viewer) steer() ending {
	ended := v.call.ctx.Done()
	for {
		select {
		case name := <-v.call.signals:
			select {
			case v.k.signals <- name:
			default:
			}
		case w := <-v.call.windows:
			v.k.resize(v.call, w)
		case <-ended:
			why := context.Cause(v.call.ctx)
			if why != errAsked || v.rank == 0 {
				return ending{reason: Cancelled, err: why.Error()}
			}
			ended = nil
			v.k.end(errAsked)
		case <-v.call.c.done:
			return ending{}
		}
	}
}
