package link

import (
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
	"time"

	"landline/wire"
)

// A Stream is a Device whose wire is a stream of bytes: a socket of a virtual machine. Each frame
// comes after its length, in 4 bytes, the highest first, as QEMU (-netdev stream), libkrun
// and passt have it.
//
// Frames on it are whole: a stream has no place to say that a checksum is missing.
type Stream struct {
	info   Info
	conn   net.Conn
	done   sync.WaitGroup // of the goroutine that reads
	wrote  sync.WaitGroup // of the one that writes
	handle Handler

	mu       sync.Mutex
	wake     sync.Cond // there is something to write, or closed
	attached bool
	closing  bool   // by Close: what was taken is still written
	closed   bool   // by Close, or since the stream broke
	pending  []byte // frames that were taken, as they will be written
	refused  bool   // a writer waits for room
}

// ErrStreamFrame is what Handler.Down hears when a Stream brings a length that no frame has. Where
// the next frame begins is not known then.
var ErrStreamFrame = errors.New("impossible length of a frame in a stream")

// maxSocketFrame is the longest frame that a socket brings: MaxFrame, and a second tag.
const maxSocketFrame = MaxFrame + wire.VLANLen

const (
	// streamLen is how long a length is.
	streamLen = 4
	// streamBytes is how much waits to be written at most, beyond one frame. What
	// is being written is as much again.
	streamBytes = 1 << 20
	// streamRead is how much is read at once.
	streamRead = 2 * (streamLen + maxSocketFrame)
	// streamLast is how long Close waits for the other end to take what is still to be written.
	streamLast = 250 * time.Millisecond
)

// NewStream makes conn a Device, which closes it in the end. Of info, an empty Name is "stream",
// a zero MAC is made up, as a local address, and an MTU of 0 is 1,500; Offloads
// are none, whatever it says. It panics if the MTU is not from MinMTU to MaxMTU.
func NewStream(conn net.Conn, info Info) *Stream {
	s := &Stream{info: ofSocket(info, "stream"), conn: conn}
	s.wake.L = &s.mu
	return s
}

// ofSocket fills in what is zero of the Info of a socket with a name.
func ofSocket(info Info, name string) Info {
	if info.Name == "" {
		info.Name = name
	}
	if info.MAC == (wire.MAC{}) {
		info.MAC = localMAC(rand.Uint64())
	}
	if info.MTU == 0 {
		info.MTU = defaultMTU
	}
	if info.MTU < MinMTU || info.MTU > MaxMTU {
		panic("link: mtu of a socket is " + strconv.Itoa(info.MTU))
	}
	info.Offloads = 0
	return info
}

// Info says what the device is.
func (s *Stream) Info() Info { return s.info }

// Attach begins to read. What came before waits in the stream. It panics if it is called twice.
func (s *Stream) Attach(h Handler) {
	s.mu.Lock()
	twice := s.attached
	s.attached = true
	s.mu.Unlock()
	if twice {
		panic("link: Attach called twice")
	}
	s.handle = h
	s.done.Go(s.read)
	s.wrote.Go(s.write)
}

// Write takes frames to be written. See Device.
func (s *Stream) Write(frames []Frame) (int, error) {
	good, bad := s.info.Check(frames)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.closing {
		return 0, net.ErrClosed
	}
	n := 0
	for ; n < good && len(s.pending) < streamBytes; n++ {
		s.pending = binary.BigEndian.AppendUint32(s.pending, uint32(frames[n].Len()))
		s.pending = frames[n].AppendTo(s.pending)
	}
	if len(s.pending) > 0 {
		s.wake.Signal() // also if it was filled at once, by the frames before one that is refused
	}
	if n < good {
		s.refused = true
		return n, nil
	}
	return good, bad
}

// write writes what Write took, in pieces as large as they come.
func (s *Stream) write() {
	var b []byte
	for {
		var room func()
		b, room = s.take(b[:0])
		if room != nil {
			room()
		}
		if b == nil {
			return
		}
		if _, err := s.conn.Write(b); err != nil {
			s.broke(err)
			return
		}
	}
}

// take waits for something to write, and gives empty in exchange for it. It returns nil once there is nothing any more and the
// stream is closed, and the function that is to hear of room, if any is.
func (s *Stream) take(empty []byte) (b []byte, room func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.pending) == 0 && !s.closed && !s.closing {
		s.wake.Wait()
	}
	if len(s.pending) == 0 {
		return nil, nil
	}
	b, s.pending = s.pending, empty
	if s.refused {
		s.refused = false
		room = s.handle.Room
	}
	return b, room
}

// read hands over what arrives, as many frames at once as there are.
func (s *Stream) read() {
	in := streamReader{buf: make([]byte, streamRead), receive: s.handle.Receive}
	for {
		n, err := s.conn.Read(in.buf[in.end:])
		in.end += n
		if bad := in.deliver(); bad != nil {
			err = bad
		}
		if err != nil {
			if err == io.EOF && in.end > 0 {
				err = io.ErrUnexpectedEOF
			}
			s.broke(err)
			return
		}
	}
}

// A streamReader is where a stream is read to.
type streamReader struct {
	buf     []byte
	end     int // of what has been read
	frames  []Frame
	receive func([]Frame)
}

// deliver hands over the frames that are whole, and moves the rest to the beginning.
func (in *streamReader) deliver() error {
	at := 0
	for in.end-at >= streamLen {
		n := binary.BigEndian.Uint32(in.buf[at:])
		if n > maxSocketFrame {
			in.flush()
			return ErrStreamFrame
		}
		next := at + streamLen + int(n)
		if next > in.end {
			break
		}
		in.frames = append(in.frames, Frame{Head: in.buf[at+streamLen : next : next]})
		at = next
		if len(in.frames) == maxBatch {
			in.flush()
		}
	}
	in.flush()
	in.end = copy(in.buf, in.buf[at:in.end])
	return nil
}

func (in *streamReader) flush() {
	if len(in.frames) > 0 {
		in.receive(in.frames)
		in.frames = in.frames[:0]
	}
}

// broke ends the stream, and says so unless it has ended already.
func (s *Stream) broke(err error) {
	if s.end() && s.handle.Down != nil {
		s.handle.Down(err)
	}
}

// end ends reading and writing, and reports whether that is news.
func (s *Stream) end() bool {
	s.mu.Lock()
	again, expected := s.closed, s.closing
	s.closed = true
	s.pending = nil
	s.wake.Broadcast()
	s.mu.Unlock()
	if again {
		return false
	}
	s.conn.Close()
	return !expected
}

// Close ends the device and closes the stream, once what was taken has been written, or the other end does not take it. The
// error is nil.
func (s *Stream) Close() error {
	s.mu.Lock()
	s.closing = true
	s.wake.Broadcast()
	s.mu.Unlock()
	s.conn.SetWriteDeadline(time.Now().Add(streamLast))
	s.wrote.Wait()
	s.end()
	s.done.Wait()
	return nil
}
