package main

import (
	"encoding/json"
	"fmt"
	"os"

	"landline/remote"
)

// A verdict is what happened to a command, as --verdict writes it.
type verdict struct {
	Host        string `json:"host"`
	Job         string `json:"job"`
	Reason      string `json:"reason"`
	Code        int    `json:"code"`
	Signal      string `json:"signal"`
	StdoutBytes int64  `json:"stdout_bytes"`
	StderrBytes int64  `json:"stderr_bytes"`
	Held        bool   `json:"held"`
	DurationMS  int64  `json:"duration_ms"`
	Error       string `json:"error"`
}

func newVerdict(h host, r *remote.Result, err error) *verdict {
	v := &verdict{
		Host: h.text, Job: r.Job, Reason: r.Reason, Code: r.Code, Signal: r.Signal,
		StdoutBytes: r.StdoutBytes, StderrBytes: r.StderrBytes,
		Held: r.Held, DurationMS: r.Duration.Milliseconds(), Error: r.Error,
	}
	if v.Error == "" && err != nil {
		v.Error = err.Error()
	}
	return v
}

// A verdictFile is where --verdict writes to; nil is nowhere.
type verdictFile struct {
	f   *os.File
	err error // what went wrong first
}

// openVerdict opens the file before anything is done, so that what was done does
// not go unreported, and an old verdict is not taken for this one.
func openVerdict(name string) (*verdictFile, error) {
	if name == "" {
		return nil, nil
	}
	f, err := os.Create(name)
	if err != nil {
		return nil, fmt.Errorf("--verdict: %w", err)
	}
	return &verdictFile{f: f}, nil
}

// write writes v and closes the file.
func (w *verdictFile) write(v any) error {
	w.add(v)
	return w.close()
}

// add writes v on a line of its own.
func (w *verdictFile) add(v any) {
	if w == nil || w.err != nil {
		return
	}
	var b []byte
	if b, w.err = json.Marshal(v); w.err == nil {
		_, w.err = w.f.Write(append(b, '\n'))
	}
}

// close closes the file, and says what went wrong with it.
func (w *verdictFile) close() error {
	if w == nil {
		return nil
	}
	if err := w.f.Close(); w.err == nil {
		w.err = err
	}
	if w.err != nil {
		return fmt.Errorf("--verdict: %w", w.err)
	}
	return nil
}

// exitCode is what `landline run` ends with.
func exitCode(r *remote.Result) int {
	switch r.Reason {
	case remote.Exited, remote.Refused:
		return r.Code
	case remote.Signalled:
		return exitSignal + r.SignalNumber
	case remote.TimedOut:
		return exitTimeout
	}
	return exitLandline
}
