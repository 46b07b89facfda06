package main

import (
	"bytes"
	"io"
	"os"
	"strings"
)

// longestLine is how much of a line, in bytes, waits for its end.
const longestLine = 64 << 10

// lines print the outputs of many hosts, line by line, each after its host.
type lines struct {
	stdout, stderr     io.Writer
	stdoutAt, stderrAt bool // a terminal
}

func newLines(a *app) lines {
	return lines{&a.out, onScreen{os.Stderr}, isTerminal(os.Stdout), isTerminal(os.Stderr)}
}

// onScreen writes in one piece.
type onScreen struct{ f *os.File }

func (o onScreen) Write(p []byte) (int, error) {
	screen.Lock()
	defer screen.Unlock()
	return o.f.Write(p)
}

// writer returns where a host's stream goes.
func (l *lines) writer(h host, stream string) io.WriteCloser {
	if stream == "stderr" {
		return &lineWriter{to: l.stderr, prefix: h.text + ": ", clean: l.stderrAt}
	}
	return &lineWriter{to: l.stdout, prefix: h.text + ": ", clean: l.stdoutAt}
}

// A lineWriter writes whole lines, each after a prefix, and each piece that it is given in one piece.
type lineWriter struct {
	to     io.Writer
	prefix string
	clean  bool   // for a terminal, which nobody else is to steer
	cut    []byte // the beginning of a line whose end has not come
}

func (w *lineWriter) Write(p []byte) (int, error) {
	var out []byte
	for rest := p; len(rest) > 0; {
		line, more, ended := bytes.Cut(rest, []byte("\n"))
		rest = more
		w.cut = append(w.cut, line...)
		for len(w.cut) > longestLine {
			end := longestLine - cutLength(w.cut[:longestLine])
			out = w.print(out, w.cut[:end])
			w.cut = append(w.cut[:0], w.cut[end:]...)
		}
		if ended {
			out = w.print(out, w.cut)
			w.cut = w.cut[:0]
		}
	}
	if out == nil {
		return len(p), nil
	}
	_, err := w.to.Write(out)
	return len(p), err
}

// Close writes what has come of a last line without an end.
func (w *lineWriter) Close() error {
	if len(w.cut) == 0 {
		return nil
	}
	_, err := w.to.Write(w.print(nil, w.cut))
	w.cut = nil
	return err
}

func (w *lineWriter) print(out, line []byte) []byte {
	out = append(out, w.prefix...)
	if w.clean {
		out = append(out, cleanLine(string(line))...)
	} else {
		out = append(out, line...)
	}
	return append(out, '\n')
}

// cleanLine is escape for a line of text, whose tabs stay as they are.
func cleanLine(s string) string {
	fields := strings.Split(strings.TrimSuffix(s, "\r"), "\t")
	for i, f := range fields {
		fields[i] = escape(f)
	}
	return strings.Join(fields, "\t")
}
