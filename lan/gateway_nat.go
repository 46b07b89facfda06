package lan

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"landline"
)

// A nat carries the machines' connections, datagrams and pings to sockets of the computer.
type nat struct {
	tcp     *landline.TCPAnyListener
	udp     *landline.UDPAnyConn
	echoes  *landline.Host // that brings pings, or nil
	buffers sync.Pool      // of *[bufferSize]byte, for datagrams
	maps    *mappings      // nil if GatewayConfig.DialContext opens sockets for datagrams

	connShares, flowShares shares // of connections, pending ones too, and of all else

	mu       sync.Mutex
	flows    map[flowKey]*flow // nil if there may be no more
	echoIDs  map[uint16]bool   // of the flows of pings
	lastEcho uint16

	clientsMu sync.RWMutex
	clients   map[pair]*udpClient // of forwards
}

func (n *nat) close() {
	if n.tcp != nil {
		n.tcp.Close()
	}
	if n.udp != nil {
		n.udp.Close()
	}
	if n.echoes != nil {
		n.echoes.TakeEchoes(nil)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.flows = nil
}

// startNAT begins to take what machines send to the world.
func (g *Gateway) startNAT(ctx context.Context) (err error) {
	g.nat.flows, g.nat.clients = map[flowKey]*flow{}, map[pair]*udpClient{}
	g.nat.echoIDs, g.nat.lastEcho = map[uint16]bool{}, uint16(rand.Uint32()) // other programs of the computer begin elsewhere
	g.nat.connShares.init(g.cfg.MaxFlows)
	g.nat.flowShares.init(g.cfg.MaxFlows)
	g.nat.buffers.New = func() any { return new([bufferSize]byte) }
	if g.nat.tcp, err = g.host.ListenAny(); err != nil {
		return err
	}
	if g.nat.udp, err = g.host.ListenUDPAny(); err != nil {
		return err
	}
	g.busy.Go(func() { g.serveTCP(ctx) })
	g.busy.Go(func() { g.serveUDP(ctx) })
	g.nat.echoes = g.host
	g.host.TakeEchoes(g.echoTaker(ctx))
	return nil
}

// outside returns where in the world a machine gets that asks for an address, or why it gets nowhere.
func (g *Gateway) outside(a netip.Addr) (netip.Addr, error) {
	switch {
	case g.isOwn(a) && !g.cfg.Loopback:
		return a, ErrOwnAddress
	case g.isOwn(a) && a.Is4():
		return netip.AddrFrom4([4]byte{127, 0, 0, 1}), nil
	case g.isOwn(a):
		return netip.IPv6Loopback(), nil
	case g.isOnLAN(a):
		return a, ErrSameLAN
	}
	return a, nil
}

func (g *Gateway) isOwn(a netip.Addr) bool {
	for _, p := range g.cfg.Addresses {
		if p.Addr() == a {
			return true
		}
	}
	return false
}

// reach decides whether a machine may reach what it asks for, and returns where that is in the world.
func (g *Gateway) reach(a Ask) (netip.AddrPort, error) {
	to, err := g.outside(a.Dst.Addr())
	if err != nil {
		g.refused(a, err)
		return netip.AddrPort{}, err
	}
	if err := g.allow(a); err != nil {
		return netip.AddrPort{}, errRefused{err}
	}
	return netip.AddrPortFrom(to, a.Dst.Port()), nil
}

// errRefused is what GatewayConfig.Allow said.
type errRefused struct{ error }

// errnoOf returns what a machine is told of an error: that it was refused, or that there is no way.
func errnoOf(err error) syscall.Errno {
	if _, ok := err.(errRefused); ok || errors.Is(err, syscall.ECONNREFUSED) || err == ErrOwnAddress {
		return syscall.ECONNREFUSED
	}
	return syscall.EHOSTUNREACH
}

// bufferSize is more than any datagram.
const bufferSize = 64 << 10

// dialTime is how long it may take until the far side of a connection answers.
const dialTime = time.Minute

// dialFlow opens what a flow goes by.
func (g *Gateway) dialFlow(ctx context.Context, a *Ask, network, address string) (net.Conn, error) {
	if a.Kind == KindUDP && g.nat.maps != nil {
		return g.nat.maps.dial(ctx, a.Src, address)
	}
	return g.cfg.DialContext(ctx, network, address)
}

// dialWorld is GatewayConfig.DialContext if there is none.
func dialWorld(ctx context.Context, network, address string) (net.Conn, error) {
	if network == "ip4:icmp" || network == "ip6:ipv6-icmp" {
		return dialEcho(ctx, network, address)
	}
	return new(net.Dialer).DialContext(ctx, network, address)
}
