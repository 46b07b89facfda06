package tcp_test

import (
	"io"
	"net"
	"testing"
	"testing/synctest"

	"landline/link"
	"landline/tcp"
	"landline/wire"
)

// From the moment at which Close is called, a reader hears of that, and of nothing that follows from it.
func TestReaderHearsOfCloseAndNotOfAnEnd(t *testing.T) {
	bubble(t, link.CableConfig{}, tcp.Config{}, func(t *testing.T, a, b *machine) {
		for _, linger := range []int{-1, 0} {
			ca, cb := connected(t, a, b)
			ca.SetLinger(linger)
			a.wire.watch(func(s wire.TCP) bool {
				if s.Flags()&(wire.FlagFIN|wire.FlagRST) != 0 {
					if err := read(ca); err != net.ErrClosed {
						t.Errorf("linger %d: while %v is sent, reading is %v", linger, s.Flags(), err)
					}
				}
				return true
			})
			ca.Close()
			cb.Close()
			a.wire.watch(nil)
		}
	})
}

// What was written goes before the reset that ends a connection, as far as it may be sent: it would have been sent
// before Close, had no other goroutine been sending.
func TestResetGoesBehindWhatWasWritten(t *testing.T) {
	ends := map[string]func(ca, cb *tcp.Conn){
		"no lingering": func(ca, cb *tcp.Conn) { read(ca); ca.SetLinger(0); ca.Close() },
		"unread data":  func(ca, cb *tcp.Conn) { ca.Close() },
	}
	for name, end := range ends {
		bubble(t, link.CableConfig{}, tcp.Config{}, func(t *testing.T, a, b *machine) {
			ca, cb := connected(t, a, b)
			busy, goOn := make(chan struct{}), make(chan struct{})
			var sent []string
			a.wire.watch(func(s wire.TCP) bool {
				if sent = append(sent, s.Flags().String()+string(s.Payload())); len(sent) == 1 {
					close(busy)
					<-goOn
				}
				return true
			})
			go write(cb, "?")
			<-busy // it is acknowledging that
			write(ca, "answer")
			end(ca, cb)
			close(goOn)
			got := make([]byte, 6)
			if n, err := io.ReadFull(cb, got); err != nil || string(got) != "answer" {
				t.Errorf("%s: %q, %v", name, got[:n], err)
			}
			synctest.Wait()
			if last := sent[len(sent)-1]; last != "R." || a.Stats().Resets != 1 {
				t.Errorf("%s: sent %q, %d resets", name, sent, a.Stats().Resets)
			}
			cb.Close()
		})
	}
}

// What a connection keeps counts from the beginning, and not when it has been sent: others look at the budget meanwhile.
func TestMemoryIsCountedBeforeItIsSent(t *testing.T) {
	bubble(t, link.CableConfig{}, tcp.Config{}, func(t *testing.T, a, b *machine) {
		ca, cb := connected(t, a, b)
		seen := -1
		a.wire.watch(func(s wire.TCP) bool {
			if len(s.Payload()) > 0 && seen < 0 {
				seen = a.Stats().Memory
			}
			return true
		})
		write(ca, string(make([]byte, 10_000)))
		if seen < 10_000 {
			t.Errorf("%d bytes in use while 10,000 are being sent", seen)
		}
		ca.Close()
		cb.Close()
	})
}
