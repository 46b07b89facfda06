// Command lan measures the gateway and the switch of landline's LAN, the gateway beside gvproxy, slirp4netns
// and pasta: from a kernel in a namespace to a server on the loopback of the one around it, by an
// ordinary socket of the gateway. It prints a table in Markdown for each kind of work, and one that says how far landline
// is from where it is meant to be.
//
// Run it from bench/, as root: go run ./lan
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"landline/bench/internal/compare"
	"landline/bench/internal/kernel"
)

// gvproxy is what is built of it, in the versions of its own go.mod.
const gvproxy = "github.com/containers/gvisor-tap-vsock/cmd/gvproxy@v0.8.9"

// binVariable tells inner programs where landline and gvproxy are.
const binVariable = "LANDLINE_BENCH_BIN"

func main() {
	kernel.Help()
	code := 1
	if os.Getenv(binVariable) != "" {
		code = compare.Main("lan", allRows())
	} else if err := withBinaries(func() { code = compare.Main("lan", allRows()) }); err != nil {
		fmt.Fprintln(os.Stderr, "lan:", err)
	}
	os.Exit(code)
}

// withBinaries builds landline, of the tree around bench/, and gvproxy, and removes them after do.
func withBinaries(do func()) error {
	dir, err := os.MkdirTemp("", "landline-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	defer context.AfterFunc(ctx, func() {
		os.RemoveAll(dir)
		os.Exit(1)
	})()
	mod, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return fmt.Errorf("go env GOMOD: %w", err)
	}
	bench := filepath.Dir(strings.TrimSpace(string(mod)))
	err = errors.Join(
		build(ctx, filepath.Dir(bench), dir, "build", "-buildvcs=false", "-o", dir, "./cmd/landline"),
		build(ctx, bench, dir, "install", gvproxy),
		os.Setenv(binVariable, dir))
	if err != nil {
		return err
	}
	do()
	return nil
}

func build(ctx context.Context, in, bin string, args ...string) error {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = in
	cmd.Env = append(os.Environ(), "GOBIN="+bin)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}
