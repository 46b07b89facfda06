package lan

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A Forward leads from a port of the computer to one of a machine on the LAN.
type Forward struct {
	Proto string // "tcp" or "udp"
	Local string // the computer's address, host:port; with port 0, a free one is found, and then stands here
	To    string // the machine's address, or its name with or without the domain, and port

	// KeepClient lets the machine see the address of who comes, in place of the gateway's. What it answers has to come by the
	// gateway. Of a client on the computer's loopback, which has no address that leads anywhere, it sees the gateway's; one
	// whose address cannot be kept otherwise is refused: it is of another family than the machine's, or of the LAN.
	KeepClient bool
}

// A forward is a Forward that works.
type forward struct {
	Forward
	listener io.Closer
	run      func() // serves who comes to the listener
	end      context.CancelFunc
	busy     sync.WaitGroup
}

// Forward begins to forward, and returns the computer's address. The machine need not be there yet: it is looked for when somebody
// comes. The error is that of net.Listen, or syscall.EADDRINUSE if there is a Forward of the same Proto and Local.
func (g *Gateway) Forward(c Forward) (net.Addr, error) {
	if _, _, err := net.SplitHostPort(c.To); err != nil {
		return nil, err
	}
	ctx, end := context.WithCancel(context.Background())
	f := &forward{Forward: c, end: end}
	at, err := g.listen(ctx, f)
	if err != nil {
		end()
		return nil, err
	}
	if err := g.begins(f); err != nil {
		end()
		f.listener.Close()
		return nil, err
	}
	return at, nil
}

// listen opens what a forward begins at, and notes where that is. It may take long: the computer's address can be a name.
func (g *Gateway) listen(ctx context.Context, f *forward) (at net.Addr, err error) {
	switch f.Proto {
	case "tcp":
		l, err := g.cfg.Listen(ctx, "tcp", f.Local)
		if err != nil {
			return nil, err
		}
		f.listener, f.run, at = l, func() { g.forwardTCP(ctx, f, l) }, l.Addr()
	case "udp":
		c, err := g.cfg.ListenPacket(ctx, "udp", f.Local)
		if err != nil {
			return nil, err
		}
		f.listener, f.run, at = c, func() { g.forwardUDP(ctx, f, c.(datagramConn)) }, c.LocalAddr()
	default:
		return nil, net.UnknownNetworkError(f.Proto)
	}
	if _, port, _ := net.SplitHostPort(f.Local); port == "0" {
		f.Local = at.String()
	}
	return at, nil
}

// begins makes a forward that listens one of the gateway's.
func (g *Gateway) begins(f *forward) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.closed:
		return net.ErrClosed
	case g.forwardAtLocked(f.Proto, f.Local) >= 0:
		return fmt.Errorf("%s %s: %w", f.Proto, f.Local, syscall.EADDRINUSE)
	}
	g.forwards = append(g.forwards, f)
	f.busy.Go(f.run)
	return nil
}

func (g *Gateway) forwardAtLocked(proto, local string) int {
	return slices.IndexFunc(g.forwards, func(f *forward) bool { return f.Proto == proto && f.Local == local })
}

// Unforward ends a Forward, with all that goes through it. The error is syscall.ENOENT if there is none.
func (g *Gateway) Unforward(proto, local string) error {
	g.mu.Lock()
	k := g.forwardAtLocked(proto, local)
	if k < 0 {
		g.mu.Unlock()
		return fmt.Errorf("%s %s: %w", proto, local, syscall.ENOENT)
	}
	f := g.forwards[k]
	g.forwards = slices.Delete(g.forwards, k, k+1)
	g.mu.Unlock()
	f.end()
	f.listener.Close()
	f.busy.Wait()
	return nil
}

// Forwards returns all that forward now.
func (g *Gateway) Forwards() (all []Forward) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, f := range g.forwards {
		all = append(all, f.Forward)
	}
	return all
}

// machine returns where a Forward leads to now, for a client with an address, which may be the zero Addr: a machine may have
// one of the same family.
func (g *Gateway) machine(to string, client netip.Addr) (netip.AddrPort, error) {
	name, text, err := net.SplitHostPort(to)
	if err != nil {
		return netip.AddrPort{}, err
	}
	port, err := net.LookupPort("ip", text)
	if err != nil {
		return netip.AddrPort{}, err
	}
	if a, err := netip.ParseAddr(name); err == nil {
		return netip.AddrPortFrom(a, uint16(port)), nil
	}
	label := strings.TrimSuffix(strings.ToLower(strings.TrimSuffix(name, ".")), "."+g.cfg.Domain)
	addrs := g.addressesOf(label)
	if addrs == nil {
		return netip.AddrPort{}, &net.DNSError{Err: "no such machine", Name: name, IsNotFound: true}
	}
	at := max(0, slices.IndexFunc(addrs, func(a netip.Addr) bool { return a.Is6() == client.Is6() }))
	return netip.AddrPortFrom(addrs[at], uint16(port)), nil
}

// findMachine returns where a client is led to, if that is allowed, and whom the machine is to see; that is the zero AddrPort if
// it is the gateway.
func (g *Gateway) findMachine(f *forward, a *Ask) (as netip.AddrPort, err error) {
	keeps := f.KeepClient && !a.Src.Addr().IsLoopback()
	client := netip.Addr{}
	if keeps {
		client = a.Src.Addr()
	}
	a.Dst, err = g.machine(f.To, client)
	if err == nil && keeps {
		if as = a.Src; as.Addr().Is4() != a.Dst.Addr().Is4() || as.Addr().IsLinkLocalUnicast() || g.isOnLAN(as.Addr()) {
			err = ErrNotKept
		}
	}
	if err != nil {
		g.refused(*a, err)
		return as, err
	}
	return as, g.allow(*a)
}

// Connect leads a connection of a program of the computer to a machine, by its address or its name with or without the domain, and a
// port, and returns when both ways have ended. Once the machine has answered, accept makes the program's connection, which the
// gateway closes in the end. The error is why there is no connection: a *net.DNSError if there is no such machine, one as
// Host.DialContext returns if it does not answer, that of GatewayConfig.Allow, or that of accept.
func (g *Gateway) Connect(ctx context.Context, to string, accept func() (net.Conn, error)) error {
	a := Ask{Kind: KindForward}
	out, err := g.dialMachine(ctx, &forward{Forward: Forward{Proto: "tcp", To: to}}, &a)
	if err != nil {
		return err
	}
	in, err := accept()
	if err != nil {
		reset(out)
		g.tell(Event{Ask: a, Verdict: Ended, Err: err})
		return err
	}
	g.pipe(ctx, a, in, out)
	return nil
}

// dialMachine opens a connection to a machine, if that is allowed.
func (g *Gateway) dialMachine(ctx context.Context, f *forward, a *Ask) (net.Conn, error) {
	as, err := g.findMachine(f, a)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	var c net.Conn
	if as.IsValid() {
		c, err = g.host.DialTCPAs(ctx, as, a.Dst)
	} else {
		c, err = g.host.DialContext(ctx, "tcp", a.Dst.String())
	}
	if err != nil {
		g.tell(Event{Ask: *a, Verdict: Ended, Err: err})
		return nil, err
	}
	return c, nil
}

func (g *Gateway) forwardTCP(ctx context.Context, f *forward, l net.Listener) {
	for {
		in, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return
			}
			g.log.Warn("forward", "local", f.Local, "error", err)
			if !pause(ctx) {
				return
			}
			continue
		}
		f.busy.Go(func() {
			a := Ask{Kind: KindForward, Src: unmapped(in.RemoteAddr().(*net.TCPAddr).AddrPort())}
			out, err := g.dialMachine(ctx, f, &a)
			if err != nil {
				reset(in)
				return
			}
			g.pipe(ctx, a, in, out)
		})
	}
}

func unmapped(a netip.AddrPort) netip.AddrPort { return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()) }

// pause waits until an error that will pass, such as too many open files, may have passed.
func pause(ctx context.Context) bool {
	t := time.NewTimer(time.Second)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
