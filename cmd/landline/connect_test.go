package main

import (
	"crypto/tls"
	"net"
	"testing"
)

// A web server's handshake ends with an alert about protocols, which tells nobody that the port is wrong.
func TestServerOfAnotherProtocolIsSaidToBeOne(t *testing.T) {
	here, there := net.Pipe()
	defer here.Close()
	go func() {
		defer there.Close()
		_ = tls.Server(there, &tls.Config{NextProtos: []string{"h2"}}).Handshake()
	}()
	err := tls.Client(here, &tls.Config{ServerName: "shed", NextProtos: []string{"landline/1"}}).Handshake()
	if got := plain(err); got.Error() != "what answers there is not landline" || hint(got) == "" {
		t.Errorf("%v is told as %v (%s)", err, got, hint(got))
	}
}
