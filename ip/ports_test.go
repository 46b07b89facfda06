package ip

import (
	"net/netip"
	"syscall"
	"testing"
)

func bindAt(addr string, port uint16) Binding {
	return Binding{Addr: netip.MustParseAddr(addr), Port: port}
}

func TestPortIsHeldOnce(t *testing.T) {
	dual := Binding{Addr: netip.IPv6Unspecified(), Port: 80, Dual: true}
	shared := bindAt("10.0.0.1", 80)
	shared.Reuse = true
	for _, c := range []struct {
		what          string
		first, second Binding
		want          error
	}{
		{"the same", bindAt("10.0.0.1", 80), bindAt("10.0.0.1", 80), syscall.EADDRINUSE},
		{"another port", bindAt("10.0.0.1", 80), bindAt("10.0.0.1", 81), nil},
		{"another address", bindAt("10.0.0.1", 80), bindAt("10.0.0.2", 80), nil},
		{"one, then all", bindAt("10.0.0.1", 80), bindAt("0.0.0.0", 80), syscall.EADDRINUSE},
		{"all, then one", bindAt("0.0.0.0", 80), bindAt("10.0.0.1", 80), syscall.EADDRINUSE},
		{"another family", bindAt("0.0.0.0", 80), bindAt("::", 80), nil},
		{"both families, then one", dual, bindAt("10.0.0.1", 80), syscall.EADDRINUSE},
		{"one, then both families", bindAt("10.0.0.1", 80), dual, syscall.EADDRINUSE},
		{"both share", shared, shared, nil},
		{"one does not share", bindAt("10.0.0.1", 80), shared, syscall.EADDRINUSE},
	} {
		var p Ports
		if _, err := p.Bind(c.first, 0); err != nil {
			t.Fatalf("%s: first: %v", c.what, err)
		}
		second, err := p.Bind(c.second, 0)
		if err != c.want {
			t.Errorf("%s: got %v, want %v", c.what, err, c.want)
		}
		p.Release(c.first)
		if err == nil {
			p.Release(second)
		}
		if len(p.held) != 0 {
			t.Errorf("%s: %v is still held", c.what, p.held)
		}
	}
}

func TestReservedPortsAreForNoOne(t *testing.T) {
	p := Ports{Reserved: 1024}
	if _, err := p.Bind(bindAt("0.0.0.0", 1023), 0); err != syscall.EACCES {
		t.Errorf("got %v", err)
	}
	if _, err := p.Bind(bindAt("0.0.0.0", 1024), 0); err != nil {
		t.Errorf("got %v", err)
	}
}

func TestEphemeralPortsAreAllUsedOnce(t *testing.T) {
	var p Ports
	seen := map[uint16]bool{}
	for n := range uint64(lastEphemeral - firstEphemeral + 1) {
		b, err := p.Bind(bindAt("0.0.0.0", 0), n*7919)
		if err != nil || seen[b.Port] || b.Port < firstEphemeral || b.Port > lastEphemeral {
			t.Fatalf("port %d: %v, %v", n, b, err)
		}
		seen[b.Port] = true
	}
	if _, err := p.Bind(bindAt("0.0.0.0", 0), 1); err != syscall.EADDRINUSE {
		t.Errorf("one more than there are: %v", err)
	}
	if _, err := p.Bind(bindAt("::", 0), 1); err != nil {
		t.Errorf("of another family: %v", err)
	}
}
