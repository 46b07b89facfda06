//go:build unix

package remote

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// newSharedLine is a line to a server that passes commands on to another.
func newSharedLine(t *testing.T) (shared, own *line) {
	t.Helper()
	own = newLine(t)
	if _, err := own.Connected(t.Context()); err != nil {
		t.Fatal(err)
	}
	return newLineTo(t, &Server{Upstream: own.Client}), own
}

func TestSharedLinePassesCommandsOnWhole(t *testing.T) {
	shared, own := newSharedLine(t)
	cmd := sh(`cat; echo "$0 $1 $A" >&2; pwd; exit 7`, "x y")
	cmd.Env, cmd.Dir, cmd.Stdin = []string{"A=b"}, "/", strings.NewReader("in\n")
	if r, out, errs := shared.run(t, cmd); r.Reason != Exited || r.Code != 7 || out != "in\n/\n" || errs != "sh x y b\n" {
		t.Errorf("%+v, %q, %q", r, out, errs)
	}
	if r, out, _ := shared.run(t, sh("head -c 5000000 /dev/zero")); !r.Success() || len(out) != 5_000_000 {
		t.Errorf("%+v, %d bytes", r, len(out))
	}
	if r, _, _ := shared.run(t, sh("kill -KILL $$")); r.Reason != Signalled || r.Signal != "KILL" {
		t.Errorf("%+v", r)
	}
	if r, _, _ := shared.run(t, Command{Args: []string{"/no/such/program"}}); r.Reason != Refused || r.Code != 127 {
		t.Errorf("%+v", r)
	}
	theirs, err := shared.Connected(t.Context())
	ours, _ := own.Connected(t.Context())
	if err != nil || theirs.Host != ours.Host || theirs.Encoding != ours.Encoding || len(theirs.Features) != 0 {
		t.Errorf("it says of itself %+v, %v", theirs, err)
	}
	if _, err := shared.Dial(t.Context(), "tcp", "127.0.0.1:1"); !errors.Is(err, ErrNoPorts) {
		t.Errorf("a port: %v", err)
	}
	if _, err := shared.Get(t.Context(), Copy{Paths: []string{"/etc/hostname"}, Dest: t.TempDir()}); err == nil {
		t.Error("a file was copied")
	}
}

// Who leaves ends its own command, and no other.
func TestWhoLeavesASharedLineEndsItsCommandAlone(t *testing.T) {
	shared, own := newSharedLine(t)
	near, far := socketPair(t)
	shared.serve(t, far)
	other := NewClient(near, "test")
	defer other.Close()
	begun := make(chan struct{})
	ended := make(chan Result, 1)
	go func() {
		cmd := sh("echo begun; read x; echo $x; exit 5")
		cmd.Stdin = blockingReader{begun}
		r, _ := other.Run(context.Background(), cmd)
		ended <- r
	}()
	first := sh("echo $$; exec sleep 60")
	pid := make(chan struct{})
	first.Stdout = closeOnWrite(pid)
	go shared.Client.Run(context.Background(), first)
	<-pid
	shared.Client.Close()
	close(begun)
	if r := <-ended; r.Reason != Exited || r.Code != 5 {
		t.Errorf("the other's command: %+v", r)
	}
	if r, _, _ := own.run(t, sh("exit 6")); r.Code != 6 {
		t.Errorf("the line's own: %+v", r)
	}
}

// A blockingReader gives a line when it may.
type blockingReader struct{ may <-chan struct{} }

func (b blockingReader) Read(p []byte) (int, error) {
	<-b.may
	return copy(p, "x\n"), nil
}

// closeOnWrite closes itself when something is written.
type closeOnWrite chan struct{}

func (c closeOnWrite) Write(p []byte) (int, error) {
	close(c)
	return len(p), nil
}

func TestSharedLineThatBreaksLosesItsCommands(t *testing.T) {
	shared, own := newSharedLine(t)
	cmd := sh("echo begun; exec sleep 60")
	begun := make(chan struct{})
	cmd.Stdout = closeOnWrite(begun)
	lost := make(chan Result, 1)
	go func() {
		r, err := shared.Client.Run(context.Background(), cmd)
		if err == nil {
			t.Error("no error")
		}
		lost <- r
	}()
	<-begun
	own.Close()
	if r := <-lost; r.Reason != Lost {
		t.Errorf("%+v", r)
	}
}
