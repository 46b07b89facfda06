package lan

import (
	"errors"
	"net/netip"
	"testing"
)

// If all ports of the gateway are clients', the next client is refused, and nobody waits for the one who looks.
func TestClientsWithoutAPortAreRefused(t *testing.T) {
	machine, own := netip.MustParseAddrPort("10.77.0.2:53"), netip.MustParseAddr("10.77.0.1")
	n := nat{clients: map[pair]*udpClient{}}
	for port := 1 << 15; port < 1<<16; port++ {
		n.clients[pair{machine, netip.AddrPortFrom(own, uint16(port))}] = new(udpClient)
	}
	c := &udpClient{ask: Ask{Dst: machine}}
	if err := n.addClient(c, own); !errors.Is(err, ErrManyFlows) {
		t.Errorf("%v, and there is no port", err)
	}
	c = &udpClient{ask: Ask{Dst: netip.MustParseAddrPort("10.77.0.3:53")}}
	if err := n.addClient(c, own); err != nil || n.clientFor(c.ask.Dst, c.as) != c {
		t.Errorf("another machine's: %v", err)
	}
}
