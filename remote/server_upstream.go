package remote

import "errors"

var errCommandsOnly = errors.New("only commands go over a line that is shared")

// pass has a command run at the other end of Upstream, and gives its client what comes of it.
func (call *serverCall) pass(m *message, list []string) ending {
	switch {
	case m.kind != kindRun || m.detach || m.linger > 0 || m.tty:
		return refusal(125, errCommandsOnly.Error())
	case len(list) < m.args || m.shell && m.args != 1:
		return refusal(125, "the arguments do not match their number")
	}
	cmd := Command{
		Args: list[:m.args], Env: list[m.args:], Shell: m.shell, Dir: m.dir, Job: m.job,
		Timeout: milliseconds(m.timeout), KillAfter: milliseconds(m.killAfter),
		Stdout: call.stdout, Stderr: call.stderr, Signals: call.signals,
	}
	if call.stdin != nil {
		cmd.Stdin = call.stdin
	}
	// What failed besides, this call's streams, its client knows.
	r, _ := call.c.s.Upstream.Run(call.ctx, cmd)
	return ending{
		reason: r.Reason, code: r.Code, signal: r.Signal, signalNo: r.SignalNumber,
		held: r.Held, err: r.Error, took: r.Duration,
	}
}
