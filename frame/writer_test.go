package frame_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"landline/frame"
)

func TestWritesTheFormat(t *testing.T) {
	var h frame.Builder
	w := new(bytes.Buffer)
	check := func(body, header string) {
		t.Helper()
		w.Reset()
		if err := frame.NewWriter(w).Frame(&h, []byte(body)); err != nil {
			t.Fatal(err)
		}
		want := encode(header, body)
		if !bytes.Equal(w.Bytes(), want) {
			t.Errorf("Frame wrote %q, want %q", w, want)
		}
		got, err := frame.Append([]byte("before,"), &h, []byte(body))
		if err != nil || string(got) != "before,"+string(want) {
			t.Errorf("Append made %q, %v, want %q", got, err, want)
		}
		if _, err := next(got[len("before,"):]); err != nil {
			t.Errorf("not readable: %v", err)
		}
	}
	check("", `{}`)
	check("x", `{"size":1}`)
	h.Str("kind", "data").Int("at", -5)
	check("hello", `{"kind":"data","at":-5,"size":5}`)
	check("", `{"kind":"data","at":-5}`) // the same Builder again
	h.Reset().Bool("y", true).Bool("n", false)
	check("", `{"y":true,"n":false}`)
	h.Reset().Strs("none", nil).Strs("two", []string{"a", ""})
	check("", `{"none":[],"two":["a",""]}`)
	h.Reset().Str("t", "\"\\/\n\x1f\x7f線😀")
	check("", `{"t":"\"\\/\u000a\u001f\u007f線😀"}`)
	h.Reset().Str("t", "a\x00b\xffc\xe7\xb7")
	check("", "{\"t\":\"a\ufffdb\ufffdc\ufffd\ufffd\"}")
	h.Reset().Str("t", ",")
	check(",", `{"t":",","size":1}`)
}

func TestBuilderShowsItsHeader(t *testing.T) {
	var h frame.Builder
	if got := h.String(); got != `{}` {
		t.Errorf("got %s", got)
	}
	h.Int("a", 1)
	if got := h.String(); got != `{"a":1}` {
		t.Errorf("got %s", got)
	}
	h.Int("b", 2) // String has not ended the object
	if got := h.String(); got != `{"a":1,"b":2}` {
		t.Errorf("got %s", got)
	}
}

func TestBodyIsAsLongAsPromised(t *testing.T) {
	var wire bytes.Buffer
	var h frame.Builder
	w := frame.NewWriter(&wire)
	if _, err := w.Write([]byte("x")); err != frame.ErrBodyLength {
		t.Errorf("a body before any frame: %v", err)
	}
	if err := w.Begin(&h, 5); err != nil {
		t.Fatal(err)
	}
	if n, err := w.Write([]byte("abcdef")); n != 0 || err != frame.ErrBodyLength {
		t.Errorf("6 bytes of 5: %d, %v", n, err)
	}
	if _, err := w.Write([]byte("abc")); err != nil {
		t.Fatal(err)
	}
	if err := w.Begin(&h, 0); err != frame.ErrBodyLength {
		t.Errorf("Begin within a body: %v", err)
	}
	if err := w.Frame(&h, nil); err != frame.ErrBodyLength {
		t.Errorf("Frame within a body: %v", err)
	}
	if _, err := w.Write([]byte("de")); err != nil {
		t.Fatal(err)
	}
	if err := w.Frame(&h, nil); err != nil {
		t.Fatal(err)
	}
	want := string(encode(`{"size":5}`, "abcde")) + string(encode(`{}`, ""))
	if wire.String() != want {
		t.Errorf("got %q, want %q", wire.String(), want)
	}
}

func TestWritesNothingOutOfBounds(t *testing.T) {
	var h frame.Builder
	var wire bytes.Buffer
	w := frame.NewWriter(&wire)
	check := func(err error, reason string) {
		t.Helper()
		wantReason(t, err, reason)
		if wire.Len() != 0 {
			t.Errorf("%d bytes written", wire.Len())
		}
	}
	check(w.Begin(&h, -1), "a body of -1 bytes")
	check(w.Begin(&h, frame.MaxBody+1), "a body of 1048577 bytes, allowed are 1048576")
	dst, err := frame.Append([]byte("before"), &h, make([]byte, frame.MaxBody+1))
	if check(err, "a body of 1048577 bytes"); string(dst) != "before" {
		t.Errorf("Append left %d bytes", len(dst))
	}
	h.Str("a", strings.Repeat("x", frame.MaxHeader-len(`{"a":""}`)))
	if dst, err := frame.Append(nil, &h, nil); err != nil || len(dst) != 4+frame.MaxHeader {
		t.Errorf("the longest header: %d bytes, %v", len(dst), err)
	}
	check(w.Frame(&h, []byte("x")), "a header of 65545 bytes, allowed are 65536") // with the size
	h.Bool("b", true)
	dst, err = frame.Append([]byte("before"), &h, nil)
	if check(err, "a header of 65545 bytes"); string(dst) != "before" {
		t.Errorf("Append left %d bytes", len(dst))
	}
	if err := w.Frame(h.Reset(), nil); err != nil {
		t.Errorf("the next frame: %v", err)
	}
}

func TestWriteErrorsComeThrough(t *testing.T) {
	broken := errors.New("the line broke")
	var h frame.Builder
	h.Int("a", 1)
	whole, err := frame.Append(nil, &h, []byte("hello"))
	if err != nil {
		t.Fatal(err)
	}
	for room := range len(whole) {
		w := frame.NewWriter(&short{room: room, err: broken})
		if err := w.Frame(&h, []byte("hello")); err != broken {
			t.Errorf("room for %d of %d bytes: got %v", room, len(whole), err)
		}
	}
	w := frame.NewWriter(&short{room: len(whole), err: broken})
	if err := w.Frame(&h, []byte("hello")); err != nil {
		t.Error(err)
	}
}

func TestBodyGoesOnAfterAWriteCutShort(t *testing.T) {
	var h frame.Builder
	dst := &short{room: 4 + len(`{"size":5}`) + 2, err: errors.New("a deadline")}
	w := frame.NewWriter(dst)
	if err := w.Begin(&h, 5); err != nil {
		t.Fatal(err)
	}
	if n, err := w.Write([]byte("abcde")); n != 2 || err != dst.err {
		t.Fatalf("wrote %d bytes, %v", n, err)
	}
	dst.room = 100
	if n, err := w.Write([]byte("cdef")); n != 0 || err != frame.ErrBodyLength {
		t.Errorf("4 bytes where 3 lack: %d, %v", n, err)
	}
	if n, err := w.Write([]byte("cde")); n != 3 || err != nil {
		t.Errorf("the rest: %d, %v", n, err)
	}
	if err := w.Begin(&h, 0); err != nil {
		t.Errorf("the next frame: %v", err)
	}
}

// A short is a writer with room for so many bytes.
type short struct {
	room int
	err  error
}

func (s *short) Write(p []byte) (int, error) {
	if len(p) > s.room {
		n := s.room
		s.room = 0
		return n, s.err
	}
	s.room -= len(p)
	return len(p), nil
}
