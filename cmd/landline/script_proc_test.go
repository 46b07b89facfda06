//go:build unix

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// A proc is a program in the background of a script.
type proc struct {
	cmd      *exec.Cmd
	out, err watched
	done     chan struct{} // closed when it has ended
	waited   error         // then, what Wait said
}

func procs(ts *testscript.TestScript) map[string]*proc {
	return ts.Value(scriptKey{}).(map[string]*proc)
}

func procOf(ts *testscript.TestScript, name string) *proc {
	p := procs(ts)[name]
	if p == nil {
		ts.Fatalf("nothing is called %s", name)
	}
	return p
}

func cmdStart(ts *testscript.TestScript, _ bool, args []string) {
	name := args[0]
	if procs(ts)[name] != nil {
		ts.Fatalf("%s is running", name)
	}
	p := &proc{cmd: command(ts, args[1:]), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.err
	p.out.wake, p.err.wake = make(chan struct{}, 1), make(chan struct{}, 1)
	ts.Check(p.cmd.Start())
	procs(ts)[name] = p
	go func() {
		p.waited = p.cmd.Wait()
		close(p.done)
	}()
}

// command makes a command in the script's folder and environment.
func command(ts *testscript.TestScript, args []string) *exec.Cmd {
	path := args[0]
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		if file := filepath.Join(dir, args[0]); !strings.Contains(args[0], "/") && isFile(file) {
			path = file
			break
		}
	}
	cmd := exec.Command(path, args[1:]...)
	cmd.Dir = ts.MkAbs(".")
	cmd.Env = []string{"PWD=" + cmd.Dir}
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "LANG", "WORK", "GORACE", "XDG_RUNTIME_DIR", "XDG_RUNTIME_DIR"} {
		cmd.Env = append(cmd.Env, name+"="+ts.Getenv(name))
	}
	return cmd
}

func isFile(name string) bool {
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

// await waits until p has printed a text so many times, on either output.
func (p *proc) await(ts *testscript.TestScript, text string, times int) {
	late := time.After(patience)
	for strings.Count(p.out.String(), text)+strings.Count(p.err.String(), text) < times {
		select {
		case <-p.out.wake:
		case <-p.err.wake:
		case <-p.done: // Wait has read all there was
			if !strings.Contains(p.out.String()+p.err.String(), text) {
				ts.Fatalf("it ended (%v) and never said %q, but %q and %q", p.waited, text, p.out.String(), p.err.String())
			}
			return
		case <-late:
			ts.Fatalf("it does not say %q, but %q and %q", text, p.out.String(), p.err.String())
		}
	}
}

// end ends what a script has left behind, gently first, for a server has
// children.
func (p *proc) end() {
	// One that has ended by itself needs neither.
	_ = p.cmd.Process.Signal(os.Interrupt)
	select {
	case <-p.done:
	case <-time.After(patience):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// A watched is an output that is waited for.
type watched struct {
	wake chan struct{} // 1 deep: there is more
	mu   sync.Mutex
	text strings.Builder
}

func (w *watched) Write(p []byte) (int, error) {
	w.mu.Lock()
	w.text.Write(p)
	w.mu.Unlock()
	select {
	case w.wake <- struct{}{}:
	default:
	}
	return len(p), nil
}

func (w *watched) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}
