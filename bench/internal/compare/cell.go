package compare

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/pprof"
	"syscall"
	"time"

	"landline/bench/internal/kernel"
)

// Each measurement is a process of its own, so that none inherits another's garbage, goroutines or connections in
// TIME-WAIT. If root starts it, it has namespaces of the network, of processes and of mounts, and so all that it has started
// ends with it.

// cellVariable tells the inner process what to measure.
const cellVariable = "LANDLINE_BENCH_CELL"

// patience is how long a measurement may take before it is taken to be stuck. Then it says where.
const patience = 2 * time.Minute

func outer(name, cell string) ([]float64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = name
	cmd.Env = append(os.Environ(), cellVariable+"="+cell)
	cmd.Stderr = os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGQUIT) }
	cmd.WaitDelay = time.Second
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWPID | syscall.CLONE_NEWNS}
	}
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cell, err)
	}
	var figures []float64
	return figures, json.Unmarshal(out, &figures)
}

func inner(rows []*Row, cell string, d time.Duration, profile string) error {
	if os.Getuid() == 0 {
		if err := kernel.Furnish(); err != nil {
			return err
		}
		if err := kernel.SetUp(); err != nil {
			return err
		}
	}
	for _, r := range rows {
		for _, h := range r.Hosts {
			if r.Cell(h) == cell {
				return run(h, d, profile)
			}
		}
	}
	return fmt.Errorf("no cell %q", cell)
}

func run(h *Host, d time.Duration, profile string) error {
	work, err := h.Open()
	if err != nil {
		return err
	}
	if profile != "" {
		runtime.MemProfileRate = 64 << 10
		stop, err := startProfile(profile)
		if err != nil {
			return err
		}
		defer stop()
	}
	figures, err := work(d)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(figures)
}

func startProfile(file string) (stop func(), err error) {
	var b bytes.Buffer
	if err := pprof.StartCPUProfile(&b); err != nil {
		return nil, err
	}
	return func() {
		pprof.StopCPUProfile()
		save(file, b.Bytes())
		b.Reset()
		runtime.GC() // up to which the profile counts
		pprof.Lookup("allocs").WriteTo(&b, 0)
		save(file+".mem", b.Bytes())
	}, nil
}

func save(file string, b []byte) {
	if err := os.WriteFile(file, b, 0o644); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
	}
}
