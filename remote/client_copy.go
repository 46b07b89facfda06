package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"landline/frame"
)

// Get copies files and folders from the server to this machine. The error says
// why the copy as a whole ended early; entries that failed are counted in the
// result and told to OnError, and the others are copied. If ctx ends first, the
// same copy, made again, goes on where this one stopped.
func (cl *Client) Get(ctx context.Context, c Copy) (CopyResult, error) {
	if err := checkPatterns(c.Exclude); err != nil {
		return CopyResult{}, err
	}
	k := sink{
		dest: c.Dest, into: c.Into || len(c.Paths) > 1, durable: c.Durable, dryRun: c.DryRun,
		limit: c.Limit, progress: c.Progress, onError: c.OnError, asked: newAskedNames(c.Paths),
	}
	header := func(h *frame.Builder) { h.Str("kind", kindGet).Int("paths", int64(len(c.Paths))) }
	return cl.copy(ctx, header, append(c.Paths[:len(c.Paths):len(c.Paths)], c.Exclude...), k.run)
}

// Put copies files and folders from this machine to the server, as [Client.Get]
// does the other way.
func (cl *Client) Put(ctx context.Context, c Copy) (CopyResult, error) {
	if err := checkPatterns(c.Exclude); err != nil {
		return CopyResult{}, err
	}
	s := source{paths: c.Paths, exclude: c.Exclude, limit: c.Limit, progress: c.Progress, onError: c.OnError}
	header := func(h *frame.Builder) {
		h.Str("kind", kindPut)
		for _, option := range []struct {
			name string
			on   bool
		}{{"into", c.Into || len(c.Paths) > 1}, {"durable", c.Durable}, {"dry_run", c.DryRun}} {
			if option.on {
				h.Bool(option.name, true)
			}
		}
	}
	return cl.copy(ctx, header, []string{c.Dest}, s.run)
}

// copy opens the call and does this side's part of it: engine reads what the
// other side sends and writes what it is to get.
func (cl *Client) copy(ctx context.Context, header func(*frame.Builder), list []string, engine func(context.Context, io.Reader, io.Writer) (CopyResult, error)) (CopyResult, error) {
	var body bytes.Buffer
	for _, s := range list {
		if strings.IndexByte(s, 0) >= 0 {
			return CopyResult{}, fmt.Errorf("a NUL byte in a name: %q", clip(s, 40))
		}
		body.WriteString(s)
		body.WriteByte(0)
	}
	call, err := cl.openCall(header, body.Bytes(), callShape{stdin: true})
	if err != nil {
		return CopyResult{}, err
	}
	defer cl.forget(call)
	stop := context.AfterFunc(ctx, func() {
		cl.cancel(call)
		call.stdin.stopped()
	})
	defer stop()
	r, err := engine(ctx, call.stdout, call.stdin)
	if err != nil {
		// Before the end of stdin, which alone is a copy that was cut off. It does
		// nothing if it is the server that ended the call.
		cl.cancel(call)
	}
	call.stdin.Close()
	m, lost := cl.await(ctx, call, &Command{})
	return r, copyError(ctx, m, lost, err)
}

// copyError chooses, of what both sides say, the reason and not its consequence.
func copyError(ctx context.Context, m message, lost, err error) error {
	_, mine := errors.AsType[*Breach](err)
	switch {
	case ctx.Err() != nil && err != nil:
		return context.Cause(ctx)
	case mine:
		return err
	case lost != nil:
		return lost
	case m.reason == Refused, m.reason == Cancelled && err == nil:
		return &CopyError{m.err}
	case m.reason == Cancelled && m.err == errShutDown.Error():
		return errShutDown
	}
	return err
}
