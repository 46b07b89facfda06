package remote

import (
	"cmp"
	"context"
	"errors"
)

var errNoCopies = errors.New("this key may run its command only, not copy files")

// get is the source of a copy.
func (call *serverCall) get(m *message, list []string) ending {
	if len(list) < m.paths {
		return refusal(125, "the paths do not match their number")
	}
	s := source{exclude: list[m.paths:]}
	for _, path := range list[:m.paths] {
		s.paths = append(s.paths, call.c.s.resolve(path))
	}
	if a := call.auditFiles(true); a != nil {
		s.progress, s.onError = a.progress, a.failed
	}
	return call.copy(func(ctx context.Context) (CopyResult, error) { return s.run(ctx, call.stdin, call.stdout) })
}

// put is the sink of a copy.
func (call *serverCall) put(m *message, list []string) ending {
	if len(list) != 1 {
		return refusal(125, "a put has one target")
	}
	k := sink{dest: call.c.s.resolve(list[0]), into: m.into, durable: m.durable, dryRun: m.dryRun}
	if a := call.auditFiles(false); a != nil && !m.dryRun {
		k.progress, k.onError = a.progress, a.failed
	}
	return call.copy(func(ctx context.Context) (CopyResult, error) { return k.run(ctx, call.stdin, call.stdout) })
}

// copy does a side's part of a copy, and says how it ended.
func (call *serverCall) copy(run func(context.Context) (CopyResult, error)) ending {
	if call.c.guest.Command != "" {
		return refusal(125, errNoCopies.Error())
	}
	jobs := &call.c.s.jobs
	if err := jobs.start("", cmp.Or(call.c.s.MaxJobs, defaultMaxJobs)); err != nil {
		return refusal(125, err.Error())
	}
	defer jobs.end()
	stop := context.AfterFunc(call.ctx, func() {
		call.stdin.abandon()
		call.stdout.stopped()
	})
	defer stop()
	r, err := run(call.ctx)
	switch cause := context.Cause(call.ctx); {
	case err == nil && r.Failed == 0:
		return ending{reason: Exited}
	case err == nil:
		return ending{reason: Exited, code: 1}
	case cause != nil:
		return ending{reason: Cancelled, err: cause.Error()}
	}
	return refusal(125, err.Error())
}
