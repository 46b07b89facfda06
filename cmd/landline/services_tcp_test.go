package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"landline"
	"landline/link"
	"landline/tcp"
)

// A serving is a machine with services, and a desk on a cable to it.
type serving struct {
	*testing.T
	machine *machine
	desk    *landline.Host
}

// serving puts services at ports 1, 2 and so on of 10.0.0.2.
func serve(t *testing.T, names ...string) *serving {
	end, other := link.NewCable(link.CableConfig{})
	s := &serving{t, &machine{app: &app{quiet: true}, host: newMachine(t, other, "10.0.0.2/24")}, newMachine(t, end, "10.0.0.1/24")}
	var all []service
	for k, name := range names {
		all = append(all, service{name, uint16(k + 1)})
	}
	if err := s.machine.start(all); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.machine.close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func newMachine(t *testing.T, dev link.Device, addr string) *landline.Host {
	h, err := landline.NewHost(dev, landline.Config{Addresses: []netip.Prefix{netip.MustParsePrefix(addr)}, Probes: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

// conns returns the connections of the machine, without its listeners.
func (s *serving) conns() []tcp.Info {
	return slices.DeleteFunc(s.machine.host.Conns(), func(i tcp.Info) bool { return i.State == "LISTEN" })
}

func (s *serving) dial(addr string) *landline.TCPConn {
	s.Helper()
	c, err := s.desk.DialContext(context.Background(), "tcp", addr)
	if err != nil {
		s.Fatal(err)
	}
	c.SetDeadline(time.Now().Add(time.Hour)) // or a test that fails would never end
	return c.(*landline.TCPConn)
}

// hear sends pieces one by one and returns what comes until the machine has sent all.
func hear(c *landline.TCPConn, pieces ...string) (string, error) {
	for _, p := range pieces {
		if _, err := io.WriteString(c, p); err != nil {
			return "", err
		}
		synctest.Wait() // it has been read by itself
	}
	if err := c.CloseWrite(); err != nil {
		return "", err
	}
	answer, err := io.ReadAll(c)
	return string(answer), err
}

func TestTCPServicesAnswerUntilTheClientHasSentAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, "upper", "echo", "discard")
		for _, c := range []struct {
			addr   string
			pieces []string
			want   string
		}{
			{"10.0.0.2:1", []string{"quietly, ", "please"}, "QUIETLY, PLEASE"},
			{"10.0.0.2:1", []string{"gr\xc3", "\xbcn \xe2", "\x82", "\xac\xc3"}, "GRÜN €\xc3"}, // characters that were cut
			{"10.0.0.2:1", nil, ""},
			{"10.0.0.2:2", []string{"a\x00", "b"}, "a\x00b"},
			{"10.0.0.2:3", []string{"a", "b"}, ""},
		} {
			if got, err := hear(s.dial(c.addr), c.pieces...); got != c.want || err != nil {
				t.Errorf("%s answers %q with %q, %v", c.addr, c.pieces, got, err)
			}
		}
	})
}

// An answer comes before the client has sent all.
func TestEachPieceIsAnsweredAsItComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, "upper")
		c := s.dial("10.0.0.2:1")
		b := make([]byte, 100)
		for _, piece := range []string{"one", "two"} {
			io.WriteString(c, piece)
			if n, err := c.Read(b); string(b[:n]) != strings.ToUpper(piece) || err != nil {
				t.Errorf("%s: %q, %v", piece, b[:n], err)
			}
		}
	})
}

func TestManyClientsAreServedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, "echo")
		text := strings.Repeat("all of it ", 100_000)
		var clients sync.WaitGroup
		for range 8 {
			clients.Go(func() {
				c := s.dial("10.0.0.2:1")
				go func() {
					io.WriteString(c, text)
					c.CloseWrite()
				}()
				if got, err := io.ReadAll(c); string(got) != text || err != nil {
					t.Errorf("%d bytes came back, %v", len(got), err)
				}
				c.Close()
			})
		}
		clients.Wait()
	})
}

func TestChargenGoesOnUntilTheClientLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, "chargen")
		c := s.dial("10.0.0.2:1")
		io.WriteString(c, "this is thrown away")
		c.CloseWrite()
		got := make([]byte, 2*chargenLines*(chargenLine+2))
		if _, err := io.ReadFull(c, got); err != nil {
			t.Fatal(err)
		}
		for n, line := range bytes.SplitAfter(got, []byte("\n"))[:2*chargenLines] {
			if !bytes.Equal(line, chargen(n)) {
				t.Fatalf("line %d is %q", n, line)
			}
		}
		c.Close()
		synctest.Wait()
		if all := s.conns(); len(all) != 0 {
			t.Errorf("it still writes: %+v", all)
		}
	})
}

// A client that would be one too many is told so at once, and those before it have theirs.
func TestClientsBeyondTheLimitAreReset(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, "echo", "upper")
		var all []*landline.TCPConn
		for range maxClients {
			all = append(all, s.dial("10.0.0.2:1"))
		}
		if _, err := s.dial("10.0.0.2:1").Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("one too many: %v", err)
		}
		if got, err := hear(s.dial("10.0.0.2:2"), "another service"); got != "ANOTHER SERVICE" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		for _, c := range all {
			if got, err := hear(c, "here"); got != "here" || err != nil {
				t.Errorf("%q, %v", got, err)
			}
			c.Close()
		}
		if got, err := hear(s.dial("10.0.0.2:1"), "there is room"); got != "there is room" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
	})
}

// Clients that say nothing, that do not read, or whose machine is gone, have no place for ever.
func TestClientsThatStandStillAreLetGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, "echo", "chargen")
		silent, stuck := s.dial("10.0.0.2:1"), s.dial("10.0.0.2:2")
		end, other := link.NewCable(link.CableConfig{})
		if _, err := s.machine.host.AddInterface(other, landline.InterfaceConfig{Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.1.2/24")}, Probes: -1}); err != nil {
			t.Fatal(err)
		}
		wire := link.Impair(end, link.Impairment{}, link.Impairment{})
		gone := &serving{t, s.machine, newMachine(t, wire, "10.0.1.1/24")}
		for _, addr := range []string{"10.0.1.2:1", "10.0.1.2:2"} {
			gone.dial(addr)
		}
		wire.Set(link.Impairment{Loss: 1}, link.Impairment{Loss: 1})
		if n := len(s.conns()); n != 4 {
			t.Errorf("%d connections", n)
		}
		time.Sleep(stillness - time.Second)
		if got, err := hear(s.dial("10.0.0.2:1"), "meanwhile"); got != "meanwhile" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		time.Sleep(2 * time.Second)
		for _, c := range []*landline.TCPConn{silent, stuck} {
			if n, err := io.CopyN(io.Discard, c, 1<<20); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("%v, after %d bytes", err, n)
			}
		}
		if all := s.conns(); len(all) != 0 {
			t.Errorf("left: %+v", all)
		}
	})
}

// A machine that ends leaves nothing behind: the bubble finds a goroutine that goes on.
func TestMachineEndsWithClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := serve(t, "upper", "echo", "discard", "chargen")
		var all []*landline.TCPConn
		for _, addr := range []string{"10.0.0.2:1", "10.0.0.2:2", "10.0.0.2:3", "10.0.0.2:4"} {
			all = append(all, s.dial(addr))
		}
		synctest.Wait()
		s.machine.close()
		for _, c := range all {
			if _, err := io.CopyN(io.Discard, c, 1<<20); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("%v: %v", c.RemoteAddr(), err)
			}
		}
	})
}
