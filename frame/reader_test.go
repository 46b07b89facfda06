package frame_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"landline/frame"
)

// encode makes a frame by the format's definition, without this package.
func encode(header, body string) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(header)))
	return append(append(b, header...), body...)
}

func next(stream []byte) (frame.Header, error) {
	return frame.NewReader(bytes.NewReader(stream)).Next()
}

type message struct{ header, body string }

// session is what the tests cut to pieces: empty and full bodies, a body that
// looks like frames, space around a header, sizes that are not the frame's own.
var session = []message{
	{`{}`, ``},
	{`{"kind":"hello","size":5}`, `hello`},
	{`{"kind":"data","size":0}`, ``},
	{`{"kind":"data","size":63}`, string(encode(`{"kind":"exit","size":9}`, "\x02\x00\x00\x00{}")) + strings.Repeat("\x00", 29)},
	{" {\"size\" : 1,\n\"inner\":{\"size\":7}} ", "\xff"},
	{`{"inner":{"size":7},"list":["size",7]}`, ``},
	{fill(200), ``},
	{`{"size":100}`, strings.Repeat("線", 33) + "!"},
	{`{"kind":"end"}`, ``},
}

// record returns the session's bytes and the offsets at which a frame ends.
func record() (stream []byte, borders []int) {
	borders = []int{0}
	for _, m := range session {
		stream = append(stream, encode(m.header, m.body)...)
		borders = append(borders, len(stream))
	}
	return stream, borders
}

// readAll reads the messages of src to its end, and what ended it.
func readAll(src io.Reader) (got []message, end error) {
	r := frame.NewReader(src)
	for {
		h, err := r.Next()
		if err != nil {
			return got, err
		}
		header := string(h)
		body, err := io.ReadAll(r)
		if err != nil {
			return got, err
		}
		got = append(got, message{header, string(body)})
	}
}

func TestCutsDoNotMatter(t *testing.T) {
	stream, _ := record()
	check := func(how string, src io.Reader) {
		t.Helper()
		if got, err := readAll(src); err != io.EOF || !slices.Equal(got, session) {
			t.Errorf("%s: got %d messages %q, then %v", how, len(got), got, err)
		}
	}
	for i := range stream {
		check(fmt.Sprintf("cut at %d", i), io.MultiReader(bytes.NewReader(stream[:i]), bytes.NewReader(stream[i:])))
	}
	whole := func() io.Reader { return bytes.NewReader(stream) }
	check("whole", whole())
	check("byte by byte", iotest.OneByteReader(whole()))
	check("in halves", iotest.HalfReader(whole()))
	check("the end with the last bytes", iotest.DataErrReader(whole()))
	check("byte by byte, the end with the last", iotest.DataErrReader(iotest.OneByteReader(whole())))
	check("many frames a packet", bufio.NewReader(whole()))
	check("buffered in 16 bytes", bufio.NewReaderSize(iotest.OneByteReader(whole()), 16))
}

func TestStreamEndsOnlyBetweenFrames(t *testing.T) {
	stream, borders := record()
	for i := range len(stream) + 1 {
		whole, atBorder := slices.BinarySearch(borders, i)
		want := io.EOF
		if !atBorder {
			whole--
			want = io.ErrUnexpectedEOF
		}
		if got, err := readAll(bytes.NewReader(stream[:i])); err != want || !slices.Equal(got, session[:whole]) {
			t.Errorf("ends at %d: got %d messages, %v, want %d, %v", i, len(got), err, whole, want)
		}
		if err := skipAll(bytes.NewReader(stream[:i])); err != want {
			t.Errorf("ends at %d, bodies skipped: got %v, want %v", i, err, want)
		}
	}
}

func skipAll(src io.Reader) error {
	r := frame.NewReader(src)
	for {
		if _, err := r.Next(); err != nil {
			return err
		}
	}
}

func TestSkipsTheRestOfABody(t *testing.T) {
	stream, _ := record()
	for want := range 101 { // how much of each body is read
		r := frame.NewReader(iotest.HalfReader(bytes.NewReader(stream)))
		for _, m := range session {
			h, err := r.Next()
			if err != nil || string(h) != m.header {
				t.Fatalf("after %d bytes of each body: got %q, %v, want %q", want, h, err, m.header)
			}
			got := make([]byte, min(want, len(m.body)))
			if _, err := io.ReadFull(r, got); err != nil || string(got) != m.body[:len(got)] {
				t.Fatalf("%d bytes of the body: got %q, %v", want, got, err)
			}
			if r.Len() != len(m.body)-len(got) {
				t.Fatalf("Len is %d after %d of %d bytes", r.Len(), len(got), len(m.body))
			}
		}
		if _, err := r.Next(); err != io.EOF {
			t.Fatal(err)
		}
	}
}

func TestBodyIsAReader(t *testing.T) {
	body := strings.Repeat("0123456789", 500)
	r := frame.NewReader(bytes.NewReader(append(encode(`{"size":5000}`, body), "more"...)))
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	if err := iotest.TestReader(r, []byte(body)); err != nil {
		t.Error(err)
	}
}

func TestHeaderLengthIsBounded(t *testing.T) {
	for _, tt := range []struct {
		n  uint32
		ok bool
	}{
		{0, false}, {1, false}, {2, true}, {3, true},
		{65535, true}, {65536, true}, {65537, false},
		{1<<31 - 1, false}, {1 << 31, false}, {1<<32 - 1, false},
	} {
		src := &source{data: binary.LittleEndian.AppendUint32(nil, tt.n)}
		src.data = append(src.data, "{}"...)
		if tt.ok {
			src.data = append(src.data, strings.Repeat(" ", int(tt.n)-2)...)
		}
		_, err := frame.NewReader(src).Next()
		switch {
		case tt.ok && err != nil:
			t.Errorf("n = %d: %v", tt.n, err)
		case !tt.ok:
			wantReason(t, err, fmt.Sprintf("a header of %d bytes, allowed are 2 to 65536", tt.n))
			if src.taken != 4 {
				t.Errorf("n = %d: read %d bytes, want the 4 of the length", tt.n, src.taken)
			}
		}
	}
}

func TestNamesTheProtocolOfAStranger(t *testing.T) {
	for _, tt := range []struct{ first, reason string }{
		{"GET / HTTP/1.1\r\n\r\n", "the peer speaks HTTP"},
		{"POST / HTTP/1.1\r\n\r\n", "the peer speaks HTTP"},
		{"HEAD / HTTP/1.1\r\n\r\n", "the peer speaks HTTP"},
		{"HTTP/1.1 400 Bad Request\r\n\r\n", "the peer speaks HTTP"},
		{"SSH-2.0-OpenSSH_9.2\r\n", "the peer speaks SSH"},
		{"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "the peer speaks TLS"}, // ClientHello
		{"\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03", "the peer speaks TLS"}, // ServerHello
		{"\x15\x03\x03\x00\x02\x02\x46", "the peer speaks TLS"},                 // alert
		{"{\"kind\":\"hello\"}\n", "a header of 1768628859 bytes"},              // no length
		{"\x00\x00\x00\x02{}", "a header of 33554432 bytes"},                    // big-endian
	} {
		_, err := next([]byte(tt.first))
		wantReason(t, err, tt.reason)
	}
}

func TestSizeIsBounded(t *testing.T) {
	for _, tt := range []struct{ size, reason string }{
		{`-1`, `size: "-1" is not within 0 and 1048576`},
		{`1048577`, `size: "1048577" is not within 0 and 1048576`},
		{`4294967296`, `size: "4294967296" is not within`},
		{`9007199254740991`, `is not within`},
		{`18446744073709551616`, `a number beyond`},
		{`0.5`, "not a whole number"},
		{`1e3`, "not a whole number"},
		{`-0`, "not a number"},
		{`"5"`, `size: "\"5\"" stands where a whole number belongs`},
		{`true`, "stands where a whole number belongs"},
		{`[5]`, "stands where a whole number belongs"},
		{`{}`, "stands where a whole number belongs"},
		{`null`, "not a value"},
	} {
		_, err := next(encode(`{"size":`+tt.size+`}`, "hello"))
		wantReason(t, err, tt.reason)
	}
}

func TestBodyOfOneMiBIsTaken(t *testing.T) {
	body := strings.Repeat("x", frame.MaxBody)
	got, err := readAll(bytes.NewReader(encode(`{"size":1048576}`, body)))
	if err != io.EOF || len(got) != 1 || got[0].body != body {
		t.Errorf("got %d messages, %v", len(got), err)
	}
}

// A size that says less than the body has makes a length of the body's rest.
func TestShortSizeBreaksTheStream(t *testing.T) {
	r := frame.NewReader(bytes.NewReader(encode(`{"size":1}`, "hello")))
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	_, err := r.Next()
	wantReason(t, err, `a header of 1869376613 bytes`) // "ello"
}

// A size that says more than the body has takes the next frames for body, and
// the end of the stream tells.
func TestLongSizeBreaksTheStream(t *testing.T) {
	got, err := readAll(bytes.NewReader(append(encode(`{"size":99}`, "hello"), encode(`{}`, "")...)))
	if err != io.ErrUnexpectedEOF || len(got) != 0 {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestLimitLowersTheBounds(t *testing.T) {
	var stream []byte
	stream = append(stream, encode(fill(100), "")...)
	stream = append(stream, encode(`{"size":10}`, "0123456789")...)
	open := func(header, body int) *frame.Reader {
		r := frame.NewReader(bytes.NewReader(stream))
		r.Limit(header, body)
		return r
	}
	drain := func(r *frame.Reader) error {
		for {
			if _, err := r.Next(); err != nil {
				return err
			}
		}
	}
	if err := drain(open(100, 10)); err != io.EOF {
		t.Error(err)
	}
	if err := drain(open(1<<40, 1<<40)); err != io.EOF {
		t.Error(err)
	}
	wantReason(t, drain(open(99, 10)), "a header of 100 bytes, allowed are 2 to 99")
	wantReason(t, drain(open(100, 9)), "a body of 10 bytes, allowed are 9")
	wantReason(t, drain(open(-1, 10)), "a header of 100 bytes")

	r := open(100, 0)
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	r.Limit(frame.MaxHeader, frame.MaxBody) // the peer has been let in
	if _, err := r.Next(); err != nil {
		t.Error(err)
	}

	r = frame.NewReader(bytes.NewReader(encode(fill(frame.MaxHeader+1), "")))
	r.Limit(1<<40, 1<<40)
	_, err := r.Next()
	wantReason(t, err, "a header of 65537 bytes")
}

func TestErrorsAreFinal(t *testing.T) {
	broken := errors.New("the line broke")
	r := frame.NewReader(io.MultiReader(
		bytes.NewReader(encode(`{"size":5}`, "he")), iotest.ErrReader(broken), bytes.NewReader(encode(`{}`, ""))))
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	if body, err := io.ReadAll(r); err != broken || string(body) != "he" {
		t.Fatalf("got %q, %v", body, err)
	}
	for range 2 {
		if _, err := r.Next(); err != broken {
			t.Errorf("Next: got %v, want %v", err, broken)
		}
		if _, err := r.Read(make([]byte, 1)); err != broken {
			t.Errorf("Read: got %v, want %v", err, broken)
		}
	}

	r = frame.NewReader(bytes.NewReader(append(encode(`[]`, ""), encode(`{}`, "")...)))
	for range 2 {
		_, err := r.Next()
		wantReason(t, err, "not a JSON object")
	}
	_, err := r.Read(make([]byte, 1))
	wantReason(t, err, "not a JSON object")
}

func TestReadsNothingBeyondItsFrame(t *testing.T) {
	stream, borders := record()
	src := &source{data: stream}
	r := frame.NewReader(src)
	for i, m := range session {
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
		if want := borders[i] + 4 + len(m.header); src.taken != want {
			t.Errorf("frame %d, header: %d bytes read, want %d", i, src.taken, want)
		}
		io.Copy(io.Discard, r)
		if src.taken != borders[i+1] {
			t.Errorf("frame %d, body: %d bytes read, want %d", i, src.taken, borders[i+1])
		}
	}
}

// The Reader hands bodies through: 64 MiB leave nothing behind but one header.
func TestHoldsNoBody(t *testing.T) {
	const frames = 64
	one := encode(`{"size":1048576}`, strings.Repeat("x", frame.MaxBody))
	buf := make([]byte, 32<<10)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r := frame.NewReader(&loop{data: one})
	for range frames {
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
		for r.Len() > 0 {
			if _, err := r.Read(buf); err != nil {
				t.Fatal(err)
			}
		}
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > frame.MaxHeader {
		t.Errorf("%d bytes allocated for %d bodies of 1 MiB", got, frames)
	}
}

// A source counts what is taken of it and the most asked for at once.
type source struct {
	data  []byte
	taken int
	asked int
}

func (s *source) Read(p []byte) (int, error) {
	s.asked = max(s.asked, len(p))
	if len(p) > 0 && s.taken == len(s.data) {
		return 0, io.EOF
	}
	n := copy(p, s.data[s.taken:])
	s.taken += n
	return n, nil
}

// A loop is the same bytes without end.
type loop struct {
	data []byte
	pos  int
}

func (l *loop) Read(p []byte) (int, error) {
	n := copy(p, l.data[l.pos:])
	l.pos = (l.pos + n) % len(l.data)
	return n, nil
}

// A lender lends a stream in pieces.
type lender struct {
	io.Reader
	rest  []byte
	piece int
}

func (l *lender) Lend(limit int) ([]byte, error) {
	if len(l.rest) == 0 {
		return nil, io.EOF
	}
	n := min(limit, l.piece, len(l.rest))
	p := l.rest[:n]
	l.rest = l.rest[n:]
	return p, nil
}

func (l *lender) Read(p []byte) (int, error) {
	b, err := l.Lend(len(p))
	return copy(p, b), err
}

func TestLendStaysWithinTheBody(t *testing.T) {
	stream := append(encode(`{"size":10}`, "0123456789"), encode(`{"size":4}`, "abc")...) // the last is torn
	for piece := 1; piece < 12; piece++ {
		r := frame.NewReader(&lender{rest: stream, piece: piece})
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
		var got []byte
		for r.Len() > 0 {
			p, err := r.Lend(7)
			if err != nil || len(p) == 0 || len(p) > 7 {
				t.Fatalf("%q after %q: %v", p, got, err)
			}
			got = append(got, p...)
		}
		if _, err := r.Lend(7); string(got) != "0123456789" || err != io.EOF {
			t.Errorf("in pieces of %d: %q, then %v", piece, got, err)
		}
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
		for r.Len() > 1 {
			if _, err := r.Lend(7); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := r.Lend(7); err != io.ErrUnexpectedEOF {
			t.Errorf("a torn body: %v", err)
		}
		if _, err := r.Next(); err != io.ErrUnexpectedEOF {
			t.Errorf("after a torn body: %v", err)
		}
	}
}
