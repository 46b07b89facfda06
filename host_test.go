package landline_test

import (
	"context"
	"net"
	"net/netip"
	"regexp"
	"testing"
	"time"

	"go.uber.org/goleak"

	"landline"
	"landline/link"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// newHost makes a host that ends with the test.
func newHost(t testing.TB, dev link.Device, cfg landline.Config) *landline.Host {
	t.Helper()
	if cfg.Seed == 0 {
		cfg.Seed = 1
	}
	h, err := landline.NewHost(dev, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

func prefixes(texts ...string) (all []netip.Prefix) {
	for _, s := range texts {
		all = append(all, netip.MustParsePrefix(s))
	}
	return all
}

// neighbors makes two hosts on a cable: 10.0.0.1 and 10.0.0.2, fd00::1 and fd00::2.
func neighbors(t testing.TB, c link.CableConfig) (left, right *landline.Host) {
	t.Helper()
	a, b := link.NewCable(c)
	left = newHost(t, a, landline.Config{Addresses: prefixes("10.0.0.1/24", "fd00::1/64"), Probes: -1})
	right = newHost(t, b, landline.Config{Addresses: prefixes("10.0.0.2/24", "fd00::2/64"), Probes: -1, Seed: 2})
	return left, right
}

// A world has sockets: the system's, or a host's.
type world struct {
	system    bool
	listen    func(ctx context.Context, network, address string) (net.PacketConn, error)
	dial      func(ctx context.Context, network, address string) (net.Conn, error)
	listenTCP func(ctx context.Context, network, address string) (net.Listener, error)
	dialTCP   func(ctx context.Context, network string, laddr, raddr *net.TCPAddr) (net.Conn, error)
	dialUDP   func(network string, laddr, raddr *net.UDPAddr) (net.Conn, error)
}

func worldOf(h *landline.Host) world {
	return world{
		listen: h.ListenPacket, dial: h.DialContext, listenTCP: h.Listen,
		dialTCP: func(ctx context.Context, network string, laddr, raddr *net.TCPAddr) (net.Conn, error) {
			return h.DialTCP(ctx, network, laddr, raddr)
		},
		dialUDP: func(network string, laddr, raddr *net.UDPAddr) (net.Conn, error) {
			return h.DialUDP(network, laddr, raddr)
		},
	}
}

func system() world {
	var l net.ListenConfig
	return world{
		system: true, listen: l.ListenPacket, dial: new(net.Dialer).DialContext, listenTCP: l.Listen,
		dialTCP: func(ctx context.Context, network string, laddr, raddr *net.TCPAddr) (net.Conn, error) {
			if ctx.Err() == nil {
				return net.DialTCP(network, laddr, raddr)
			}
			return new(net.Dialer).DialContext(ctx, network, raddr.String()) // which has a context
		},
		dialUDP: func(network string, laddr, raddr *net.UDPAddr) (net.Conn, error) {
			return net.DialUDP(network, laddr, raddr)
		},
	}
}

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// ports finds the ports that a host has chosen.
var ports = regexp.MustCompile(`:\d{4,5}\b`)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func second[T any](_ T, err error) error { return err }
