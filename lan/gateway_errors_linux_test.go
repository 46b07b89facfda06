package lan_test

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"landline/lan"
	"landline/wire"
)

// What a router says of a datagram of a machine comes back to it, though Linux does not hold it to be final.
func TestErrorsOfRoutersComeBack(t *testing.T) {
	raw, err := net.Dial("ip4:icmp", "127.0.0.1")
	if err != nil {
		t.Skipf("only root may say what routers say: %v", err)
	}
	defer raw.Close()
	_, h := loopbackSite(t, lan.GatewayConfig{})
	far, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	defer far.Close()
	c, err := h.DialContext(t.Context(), "udp", at(far.LocalAddr()))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	far.SetDeadline(time.Now().Add(20 * time.Second))
	b := make([]byte, 100)
	for _, say := range []struct {
		code uint8
		rest uint32
		want error
	}{
		{wire.ICMPv4HostUnreachable, 0, syscall.EHOSTUNREACH},
		{wire.ICMPv4FragmentationNeeded, 1400, nil}, // which is for the computer to know
		{wire.ICMPv4HostUnreachable, 0, syscall.EHOSTUNREACH},
	} {
		c.Write([]byte("hello"))
		_, from, err := far.ReadFromUDPAddrPort(b)
		if err != nil {
			t.Fatal(err)
		}
		lo := netip.AddrFrom4([4]byte{127, 0, 0, 1})
		to := far.LocalAddr().(*net.UDPAddr).AddrPort()
		quoted := wire.AppendIPv4(nil, &wire.IPv4Header{TTL: 9, DontFragment: true, Protocol: wire.ProtoUDP, Src: lo, Dst: lo}, wire.UDPLen+5)
		quoted = wire.AppendUDP(quoted, from.Port(), to.Port(), 5)
		m := wire.AppendICMPv4(nil, wire.ICMPv4Unreachable, say.code, say.rest, quoted)
		if _, err := raw.Write(m); err != nil {
			t.Fatal(err)
		}
		if say.want == nil {
			far.WriteToUDPAddrPort([]byte("back"), from) // the flow goes on
		}
		if _, err := c.Read(b); !errors.Is(err, say.want) {
			t.Errorf("code %d: %v", say.code, err)
		}
	}
}
