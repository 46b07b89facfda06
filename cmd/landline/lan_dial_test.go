package main

import (
	"errors"
	"net"
	"syscall"
	"testing"
)

// Who names a machine of a LAN that is not up is told so, if the name is not another's.
func TestMissingLANIsNamed(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	notFound := &net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "shed.lan", IsNotFound: true}}
	const want = "no such host, and no LAN with the domain lan is up here"
	for _, c := range []struct {
		addr string
		err  error
		said bool
	}{
		{"shed.lan:7373", notFound, true},
		{"SHED.LAN.:7373", notFound, true},
		{"shed.example:7373", notFound, false},
		{"plan:7373", notFound, false},
		{"shed.lan:7373", syscall.ECONNREFUSED, false}, // there is one, elsewhere
		{"shed.lan:7373", nil, false},
	} {
		err := hintLAN(t.Context(), c.addr, c.err)
		if said := err != nil && err.Error() == want && hint(err) == "landline lan up"; said != c.said || !said && !errors.Is(err, c.err) {
			t.Errorf("%s, %v: %v", c.addr, c.err, err)
		}
	}
}
