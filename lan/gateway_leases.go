package lan

import (
	"errors"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"

	"landline"
	"landline/dhcp"
	"landline/link"
	"landline/wire"
)

// A leaser gives out addresses: it does what a dhcp.Server says. The server belongs to the goroutine of run.
type leaser struct {
	g      *Gateway
	server *dhcp.Server
	socket *landline.UDPConn
	file   leaseFile
	table  leaseTable

	// How many addresses there are, and who has them, if the gateway knows its switch.
	addrs int
	ports map[netip.Addr]*Port
	of    map[*Port]int
}

// newLeaser makes the server, with the leases that were kept.
func newLeaser(g *Gateway) (*leaser, error) {
	l := &leaser{g: g, table: newLeaseTable(), ports: map[netip.Addr]*Port{}, of: map[*Port]int{}}
	own := g.cfg.addressOf(true)
	cfg := dhcp.ServerConfig{ID: own.Addr(), Static: g.cfg.Static, Names: g.cfg.takenNames(), Allow: l.allow}
	if own.IsValid() && own.Addr().Is4() {
		cfg.Subnets = []dhcp.Subnet{l.subnet(own)}
	}
	var err error
	if l.server, err = dhcp.NewServer(cfg); err != nil {
		return nil, err
	}
	if g.cfg.State != "" {
		if err := l.restore(g.cfg.State); err != nil {
			l.file.close()
			return nil, err
		}
	}
	for _, b := range l.server.Leases(time.Now()) {
		l.begin(b)
	}
	return l, nil
}

// subnet describes the gateway's network: all of its addresses may be given.
func (l *leaser) subnet(own netip.Prefix) dhcp.Subnet {
	cfg := &l.g.cfg
	self := []netip.Addr{own.Addr()}
	all := allOf(own)
	l.addrs = 1<<min(32-own.Bits(), maxRange) - 2
	return dhcp.Subnet{
		Prefix: own, Ranges: []dhcp.Range{all}, LeaseTime: cfg.LeaseTime,
		Routers: self, DNS: self, Routes: cfg.Routes, Domain: cfg.Domain, Search: []string{cfg.Domain}, MTU: l.g.dev.Info().MTU,
	}
}

// maxRange is how many bits of an address are given out at most.
const maxRange = 16

// allOf returns the addresses of a network's machines: all but the first and the last, or so many of them.
func allOf(p netip.Prefix) dhcp.Range {
	first := p.Masked().Addr().Next()
	last := p.Masked().Addr().As4()
	for bit := max(p.Bits(), 32-maxRange); bit < 32; bit++ {
		last[bit/8] |= 0x80 >> (bit % 8)
	}
	return dhcp.Range{First: first, Last: netip.AddrFrom4(last).Prev()}
}

// restore reads the leases that were kept.
func (l *leaser) restore(folder string) error {
	if err := l.file.open(folder); err != nil {
		return err
	}
	records, err := os.ReadFile(l.file.path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	now := time.Now()
	if bad := l.server.Restore(now, records); bad > 0 {
		l.g.log.Warn("leases that cannot be read, or are of another network, are forgotten", "file", l.file.path, "lines", bad)
	}
	return l.file.replace(l.server.Snapshot(now))
}

// start begins to listen for clients.
func (l *leaser) start() error {
	s, err := l.g.host.ListenUDP("udp4", &net.UDPAddr{Port: dhcp.ServerPort})
	if err != nil {
		return err
	}
	l.socket = s
	l.g.busy.Go(l.run)
	return nil
}

func (l *leaser) close() {
	if l.socket != nil {
		l.socket.Close()
	}
}

// run answers clients until the socket is closed.
func (l *leaser) run() {
	b := make([]byte, link.MaxMTU)
	for {
		l.socket.SetReadDeadline(l.server.Next())
		n, _, to, err := l.socket.ReadFromTo(b)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			l.expire()
		case err != nil:
			return
		default:
			l.arrive(b[:n], to)
		}
	}
}

func (l *leaser) expire() { l.end(l.server.Expire(time.Now())) }

// begin makes a lease known.
func (l *leaser) begin(b dhcp.Binding) {
	l.table.put(b)
	if l.g.guard == nil {
		return
	}
	l.g.guard.lease(b.Addr, b.MAC)
	l.count(b.Addr, l.g.cfg.Switch.portOf(b.MAC))
}

// count notes at which port an address is, nil being none that is known.
func (l *leaser) count(a netip.Addr, at *Port) {
	if was := l.ports[a]; was != nil {
		if l.of[was]--; l.of[was] == 0 {
			delete(l.of, was)
		}
		delete(l.ports, a)
	}
	if at != nil {
		l.ports[a] = at
		l.of[at]++
	}
}

// mayHaveMore reports whether a client may have another address: there are to be some left for machines at other ports, or one that makes
// up clients would take them all.
func (l *leaser) mayHaveMore(m wire.MAC) bool {
	if l.g.guard == nil {
		return true
	}
	at := l.g.cfg.Switch.portOf(m)
	return at == nil || l.of[at] < l.addrs-len(l.ports)
}

// end makes known that leases are over.
func (l *leaser) end(ended []dhcp.Binding) {
	for _, b := range ended {
		l.table.remove(b.Addr)
		l.count(b.Addr, nil)
		if l.g.guard != nil && !l.isKept(&b) {
			l.g.guard.end(b.Addr)
		}
		l.g.tell(Event{Ask: askOf(&b), Verdict: Ended})
	}
}

// isKept reports whether a machine has its address without a lease too.
func (l *leaser) isKept(b *dhcp.Binding) bool {
	return slices.ContainsFunc(l.g.cfg.Static, func(s dhcp.Static) bool { return s.Addr == b.Addr && s.MAC == b.MAC })
}

// arrive answers a message.
func (l *leaser) arrive(b []byte, to netip.Addr) {
	m, err := dhcp.ParseMessage(b)
	if err != nil {
		l.g.log.Debug("dhcp", "error", err)
		return
	}
	if l.isForged(m) {
		mac, _ := m.CHAddr()
		l.g.refused(Ask{Kind: KindLease, MAC: mac, Name: m.HostName()}, ErrDuplicate)
		return
	}
	now := time.Now()
	r := l.server.Arrive(now, m, to)
	if r.Record != nil {
		if err := l.record(now, r.Record); err != nil {
			l.g.log.Error("a lease could not be written, and is not given", "error", err)
			l.end(r.Ended)
			return
		}
	}
	l.end(r.Ended)
	if r.Decision == dhcp.Granted || r.Decision == dhcp.Extended {
		l.begin(r.Binding)
	}
	if r.Message != nil {
		l.send(&r)
	}
	l.tell(&r)
}

// isForged reports whether a machine asks for, or gives back, what is leased to one with another hardware address, as it may
// by calling itself the same client. Where machines are told apart by their addresses, they are not to.
func (l *leaser) isForged(m dhcp.Message) bool {
	if !l.g.cfg.CheckSources || m.Type() == dhcp.Discover {
		return false
	}
	mac, _ := m.CHAddr()
	for _, a := range []netip.Addr{m.CIAddr(), m.RequestedAddr()} {
		if b, ok := l.table.ofAddr(a); ok && b.MAC != mac {
			return true
		}
	}
	return false
}

// record keeps a record, and writes the file anew if it has become long.
func (l *leaser) record(now time.Time, record []byte) error {
	if err := l.file.append(record); err != nil {
		return err
	}
	if l.file.isLong() {
		return l.file.replace(l.server.Snapshot(now))
	}
	return nil
}

// allow is what the server asks before it gives an address.
func (l *leaser) allow(a dhcp.Ask) error {
	if _, has := l.ports[a.Addr]; !has && !l.mayHaveMore(a.MAC) {
		return ErrManyLeases
	}
	if l.g.cfg.Allow == nil {
		return nil
	}
	return l.g.cfg.Allow(Ask{Kind: KindLease, Dst: netip.AddrPortFrom(a.Addr, 0), MAC: a.MAC, Name: a.HostName})
}

func askOf(b *dhcp.Binding) Ask {
	return Ask{Kind: KindLease, Dst: netip.AddrPortFrom(b.Addr, 0), MAC: b.MAC, Name: b.Name}
}

// tell tells of what was decided.
func (l *leaser) tell(r *dhcp.Reply) {
	e := Event{Ask: askOf(&r.Binding), Verdict: Allowed, Err: r.Err}
	switch r.Decision {
	case dhcp.Granted, dhcp.Extended:
	case dhcp.Denied:
		e.Verdict = Refused
	case dhcp.Ignored:
		if errors.Is(r.Err, dhcp.ErrNotForServer) || errors.Is(r.Err, dhcp.ErrOtherServer) {
			return
		}
		e.Verdict = Refused
	default:
		return
	}
	l.g.log.Debug("dhcp", "decision", r.Decision, "address", r.Binding.Addr, "mac", r.Binding.MAC, "name", r.Binding.Name, "error", r.Err)
	l.g.tell(e)
}

// send sends a reply. A client that has no address yet is sent a frame: it does not answer ARP.
func (l *leaser) send(r *dhcp.Reply) {
	var err error
	if r.To.MAC == (wire.MAC{}) {
		_, err = l.socket.WriteToUDPAddrPort(r.Message, r.To.Addr)
	} else {
		_, err = l.g.dev.Write([]link.Frame{{Head: l.frame(r)}})
	}
	if err != nil {
		l.g.log.Debug("dhcp", "error", err)
	}
}

func (l *leaser) frame(r *dhcp.Reply) []byte {
	own, to, n := l.server.ID(), r.To.Addr, wire.UDPLen+len(r.Message)
	b := wire.AppendEthernet(nil, r.To.MAC, l.g.dev.Info().MAC, wire.TypeIPv4)
	b = wire.AppendIPv4(b, &wire.IPv4Header{TTL: 64, Protocol: wire.ProtoUDP, Src: own, Dst: to.Addr()}, n)
	at := len(b)
	b = append(wire.AppendUDP(b, dhcp.ServerPort, to.Port(), len(r.Message)), r.Message...)
	wire.UDP(b[at:]).SetChecksum(wire.PseudoSum(own, to.Addr(), wire.ProtoUDP, n).Add(b[at:]))
	return b
}
