package remote

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// roleVariable makes this test binary a client or a server that can be killed.
const roleVariable = "LINE_TEST_ROLE"

// TestRole is no test: it is the other process of the tests below.
func TestRole(t *testing.T) {
	role, socket, _ := strings.Cut(os.Getenv(roleVariable), " ")
	switch role {
	case "":
		t.Skip("this is for other tests")
	case "leaving":
		if err := leaving(socket); err != nil {
			t.Fatal(err)
		}
	case "server", "keeping":
		ln, err := net.Listen("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println("ready")
		s := &Server{Home: "/", Admit: func(_ context.Context, raw net.Conn) (net.Conn, Guest, error) { return raw, Guest{}, nil }}
		if role == "keeping" {
			s.State = socket + ".state"
		}
		if group, err := os.ReadFile(socket + ".group"); err == nil {
			if err := os.WriteFile(string(group)+"/cgroup.procs", []byte("0"), 0); err != nil {
				t.Fatal(err)
			}
		}
		s.Serve(context.Background(), ln)
	case "client":
		nc, err := net.Dial("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		cmd := sh(talkative)
		cmd.KillAfter = 20 * time.Millisecond
		cmd.Stdin, cmd.Stdout = zeros{}, os.Stdout
		NewClient(nc, "test").Run(context.Background(), cmd)
	}
	os.Exit(0)
}

// talkative says who it is, then reads and writes for ever, and so does a child.
const talkative = `trap '' TERM; (trap '' TERM; cat >/dev/null) & echo $$ $!; while :; do echo $$ $!; done`

// playRole starts this test binary in a role. It is killed at the test's end.
func playRole(t *testing.T, role, socket string) (out *bufio.Reader, kill func()) {
	cmd := exec.Command(os.Args[0], "-test.run=^TestRole$")
	cmd.Env = append(os.Environ(), roleVariable+"="+role+" "+socket)
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = sync.OnceFunc(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	t.Cleanup(kill)
	return bufio.NewReader(pipe), kill
}

// random returns a source of randomness whose seed is told if the test fails.
func random(t *testing.T) *rand.Rand {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// TestKilledClientLeavesNoCommand kills clients at random points; the server lives.
func TestKilledClientLeavesNoCommand(t *testing.T) {
	r := random(t)
	socket := t.TempDir() + "/s"
	ln, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{Home: "/", Admit: func(_ context.Context, raw net.Conn) (net.Conn, Guest, error) { return raw, Guest{}, nil }}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, ln) }()
	for range 8 {
		out, kill := playRole(t, "client", socket)
		line, err := out.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		io.CopyN(io.Discard, out, r.Int64N(200_000))
		kill()
		for _, pid := range strings.Fields(line) {
			wantGone(t, pid)
		}
	}
	waitFor(t, "the end of every job", func() bool {
		s.jobs.mu.Lock()
		defer s.jobs.mu.Unlock()
		return s.jobs.running == 0
	})
	cancel()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// TestKilledServerIsLost kills servers at random points, sooner or later in a
// command that ends with 3: the client says so, or that it does not know.
func TestKilledServerIsLost(t *testing.T) {
	r := random(t)
	for i := range 8 {
		socket := t.TempDir() + "/s"
		out, kill := playRole(t, "server", socket)
		if line, err := out.ReadString('\n'); line != "ready\n" {
			t.Fatal(line, err)
		}
		nc, err := net.Dial("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		cl := NewClient(nc, "test")
		const whole = 2_000_000
		at := newTally(1 + r.Int64N(whole*5/4)) // sometimes never
		go func() {
			select {
			case <-at.enough:
				kill()
			case <-cl.Done():
			}
		}()
		cmd := sh("trap 'exit 9' PIPE; head -c 2000000 /dev/zero; exit 3")
		cmd.Stdout = at
		result, err := cl.Run(t.Context(), cmd)
		switch {
		case result.Reason == Lost && err != nil:
		case result.Reason == Exited && err == nil && result.Code == 3 && at.n.Load() == whole:
		default:
			t.Errorf("run %d: %+v after %d bytes, %v", i, result, at.n.Load(), err)
		}
		cl.Close()
		kill()
	}
}
