package ip

import (
	"crypto/rand"
	"encoding/binary"
	"log/slog"
	mathrand "math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"landline/link"
	"landline/wire"
)

// Config describes a Stack. Its zero value is an ordinary host.
type Config struct {
	// Forwarding makes the stack a router: it sends on what comes to its hardware
	// addresses and is not for it.
	Forwarding bool
	// Seed makes all random choices reproducible, for tests. If zero, they are
	// unpredictable, as they have to be elsewhere.
	Seed uint64
	// FragmentMemory is how much memory fragments may take while they wait for the others of
	// their packet, in bytes. If zero, 4 MiB.
	FragmentMemory int
	// Logger is told of what an administrator should know, such as another machine with
	// our address. If nil, nobody is.
	Logger *slog.Logger
}

// A Stack is the network layer of one host. Its methods may be called by several
// goroutines at once.
type Stack struct {
	cfg    Config
	log    *slog.Logger
	random random
	counts counters

	transports [256]*Transport  // by protocol; fixed once a device is attached
	foreign    [256]atomic.Bool // whether the transport takes what is for other machines

	foreignEcho atomic.Pointer[func(ForeignEcho)] // who takes pings to other machines
	lo          *Interface
	view        atomic.Pointer[view]

	fragments fragments
	mtus      mtus
	errors    errorLimit
	echoes    echoes
	ids       idSource
	scratches sync.Pool // of *scratch
	cuts      sync.Pool // of *cut

	mu        sync.Mutex
	closed    bool
	news      chan struct{} // closed at the next change; nil if nobody waits
	redirects int           // routes learnt from redirects, since they were cleared

	routesTimer *time.Timer
	routesDue   time.Time    // when it is due; zero if it is not set
	interfaces  []*Interface // by index - 1, nil where one was removed
	routes      routeTable
}

// A Transport is what the packets of one protocol are for. Its functions are called on the
// goroutine that brought the packets, must not block, and may be called by several
// goroutines at once.
type Transport struct {
	// Receive takes packets, in the order in which they came.
	Receive func([]Packet)
	// Fault is told that a packet which this host is said to have sent went wrong. It
	// returns whether it believes that (RFC 5927). It may be nil.
	Fault func(*Fault) bool
	// Narrow is told, after Fault, that the way to where a packet went carries no more than mtu
	// bytes in one, with the IP header. It may be nil.
	Narrow func(f *Fault, mtu int)
}

// NewStack returns a host without any interface but the loopback.
func NewStack(cfg Config) *Stack {
	s := &Stack{cfg: cfg, log: cfg.Logger}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.random.rand = mathrand.New(mathrand.NewChaCha8(seed(cfg.Seed)))
	s.scratches.New = func() any { return new(scratch) }
	s.cuts.New = func() any { return new(cut) }
	s.fragments.init(s)
	s.errors.init(s)
	s.ids.ids = newIdentifications(s.random.source())
	s.view.Store(new(view))
	s.lo = s.newLoopback()
	return s
}

// seed spreads the seed of a Config, or makes one.
func seed(n uint64) (b [32]byte) {
	if n == 0 {
		rand.Read(b[:])
	}
	binary.LittleEndian.PutUint64(b[24:], n^binary.LittleEndian.Uint64(b[24:]))
	return b
}

// random is a source of random numbers for several goroutines.
type random struct {
	mu   sync.Mutex
	rand *mathrand.Rand
}

func (r *random) uint64() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rand.Uint64()
}

// source returns a source of its own, for a machine that is under a lock of its own.
func (r *random) source() *mathrand.Rand {
	return mathrand.New(mathrand.NewPCG(r.uint64(), r.uint64()))
}

// Random returns a random number, unpredictable unless there is a Config.Seed.
func (s *Stack) Random() uint64 { return s.random.uint64() }

// Register makes t the transport of a protocol. It must be called before the first Attach.
func (s *Stack) Register(p wire.Protocol, t Transport) { s.transports[p] = &t }

// Close takes the interfaces down and closes their devices. It waits until nothing is
// running any more.
func (s *Stack) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return net.ErrClosed
	}
	s.closed = true
	if s.routesTimer != nil {
		s.routesTimer.Stop()
	}
	all := s.interfaces
	s.mu.Unlock()

	for _, i := range all {
		if i != nil {
			i.farewell()
			i.close()
		}
	}
	s.fragments.stop()
	return nil
}

// Interfaces returns the interfaces there are, the loopback first.
func (s *Stack) Interfaces() []*Interface {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*Interface
	for _, i := range s.interfaces {
		if i != nil {
			all = append(all, i)
		}
	}
	return all
}

// Interface returns the interface of a name, or nil.
func (s *Stack) Interface(name string) *Interface {
	for _, i := range s.Interfaces() {
		if i.name == name {
			return i
		}
	}
	return nil
}

// AddRoute adds a route. If it names no interface, its gateway must be on the link of one. The error is
// EINVAL if the route contradicts itself, ENETUNREACH if the gateway is not to be reached.
func (s *Stack) AddRoute(r Route) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.checkLocked(&r); err != nil {
		return err
	}
	s.routes.add(r)
	s.publishLocked()
	return nil
}

// checkLocked looks whether a route can lead anywhere, and finds its interface.
func (s *Stack) checkLocked(r *Route) error {
	if !r.Dst.IsValid() || r.Gateway.IsValid() && r.Gateway.Is4() != r.Dst.Addr().Is4() {
		return syscall.EINVAL
	}
	if r.Interface == 0 {
		via, ok := s.routes.lookup(r.Gateway, 0)
		if !r.Gateway.IsValid() || !ok || via.Gateway.IsValid() {
			return syscall.ENETUNREACH
		}
		r.Interface = via.Interface
	}
	if r.Interface < 1 || r.Interface > len(s.interfaces) || s.interfaces[r.Interface-1] == nil {
		return syscall.EINVAL
	}
	return nil
}

// RemoveRoute removes the routes with r's destination, gateway and interface, and reports
// whether there was one.
func (s *Stack) RemoveRoute(r Route) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.Dst = r.Dst.Masked()
	removed := s.routes.removeFunc(func(o *Route) bool { return o.leadsAs(&r) }) != 0
	s.publishLocked()
	return removed
}

// takeRoute removes a route of an owner of its own.
func (s *Stack) takeRoute(r Route) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.routes.remove(r)
	s.publishLocked()
}

// expireRoutes is called by the timer of routes.
func (s *Stack) expireRoutes() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.routesDue = time.Time{}
	s.routes.expire(time.Now())
	s.publishLocked()
}

// armRoutesLocked sets the timer to when the next route is forgotten.
func (s *Stack) armRoutesLocked() {
	next := s.routes.next()
	if s.closed || next.IsZero() || !s.routesDue.IsZero() && !next.Before(s.routesDue) {
		return
	}
	s.routesDue = next
	if s.routesTimer == nil {
		s.routesTimer = time.AfterFunc(time.Until(next), s.expireRoutes)
		return
	}
	s.routesTimer.Reset(time.Until(next))
}

// firstHopFailed is told that a neighbor does not answer. A redirect to it is forgotten, and another default router goes
// first until it is heard of again: "the node MUST" choose anew (RFC 4861, Section 7.3.3; RFC 1122,
// Section 3.3.1.4).
func (s *Stack) firstHopFailed(i *Interface, a netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	byIt := func(r *Route) bool {
		return r.Interface == i.index && (r.Gateway == a || !r.Gateway.IsValid() && r.Dst.Addr() == a)
	}
	changed := s.routes.removeFunc(func(r *Route) bool { return r.owner == ownerRedirect && byIt(r) }) != 0
	r := Route{Dst: defaultRoute6, Gateway: a, Interface: i.index, owner: ownerRouter}
	if s.routes.find(&r) != nil {
		r.Metric = failedMetric
		s.routes.add(r)
		changed = true
	}
	if changed {
		s.publishLocked()
	}
}

// Routes returns the routes there are.
func (s *Stack) Routes() []Route {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.routes.appendTo(nil)
}

// Attach makes a device an interface of the stack. The stack closes the device when the
// interface is closed.
func (s *Stack) Attach(dev link.Device, cfg InterfaceConfig) (*Interface, error) {
	i, err := s.newInterface(dev, cfg)
	if err != nil {
		return nil, err
	}
	dev.Attach(link.Handler{Receive: i.receive, Room: i.queue.room, Down: i.down})
	if err := i.start(cfg); err != nil {
		i.Close()
		return nil, err
	}
	return i, nil
}
