package link_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"landline/link"
	"landline/wire"
)

// frame makes a frame of n bytes that differs from others by its first payload byte.
func streamFrame(n int, mark byte) []byte {
	b := make([]byte, max(n, wire.EthernetLen+1))
	b[wire.EthernetLen] = mark
	return b
}

// A heard is what a device brought.
type heard struct {
	mu     sync.Mutex
	frames [][]byte
	rooms  int
	down   []error
}

func (h *heard) handler() link.Handler {
	return link.Handler{
		Receive: func(frames []link.Frame) {
			h.mu.Lock()
			defer h.mu.Unlock()
			for i := range frames {
				h.frames = append(h.frames, frames[i].AppendTo(nil))
			}
		},
		Room: func() { h.mu.Lock(); h.rooms++; h.mu.Unlock() },
		Down: func(err error) { h.mu.Lock(); h.down = append(h.down, err); h.mu.Unlock() },
	}
}

func frames(bs ...[]byte) (fs []link.Frame) {
	for _, b := range bs {
		fs = append(fs, link.Frame{Head: b})
	}
	return fs
}

func TestStreamPutsALengthBeforeEachFrame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, far := net.Pipe()
		s := link.NewStream(conn, link.Info{})
		s.Attach(link.Handler{})
		head, body := streamFrame(20, 1), []byte("body")
		if n, err := s.Write([]link.Frame{{Head: head, Body: body}, {Head: head}}); n != 2 || err != nil {
			t.Fatal(n, err)
		}
		want := slices.Concat([]byte{0, 0, 0, 24}, head, body, []byte{0, 0, 0, 20}, head)
		got := make([]byte, len(want))
		if _, err := io.ReadFull(far, got); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%x, %v", got, err)
		}
		s.Close()
	})
}

// Streams come in pieces that have nothing to do with frames.
func TestStreamFindsFramesInAnyPieces(t *testing.T) {
	var whole []byte
	want := [][]byte{streamFrame(15, 1), {}, streamFrame(1514, 2), streamFrame(link.MaxFrame, 3), streamFrame(60, 4)}
	for _, f := range want {
		whole = append(binary.BigEndian.AppendUint32(whole, uint32(len(f))), f...)
	}
	for _, size := range []int{5, 1000, 64 << 10, len(whole)} {
		synctest.Test(t, func(t *testing.T) {
			conn, far := net.Pipe()
			s := link.NewStream(conn, link.Info{})
			var h heard
			s.Attach(h.handler())
			for piece := range slices.Chunk(whole, size) {
				if _, err := far.Write(piece); err != nil {
					t.Fatal(err)
				}
			}
			synctest.Wait()
			if !slices.EqualFunc(h.frames, want, bytes.Equal) {
				t.Errorf("in pieces of %d bytes: %d frames", size, len(h.frames))
			}
			s.Close()
			if h.down != nil {
				t.Errorf("after Close: down, %v", h.down)
			}
		})
	}
}

// A batch that fills it at once, while nothing else waits, is written as far as it was taken.
func TestStreamThatOneBatchFillsGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, far := net.Pipe()
		s := link.NewStream(conn, link.Info{MTU: link.MaxMTU})
		var h heard
		s.Attach(h.handler())
		synctest.Wait() // until the goroutine that writes waits
		const size = wire.EthernetLen + link.MaxMTU
		n, err := s.Write(slices.Repeat(frames(streamFrame(size, 1)), 64))
		if n == 0 || n == 64 || err != nil {
			t.Fatal(n, err)
		}
		if _, err := io.CopyN(io.Discard, far, int64(n)*(4+size)); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if h.rooms != 1 {
			t.Errorf("told of room %d times, not once", h.rooms)
		}
		s.Close()
	})
}

func TestFullStreamTakesLessAndSaysWhenThereIsRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, far := net.Pipe()
		s := link.NewStream(conn, link.Info{})
		var h heard
		s.Attach(h.handler())
		f := frames(streamFrame(1514, 1))
		taken := 0
		for {
			n, err := s.Write(f)
			if err != nil {
				t.Fatal(err)
			}
			if n == 0 {
				break
			}
			synctest.Wait() // until the goroutine that writes is stuck
			taken++
			if taken > 4000 {
				t.Fatal("it takes everything")
			}
		}
		synctest.Wait()
		if h.rooms != 0 {
			t.Errorf("there was room %d times, and nobody has read", h.rooms)
		}
		if _, err := io.CopyN(io.Discard, far, int64(taken)*1518); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if h.rooms != 1 {
			t.Errorf("told of room %d times, not once", h.rooms)
		}
		if n, err := s.Write(f); n != 1 || err != nil {
			t.Errorf("with room it takes %d, %v", n, err)
		}
		s.Close()
	})
}

func TestStreamThatBreaksIsDown(t *testing.T) {
	for _, c := range []struct {
		what  string
		bytes string
		want  error
	}{
		{"a length that cannot be", "\x00\x01\x00\x20", link.ErrStreamFrame},
		{"ended within a frame", "\x00\x00\x00\x20abc", io.ErrUnexpectedEOF},
		{"ended within a length", "\x00", io.ErrUnexpectedEOF},
		{"ended", "", io.EOF},
	} {
		synctest.Test(t, func(t *testing.T) {
			conn, far := net.Pipe()
			s := link.NewStream(conn, link.Info{})
			var h heard
			s.Attach(h.handler())
			if _, err := io.WriteString(far, c.bytes); err != nil {
				t.Fatal(err)
			}
			far.Close()
			synctest.Wait()
			if len(h.down) != 1 || !errors.Is(h.down[0], c.want) {
				t.Errorf("%s: down %v, want once %v", c.what, h.down, c.want)
			}
			if n, err := s.Write(frames(streamFrame(60, 0))); n != 0 || err != net.ErrClosed {
				t.Errorf("%s: then Write takes %d, %v", c.what, n, err)
			}
			s.Close()
		})
	}
}

func TestClosedStreamTakesNothing(t *testing.T) {
	conn, far := net.Pipe()
	s := link.NewStream(conn, link.Info{})
	var h heard
	s.Attach(h.handler())
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Write(frames(streamFrame(60, 0))); n != 0 || err != net.ErrClosed {
		t.Errorf("%d, %v", n, err)
	}
	if _, err := far.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the stream is still there: %v", err)
	}
	s.Close()
	link.NewStream(far, link.Info{}).Close() // never attached
}

// A machine says goodbye and goes: its last words arrive.
func TestClosedStreamWritesWhatItHasTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, far := net.Pipe()
		s := link.NewStream(conn, link.Info{})
		var h heard
		s.Attach(h.handler())
		for mark := range byte(3) {
			s.Write(frames(streamFrame(60, mark)))
			synctest.Wait() // so that one is being written
		}
		closed := make(chan struct{})
		go func() { s.Close(); close(closed) }()
		synctest.Wait()
		if n, err := s.Write(frames(streamFrame(60, 9))); n != 0 || err != net.ErrClosed {
			t.Errorf("while it closes, Write takes %d, %v", n, err)
		}
		if b, err := io.ReadAll(far); len(b) != 3*64 || err != nil {
			t.Errorf("%d bytes, %v", len(b), err)
		}
		<-closed
		if len(h.down) != 0 {
			t.Errorf("down %v", h.down)
		}
	})
}

func TestClosedStreamDoesNotWaitForWhoDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		conn, far := net.Pipe()
		defer far.Close()
		s := link.NewStream(conn, link.Info{})
		var h heard
		s.Attach(h.handler())
		s.Write(frames(streamFrame(60, 1)))
		s.Close()
		if len(h.down) != 0 {
			t.Errorf("down %v", h.down)
		}
	})
}

func TestStreamRefusesWhatItCannotCarry(t *testing.T) {
	conn, far := net.Pipe()
	defer far.Close()
	s := link.NewStream(conn, link.Info{MTU: 1000, Offloads: link.OffloadTSO})
	defer s.Close()
	info := s.Info()
	if info.Offloads != 0 || info.MTU != 1000 || info.Name != "stream" || info.MAC == (wire.MAC{}) || info.MAC.IsGroup() {
		t.Errorf("%+v", info)
	}
	good := streamFrame(60, 0)
	for _, c := range []struct {
		bad  link.Frame
		want error
	}{
		{link.Frame{Head: streamFrame(1015, 0)}, link.ErrTooLong},
		{link.Frame{Head: good, Sum: link.SumPartial, SumStart: 34, SumField: 40}, link.ErrOffload},
		{link.Frame{Head: good, SegSize: 500, Sum: link.SumPartial}, link.ErrOffload},
		{link.Frame{Head: good[:13]}, link.ErrFrame},
	} {
		n, err := s.Write([]link.Frame{{Head: good}, c.bad, {Head: good}})
		if n != 1 || err != c.want {
			t.Errorf("%d, %v, want 1, %v", n, err, c.want)
		}
	}
}

// A sink takes all and brings nothing.
type sink struct {
	net.Conn
	closed chan struct{}
}

func (c *sink) Write(b []byte) (int, error)      { return len(b), nil }
func (c *sink) Read([]byte) (int, error)         { <-c.closed; return 0, io.EOF }
func (c *sink) Close() error                     { close(c.closed); return nil }
func (c *sink) SetWriteDeadline(time.Time) error { return nil }

func TestStreamAllocatesNothingPerFrame(t *testing.T) {
	s := link.NewStream(&sink{closed: make(chan struct{})}, link.Info{})
	room := make(chan struct{}, 1)
	s.Attach(link.Handler{Room: func() { room <- struct{}{} }})
	defer s.Close()
	batch := frames(streamFrame(1514, 0), streamFrame(60, 0))
	write := func() {
		for rest := batch; len(rest) > 0; {
			n, err := s.Write(rest)
			if err != nil {
				t.Fatal(err)
			}
			if rest = rest[n:]; len(rest) > 0 {
				<-room
			}
		}
	}
	for range 3000 {
		write() // until its buffers are as large as they get
	}
	if n := testing.AllocsPerRun(1000, write); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkStream(b *testing.B) {
	conn, far := net.Pipe()
	left, right := link.NewStream(conn, link.Info{}), link.NewStream(far, link.Info{})
	room := make(chan struct{}, 1)
	left.Attach(link.Handler{Room: func() { room <- struct{}{} }})
	right.Attach(link.Handler{Receive: func([]link.Frame) {}})
	defer left.Close()
	defer right.Close()
	batch := slices.Repeat(frames(streamFrame(1514, 0)), 32)
	b.SetBytes(32 * 1514)
	b.ReportAllocs()
	for b.Loop() {
		for rest := batch; len(rest) > 0; {
			n, err := left.Write(rest)
			if err != nil {
				b.Fatal(err)
			}
			if rest = rest[n:]; len(rest) > 0 {
				<-room
			}
		}
	}
}
