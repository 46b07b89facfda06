package landline

import (
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"

	"landline/dhcp"
	"landline/ip"
	"landline/link"
	"landline/udp"
	"landline/wire"
)

// A leaseholder takes a lease for an interface, and keeps it: it does what a dhcp.Client says.
// The client belongs to the goroutine of run.
type leaseholder struct {
	h        *Host
	i        *ip.Interface
	client   *dhcp.Client
	socket   *udp.Socket
	messages chan dhcp.Message
	quit     chan struct{}
	done     sync.WaitGroup

	mu    sync.Mutex
	lease *dhcp.Lease // that is in use, or nil
}

// leaseMetric makes routes that were configured better than those of a lease.
const leaseMetric = 100

// takeLease begins to take a lease for an interface.
func (h *Host) takeLease(i *ip.Interface) error {
	s, err := h.udp.Open(udp.Config{
		Local:     netip.AddrPortFrom(netip.IPv4Unspecified(), dhcp.ClientPort),
		Interface: i, ReuseAddr: true, Own: true,
	})
	if err != nil {
		return err
	}
	l := &leaseholder{h: h, i: i, socket: s, messages: make(chan dhcp.Message), quit: make(chan struct{})}
	l.client = dhcp.NewClient(dhcp.ClientConfig{
		MAC: i.MAC(), HostName: h.cfg.Hostname, MTU: i.MTU(), Broadcast: true,
		Rand: rand.New(rand.NewPCG(h.stack.Random(), h.stack.Random())),
	})
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		s.Close()
		return net.ErrClosed
	}
	h.leases = append(h.leases, l)
	l.done.Go(l.listen)
	l.done.Go(l.run)
	return nil
}

// dropLease forgets the leaseholder of an interface and returns it, or nil.
func (h *Host) dropLease(i *ip.Interface) *leaseholder {
	h.mu.Lock()
	defer h.mu.Unlock()
	at := slices.IndexFunc(h.leases, func(l *leaseholder) bool { return l.i == i })
	if at < 0 {
		return nil
	}
	l := h.leases[at]
	h.leases = slices.Delete(slices.Clone(h.leases), at, at+1)
	return l
}

// stop gives the lease back and waits until nothing runs any more.
func (l *leaseholder) stop() {
	close(l.quit)
	l.socket.Close()
	l.done.Wait()
}

// listen hands over what comes to the client's port.
func (l *leaseholder) listen() {
	b := make([]byte, l.i.MTU()) // as the server was told
	for {
		n, _, _, _, err := l.socket.ReadFrom(b)
		if err != nil {
			return // it was closed
		}
		m, err := dhcp.ParseMessage(slices.Clone(b[:n]))
		if err != nil {
			l.h.log.Debug("dhcp", "interface", l.i.Name(), "error", err)
			continue
		}
		select {
		case l.messages <- m:
		case <-l.quit:
			return
		}
	}
}

// run tells the client what happens.
func (l *leaseholder) run() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	l.do(l.client.Start(time.Now()))
	for {
		changed := l.h.stack.Changed()
		if l.taken() {
			l.do(l.client.Declined(time.Now()))
		}
		timer.Reset(l.wait())
		select {
		case m := <-l.messages:
			l.do(l.client.Arrive(time.Now(), m))
		case <-timer.C:
			l.do(l.client.Expire(time.Now()))
		case <-changed:
		case <-l.quit:
			l.release()
			return
		}
	}
}

// releaseTime bounds how long a host that ends waits until the server's hardware address is known.
const releaseTime = time.Second

// release gives the lease back. The server has rarely been spoken to alone, so its hardware address is asked for first, and
// that takes the address that is given back.
func (l *leaseholder) release() {
	out := l.client.Release(time.Now())
	if out.Message != nil && l.send(&out) == nil {
		out.Message = nil
		tick := time.NewTicker(releaseTime / 100)
		defer tick.Stop()
		for end := time.Now().Add(releaseTime); l.asks() && time.Now().Before(end); {
			<-tick.C
		}
	}
	l.do(out)
}

// asks reports whether the hardware address of a neighbor is being asked for.
func (l *leaseholder) asks() bool {
	return slices.ContainsFunc(l.i.Neighbors(), func(n ip.Neighbor) bool { return n.State == ip.NeighborIncomplete })
}

// wait returns how long the client has nothing to do.
func (l *leaseholder) wait() time.Duration {
	next := l.client.Next()
	if next.IsZero() {
		return 1<<63 - 1
	}
	return max(0, time.Until(next))
}

// taken reports whether somebody else turned out to have the address.
func (l *leaseholder) taken() bool {
	lease := l.current()
	return lease != nil && l.state(lease) == "duplicated"
}

// usable reports whether there is a lease whose address is in use.
func (l *leaseholder) usable() bool {
	lease := l.current()
	return lease != nil && l.state(lease) == "preferred"
}

func (l *leaseholder) current() *dhcp.Lease {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lease
}

// state returns the state of the address of a lease, or "" if it is not there.
func (l *leaseholder) state(lease *dhcp.Lease) string {
	for _, a := range l.i.Addresses() {
		if a.Prefix == lease.Addr {
			return a.State
		}
	}
	return ""
}

// do does what the client says: first it sends, as giving up a lease needs its address.
func (l *leaseholder) do(out dhcp.Output) {
	if out.Message != nil {
		if err := l.send(&out); err != nil {
			l.h.log.Debug("dhcp", "interface", l.i.Name(), "error", err)
		}
	}
	switch {
	case out.Event == dhcp.Nothing:
		return
	case out.Event.Lost():
		l.put(nil)
	default:
		l.put(out.Lease)
	}
	l.log(&out)
}

func (l *leaseholder) log(out *dhcp.Output) {
	args := []any{"interface", l.i.Name(), "address", out.Lease.Addr, "server", out.Lease.ServerID}
	text := "dhcp lease " + out.Event.String()
	switch {
	case out.Event == dhcp.Released:
		l.h.log.Info(text, args...)
	case out.Event == dhcp.Renewed:
		l.h.log.Debug(text, append(args, "until", out.Lease.Expiry)...)
	case out.Event.Lost():
		l.h.log.Warn(text, append(args, "because", out.Text)...)
	default:
		l.h.log.Info(text, append(args, "until", out.Lease.Expiry)...)
	}
}

// send sends a message of the client's from its port. A machine without an address may do that, but
// no socket can.
func (l *leaseholder) send(out *dhcp.Output) error {
	path, err := l.h.stack.Path(out.Src.Addr(), out.Dst.Addr(), l.i)
	if err != nil {
		return err
	}
	n := wire.UDPLen + len(out.Message)
	head := path.AppendHeader(make([]byte, 0, ip.HeadRoom+wire.UDPLen), &ip.Header{Protocol: wire.ProtoUDP}, n)
	at := len(head)
	head = wire.AppendUDP(head, out.Src.Port(), out.Dst.Port(), len(out.Message))
	u := wire.UDP(head[at:])
	u.SetChecksum(wire.PseudoSum(path.Src(), path.Dst(), wire.ProtoUDP, n).Add(u).Add(out.Message))
	return path.Send([]link.Frame{{Head: head, Body: out.Message}}, nil)
}

// put makes a lease the one that is in use, or none if it is nil.
func (l *leaseholder) put(lease *dhcp.Lease) {
	l.mu.Lock()
	old := l.lease
	l.lease = lease
	l.mu.Unlock()

	if old != nil {
		l.unroute(old, lease)
		if lease == nil || lease.Addr != old.Addr {
			l.i.RemoveAddress(old.Addr.Addr())
		}
	}
	if lease == nil {
		l.i.SetMTU(0)
		return
	}
	err := l.i.AddLease(lease.Addr, lease.Expiry)
	for _, r := range lease.Routes {
		err = errors.Join(err, l.h.stack.AddRoute(l.route(r)))
	}
	if err != nil {
		l.h.log.Warn("dhcp", "interface", l.i.Name(), "error", err)
	}
	l.i.SetMTU(lease.MTU)
}

// unroute removes the routes of an old lease that a new one does not have.
func (l *leaseholder) unroute(old, lease *dhcp.Lease) {
	for _, r := range old.Routes {
		if lease == nil || !slices.Contains(lease.Routes, r) {
			l.h.stack.RemoveRoute(l.route(r))
		}
	}
}

// route returns the route that a lease tells of. A router of 0.0.0.0 says that the network is on
// the link (RFC 3442, "Local Subnet Routes").
func (l *leaseholder) route(r dhcp.Route) ip.Route {
	via := r.Via
	if via.IsUnspecified() {
		via = netip.Addr{}
	}
	return ip.Route{Dst: r.Dst, Gateway: via, Interface: l.i.Index(), Metric: leaseMetric}
}

// allLeases returns the leases that are in use.
func (h *Host) allLeases() (all []*dhcp.Lease) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, l := range h.leases {
		if lease := l.current(); lease != nil {
			all = append(all, lease)
		}
	}
	return all
}

// leasedServers returns the name servers that DHCP tells of.
func (h *Host) leasedServers() (all []netip.Addr) {
	for _, lease := range h.allLeases() {
		all = append(all, lease.DNS...)
	}
	return all
}

// leasedSearch returns the domains that DHCP tells of.
func (h *Host) leasedSearch() (all []string) {
	for _, lease := range h.allLeases() {
		all = append(all, lease.Search...)
		if len(lease.Search) == 0 && lease.Domain != "" {
			all = append(all, lease.Domain)
		}
	}
	return all
}
