package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
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

// Who leaves out the domain while a LAN is up is told the whole name.
func TestNameWithoutADomainIsToldWithIt(t *testing.T) {
	dir, err := os.MkdirTemp("", "lan") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	t.Setenv("XDG_RUNTIME_DIR", dir)
	if err := os.Mkdir(filepath.Join(dir, "landline"), 0o700); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "landline", controlPrefix+"lan"+controlSuffix))
	if err != nil {
		t.Fatal(err)
	}
	s := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"domain":"home"}`) })}
	go s.Serve(l)
	defer s.Close()
	notFound := &net.DNSError{Err: "no such host", Name: "shed", IsNotFound: true}
	if err := plain(hintLAN(t.Context(), "shed:7373", notFound)); err.Error() != "no such host" || hint(err) != "on a LAN that is up here it is shed.home" {
		t.Errorf("%v (%s)", err, hint(err))
	}
	if err := hintLAN(t.Context(), "shed.example:7373", notFound); err != notFound {
		t.Errorf("%v (%s)", err, hint(err))
	}
}
