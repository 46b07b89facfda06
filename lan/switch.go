package lan

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"landline/link"
	"landline/wire"
)

// Config describes a Switch. The zero value is that of an Ethernet with an MTU of 1,500.
type Config struct {
	// MTU is the largest IP packet of the machines in this process, in bytes, from link.MinMTU to
	// link.MaxMTU. If zero, 1,500. Devices have their own.
	MTU int
	// Age is how long an address is known that nothing comes from, give or take a tenth. If zero,
	// 300 s, as IEEE 802.1Q recommends in Table 8-6.
	Age time.Duration
	// Seed makes addresses that are made up always the same. If zero, they are random.
	Seed uint64
	// Logger is told of ports that end, and of addresses that seem to be at two ports. If nil, nobody is.
	Logger *slog.Logger
}

const (
	defaultMTU = 1500
	defaultAge = 300 * time.Second
	// quietness is how long nothing is said of addresses after something was.
	quietness = 10 * time.Second
)

// A Switch joins the machines at its ports into one network. Its methods may be called by several
// goroutines at once.
type Switch struct {
	mtu      int
	log      *slog.Logger
	everyone *Port // stands for all ports but the one that a frame came from
	table    table
	ports    atomic.Pointer[[]*Port] // is replaced, not changed
	scratch  sync.Pool               // of *scratch
	guard    atomic.Pointer[guard]   // nil if there is none

	mu     sync.Mutex
	random func() uint64
	made   int // ports, ever
	closed bool
	warned time.Time
	ending sync.WaitGroup // of devices that have ended; grows only as their port leaves ports
}

// NewSwitch makes a switch without ports. It panics if c is not as it is documented.
func NewSwitch(c Config) *Switch {
	s := &Switch{mtu: c.MTU, log: c.Logger, everyone: new(Port), random: rand.Uint64}
	if s.mtu == 0 {
		s.mtu = defaultMTU
	}
	if s.mtu < link.MinMTU || s.mtu > link.MaxMTU {
		panic("lan: mtu of a switch is " + strconv.Itoa(s.mtu))
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if c.Seed != 0 {
		s.random = rand.NewPCG(c.Seed, 0).Uint64
	}
	if c.Age <= 0 {
		c.Age = defaultAge
	}
	s.table.init(c.Age)
	s.ports.Store(new([]*Port))
	s.scratch.New = func() any { return new(scratch) }
	return s
}

// NewPort makes a port for a machine in this process, which is made on it: see landline.NewHost. The
// error is net.ErrClosed, or that another machine in this process has the hardware address.
func (s *Switch) NewPort(c PortConfig) (*Port, error) {
	info := link.Info{Name: c.Name, MAC: c.MAC, MTU: s.mtu, Offloads: (link.OffloadChecksum | link.OffloadTSO) &^ c.Without}
	if info.Offloads&link.OffloadChecksum == 0 {
		info.Offloads = 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, net.ErrClosed
	}
	if info.MAC == (wire.MAC{}) {
		info.MAC = localMAC(s.random())
	}
	p := s.newPortLocked(info, &c)
	if err := s.table.pin(addressOf(info.MAC), p); err != nil {
		return nil, fmt.Errorf("port %s: %s: %w", p.info.Name, info.MAC, err)
	}
	s.addLocked(p)
	return p, nil
}

// localMAC makes bits into the address of one machine that no vendor gave out.
func localMAC(bits uint64) wire.MAC {
	m := address(bits & uint64(allOnes)).mac()
	m[0] = m[0]&^0x01 | 0x02
	return m
}

// Plug makes a port for whoever is at the other end of a device. The port takes the device over, and closes it
// in the end. If the device ends by itself, the port is closed. The error is
// net.ErrClosed; then the device is still the caller's.
func (s *Switch) Plug(dev link.Device, c PortConfig) (*Port, error) {
	info := dev.Info()
	if c.Name != "" {
		info.Name = c.Name
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil, net.ErrClosed
	}
	p := s.newPortLocked(info, &c)
	p.attached = true
	p.closeDevice = sync.OnceValue(dev.Close)
	s.addLocked(p)
	s.mu.Unlock()
	dev.Attach(link.Handler{Receive: p.receive, Room: p.out.hasRoom, Down: p.deviceDown})
	p.open(dev.Write)
	return p, nil
}

func (s *Switch) newPortLocked(info link.Info, c *PortConfig) *Port {
	s.made++
	if info.Name == "" {
		info.Name = "port" + strconv.Itoa(s.made)
	}
	return newPort(s, info, c)
}

func (s *Switch) addLocked(p *Port) {
	ports := append(slices.Clone(*s.ports.Load()), p)
	s.ports.Store(&ports)
}

// remove takes a port out. If it was there, then is called, unless it is nil, by a goroutine that Close
// waits for.
func (s *Switch) remove(p *Port, then func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ports := *s.ports.Load()
	i := slices.Index(ports, p)
	if i < 0 {
		return
	}
	ports = slices.Concat(ports[:i], ports[i+1:])
	s.ports.Store(&ports)
	s.table.forget(p)
	if g := s.guard.Load(); g != nil {
		g.forget(p)
	}
	if then != nil {
		s.ending.Go(then)
	}
}

// Ports returns the ports that there are, in the order in which they were made. It must not be changed.
func (s *Switch) Ports() []*Port { return *s.ports.Load() }

// Close takes all ports away. The machines in this process hear that, as if their cables were pulled.
func (s *Switch) Close() error {
	s.mu.Lock()
	s.closed = true
	ports := *s.ports.Load()
	s.mu.Unlock()
	var errs []error
	for _, p := range ports {
		errs = append(errs, p.Unplug())
	}
	s.ending.Wait()
	s.table.close()
	return errors.Join(errs...)
}

// warn tells of an address that something is wrong with, unless it has just told of one.
func (s *Switch) warn(what string, a address, at, from *Port) {
	now := time.Now()
	s.mu.Lock()
	silent := now.Sub(s.warned) < quietness
	if !silent {
		s.warned = now
	}
	s.mu.Unlock()
	if !silent {
		s.log.Warn(what, "mac", a.mac(), "port", at.info.Name, "other", from.info.Name)
	}
}
