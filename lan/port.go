package lan

import (
	"net"
	"sync"
	"sync/atomic"

	"landline/link"
	"landline/wire"
)

// PortConfig describes a Port. Its zero value is a port for an ordinary machine.
type PortConfig struct {
	// Name is what people call the port. If empty, it is that of the device, or "port" and a number.
	Name string
	// MAC is the hardware address of the machine in this process. If zero, a local one is made up.
	MAC wire.MAC
	// Without names offloads that the machine in this process does not have. TSO goes with the checksum.
	Without link.Offloads

	// Addresses is how many addresses may be learnt at the port. If zero, 1,024.
	Addresses int
	// Flood is how many frames in a second may go to all other ports, of each kind: broadcasts,
	// multicasts, and frames for unknown addresses. If zero, 5,000; if negative, any number. Where a gateway guards the
	// switch, 50 of them may be for DHCP servers, unless this is negative.
	Flood int
	// Sources are the addresses that the machine may send from. If nil, any. See Port.SetSources.
	Sources *Sources

	// QueueFrames and QueueBytes bound what is kept for the machine while it is busy. If
	// zero, 4,096 frames and 4 MiB.
	QueueFrames, QueueBytes int

	// Down is called once if the device that was plugged in has ended by itself, after the port was closed. It
	// must not close the Switch. It may be nil.
	Down func(error)
}

const (
	defaultAddresses   = 1024
	defaultFlood       = 5000
	maxDHCP            = 50 // in a second
	defaultQueueFrames = 4096
	defaultQueueBytes  = 4 << 20
)

// fill replaces what is zero.
func (c *PortConfig) fill() {
	if c.Addresses <= 0 {
		c.Addresses = defaultAddresses
	}
	if c.Flood == 0 {
		c.Flood = defaultFlood
	}
	if c.QueueFrames <= 0 {
		c.QueueFrames = defaultQueueFrames
	}
	if c.QueueBytes <= 0 {
		c.QueueBytes = defaultQueueBytes
	}
}

// A Port is a place at a Switch. It is the link.Device of a machine in this process, which attaches to it
// and writes to it. A port that was made by Plug has been attached to already: what the device brings is
// written to it.
//
// Write takes all frames, whatever becomes of them: Room is never called.
type Port struct {
	lan     *Switch
	info    link.Info
	out     outlet
	counts  counters
	storm   storm
	dhcp    storm // of questions for DHCP servers, all of one kind
	sources atomic.Pointer[Sources]
	capture atomic.Pointer[capture]
	gone    atomic.Bool

	hand func([]link.Frame) (int, error) // to the machine; nil if there is none yet

	closeDevice func() error // nil if there is none
	onDown      func(error)

	// With the mu of the table.
	addresses, maxAddresses int
	forgotten               bool

	mu       sync.Mutex
	attached bool
	down     func(error) // nil if called, or if there is nobody to call
	downing  bool        // down is running
	quiet    sync.Cond   // with mu: no longer downing
}

func newPort(s *Switch, info link.Info, c *PortConfig) *Port {
	c.fill()
	p := &Port{lan: s, info: info, maxAddresses: c.Addresses, onDown: c.Down}
	p.storm.init(c.Flood)
	p.dhcp.init(min(c.Flood, maxDHCP))
	p.out.init(link.NewQueue(c.QueueFrames, c.QueueBytes, &info), p.counts.drop)
	p.quiet.L = &p.mu
	p.SetSources(c.Sources)
	return p
}

// Info says what the port is. If a device was plugged in, that is what the device said.
func (p *Port) Info() link.Info { return p.info }

// Attach makes h the one who hears what comes for the machine. It panics if it is called twice, or if the
// port was made by Plug.
func (p *Port) Attach(h link.Handler) {
	p.mu.Lock()
	twice := p.attached
	p.attached, p.down = true, h.Down
	p.mu.Unlock()
	if twice {
		panic("lan: Attach called twice")
	}
	p.open(func(frames []link.Frame) (int, error) {
		good, err := p.info.Check(frames)
		if good > 0 {
			h.Receive(frames[:good])
		}
		return good, err
	})
	if p.gone.Load() {
		p.callDown()
	}
}

// Write sends frames of the machine. See link.Device.
func (p *Port) Write(frames []link.Frame) (int, error) {
	if p.gone.Load() {
		return 0, net.ErrClosed
	}
	good, err := p.info.Check(frames)
	p.come(frames[:good])
	return good, err
}

// receive sends frames that a device brought.
func (p *Port) receive(frames []link.Frame) {
	if !p.gone.Load() {
		p.come(frames)
	}
}

// Close takes the port away, and closes the device that was plugged into it. See link.Device.
func (p *Port) Close() error {
	p.mu.Lock()
	p.down = nil
	p.mu.Unlock()
	p.leave(nil)
	var err error
	if p.closeDevice != nil {
		err = p.closeDevice()
	}
	p.out.await()
	p.awaitDown()
	return err
}

// Unplug is Close, but for a machine in this process it is as if its cable was pulled: it hears Down, and
// closes the port itself.
func (p *Port) Unplug() error {
	if p.closeDevice != nil {
		return p.Close()
	}
	p.leave(nil)
	p.callDown()
	return nil
}

// leave takes the port out of the switch. If it was there, then is called, unless it is nil, by another
// goroutine.
func (p *Port) leave(then func()) {
	p.gone.Store(true)
	p.lan.remove(p, then)
	p.out.close()
}

// deviceDown hears that the device has ended, from a function of the device, which must not close it.
func (p *Port) deviceDown(err error) {
	p.leave(func() {
		p.lan.log.Info("port ended", "port", p.info.Name, "err", err)
		p.closeDevice()
		if p.onDown != nil {
			p.onDown(err)
		}
	})
}

// callDown tells the machine that its port is gone, once.
func (p *Port) callDown() {
	p.mu.Lock()
	down := p.down
	p.down = nil
	p.downing = down != nil
	p.mu.Unlock()
	if down == nil {
		return
	}
	down(link.ErrUnplugged)
	p.mu.Lock()
	p.downing = false
	p.quiet.Broadcast()
	p.mu.Unlock()
}

func (p *Port) awaitDown() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.downing {
		p.quiet.Wait()
	}
}
