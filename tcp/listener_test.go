package tcp_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"landline/link"
	"landline/tcp"
	"landline/wire"
)

// As on Linux, one more than the backlog says may wait to be accepted. Beyond it SYNs are dropped, and so is the
// acknowledgment of a SYN,ACK that went out before; peers send again, and get in when somebody has been accepted.
func TestFullBacklogHoldsTheRestUp(t *testing.T) {
	bubble(t, link.CableConfig{}, tcp.Config{}, func(t *testing.T, a, b *machine) {
		l := b.listen(t, tcp.ListenConfig{Backlog: 2})
		texts := []string{"zero", "one", "two", "late", "last"}
		conns := make([]*tcp.Conn, 4)
		for k := range 2 {
			conns[k] = a.dial(t, tcp.DialConfig{})
		}
		a.wire.watch(func(s wire.TCP) bool { return s.Flags().Has(wire.FlagSYN) })
		conns[2], conns[3] = a.dial(t, tcp.DialConfig{}), a.dial(t, tcp.DialConfig{}) // whose ACKs are lost
		a.wire.watch(nil)
		for k := range 4 {
			write(conns[k], texts[k])
		}
		synctest.Wait()
		if s := b.Stats(); s.Accepted != 3 || s.Overflows == 0 {
			t.Errorf("%d wait to be accepted, and %d were kept off", s.Accepted, s.Overflows)
		}
		dialed := make(chan error, 1)
		go func() {
			c, err := a.Dial(ctx, tcp.DialConfig{Remote: local})
			if err == nil {
				err = write(c, texts[4])
			}
			dialed <- err
		}()
		time.Sleep(10 * time.Second)
		select {
		case err := <-dialed:
			t.Errorf("a fifth is let in, or turned away: %v", err)
		default:
		}
		for k, want := range texts {
			c, err := l.Accept(ctx)
			if err != nil {
				t.Fatal(err)
			}
			got := make([]byte, len(want))
			if _, err := io.ReadFull(c, got); err != nil || string(got) != want {
				t.Errorf("connection %d: %q, %v", k, got, err)
			}
			if k == 0 {
				time.Sleep(time.Minute) // "late" comes before "last"
			}
		}
		if err := <-dialed; err != nil {
			t.Error(err)
		}
	})
}

// flood opens n connections from a that are never established, as nothing but their SYNs arrives.
func flood(t *testing.T, a *machine, n int) {
	t.Helper()
	ports := map[uint16]bool{}
	a.wire.watch(func(s wire.TCP) bool {
		ports[s.SrcPort()] = true
		return s.Flags() == wire.FlagSYN
	})
	for range n {
		c := a.dial(t, tcp.DialConfig{})
		c.SetLinger(0)
		c.Close()
	}
	a.wire.watch(func(s wire.TCP) bool { return !ports[s.SrcPort()] })
}

// When there are too many SYNs to remember, they are answered with cookies, and a connection that comes of one
// is like any other: with the options that fit, which are none if the peer has no timestamps.
func TestConnectionThroughACookieIsLikeAnyOther(t *testing.T) {
	for _, ways := range []tcp.Ways{
		{}, {NoTimestamps: true}, {NoSACK: true}, {NoScale: true}, {NoSACK: true, NoScale: true},
		{NoTimestamps: true, NoSACK: true, NoScale: true},
	} {
		synctest.Test(t, func(t *testing.T) {
			a, b := machinesLike(t, link.CableConfig{}, tcp.Config{Ways: ways}, tcp.Config{})
			l := b.listen(t, tcp.ListenConfig{Backlog: 8})
			flood(t, a, 8)
			if n := b.Stats().Cookies; n != 0 {
				t.Errorf("%d cookies while there is room", n)
			}
			ca := a.dial(t, tcp.DialConfig{})
			if n := b.Stats().Cookies; n != 1 {
				t.Errorf("%d cookies", n)
			}
			cb, err := l.Accept(ctx)
			if err != nil {
				t.Fatal(err)
			}
			carries(t, ca, cb)
			carries(t, cb, ca)
			for _, i := range []tcp.Info{ca.Info(), cb.Info()} {
				if i.Timestamps == ways.NoTimestamps || i.SACK == (ways.NoSACK || ways.NoTimestamps) || i.Scaling == (ways.NoScale || ways.NoTimestamps) {
					t.Errorf("%+v: timestamps %v, SACK %v, scaling %v", ways, i.Timestamps, i.SACK, i.Scaling)
				}
				if i.SendMSS < 1400 {
					t.Errorf("%+v: segments of %d bytes", ways, i.SendMSS)
				}
			}
		})
	}
}

// carries sends a stream from one end to the other, and looks whether it arrives as it is.
func carries(t *testing.T, from, to *tcp.Conn) {
	t.Helper()
	data := bytes.Repeat([]byte("0123456789abcdefg"), 50_000)
	wrote := make(chan error)
	go func() { wrote <- writeFromOneBuffer(from, data) }()
	hash := sha256.New()
	n, err := io.CopyN(hash, to, int64(len(data)))
	if err := errors.Join(err, <-wrote); err != nil || [32]byte(hash.Sum(nil)) != sha256.Sum256(data) {
		t.Errorf("%d bytes of %d, or others: %v", n, len(data), err)
	}
}

// writeFromOneBuffer writes as who reads a file and writes it does. A buffer is his own again when Write has returned.
func writeFromOneBuffer(c *tcp.Conn, data []byte) error {
	b := make([]byte, 100_000)
	for part := range slices.Chunk(data, len(b)) {
		copy(b, part)
		if _, err := c.Write(b[:len(part)]); err != nil {
			return err
		}
		clear(b)
	}
	return nil
}

// A flood ends: what was kept of it is given up, and SYNs are remembered again.
func TestFloodPasses(t *testing.T) {
	bubble(t, link.CableConfig{}, tcp.Config{}, func(t *testing.T, a, b *machine) {
		l := b.listen(t, tcp.ListenConfig{Backlog: 8})
		flood(t, a, 20)
		if n := b.Stats().Cookies; n != 12 {
			t.Errorf("%d cookies", n)
		}
		time.Sleep(5 * time.Minute)
		a.dial(t, tcp.DialConfig{})
		if n := b.Stats().Cookies; n != 12 {
			t.Errorf("%d cookies after the flood", n)
		}
		if _, err := l.Accept(ctx); err != nil {
			t.Error(err)
		}
	})
}

// Who closes a listener resets who has not been accepted, and no longer answers those who are half in.
func TestListenerThatClosesSendsEverybodyAway(t *testing.T) {
	bubble(t, link.CableConfig{}, tcp.Config{}, func(t *testing.T, a, b *machine) {
		l := b.listen(t, tcp.ListenConfig{Backlog: 8})
		in := a.dial(t, tcp.DialConfig{})
		a.wire.watch(func(s wire.TCP) bool { return s.Flags().Has(wire.FlagSYN) })
		half := a.dial(t, tcp.DialConfig{})
		a.wire.watch(nil)
		waiting := make(chan error)
		go func() { waiting <- second(l.Accept(context.Background())) }() // takes the first
		if err := <-waiting; err != nil {
			t.Fatal(err)
		}
		queued := a.dial(t, tcp.DialConfig{})
		go func() { waiting <- second(l.Accept(context.Background())) }() // takes the second
		if err := <-waiting; err != nil {
			t.Fatal(err)
		}
		last := a.dial(t, tcp.DialConfig{})
		l.Close()
		if err := read(last); err == nil || err == io.EOF {
			t.Errorf("who waited to be accepted reads %v", err)
		}
		write(half, "?")
		if err := read(half); err == nil || err == io.EOF {
			t.Errorf("who was half in reads %v", err)
		}
		for _, c := range []*tcp.Conn{in, queued} {
			if err := write(c, "!"); err != nil {
				t.Errorf("who was accepted: %v", err)
			}
		}
	})
}
