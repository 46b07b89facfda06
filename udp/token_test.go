package udp

import (
	"net/netip"
	"syscall"
	"testing"

	"landline/ip"
)

// A datagram and an error that come while two readers are about to wait leave one token. Who takes it for the error has to
// put it back for the datagram.
func TestErrorLeavesTheTokenForTheDatagram(t *testing.T) {
	var s Socket
	s.init()
	s.remote = netip.MustParseAddrPort("10.0.0.2:9")
	s.take([]arrived{{packet: &ip.Packet{Src: netip.MustParseAddr("10.0.0.2")}, head: []byte("datagram"), src: 9}})
	s.fail(&ip.Fault{Err: ip.Error{Errno: syscall.ECONNREFUSED}})
	<-s.readable // the first reader wakes
	if _, _, _, err := s.tryRead(make([]byte, 10)); err != syscall.ECONNREFUSED {
		t.Fatalf("got %v", err)
	}
	select {
	case <-s.readable:
	default:
		t.Error("the second reader sleeps beside a datagram")
	}
}
