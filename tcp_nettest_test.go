package landline_test

import (
	"net"
	"testing"

	"golang.org/x/net/nettest"

	"landline"
	"landline/link"
)

// What every net.Conn has to do. It has subtests, so it does not run in a bubble.
func TestTCPIsANetConn(t *testing.T) {
	for _, c := range cables {
		t.Run(c.name, func(t *testing.T) {
			a, b := neighbors(t, c.CableConfig)
			nettest.TestConn(t, pipes(a, b, "10.0.0.2:0"))
		})
	}
	t.Run("loopback", func(t *testing.T) {
		h := newHost(t, nil, landline.Config{})
		nettest.TestConn(t, pipes(h, h, "127.0.0.1:0"))
	})
	t.Run("ipv6", func(t *testing.T) {
		a, b := neighbors(t, link.CableConfig{})
		nettest.TestConn(t, pipes(a, b, "[fd00::2]:0"))
	})
}

// pipes makes connections from a to an address of b.
func pipes(a, b *landline.Host, address string) nettest.MakePipe {
	return func() (net.Conn, net.Conn, func(), error) {
		ca, cb, err := ends(a, b, address)
		return ca, cb, func() { ca.Close(); cb.Close() }, err
	}
}
