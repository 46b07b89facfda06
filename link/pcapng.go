package link

import (
	"io"
	"sync"
	"time"
)

// A Direction says which way a frame went, seen from the device.
type Direction uint8

const (
	NoDirection Direction = iota // it is not known
	Inbound                      // received
	Outbound                     // written
)

// PcapConfig says what is written to a capture file. The zero value writes everything.
type PcapConfig struct {
	// SnapLen is how many bytes of a frame are kept. If zero, all.
	SnapLen int
	// OpenChecksums leaves checksums as they are that are SumPartial. Otherwise they are
	// completed in the file, so that a reader that checks them finds no fault.
	OpenChecksums bool
	// Comment, if not nil, is asked for a comment on each frame that Capture writes, and
	// returns "" if it has none. It must not keep the frame or change it, and may
	// be called by several goroutines at once.
	Comment func(Direction, *Frame) string
}

// PcapNG writes frames to a capture file in the format pcapng, which Wireshark
// reads. One file may hold the frames of several interfaces.
//
// It never makes a caller wait for the file: frames are kept in memory, up to 32 MiB, and
// written by a goroutine within a quarter of a second, which exists only while there is something to
// write. What comes while the memory is full is left out and counted in the file, as dropped by
// the interface. After an error of the file nothing is written any more.
//
// All methods may be called by several goroutines at once.
type PcapNG struct {
	w      io.Writer
	config PcapConfig

	mu      sync.Mutex
	buf     []byte     // whole blocks that are not yet written
	spare   []byte     // what becomes buf while buf is written
	faces   []pcapFace // by their number in the file
	trials  []trial    // in no order
	trialID uint64
	err     error
	closed  bool
	writing bool // somebody calls w
	quiet   sync.Cond
	timer   *time.Timer
	armed   bool // the timer will write
	urgent  bool // at once
}

// pcapFace counts the frames of an interface.
type pcapFace struct{ frames, dropped uint64 }

// A trial is frames in buf that may be taken out again: they were written to a device that has
// not yet said how many it takes. What follows the first of them is not written to the file.
type trial struct {
	id     uint64
	face   int
	at     int // in buf
	frames int // that are there, of all
	all    int
}

const (
	// maxPcapBuffer is how many bytes wait for the file.
	maxPcapBuffer = 32 << 20
	// pcapInterval is how long blocks wait, pcapSoon how many bytes do not wait so long.
	pcapInterval = 250 * time.Millisecond
	pcapSoon     = 256 << 10
)

// NewPcapNG makes a file of what w takes. It begins with the first interface or
// the first Flush.
func NewPcapNG(w io.Writer, c PcapConfig) *PcapNG {
	c.SnapLen = max(0, c.SnapLen)
	p := &PcapNG{w: w, config: c, buf: appendSection(nil)}
	p.quiet.L = &p.mu
	return p
}

// Interface adds an interface and returns its number, from 0 on. Name and MAC of info are
// written, if they are not empty.
func (p *PcapNG) Interface(info Info) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faces = append(p.faces, pcapFace{})
	if p.openLocked() {
		p.buf = appendInterface(p.buf, &info, p.config.SnapLen)
		p.armLocked()
	}
	return len(p.faces) - 1
}

// Frame writes a frame of an interface, with a comment of up to 4,096 bytes if that is not
// empty. The comment of PcapConfig is not asked for. It panics if there is no such interface.
func (p *PcapNG) Frame(face int, d Direction, at time.Time, f *Frame, comment string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faces[face].frames++
	if !p.putLocked(face, d, at, f, comment) {
		p.faces[face].dropped++
	}
	p.armLocked()
}

// Flush writes what is in memory to the file, but for frames whose device has not
// said yet whether it takes them. Its error is Err.
func (p *PcapNG) Flush() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.flushLocked()
}

// Err returns the error that ended the capture, or nil. It is the first that
// the file reported.
func (p *PcapNG) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// Close writes what is in memory, and for each interface how many frames it had and how
// many are not in the file. What comes later is ignored. It does not close the file. Its error is
// Err.
func (p *PcapNG) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.openLocked() {
		p.closed = true
		for _, t := range p.trials {
			p.countLocked(t, t.all)
		}
		p.trials = nil
		now := time.Now()
		for i, f := range p.faces {
			p.buf = appendStatistics(p.buf, i, now, f.frames, f.dropped)
		}
	}
	err := p.flushLocked()
	if p.timer != nil {
		p.timer.Stop()
	}
	return err
}

func (p *PcapNG) openLocked() bool { return p.err == nil && !p.closed }

// putLocked appends a frame to buf if there is room.
func (p *PcapNG) putLocked(face int, d Direction, at time.Time, f *Frame, comment string) bool {
	n := f.Len()
	if p.config.SnapLen > 0 {
		n = min(n, p.config.SnapLen)
	}
	if !p.openLocked() || len(p.buf)+n+min(len(comment), maxText)+packetOverhead > maxPcapBuffer {
		return false
	}
	p.buf = appendPacket(p.buf, face, d, at, f, comment, &p.config)
	return true
}

// batch writes frames that have arrived.
func (p *PcapNG) batch(face int, d Direction, frames []Frame, comments []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.putAllLocked(face, d, frames, comments)
	p.faces[face].frames += uint64(len(frames))
	p.faces[face].dropped += uint64(len(frames) - n)
	p.armLocked()
}

// putAllLocked appends frames and returns how many there was room for.
func (p *PcapNG) putAllLocked(face int, d Direction, frames []Frame, comments []string) int {
	now := time.Now()
	for i := range frames {
		comment := ""
		if comments != nil {
			comment = comments[i]
		}
		if !p.putLocked(face, d, now, &frames[i], comment) {
			return i
		}
	}
	return len(frames)
}

// try writes frames before a device takes them, for what the device does with them may
// lead to others at once, which must stand behind. Its result goes to settle.
func (p *PcapNG) try(face int, d Direction, frames []Frame, comments []string) uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	t := trial{id: p.trialID, face: face, at: len(p.buf), all: len(frames)}
	t.frames = p.putAllLocked(face, d, frames, comments)
	p.trialID++
	p.trials = append(p.trials, t)
	return t.id
}

// settle takes those frames out again that the device did not take.
func (p *PcapNG) settle(id uint64, taken int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, t := range p.trials {
		if t.id != id {
			continue
		}
		last := len(p.trials) - 1
		p.trials[i] = p.trials[last]
		p.trials = p.trials[:last]
		p.countLocked(t, taken)
		if taken < t.frames {
			p.cutLocked(t, taken)
		}
		break
	}
	p.armLocked()
}

func (p *PcapNG) countLocked(t trial, taken int) {
	p.faces[t.face].frames += uint64(taken)
	p.faces[t.face].dropped += uint64(max(0, taken-t.frames))
}

// cutLocked removes the frames of a trial from one of them on.
func (p *PcapNG) cutLocked(t trial, from int) {
	at := t.at
	for range from {
		at += blockLen(p.buf[at:])
	}
	end := at
	for range t.frames - from {
		end += blockLen(p.buf[end:])
	}
	p.buf = append(p.buf[:at], p.buf[end:]...)
	for i := range p.trials {
		if p.trials[i].at >= end {
			p.trials[i].at -= end - at
		}
	}
}

// settledLocked returns how many bytes of buf can be written.
func (p *PcapNG) settledLocked() int {
	n := len(p.buf)
	for _, t := range p.trials {
		n = min(n, t.at)
	}
	return n
}

// armLocked sets the timer if there is something to write.
func (p *PcapNG) armLocked() {
	n := p.settledLocked()
	if !p.openLocked() || p.writing || n == 0 {
		return // whoever writes goes on
	}
	in := pcapInterval
	if n >= pcapSoon {
		in = 0
	}
	if p.urgent || p.armed && in != 0 {
		return
	}
	p.armed, p.urgent = true, in == 0
	if p.timer == nil {
		p.timer = time.AfterFunc(in, p.wake)
	} else {
		p.timer.Reset(in)
	}
}

// wake is called by the timer.
func (p *PcapNG) wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.armed, p.urgent = false, false
	if p.writing {
		return // whoever does sets the timer
	}
	p.writeLocked()
	for p.settledLocked() >= pcapSoon {
		p.writeLocked()
	}
	p.armLocked()
}

func (p *PcapNG) flushLocked() error {
	for p.writing {
		p.quiet.Wait()
	}
	p.writeLocked()
	p.armLocked()
	return p.err
}

// writeLocked writes what is there. p is not locked meanwhile.
func (p *PcapNG) writeLocked() {
	n := p.settledLocked()
	if n == 0 || p.err != nil {
		return
	}
	full := p.buf
	p.buf = append(p.spare[:0], full[n:]...)
	for i := range p.trials {
		p.trials[i].at -= n
	}
	p.writing = true
	p.mu.Unlock()
	m, err := p.w.Write(full[:n])
	p.mu.Lock()
	p.writing = false
	p.spare = full[:0]
	if err == nil && m < n {
		err = io.ErrShortWrite
	}
	if p.err = err; err != nil {
		p.buf, p.spare, p.trials = nil, nil, nil
	}
	p.quiet.Broadcast()
}
