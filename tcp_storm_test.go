package landline_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"landline"
	"landline/link"
)

// Connections of all manners come and go, many at once, and leave nothing behind.
func TestTCPStormLeavesNothing(t *testing.T) {
	for _, c := range cables {
		t.Run(c.name, func(t *testing.T) {
			a, b := neighbors(t, c.CableConfig)
			storm(t, a, b, "10.0.0.2:80", 1000)
		})
	}
	t.Run("loopback", func(t *testing.T) {
		h := newHost(t, nil, landline.Config{})
		storm(t, h, h, "127.0.0.1:80", 1000)
	})
	for _, limit := range []int{0, 200 << 10} {
		t.Run(fmt.Sprintf("bad, with memory for %d", limit), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				x, y := link.NewCable(link.CableConfig{Seed: 1, Checksums: true})
				bad := link.Impairment{
					Loss: 0.02, Duplicate: 0.02, Corrupt: 0.01, Delay: 5 * time.Millisecond, Jitter: 4 * time.Millisecond, Overtake: true,
					Rate: 100_000_000,
				}
				cfg := landline.Config{Addresses: prefixes("10.0.0.1/24"), Probes: -1, NoIPv6: true, MemoryLimit: limit}
				a := newHost(t, link.Impair(x, bad, bad), cfg)
				cfg.Addresses, cfg.Seed = prefixes("10.0.0.2/24"), 2
				b := newHost(t, y, cfg)
				storm(t, a, b, "10.0.0.2:80", 500)
				time.Sleep(10 * time.Minute)
				for _, h := range []*landline.Host{a, b} {
					if n, m := len(h.Conns()), h.Stats().TCP.Memory; n != 0 || m != 0 {
						t.Errorf("%d connections are left, %d bytes", n, m)
					}
				}
			})
		})
	}
}

// storm has n clients on a visit an echo at an address of b, 20 at a time.
func storm(t *testing.T, a, b *landline.Host, address string, n int) {
	l := must(b.Listen(context.Background(), "tcp", address))
	var served sync.WaitGroup
	served.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			served.Go(func() {
				io.Copy(c, c)
				c.Close()
			})
		}
	})
	visits := make(chan int)
	var clients sync.WaitGroup
	for range 20 {
		clients.Go(func() {
			for k := range visits {
				if err := visit(k, a, l.Addr().String()); err != nil {
					t.Errorf("visit %d: %v", k, err)
				}
			}
		})
	}
	for k := range n {
		visits <- k
	}
	close(visits)
	clients.Wait()
	l.Close()
	served.Wait()
	for _, h := range []*landline.Host{a, b} {
		for _, i := range h.Conns() {
			if i.State == "ESTABLISHED" || i.State == "CLOSE-WAIT" {
				t.Errorf("%v to %v is %s", i.Local, i.Remote, i.State)
			}
		}
	}
}

// visit is what the k-th client does.
func visit(k int, h *landline.Host, address string) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if k%7 == 1 {
		go cancel() // perhaps it is connected before
	}
	nc, err := h.DialContext(ctx, "tcp", address)
	if err != nil {
		if ctx.Err() != nil {
			err = nil
		}
		return err
	}
	c := nc.(*landline.TCPConn)
	defer c.Close()
	rnd := rand.New(rand.NewPCG(uint64(k), 0))
	data := make([]byte, rnd.IntN(100_000))
	rand.NewChaCha8([32]byte{byte(k)}).Read(data)
	switch k % 7 {
	case 2: // without a word
		return nil
	case 3: // rudely
		c.SetLinger(0)
		c.SetWriteDeadline(time.Now().Add(time.Second)) // an echo that nobody reads may hold it up
		c.Write(data)
		return nil
	case 4: // without waiting for the answer, which is no longer than fits between two who do not read
		_, err := c.Write(data[:min(len(data), 4000)])
		return err
	case 5: // impatiently
		c.SetDeadline(time.Now().Add(time.Duration(rnd.IntN(1000)) * time.Microsecond))
		if _, err := io.Copy(c, bytes.NewReader(data)); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		return nil
	}
	go func() {
		c.Write(data)
		c.CloseWrite()
	}()
	got, err := io.ReadAll(c)
	if err == nil && !bytes.Equal(got, data) {
		err = fmt.Errorf("%d bytes of %d came back, or others", len(got), len(data))
	}
	var op *net.OpError
	if err != nil && !errors.As(err, &op) {
		err = fmt.Errorf("not an error of package net: %w", err)
	}
	return err
}
