package landline_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"landline"
	"landline/link"
)

// A hundred connections on which nobody reads take no more memory than a host may use, whichever end that is, and lose
// nothing: when somebody reads, all of it is there.
func TestTCPKeepsToItsMemory(t *testing.T) {
	const limit, size, conns = 1 << 20, 150_000, 100
	for _, c := range []struct {
		link.CableConfig
		limits [2]int
	}{
		{link.CableConfig{Units: true}, [2]int{limit, 0}},
		{link.CableConfig{Checksums: true}, [2]int{0, limit}},
		{link.CableConfig{Units: true}, [2]int{limit, limit}},
	} {
		limits := c.limits
		synctest.Test(t, func(t *testing.T) {
			x, y := link.NewCable(c.CableConfig)
			a := newHost(t, x, landline.Config{Addresses: prefixes("10.0.0.1/24"), Probes: -1, NoIPv6: true, MemoryLimit: limits[0]})
			b := newHost(t, y, landline.Config{Addresses: prefixes("10.0.0.2/24"), Probes: -1, NoIPv6: true, MemoryLimit: limits[1], Seed: 2})
			data := bytes.Repeat([]byte("a line that is not so long\n"), size/27)
			var readers []*landline.TCPConn
			var all sync.WaitGroup
			for range conns {
				ca, cb := connected(t, a, b)
				readers = append(readers, cb)
				all.Go(func() {
					_, err := ca.Write(data)
					if err := errors.Join(err, ca.Close()); err != nil {
						t.Error(err)
					}
				})
			}
			time.Sleep(time.Minute)
			for k, h := range []*landline.Host{a, b} {
				// Every connection may have a little, however little there is.
				if m := h.Stats().TCP.Memory; limits[k] != 0 && m > limits[k]+conns*8<<10 {
					t.Errorf("%v: %d bytes in use", limits, m)
				}
			}
			for _, c := range readers {
				all.Go(func() {
					got, err := io.ReadAll(c)
					if err := errors.Join(err, c.Close()); err != nil || !bytes.Equal(got, data) {
						t.Errorf("%d bytes of %d, or others: %v", len(got), len(data), err)
					}
				})
			}
			all.Wait()
			time.Sleep(2 * time.Minute)
			for _, h := range []*landline.Host{a, b} {
				if m := h.Stats().TCP.Memory; m != 0 {
					t.Errorf("%d bytes in the end", m)
				}
			}
		})
	}
}

// What several goroutines write is not mixed, whatever others do to the connection meanwhile.
func TestTCPWritesAreWhole(t *testing.T) {
	for _, c := range cables {
		t.Run(c.name, func(t *testing.T) {
			a, b := neighbors(t, c.CableConfig)
			ca, cb := connected(t, a, b)
			var writers, others sync.WaitGroup
			done := make(chan struct{})
			for k := range 8 {
				writers.Go(func() {
					for seq := range uint32(100) {
						m := binary.BigEndian.AppendUint32(nil, uint32(k)<<16|seq)
						m = append(m, bytes.Repeat([]byte{byte(k)}, 5000)...)
						if _, err := ca.Write(m); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			for _, meddle := range meddlers(ca, cb) {
				others.Go(func() {
					for {
						select {
						case <-done:
							return
						default:
							meddle()
						}
					}
				})
			}
			go func() { writers.Wait(); ca.CloseWrite() }()
			next, m := [8]uint32{}, make([]byte, 5004)
			for range 800 {
				if _, err := io.ReadFull(cb, m); err != nil {
					t.Fatal(err)
				}
				head := binary.BigEndian.Uint32(m)
				k := head >> 16
				if head&0xffff != next[k] || bytes.Count(m[4:], []byte{byte(k)}) != 5000 {
					t.Fatalf("%x of writer %d, want %x, or mixed with others", head, k, next[k])
				}
				next[k]++
			}
			if err := read(cb); err != io.EOF {
				t.Errorf("behind it: %v", err)
			}
			close(done)
			others.Wait()
		})
	}
}

// meddlers do what changes nothing of what arrives.
func meddlers(ca, cb *landline.TCPConn) []func() {
	later := func() time.Time { return time.Now().Add(time.Hour) }
	return []func(){
		func() { ca.SetDeadline(later()); cb.SetDeadline(time.Time{}) },
		func() { ca.SetNoDelay(true); ca.SetNoDelay(false) },
		func() { ca.SetKeepAlivePeriod(time.Second); cb.SetKeepAlive(false) },
		func() { ca.SetLinger(1); ca.SetLinger(-1); ca.SetUserTimeout(time.Hour) },
		func() { ca.SetWriteBuffer(1 << 16); cb.SetReadBuffer(1 << 17) },
		func() { ca.Info(); cb.Info(); ca.LocalAddr(); cb.RemoteAddr() },
		func() { ca.Read(nil); ca.Write(nil); cb.Read(nil); cb.Write(nil) },
		func() { ca.SetTTL(64); ca.SetTOS(0) },
	}
}

// Whatever goroutines do to both ends of a connection, all of them come back, with an error that says why.
func TestTCPSurvivesWhatGoroutinesDo(t *testing.T) {
	for _, c := range cables {
		t.Run(c.name, func(t *testing.T) {
			a, b := neighbors(t, c.CableConfig)
			for round := range 50 {
				ca, cb := connected(t, a, b)
				var all sync.WaitGroup
				for _, c := range []*landline.TCPConn{ca, cb} {
					for range 3 {
						all.Go(func() { drain(t, c) })
						all.Go(func() { fill(t, c) })
					}
					all.Go(func() { c.SetReadDeadline(time.Now().Add(time.Duration(round%5) * time.Millisecond)) })
					all.Go(func() { c.SetWriteDeadline(time.Now().Add(time.Duration(round%7) * time.Millisecond)) })
				}
				for k, end := range []func() error{ca.CloseRead, cb.CloseWrite, ca.Close, cb.Close} {
					all.Go(func() {
						if k == round%4 {
							end()
						}
						ca.SetLinger(round%3 - 1)
						end()
					})
				}
				all.Wait()
			}
		})
	}
}

func drain(t *testing.T, c *landline.TCPConn) {
	buf := make([]byte, 10_000)
	for {
		if _, err := c.Read(buf); err != nil {
			if _, ok := errors.AsType[*net.OpError](err); !ok && err != io.EOF {
				t.Error(err)
			}
			return
		}
	}
}

func fill(t *testing.T, c *landline.TCPConn) {
	buf := make([]byte, 10_000)
	for {
		if n, err := c.Write(buf); err != nil {
			if _, ok := errors.AsType[*net.OpError](err); !ok || n >= len(buf) {
				t.Error(n, err)
			}
			return
		}
	}
}

// A host that closes wakes everybody who waits for something of it, and its peers hear of it.
func TestTCPEndsWithItsHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := neighbors(t, link.CableConfig{Seed: 1})
		l := must(a.Listen(t.Context(), "tcp", ":80"))
		reads, peer := connected(t, a, b)
		writes, deaf := connected(t, a, b)
		_, early := connected(t, a, b)
		early.Close()
		queued := must(b.DialContext(t.Context(), "tcp", "10.0.0.1:80")) // and not accepted
		var woken atomic.Int32
		wait := func(what string, f func() error) {
			go func() {
				if err := f(); !errors.Is(err, net.ErrClosed) {
					t.Errorf("%s: %v", what, err)
				}
				woken.Add(1)
			}()
		}
		wait("read", func() error { return read(reads) })
		wait("write", func() error { return second(writes.Write(make([]byte, 64<<20))) })
		wait("dial", func() error { return second(a.DialContext(context.Background(), "tcp", "10.0.0.9:80")) })
		must(l.Accept())
		again := must(b.DialContext(t.Context(), "tcp", "10.0.0.1:80"))
		wait("accept", func() error {
			must(l.Accept())
			return second(l.Accept())
		})
		synctest.Wait()
		a.Close()
		synctest.Wait()
		if n := woken.Load(); n != 4 {
			t.Errorf("%d of 4 were woken", n)
		}
		for what, c := range map[string]net.Conn{"idle": peer, "accepted": queued, "accepted later": again} {
			if err := read(c); err == nil || err == io.EOF {
				t.Errorf("the peer of one that was %s: %v", what, err)
			}
		}
		io.Copy(io.Discard, deaf)
		deaf.Close()
		if n := len(a.Conns()); n != 0 {
			t.Errorf("%d connections are left", n)
		}
		if _, err := a.Listen(t.Context(), "tcp", ":81"); !errors.Is(err, net.ErrClosed) {
			t.Errorf("listen: %v", err)
		}
		if _, err := a.DialContext(t.Context(), "tcp", "10.0.0.2:80"); err == nil {
			t.Error("a closed host dials")
		}
	})
}

func read(c io.Reader) error { return second(c.Read(make([]byte, 1))) }
