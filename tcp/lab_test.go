package tcp_test

import (
	"context"
	"net/netip"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"landline/ip"
	"landline/link"
	"landline/tcp"
	"landline/wire"
)

// A machine is a host with TCP, on a tap that sees all that it sends.
type machine struct {
	*tcp.Layer
	stack *ip.Stack
	wire  *tap
}

// machines makes two on a cable, 10.0.0.1 and 10.0.0.2, that end with the test.
func machines(t testing.TB, c link.CableConfig, cfg tcp.Config) (a, b *machine) {
	t.Helper()
	return machinesLike(t, c, cfg, cfg)
}

func machinesLike(t testing.TB, c link.CableConfig, ca, cb tcp.Config) (a, b *machine) {
	t.Helper()
	c.Seed = 1
	left, right := link.NewCable(c)
	return newMachine(t, left, "10.0.0.1/24", ca), newMachine(t, right, "10.0.0.2/24", cb)
}

func newMachine(t testing.TB, dev link.Device, address string, cfg tcp.Config) *machine {
	t.Helper()
	p := netip.MustParsePrefix(address)
	m := &machine{stack: ip.NewStack(ip.Config{Seed: uint64(p.Addr().As4()[3])}), wire: &tap{Device: dev}}
	m.Layer = tcp.New(m.stack, cfg)
	t.Cleanup(func() { m.Layer.Close(); m.stack.Close() })
	_, err := m.stack.Attach(m.wire, ip.InterfaceConfig{Addresses: []netip.Prefix{p}, NoIPv6: true, Probes: -1})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// A tap is a device on which all segments that are sent are shown to see, if there is one. It says which go on;
// the others are lost.
type tap struct {
	link.Device
	see atomic.Pointer[func(wire.TCP) bool]
}

// watch makes f see what is sent from now on. Nil is nobody.
func (d *tap) watch(f func(wire.TCP) bool) {
	if f == nil {
		d.see.Store(nil)
		return
	}
	d.see.Store(&f)
}

func (d *tap) Write(frames []link.Frame) (int, error) {
	see := d.see.Load()
	if see == nil {
		return d.Device.Write(frames)
	}
	for k := range frames {
		if s := segmentIn(&frames[k]); s != nil && !(*see)(s) {
			continue
		}
		if n, err := d.Device.Write(frames[k : k+1]); n == 0 || err != nil {
			return k, err
		}
	}
	return len(frames), nil
}

// segmentIn returns the segment that lies in a frame, or nil.
func segmentIn(f *link.Frame) wire.TCP {
	e, err := wire.ParseEthernet(f.AppendTo(nil))
	if err != nil || e.Type() != wire.TypeIPv4 {
		return nil
	}
	h, err := wire.ParseIPv4(e.Payload())
	if err != nil || h.Protocol() != wire.ProtoTCP {
		return nil
	}
	s, err := wire.ParseTCP(h.Payload())
	if err != nil {
		return nil
	}
	return s
}

var (
	ctx   = context.Background()
	local = netip.MustParseAddrPort("10.0.0.2:80") // where servers listen
)

func (m *machine) listen(t testing.TB, cfg tcp.ListenConfig) *tcp.Listener {
	t.Helper()
	if !cfg.Local.IsValid() {
		cfg.Local = local
	}
	l, err := m.Listen(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func (m *machine) dial(t testing.TB, cfg tcp.DialConfig) *tcp.Conn {
	t.Helper()
	if !cfg.Remote.IsValid() {
		cfg.Remote = local
	}
	c, err := m.Dial(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// connected returns both ends of a connection from a to b.
func connected(t testing.TB, a, b *machine) (ca, cb *tcp.Conn) {
	t.Helper()
	l := b.listen(t, tcp.ListenConfig{Local: netip.MustParseAddrPort("10.0.0.2:0")})
	defer l.Close()
	ca = a.dial(t, tcp.DialConfig{Remote: l.Local()})
	cb, err := l.Accept(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return ca, cb
}

// bubble runs a test in a time of its own, on two machines.
func bubble(t *testing.T, c link.CableConfig, cfg tcp.Config, f func(t *testing.T, a, b *machine)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		a, b := machines(t, c, cfg)
		f(t, a, b)
	})
}

func second[T any](_ T, err error) error { return err }

func write(c *tcp.Conn, text string) error { return second(c.Write([]byte(text))) }

func read(c *tcp.Conn) error { return second(c.Read(make([]byte, 1))) }
