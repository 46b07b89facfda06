// Package examples_test runs the examples against the real program.
package examples_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// serve builds landline, starts `landline serve --unix`, and returns the socket.
func serve(t *testing.T) (socket string) {
	t.Helper()
	dir := t.TempDir()
	program := filepath.Join(dir, "landline")
	if out, err := exec.Command("go", "build", "-o", program, "landline/cmd/landline").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	socket = filepath.Join(dir, "socket")
	cmd := exec.Command(program, "serve", "--unix", socket)
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 256)
	n, err := stderr.Read(line) // the announcement is one write
	if err != nil || !strings.HasPrefix(string(line[:n]), "landline: listening on unix:") {
		t.Fatalf("serve says %q, %v", line[:n], err)
	}
	go func() {
		buf := make([]byte, 4096)
		for {
			if _, err := stderr.Read(buf); err != nil {
				return
			}
		}
	}()
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		if err := cmd.Wait(); err != nil {
			t.Errorf("serve ended with %v", err)
		}
	})
	return socket
}

// need skips the test without a tool, and fails it where CI promises the tools.
func need(t *testing.T, tool string) {
	t.Helper()
	if _, err := exec.LookPath(tool); err != nil {
		if os.Getenv("LANDLINE_INTEROP") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
}

func TestPythonClient(t *testing.T) {
	need(t, "python3")
	socket := serve(t)
	big := strings.Repeat("x", 3<<20) // three times the first credit
	for _, test := range []struct {
		name     string
		argv     []string
		out, err string
		code     int
	}{
		{"both streams and the code", []string{"/bin/sh", "-c", "echo out; echo err >&2; exit 7"}, "out\n", "err\n", 7},
		{"arguments as they are", []string{"printf", "%s|", "a b", "$HOME", "", "ä\n"}, "a b|$HOME||ä\n|", "", 0},
		{"more than the first credit", []string{"/bin/sh", "-c", "head -c " + strconv.Itoa(len(big)) + " /dev/zero | tr '\\0' x"}, big, "", 0},
		{"a signal", []string{"/bin/sh", "-c", "kill -9 $$"}, "", "", 128 + 9},
		{"not found", []string{"no-such-program"}, "", "client.py: not found: no-such-program\n", 127},
	} {
		t.Run(test.name, func(t *testing.T) {
			cmd := exec.Command("python3", append([]string{"client.py", socket}, test.argv...)...)
			cmd.WaitDelay = time.Second
			var out, errs bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &errs
			code := 0
			if err := cmd.Run(); err != nil {
				exit, ok := errors.AsType[*exec.ExitError](err)
				if !ok {
					t.Fatal(err)
				}
				code = exit.ExitCode()
			}
			if code != test.code || out.String() != test.out || errs.String() != test.err {
				t.Errorf("code %d, %d bytes of stdout, stderr %q; want %d, %d, %q", code, out.Len(), errs.String(), test.code, len(test.out), test.err)
			}
		})
	}
}
