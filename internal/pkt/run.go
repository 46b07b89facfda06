package pkt

import (
	"fmt"
	"slices"
	"strings"
	"testing/synctest"
	"time"

	"landline/tcp"
)

// A Config says how a script is run. Its zero value is for scripts of others.
type Config struct {
	// Profile is the system whose ways the host under test has, where there is a choice.
	Profile Profile
	// Tolerance is how far from its time something may happen. If zero, it is what the script says by
	// --tolerance_usecs, or else 4 ms, as in packetdrill.
	Tolerance time.Duration
	// Strict is for scripts that were made for virtual time: everything has to happen at its very microsecond,
	// and when the script ends no packet may be left that it did not expect.
	Strict bool
	// Seed makes all that is random the same again. If zero, it is 1.
	Seed uint64
}

const usualTolerance = 4 * time.Millisecond

// Run runs a script. It must be called within a testing/synctest bubble, by the only goroutine there.
// It returns what of the script had no effect, and an *Error if the host did not do what the script
// expects.
func Run(s *Script, cfg Config) (ignored []Ignored, err error) {
	r := &runner{cfg: cfg, script: s, flows: map[tuple]*flow{}, fds: map[int]object{}, vars: map[string]int64{}}
	defer func() { ignored = r.ignored }()
	for _, i := range s.Ignored {
		r.ignore(i.Line, i.Text)
	}
	if err := r.configure(); err != nil {
		return nil, err
	}
	if err := r.build(); err != nil {
		return nil, r.failure(0, "%v", err)
	}
	defer r.close()
	return nil, r.run()
}

// A runner is a script that runs.
type runner struct {
	cfg     Config
	script  *Script
	ignored []Ignored
	options options
	machine

	start time.Time
	event *Event // that is its turn

	flows    map[tuple]*flow
	current  *flow // that packets without ports belong to
	listens  bool  // the next SYN without ports begins a new one
	bindPort uint16
	nextPort uint16 // of a peer that connects
	nextID   uint16

	came []*capture // packets that came out, and that the script has not come to
	fds  map[int]object
	jobs []*job

	vars map[string]int64 // of the script's code
}

func (r *runner) failure(line int, format string, args ...any) *Error {
	return &Error{r.script.Name, line, fmt.Sprintf(format, args...)}
}

// fail is a failure of the event whose turn it is.
func (r *runner) fail(format string, args ...any) error {
	return r.failure(r.event.Line, format, args...)
}

// ignore notes that something has no effect, once, unless it was seen to when the host was made.
func (r *runner) ignore(line int, text string) {
	if setVariables(new(tcp.Ways), text) && slices.Contains(r.setup(), text) {
		return
	}
	for _, i := range r.ignored {
		if i.Text == text {
			return
		}
	}
	r.ignored = append(r.ignored, Ignored{line, text})
}

func (r *runner) elapsed() time.Duration { return time.Since(r.start) }

// run lets all events happen.
func (r *runner) run() error {
	time.Sleep(time.Second) // so that the beginning of the script is not that of the host's clocks
	r.start = time.Now()
	for i := range r.script.Events {
		r.event = &r.script.Events[i]
		if err := r.step(); err != nil {
			return err
		}
	}
	if err := r.finishJobs(); err != nil {
		return err
	}
	if r.collect(); r.cfg.Strict && len(r.came) > 0 {
		return r.fail("expected the end, got %s at %s", r.describe(r.came[0]), seconds(r.came[0].at.Sub(r.start)))
	}
	return nil
}

// step lets one event happen.
func (r *runner) step() error {
	from, to := r.times(r.event.When)
	if k, ok := r.event.Do.(*Packet); ok && k.Out {
		return r.expect(k, from, to)
	}
	if err := r.sleepUntil(from); err != nil {
		return err
	}
	switch do := r.event.Do.(type) {
	case *Packet:
		return r.send(do)
	case *Call:
		return r.call(do, from)
	case Code:
		return r.code(string(do))
	case Shell:
		r.shell(string(do))
	}
	return nil
}

// times returns when an event has to happen, counted from the beginning.
func (r *runner) times(w When) (from, to time.Duration) {
	if w.Relative || w.Any {
		base := r.elapsed()
		return base + w.From, base + w.To
	}
	return w.From, w.To
}

// settle waits until the host has done all that it does now. It has then seen to all timers that end now.
func (r *runner) settle() error {
	synctest.Wait()
	if r.poke() {
		synctest.Wait()
	}
	return r.checkJobs()
}

// sleepUntil lets time pass.
func (r *runner) sleepUntil(t time.Duration) error {
	late := r.elapsed() - t
	if late > r.options.tolerance {
		return r.fail("expected this at %s, but it is %s already", seconds(t), seconds(r.elapsed()))
	}
	if late < 0 {
		time.Sleep(-late)
	}
	return r.settle()
}

// shell takes note of a command. Commands that set up the test are for others: the host is always new.
func (r *runner) shell(command string) {
	for _, line := range strings.Split(command, "\n") {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			r.ignore(r.event.Line, line)
		}
	}
}
