package link

import (
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// However many senders somebody makes up, there is an end to the devices.
func TestGuestsOfASocketAreBounded(t *testing.T) {
	dir, err := os.MkdirTemp("", "lan")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := &net.UnixAddr{Name: filepath.Join(dir, "lan"), Net: "unixgram"}
	conn, err := net.ListenUnixgram("unixgram", path)
	if err != nil {
		t.Fatal(err)
	}
	joined, heard := make(chan *Datagram, 10), make(chan bool, 10)
	l, err := ListenDatagram(conn, Info{}, func(d *Datagram) {
		d.Attach(Handler{Receive: func([]Frame) { heard <- true }})
		joined <- d
	})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	l.mu.Lock()
	for i := range maxGuests - 1 {
		l.guests[strconv.Itoa(i)] = newDatagram(Info{}, l.raw, nil)
	}
	l.mu.Unlock()
	send := func(name string) net.Conn {
		m, err := net.DialUnix("unixgram", &net.UnixAddr{Name: filepath.Join(dir, name), Net: "unixgram"}, path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { m.Close() }) // it must live until it is answered
		if _, err := m.Write([]byte("VFKT")); err != nil {
			t.Fatal(err)
		}
		return m
	}
	m := send("last")
	last := <-joined
	send("late")
	if _, err := m.Write(make([]byte, 60)); err != nil {
		t.Fatal(err)
	}
	<-heard // so the late one has been, too
	last.Close()
	send("next")
	if d := <-joined; d.Info().Name != "next" {
		t.Errorf("%s joined", d.Info().Name)
	}
	if s := l.Stats(); s.Refused != 1 {
		t.Errorf("%+v", s)
	}
}
