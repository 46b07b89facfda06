package tcp_test

import (
	"net"
	"testing"

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
