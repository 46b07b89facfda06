package tcp_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"landline/link"
	"landline/tcp"
)

// What is written while the peer waits in Read goes from the one's memory to the other's. Neither has a ring then.
func TestLargeWriteGoesIntoTheReadersMemory(t *testing.T) {
	for _, cable := range []link.CableConfig{{Units: true}, {Checksums: true}} {
		bubble(t, cable, tcp.Config{}, func(t *testing.T, a, b *machine) {
			ca, cb := connected(t, a, b)
			for k := range 20 {
				text := bytes.Repeat([]byte{byte(k)}, 13_000) // no more than the first window of the network
				got := make([]byte, 20_000)
				var n int
				var all sync.WaitGroup
				all.Go(func() { n, _ = cb.Read(got) })
				synctest.Wait()
				if err := second(ca.Write(text)); err != nil {
					t.Error(err)
				}
				if all.Wait(); !bytes.Equal(got[:n], text) {
					t.Errorf("%d bytes of %d, or others", n, len(text))
				}
				time.Sleep(time.Second) // the last of it is acknowledged
			}
			for _, c := range []*tcp.Conn{ca, cb} {
				if m := c.Info().Memory; m > 1<<10 {
					t.Errorf("%d bytes of memory", m)
				}
			}
		})
	}
}

// Who gives up waiting leaves nothing behind in his memory, and everything to the next.
func TestReaderWhoGivesUpLosesNothing(t *testing.T) {
	bubble(t, link.CableConfig{}, tcp.Config{}, func(t *testing.T, a, b *machine) {
		ca, cb := connected(t, a, b)
		stale := bytes.Repeat([]byte{'-'}, 20_000)
		cb.SetReadDeadline(time.Now().Add(time.Second))
		if n, err := cb.Read(stale); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%d bytes, %v", n, err)
		}
		cb.SetReadDeadline(time.Time{})
		text := bytes.Repeat([]byte("text"), 4000)
		if err := second(ca.Write(text)); err != nil {
			t.Error(err)
		}
		got := make([]byte, len(text))
		if _, err := io.ReadFull(reader{cb}, got); err != nil || !bytes.Equal(got, text) {
			t.Errorf("other text: %v", err)
		}
		if slices.Index(stale, 't') >= 0 {
			t.Error("text came into memory that nobody waits with any more")
		}
	})
}

// What has come into a reader's memory is his, even if his time is over at that moment, or the connection is closed.
func TestTextThatCameInTimeIsRead(t *testing.T) {
	ends := map[string]func(ca, cb *tcp.Conn){
		"deadline": func(ca, cb *tcp.Conn) { cb.SetReadDeadline(time.Unix(1, 0)) },
		"close":    func(ca, cb *tcp.Conn) { cb.Close() },
		"reset":    func(ca, cb *tcp.Conn) { ca.SetLinger(0); ca.Close() },
	}
	for name, end := range ends {
		bubble(t, link.CableConfig{}, tcp.Config{}, func(t *testing.T, a, b *machine) {
			ca, cb := connected(t, a, b)
			got := make([]byte, 20_000)
			var n int
			var err error
			var all sync.WaitGroup
			all.Go(func() { n, err = cb.Read(got) })
			synctest.Wait()
			if err := second(ca.Write([]byte("hello"))); err != nil {
				t.Error(err)
			}
			end(ca, cb)
			if all.Wait(); string(got[:n]) != "hello" || err != nil {
				t.Errorf("%s: %q, %v", name, got[:n], err)
			}
		})
	}
}

// Several readers get all of the text between them, each a stretch of it.
func TestLargeReadersShareTheText(t *testing.T) {
	for _, cable := range []link.CableConfig{{Units: true}, {Checksums: true}} {
		bubble(t, cable, tcp.Config{}, func(t *testing.T, a, b *machine) {
			ca, cb := connected(t, a, b)
			const size = 1 << 20
			var counts [256]int
			var mu sync.Mutex
			var all sync.WaitGroup
			for k := range 4 {
				all.Go(func() {
					buf := make([]byte, []int{100, 10_000, 20_000, 70_000}[k])
					for {
						n, err := cb.Read(buf)
						mu.Lock()
						for _, x := range buf[:n] {
							counts[x]++
						}
						mu.Unlock()
						if err != nil {
							return
						}
					}
				})
			}
			text := make([]byte, size)
			for k := range text {
				text[k] = byte(k)
			}
			if err := errors.Join(writeFromOneBuffer(ca, text), ca.CloseWrite()); err != nil {
				t.Error(err)
			}
			all.Wait()
			for x, n := range counts {
				if n != size/256 {
					t.Fatalf("byte %d came %d times of %d", x, n, size/256)
				}
			}
		})
	}
}

// Who waits with much room does not come before who has waited longer.
func TestLargeReaderWaitsItsTurn(t *testing.T) {
	bubble(t, link.CableConfig{}, tcp.Config{}, func(t *testing.T, a, b *machine) {
		ca, cb := connected(t, a, b)
		var got [2]int
		var all sync.WaitGroup
		for k, size := range []int{100, 20_000} {
			all.Go(func() {
				buf := make([]byte, size)
				for {
					n, err := cb.Read(buf)
					if err != nil {
						return
					}
					got[k] += n
				}
			})
			synctest.Wait()
		}
		for range 10 {
			if err := write(ca, "text"); err != nil {
				t.Error(err)
			}
			synctest.Wait()
		}
		ca.CloseWrite()
		all.Wait()
		if got != [2]int{20, 20} {
			t.Errorf("the first got %d bytes of 40, the second %d", got[0], got[1])
		}
	})
}
