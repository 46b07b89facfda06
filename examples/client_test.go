// Package examples_test runs the examples against the real program.
package examples_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
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
			out, errs, code := client(t, append([]string{socket}, test.argv...)...)
			if code != test.code || out != test.out || errs != test.err {
				t.Errorf("code %d, %d bytes of stdout, stderr %q; want %d, %d, %q", code, len(out), errs, test.code, len(test.out), test.err)
			}
		})
	}
}

// client runs client.py to its end.
func client(t *testing.T, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := exec.Command("python3", append([]string{"client.py"}, args...)...)
	cmd.WaitDelay = time.Second
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			t.Fatal(err)
		}
		code = exit.ExitCode()
	}
	return out.String(), errs.String(), code
}

func TestPythonClientSaysWhyItDoesNotBegin(t *testing.T) {
	need(t, "python3")
	deaf := filepath.Join(t.TempDir(), "socket")
	ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: deaf, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	ln.SetUnlinkOnClose(false)
	ln.Close()
	const usage = "usage: client.py PATH COMMAND [ARG...]\n"
	for _, test := range []struct {
		args []string
		says string
		code int
	}{
		{nil, usage, 1},
		{[]string{deaf}, usage, 1},
		{[]string{deaf, "true"}, "client.py: Connection refused\n", 125},
		{[]string{deaf + "-not", "true"}, "client.py: No such file or directory\n", 125},
	} {
		if out, errs, code := client(t, test.args...); out != "" || errs != test.says || code != test.code {
			t.Errorf("%q: code %d, stdout %q, stderr %q; want %d, %q", test.args, code, out, errs, test.code, test.says)
		}
	}
}

// The server's part is played here, with an end that the real one brings about
// only in time or in trouble.
func TestPythonClientEndsByReason(t *testing.T) {
	need(t, "python3")
	for _, test := range []struct {
		name, exit, says string
		code             int
	}{
		{"its time ran out", `"reason":"timeout","signal":"TERM","signal_number":15`, "", 124},
		{"cancelled", `"reason":"cancelled","signal":"TERM","signal_number":15,"error":"shutting down"`, "client.py: shutting down\n", 125},
		{"signalled", `"reason":"signalled","signal":"TERM","signal_number":15`, "", 143},
		{"refused", `"reason":"refused","code":126,"error":"cannot"`, "client.py: cannot\n", 126},
		{"unheard of", `"reason":"eaten"`, "", 125},
		{"output is missing", `"reason":"exited","code":0,"stdout_bytes":1`, "client.py: not all of the output came\n", 125},
		{"errors are missing", `"reason":"exited","code":0,"stderr_bytes":1`, "client.py: not all of the output came\n", 125},
	} {
		t.Run(test.name, func(t *testing.T) {
			socket, heard := answer(t, `{"kind":"exit","call":1,`+test.exit+`}`)
			out, errs, code := client(t, socket, "true")
			if out != "" || errs != test.says || code != test.code {
				t.Errorf("code %d, stdout %q, stderr %q; want %d, %q", code, out, errs, test.code, test.says)
			}
			if all := <-heard; !strings.Contains(all, `"kind": "goodbye", "reason": "done"`) {
				t.Errorf("no goodbye in %q", all)
			}
		})
	}
}

// answer serves one connection with one message, and tells all that it heard.
func answer(t *testing.T, header string) (socket string, heard <-chan string) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "socket")
	ln, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	all := make(chan string, 1)
	go func() {
		defer close(all)
		c, err := ln.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		c.Write(append(binary.LittleEndian.AppendUint32(nil, uint32(len(header))), header...))
		b, _ := io.ReadAll(c) // what came until it broke is what was heard
		all <- string(b)
	}()
	return socket, all
}
