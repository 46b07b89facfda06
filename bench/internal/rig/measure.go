package rig

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// A Sample is what one run of a command took. The peaks are the largest resident
// memory of one process, in bytes, of the client with what it starts and of the
// server with what it starts; 0 where the run was too short to see.
type Sample struct {
	Wall           time.Duration
	Client, Server int64
}

// Measure runs cmd and watches it and its server, which may be nil. What cmd
// writes is thrown away unless cmd.Stdout is set, but its errors are told.
func (r *Rig) Measure(cmd *exec.Cmd, s *Server) (Sample, error) {
	var said bytes.Buffer
	cmd.Stderr = &said
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return Sample{}, err
	}
	stop := watch(cmd.Process.Pid, s)
	err := cmd.Wait()
	wall := time.Since(start)
	client, server := stop()
	return Sample{wall, client, server}, explain(cmd, err, &said)
}

// watchEvery is how often the peaks are read: seldom enough to cost nothing,
// often enough to miss little of a process's last moments.
const watchEvery = 20 * time.Millisecond

// watch reads the peaks of a client and a server until stopped. The kernel keeps
// each process's high-water mark. The rusage of wait would not do: it begins with
// the mark of the process that forked, which is this program.
func watch(client int, s *Server) (stop func() (client, server int64)) {
	if s != nil {
		// The server's mark begins anew (proc(5), clear_refs).
		os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", s.pid), []byte("5"), 0)
	}
	quit, done := make(chan struct{}), make(chan struct{})
	var clientPeak, serverPeak int64
	go func() {
		defer close(done)
		tick := time.NewTicker(watchEvery)
		defer tick.Stop()
		for {
			select {
			case <-quit:
				return
			case <-tick.C:
			}
			clientPeak = max(clientPeak, largest(client))
			if s != nil {
				serverPeak = max(serverPeak, largest(s.pid))
			}
		}
	}()
	return func() (int64, int64) {
		close(quit)
		<-done
		return clientPeak, serverPeak
	}
}

// largest is the highest mark of a process and all it has started.
func largest(pid int) int64 {
	peak := highWater(pid)
	tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	for _, t := range tasks {
		children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, t.Name()))
		for child := range strings.FieldsSeq(string(children)) {
			if n, err := strconv.Atoi(child); err == nil {
				peak = max(peak, largest(n))
			}
		}
	}
	return peak
}

// highWater is a process's peak of resident memory, in bytes.
func highWater(pid int) int64 {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kib, _, _ := strings.Cut(rest, "kB")
	n, _ := strconv.ParseInt(strings.TrimSpace(kib), 10, 64)
	return n << 10
}
