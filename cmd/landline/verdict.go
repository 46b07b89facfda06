package main

import (
	"encoding/json"
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

func newVerdict(h host, r *remote.Result) *verdict {
	return &verdict{
		Host: h.text, Job: r.Job, Reason: r.Reason, Code: r.Code, Signal: r.Signal,
		StdoutBytes: r.StdoutBytes, StderrBytes: r.StderrBytes,
		Held: r.Held, DurationMS: r.Duration.Milliseconds(), Error: r.Error,
	}
}

// writeVerdict writes v to a file, or nowhere if it has no name.
func writeVerdict(file string, v any) error {
	if file == "" {
		return nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(b, '\n'), 0o644)
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
