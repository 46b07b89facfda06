package main

import (
	"context"
	"io"
	"os"
	"unicode/utf8"

	"landline/internal/charset"
	"landline/remote"
)

// An output is how a command's output reaches the user.
type output struct {
	app    *app
	set    charset.Charset
	named  bool // by the user
	asItIs bool // unless it is named, for a program on a terminal writes for it
	host   host
	client *remote.Client
	// many returns where a stream goes that is one of many hosts'; nil if there is one host alone.
	many func(stream string) io.WriteCloser
}

// writer returns where a stream goes: decoded where a person reads, or where the
// user named an encoding; else as it is.
func (o *output) writer(stream string, f *os.File) io.WriteCloser {
	var w io.WriteCloser
	switch {
	case o.many != nil:
		w = o.many(stream)
	case o.app.json:
		w = &jsonStream{o: o, stream: stream}
	default:
		w = nopCloser{f}
	}
	if o.named || isTerminal(f) && !o.app.json && !o.asItIs {
		w = &lateDecoder{o: o, w: w}
	}
	return w
}

// gap tells of a part of an output that is not kept there any more.
func (o *output) gap(fd int, from, to int64) {
	stream, name := "stdout", "standard output"
	if fd == 2 {
		stream, name = "stderr", "standard error"
	}
	o.app.say("%s: the bytes from %d to %d of %s are not kept any more", o.host.text, from, to, name)
	if o.app.json {
		printJSON(&o.app.out, struct {
			Host   string `json:"host"`
			Stream string `json:"stream"`
			Gap    int64  `json:"gap"`
		}{o.host.text, stream, to - from})
	}
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// A lateDecoder learns the host's encoding when the first output comes: by then
// the host has said hello.
type lateDecoder struct {
	o   *output
	w   io.WriteCloser
	dec io.WriteCloser
}

func (d *lateDecoder) Write(p []byte) (int, error) {
	if d.dec == nil {
		hello, err := d.o.client.Connected(context.Background())
		if err != nil {
			return 0, err
		}
		d.dec = d.o.set.NewWriter(d.w, hello.Encoding)
	}
	return d.dec.Write(p)
}

func (d *lateDecoder) Close() error {
	if d.dec != nil {
		if err := d.dec.Close(); err != nil {
			return err
		}
	}
	return d.w.Close()
}

// A jsonStream prints each piece of output as a line of JSON: as text if it is
// UTF-8, else as Base64. A character that was cut waits for its rest.
type jsonStream struct {
	o      *output
	stream string
	cut    []byte
}

func (j *jsonStream) Write(p []byte) (int, error) {
	whole := append(j.cut, p...)
	end := len(whole) - cutLength(whole)
	j.cut = append([]byte(nil), whole[end:]...)
	return len(p), j.print(whole[:end])
}

func (j *jsonStream) Close() error { return j.print(j.cut) }

func (j *jsonStream) print(p []byte) error {
	if len(p) == 0 {
		return nil
	}
	line := struct {
		Host   string `json:"host"`
		Stream string `json:"stream"`
		Text   string `json:"text,omitempty"`
		Bytes  []byte `json:"base64,omitempty"`
	}{Host: j.o.host.text, Stream: j.stream}
	if utf8.Valid(p) {
		line.Text = string(p)
	} else {
		line.Bytes = p
	}
	return printJSON(&j.o.app.out, line)
}

// cutLength is how many bytes at the end of p begin a character of UTF-8 and do
// not end it.
func cutLength(p []byte) int {
	for n := 1; n <= min(len(p), utf8.UTFMax-1); n++ {
		if tail := p[len(p)-n:]; utf8.RuneStart(tail[0]) {
			if utf8.FullRune(tail) {
				return 0
			}
			return n
		}
	}
	return 0
}
