package main

import (
	"context"
	"errors"
	"os"
	"syscall"
	"testing"
	"time"

	"landline/remote"
)

func TestASignalLeavesTheCommandAndDoesNotEndIt(t *testing.T) {
	s := &seat{a: &app{}, d: &dialer{host: host{text: "shed"}}, job: "j", kept: true, within: time.Hour}
	lineEnds, ended := make(chan struct{}), make(chan struct{})
	command := make(chan context.Context, 1)
	ends := make(chan os.Signal, 1)
	s.rise, s.leave = func() {}, func() {}
	r, err := s.sit(func(ctx context.Context, _ *remote.Terminal, _ *typed) (remote.Result, error) {
		defer close(ended)
		command <- ctx
		ends <- syscall.SIGTERM
		<-lineEnds
		return remote.Result{Reason: remote.Lost}, remote.ErrClosed
	}, ends)
	if _, ok := errors.AsType[*interrupted](err); !ok || r.Reason != remote.Running {
		t.Errorf("got %+v, %v", r, err)
	}
	if (<-command).Err() != nil {
		t.Error("the command's context has ended: the server is asked to end the command")
	}
	close(lineEnds)
	<-ended
}
