package lan_test

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"landline/lan"
	"landline/link"
	"landline/wire"
)

// Machines that share a datagram socket of the system, and one of which never reads, at a switch.
func TestGuestsOfASocketAtASwitch(t *testing.T) {
	dir, err := os.MkdirTemp("", "lan") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := &net.UnixAddr{Name: filepath.Join(dir, "lan"), Net: "unixgram"}
	conn, err := net.ListenUnixgram("unixgram", path)
	if err != nil {
		t.Fatal(err)
	}
	s := newSwitch(t, lan.Config{})
	l, err := link.ListenDatagram(conn, link.Info{}, func(d *link.Datagram) {
		if _, err := s.Plug(d, lan.PortConfig{QueueFrames: 100}); err != nil {
			t.Error(err)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	desk, err := s.NewPort(lan.PortConfig{Name: "desk"})
	if err != nil {
		t.Fatal(err)
	}
	heard := make(chan wire.MAC)
	desk.Attach(link.Handler{Receive: func(frames []link.Frame) {
		for i := range frames {
			heard <- wire.Ethernet(frames[i].Head).Src()
		}
	}})

	join := func(name string) (*net.UnixConn, wire.MAC) {
		m, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, name), Net: "unixgram"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { m.Close() })
		mac := wire.MAC{2, 0, 0, 0, 0, name[0]}
		hello := frame(desk.Info().MAC, mac, 0)
		if _, err := m.WriteTo(hello.Head, path); err != nil {
			t.Fatal(err)
		}
		if got := <-heard; got != mac {
			t.Fatalf("%s hears of %s", desk.Info().Name, got)
		}
		return m, mac
	}
	_, stuck := join("stuck")
	a, aMAC := join("a")
	b, bMAC := join("b")
	buf := make([]byte, 2000)
	for i := range 1000 { // a to all, a to who is stuck, a to b and back
		toAll, toStuck, toB := frame(wire.Broadcast, aMAC, i), frame(stuck, aMAC, i), frame(bMAC, aMAC, i)
		for _, f := range []link.Frame{toAll, toStuck, toB} {
			if _, err := a.WriteTo(f.Head, path); err != nil {
				t.Fatal(err)
			}
		}
		<-heard
		for _, want := range []link.Frame{toAll, toB} {
			if n, err := b.Read(buf); err != nil || !bytes.Equal(buf[:n], want.Head) {
				t.Fatalf("frame %d: b hears %x, %v", i, buf[:n], err)
			}
		}
		answer := frame(aMAC, bMAC, i)
		if _, err := b.WriteTo(answer.Head, path); err != nil {
			t.Fatal(err)
		}
		if n, err := a.Read(buf); err != nil || !bytes.Equal(buf[:n], answer.Head) {
			t.Fatalf("frame %d: a hears %x, %v", i, buf[:n], err)
		}
	}
	i := slices.IndexFunc(s.Ports(), func(p *lan.Port) bool { return p.Info().Name == "stuck" })
	st := s.Ports()[i].Stats()
	if full := st.Drops[lan.DropQueueFull]; full == 0 || st.Waiting != 100 || st.Out+100+full != 2000 {
		t.Errorf("%+v", st)
	}
}
