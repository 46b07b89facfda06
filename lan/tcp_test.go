package lan_test

import (
	"bytes"
	"crypto/sha256"
	"io"
	"net"
	"testing"
	"testing/synctest"

	"landline"
	"landline/lan"
	"landline/link"
)

// Machines of all kinds send each other a few megabytes over TCP, past one that is stuck: in units where both take them, in
// segments where one does not, and nothing is dropped.
func TestStreamsThroughASwitch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := lan.NewSwitch(lan.Config{Seed: 1})
		defer s.Close()
		if _, err := s.Plug(new(wall), lan.PortConfig{Name: "stuck"}); err != nil {
			t.Fatal(err)
		}
		desk, err := s.NewPort(lan.PortConfig{Name: "desk"})
		if err != nil {
			t.Fatal(err)
		}
		loft, err := s.NewPort(lan.PortConfig{Name: "loft"})
		if err != nil {
			t.Fatal(err)
		}
		near, shed := link.NewCable(link.CableConfig{Seed: 2, Checksums: true})
		bare, err := s.Plug(near, lan.PortConfig{Name: "shed"})
		if err != nil {
			t.Fatal(err)
		}
		hosts := map[string]*landline.Host{}
		for addr, dev := range map[string]link.Device{"10.0.0.1": desk, "10.0.0.2": loft, "10.0.0.3": shed} {
			h, err := landline.NewHost(dev, landline.Config{Seed: uint64(addr[7]), Addresses: addrs(addr + "/24"), Probes: -1})
			if err != nil {
				t.Fatal(err)
			}
			defer h.Close()
			hosts[addr] = h
		}
		data := make([]byte, 4<<20)
		for i := range data {
			data[i] = byte(i ^ i>>8 ^ i>>16)
		}
		for _, c := range []struct{ from, to string }{{"10.0.0.1", "10.0.0.2"}, {"10.0.0.1", "10.0.0.3"}, {"10.0.0.3", "10.0.0.2"}} {
			before := loft.Stats().Out
			if got := carry(t, hosts[c.from], hosts[c.to], c.to, data); got != sha256.Sum256(data) {
				t.Errorf("from %s to %s: other bytes arrive", c.from, c.to)
			}
			if n := loft.Stats().Out - before; c.from == "10.0.0.1" && c.to == "10.0.0.2" && n > 4<<20/8000 {
				t.Errorf("4 MiB arrive in %d frames: they are not whole", n)
			}
		}
		for _, p := range []*lan.Port{desk, loft, bare} {
			if d := p.Stats().Drops; d.Total() != d[lan.DropNobody] { // before its machine was there
				t.Errorf("%s dropped %v", p.Info().Name, d.Map())
			}
		}
	})
}

// carry sends data from one host to another, and returns the hash of what arrives.
func carry(t *testing.T, from, to *landline.Host, addr string, data []byte) (sum [sha256.Size]byte) {
	t.Helper()
	l, err := to.Listen(t.Context(), "tcp", ":80")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	done := make(chan error)
	go func() {
		c, err := from.DialContext(t.Context(), "tcp", net.JoinHostPort(addr, "80"))
		if err == nil {
			_, err = io.Copy(c, bytes.NewReader(data))
			c.Close()
		}
		done <- err
	}()
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	h := sha256.New()
	if _, err := io.Copy(h, c); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	return [sha256.Size]byte(h.Sum(nil))
}
