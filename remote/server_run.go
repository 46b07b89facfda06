package remote

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"landline/frame"
)

// run carries out one command.
func (call *serverCall) run(m *message, list []string) ending {
	c := call.c
	if len(list) < m.args || m.shell && m.args != 1 {
		return refusal(125, "the arguments do not match their number")
	}
	switch st, ok := c.s.store(); {
	case ok && st.has(m.job):
		return call.attach(m, nil)
	case m.login && (m.shell || m.args != 1 || list[0] != ""):
		return refusal(125, "a login shell takes no arguments")
	case m.tty && c.guest.NoTerminal:
		return refusal(125, errNoTerminal.Error())
	case m.detach || m.linger > 0:
		return call.keep(m, list)
	}
	spec := c.spec(m, list)
	if err := c.s.jobs.start(m.job, cmp.Or(c.s.MaxJobs, defaultMaxJobs)); err != nil {
		return refusal(125, err.Error())
	}
	defer c.s.jobs.end()
	if err := context.Cause(call.ctx); err != nil {
		return ending{reason: Cancelled, err: err.Error()}
	}
	p, err := startProcess(&spec)
	if err != nil {
		return startRefusal(err)
	}
	var h frame.Builder
	_ = c.post(h.Str("kind", kindStarted).Int("call", call.id).Str("job", m.job).Int("pid", int64(p.pid())), nil)
	r := running{
		p: p, start: call.start, ctx: call.ctx, down: c.down, signals: call.signals, windows: call.windows,
		stdout: call.stdout, stderr: call.stderr,
	}
	if call.stdin != nil {
		r.stdin = call.stdin
	}
	r.limits(m)
	return r.wait()
}

// startRefusal is how a call ends whose command could not be started.
func startRefusal(err error) ending {
	code := 125
	if r, ok := errors.AsType[*startError](err); ok {
		code = r.code
	}
	return refusal(code, err.Error())
}

// spec is what to start for a run. A guest who may run one command alone has no say
// in its variables and directory, with which it could be made another.
func (c *serverConn) spec(m *message, list []string) processSpec {
	args, env := list[:m.args], list[m.args:]
	tty := m.terminal()
	switch {
	case c.guest.Command != "":
		return processSpec{
			args:  []string{"/bin/sh", "-c", c.guest.Command},
			env:   []string{"SSH_ORIGINAL_COMMAND=" + strings.Join(args, " ")},
			dir:   c.s.home(),
			stdin: m.stdin, tty: tty,
		}
	case m.login:
		args = loginWords()
	case m.shell:
		args = []string{"/bin/sh", "-c", args[0]}
	}
	return processSpec{args: args, env: env, dir: c.s.resolve(m.dir), stdin: m.stdin, tty: tty, login: m.login}
}
