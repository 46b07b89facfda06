//go:build unix

package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"landline/remote"
)

// What a run or a copy began has ended when it returns. A run's signals are caught until the process ends.
func TestNothingGoesOnAfterAVerb(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent(), goleak.IgnoreTopFunction("landline/cmd/landline.passSignals.func1"))
	home := t.TempDir()
	socket := filepath.Join(home, "socket")
	ln, err := listenUnix("--unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	d := daemon{}
	d.server = remote.Server{Admit: d.admit, Home: home}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- d.server.Serve(ctx, ln) }()
	defer func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	}()
	file := filepath.Join(home, "file")
	if err := os.WriteFile(file, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	defer func(n int64) { trySize = n }(trySize)
	trySize = 1_000_000
	for _, c := range []struct {
		code int
		args []string
	}{
		{0, []string{"try", "--quiet", "--capture", filepath.Join(home, "try.pcapng")}},
		{3, []string{"run", "--shell", "--encoding", "gbk", "unix:" + socket, "exit 3"}},
		{124, []string{"run", "--quiet", "--timeout", "20ms", "unix:" + socket, "sleep", "60"}},
		{0, []string{"put", file, "unix:" + socket + ":copy"}},
		{0, []string{"get", "unix:" + socket + ":copy", filepath.Join(home, "back")}},
		{125, []string{"get", "unix:" + socket + ":copy", filepath.Join(home, "no", "such")}},
		{125, []string{"run", "unix:" + socket + "-not", "true"}},
	} {
		if code := execute(c.args); code != c.code {
			t.Errorf("%q ended with %d, not %d", c.args, code, c.code)
		}
	}
}
