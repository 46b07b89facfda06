//go:build unix

package main

import (
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// tmux makes a command of tmux, with a server of the script's own.
func tmux(ts *testscript.TestScript, args ...string) *exec.Cmd {
	return command(ts, append([]string{"tmux", "-S", ts.MkAbs("tmux.socket"), "-f", "/dev/null"}, args...))
}

func cmdTmux(ts *testscript.TestScript, _ bool, args []string) {
	if out, err := tmux(ts, args...).CombinedOutput(); err != nil {
		ts.Fatalf("tmux: %v: %s", err, out)
	}
}

// endTmux ends the server of a script's tmux, if it has one.
func endTmux(dir string) {
	socket := filepath.Join(dir, "tmux.socket")
	if matches, _ := filepath.Glob(socket); len(matches) > 0 {
		// One that has ended by itself is as good.
		_ = exec.Command("tmux", "-S", socket, "kill-server").Run()
	}
}

func cmdScreen(ts *testscript.TestScript, _ bool, args []string) {
	text, err := strconv.Unquote(`"` + args[0] + `"`)
	ts.Check(err)
	var shown []byte
	for late := time.Now().Add(patience); time.Now().Before(late); time.Sleep(20 * time.Millisecond) {
		shown, err = tmux(ts, "capture-pane", "-p", "-e").CombinedOutput()
		if err == nil && strings.Contains(string(shown), text) {
			return
		}
	}
	ts.Fatalf("the screen does not show %q, but (%v)\n%s", text, err, shown)
}
