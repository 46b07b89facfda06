package link

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"

	"landline/wire"
)

// ErrUnplugged is what Handler.Down hears when the other end of a Cable was closed.
var ErrUnplugged = errors.New("other end of the cable was closed")

// CableConfig says what a cable is like. The zero value is a cable with an MTU
// of 1,500 on which checksums may be left open.
type CableConfig struct {
	// MTU is the largest IP packet, in bytes, from MinMTU to MaxMTU. If zero, 1,500.
	MTU int
	// Units makes both ends take units of several TCP segments (OffloadTSO).
	Units bool
	// Checksums makes both ends want whole checksums, as a wire does. Otherwise
	// they take frames with SumPartial, since memory damages nothing. It must not be set
	// with Units.
	Checksums bool

	// Names are what people call the ends. If empty, "cable0" and "cable1".
	Names [2]string
	// MACs are the hardware addresses of the ends. A zero one is made up, as a local
	// address.
	MACs [2]wire.MAC
	// Seed makes addresses that are made up always the same. If zero, they are random.
	Seed uint64

	// QueueFrames and QueueBytes bound what is kept in each direction while the
	// other end is busy. If zero, 1,024 frames and 1 MiB. There is always room for one
	// frame.
	QueueFrames, QueueBytes int
}

const (
	defaultMTU         = 1500
	defaultQueueFrames = 1024
	defaultQueueBytes  = 1 << 20
)

// A CableEnd is one end of a cable. It is a Device.
//
// The cable has no goroutine: Write calls the Receive of the other end, with
// the very frames that were written, and returns after it. If the other end is in
// Receive already, because of another goroutine or of this one further up its stack,
// Write copies the frames into a queue and returns, and whoever called Receive
// calls it again with what is queued before returning. So two machines that answer each
// other for ever do so in a loop, a few calls deep. A goroutine that has delivered
// many batches of others leaves the rest to a new one, which ends with the queue.
//
// Frames to an end that has no Handler yet are lost, as on a cable that is not
// plugged in: Write takes them, and CableStats.Lost counts them.
type CableEnd struct {
	info    Info
	out, in *lane
}

// CableStats counts what was written to one end.
type CableStats struct {
	Frames uint64 // taken by Write
	Bytes  uint64 // in those
	Queued uint64 // of Frames, those that had to be copied, since the other end was busy
	Lost   uint64 // of Frames, those that came before Attach or were queued at Close
	Full   uint64 // calls of Write that found no room for a frame
}

// NewCable makes a cable and returns its ends. It panics if c is not as it is
// documented.
func NewCable(c CableConfig) (a, b *CableEnd) {
	info := c.info()
	c.fill()
	there, back := newLane(&c, &info), newLane(&c, &info)
	end := func(i int, out, in *lane) *CableEnd {
		info.Name, info.MAC = c.Names[i], c.MACs[i]
		return &CableEnd{info: info, out: out, in: in}
	}
	return end(0, there, back), end(1, back, there)
}

// info is what both ends have in common.
func (c *CableConfig) info() Info {
	i := Info{MTU: c.MTU, Offloads: OffloadChecksum}
	if i.MTU == 0 {
		i.MTU = defaultMTU
	}
	if i.MTU < MinMTU || i.MTU > MaxMTU {
		panic("link: mtu of a cable is " + strconv.Itoa(i.MTU))
	}
	switch {
	case c.Units && c.Checksums:
		panic("link: a cable that takes units leaves checksums open")
	case c.Units:
		i.Offloads |= OffloadTSO
	case c.Checksums:
		i.Offloads = 0
	}
	return i
}

// fill replaces what is zero.
func (c *CableConfig) fill() {
	if c.QueueFrames <= 0 {
		c.QueueFrames = defaultQueueFrames
	}
	if c.QueueBytes <= 0 {
		c.QueueBytes = defaultQueueBytes
	}
	random := rand.Uint64
	if c.Seed != 0 {
		random = rand.NewPCG(c.Seed, 0).Uint64
	}
	for i := range 2 {
		if made := localMAC(random()); c.MACs[i] == (wire.MAC{}) {
			c.MACs[i] = made
		}
		if c.Names[i] == "" {
			c.Names[i] = "cable" + strconv.Itoa(i)
		}
	}
}

// localMAC makes bits into the address of one machine that no vendor gave out.
func localMAC(bits uint64) (m wire.MAC) {
	for i := range m {
		m[i] = byte(bits >> (8 * i))
	}
	m[0] = m[0]&^0x01 | 0x02
	return m
}

// Info says what the end is. Both have the same MTU and Offloads.
func (e *CableEnd) Info() Info { return e.info }

// Attach makes h the one who hears what arrives. If the other end has been closed,
// it calls Down. It panics if it is called twice.
func (e *CableEnd) Attach(h Handler) {
	e.out.setRoom(h.Room)
	e.in.attach(h.Receive, h.Down)
}

// Write gives frames to the other end. See Device.
func (e *CableEnd) Write(frames []Frame) (int, error) {
	good, bad := e.info.Check(frames)
	n, err := e.out.write(frames[:good])
	if n == good && err == nil {
		err = bad
	}
	return n, err
}

// Close ends the cable: Write returns net.ErrClosed at both ends, the other end
// hears Down from within Close, and what is queued is lost. The error is nil.
func (e *CableEnd) Close() error {
	e.in.deafen()
	e.out.hangUp()
	e.in.awaitHearer()
	e.out.awaitWriter()
	return nil
}

// Stats returns what was written to e so far.
func (e *CableEnd) Stats() CableStats {
	e.out.mu.Lock()
	defer e.out.mu.Unlock()
	return e.out.stats
}

// A lane is one direction of a cable, from its writer to its hearer.
type lane struct {
	rest func() // delivers what is queued; a field, so that starting it allocates nothing

	mu       sync.Mutex
	doing    doing
	quiet    sync.Cond // with mu, once closed: doing, or downing, has changed
	closed   bool      // by either end
	deaf     bool      // the hearer's end was closed
	attached bool
	receive  func([]Frame)
	down     func(error) // nil if called, or if there is nobody to call
	downing  bool        // down is running
	room     func()      // the writer's
	refused  bool        // the writer waits for room
	queue    *Queue
	stats    CableStats
}

// doing is what the goroutine does that delivers on a lane. There is one at most.
type doing uint8

const (
	nothing    doing = iota // there is none
	delivering              // it is between two calls
	receiving               // it calls the hearer's Receive
	rooming                 // it calls the writer's Room
)

// patience is how many batches of others a goroutine delivers before it leaves
// the rest to a new one.
const patience = 64

func newLane(c *CableConfig, info *Info) *lane {
	l := &lane{queue: NewQueue(c.QueueFrames, c.QueueBytes, info)}
	l.quiet.L = &l.mu
	l.rest = func() { l.drain(-1) }
	return l
}

func (l *lane) write(frames []Frame) (int, error) {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return 0, net.ErrClosed
	}
	if len(frames) == 0 || !l.attached || l.doing != nothing {
		n := l.putLocked(frames)
		l.mu.Unlock()
		return n, nil
	}
	l.stats.add(frames)
	l.doing = receiving
	receive := l.receive
	l.mu.Unlock()
	receive(frames)
	l.drain(patience)
	return len(frames), nil
}

// putLocked takes frames that cannot be delivered now.
func (l *lane) putLocked(frames []Frame) int {
	n := len(frames)
	if l.attached {
		n = l.queue.Put(frames)
		l.stats.Queued += uint64(n)
	} else {
		l.stats.Lost += uint64(n)
	}
	if n < len(frames) {
		l.stats.Full++
		l.refused = true // whoever delivers sees it
	}
	l.stats.add(frames[:n])
	return n
}

func (s *CableStats) add(frames []Frame) {
	s.Frames += uint64(len(frames))
	for i := range frames {
		s.Bytes += uint64(frames[i].Len())
	}
}

// drain is called by the goroutine that delivers, after a call. It delivers what is
// queued, and stops delivering when nothing is, or when it has called so often:
// never, if times is negative.
func (l *lane) drain(times int) {
	l.mu.Lock()
	l.returnedLocked(delivering)
	for !l.closed {
		if l.queue.Len() == 0 && !l.refused {
			break
		}
		if times == 0 {
			l.mu.Unlock()
			go l.rest()
			return
		}
		times--
		l.callLocked()
	}
	l.returnedLocked(nothing)
	l.mu.Unlock()
}

// callLocked delivers a batch, or says that there is room if nothing is queued. The lane
// is not locked meanwhile.
func (l *lane) callLocked() {
	b := l.queue.Take()
	if b == nil {
		l.refused = false
		l.doing = rooming
		room := l.room
		l.mu.Unlock()
		if room != nil {
			room()
		}
		l.mu.Lock()
	} else {
		l.doing = receiving
		receive := l.receive
		l.mu.Unlock()
		receive(b.Frames)
		l.mu.Lock()
		l.queue.Recycle(b)
	}
	l.returnedLocked(delivering)
}

// returnedLocked notes that a call has returned.
func (l *lane) returnedLocked(d doing) {
	l.doing = d
	if l.closed {
		l.quiet.Broadcast()
	}
}

func (l *lane) setRoom(room func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.room = room
}

func (l *lane) attach(receive func([]Frame), down func(error)) {
	l.mu.Lock()
	if l.attached {
		l.mu.Unlock()
		panic("link: Attach called twice")
	}
	l.attached = true
	l.receive, l.down = receive, down
	dead := l.closed
	l.mu.Unlock()
	if dead {
		l.callDown()
	}
}

// deafen ends the lane for its hearer.
func (l *lane) deafen() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.deaf = true
	l.closeLocked()
}

// hangUp ends the lane for its writer, and says so to the hearer.
func (l *lane) hangUp() {
	l.mu.Lock()
	l.closeLocked()
	l.mu.Unlock()
	l.callDown()
}

func (l *lane) closeLocked() {
	l.closed = true
	l.stats.Lost += uint64(l.queue.Drop())
}

func (l *lane) callDown() {
	l.mu.Lock()
	down := l.down
	l.down = nil
	if down == nil || l.deaf {
		l.mu.Unlock()
		return
	}
	l.downing = true
	l.mu.Unlock()
	down(ErrUnplugged)
	l.mu.Lock()
	l.downing = false
	l.quiet.Broadcast()
	l.mu.Unlock()
}

// awaitHearer waits until no function of the hearer is running. The lane has been
// closed.
func (l *lane) awaitHearer() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.doing == receiving || l.downing {
		l.quiet.Wait()
	}
}

// awaitWriter waits until no function of the writer is running.
func (l *lane) awaitWriter() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.doing == rooming {
		l.quiet.Wait()
	}
}
