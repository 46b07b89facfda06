package tcp_test

import (
	"fmt"
	"io"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"landline/link"
	"landline/tcp"
	"landline/wire"
)

// A narrow is a device that takes few frames, then none for a pause.
type narrow struct {
	link.Device
	takes int
	pause time.Duration
	room  func()
	look  func() // called before each room; may be nil

	mu   sync.Mutex
	left int
	shut bool   // somebody waits, and open will be called
	full uint64 // how often it had no room
	next map[netip.AddrPort]wire.Seq
	bad  []string // segments out of turn, on a wire that loses nothing
}

func newNarrow(dev link.Device, takes int, pause time.Duration) *narrow {
	return &narrow{Device: dev, takes: takes, pause: pause, left: takes, next: map[netip.AddrPort]wire.Seq{}}
}

func (n *narrow) Attach(h link.Handler) {
	n.room = h.Room
	n.Device.Attach(h)
}

func (n *narrow) Write(frames []link.Frame) (int, error) {
	n.mu.Lock()
	k := min(n.left, len(frames))
	n.left -= k
	for i := range frames[:k] {
		n.noteLocked(segmentIn(&frames[i]))
	}
	if k < len(frames) {
		if n.full++; !n.shut {
			n.shut = true
			time.AfterFunc(n.pause, n.open)
		}
	}
	n.mu.Unlock()
	return n.Device.Write(frames[:k])
}

// fill leaves no room.
func (n *narrow) fill() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.left = 0
}

func (n *narrow) setPause(d time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.pause = d
}

// open takes frames again, and says so. Others may take what room there is before those who waited for it.
func (n *narrow) open() {
	n.mu.Lock()
	n.left, n.shut = n.takes, false
	n.mu.Unlock()
	if n.look != nil {
		n.look()
	}
	n.room()
}

// noteLocked looks whether a segment follows the one before it.
func (n *narrow) noteLocked(s wire.TCP) {
	if s == nil || len(s.Payload()) == 0 {
		return
	}
	name := netip.AddrPortFrom(netip.IPv4Unspecified(), s.SrcPort())
	if next, ok := n.next[name]; ok && next != s.Seq() {
		n.bad = append(n.bad, fmt.Sprintf("%v: %s len %d, want %v", time.Now(), s.String(), len(s.Payload()), next))
	}
	n.next[name] = s.Seq().Add(len(s.Payload()))
}

// A device that has room for little, and not always, makes things slow and nothing else: segments leave in their
// order, none is left out, and none goes twice.
func TestFullDeviceOnlyDelays(t *testing.T) {
	for _, c := range []link.CableConfig{{Checksums: true}, {Units: true}} {
		synctest.Test(t, func(t *testing.T) {
			left, right := link.NewCable(c)
			n := newNarrow(left, 3, time.Millisecond)
			a := newMachine(t, n, "10.0.0.1/24", tcp.Config{})
			b := newMachine(t, right, "10.0.0.2/24", tcp.Config{})
			var all sync.WaitGroup
			for range 5 {
				ca, cb := connected(t, a, b)
				all.Go(func() { carries(t, ca, cb) })
				all.Go(func() { carries(t, cb, ca) }) // whose acknowledgments are sent by others
			}
			all.Wait()
			time.Sleep(time.Second) // the last are acknowledged, too
			n.mu.Lock()
			defer n.mu.Unlock()
			if len(n.bad) > 0 || n.full == 0 {
				t.Errorf("%d times full; out of turn: %q", n.full, n.bad)
			}
			for _, i := range append(a.Conns(), b.Conns()...) {
				if i.Lost != 0 || i.InFlight != 0 {
					t.Errorf("%v to %v: %d in flight, %d lost", i.Local, i.Remote, i.InFlight, i.Lost)
				}
			}
		})
	}
}

// What waits in the device's queue has not been lost, however long that takes: timers wait for it.
func TestSlowDeviceIsNoLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right := link.NewCable(link.CableConfig{Checksums: true})
		n := newNarrow(left, 1<<30, 2*time.Second)
		a := newMachine(t, n, "10.0.0.1/24", tcp.Config{})
		b := newMachine(t, link.Impair(right, link.Impairment{}, link.Impairment{Delay: 300 * time.Millisecond}), "10.0.0.2/24", tcp.Config{})
		ca, cb := connected(t, a, b)
		n.look = func() {
			if i := ca.Info(); i.Backoff != 0 || i.Lost != 0 {
				t.Errorf("%d timeouts in a row, %d bytes lost", i.Backoff, i.Lost)
			}
		}
		for k := range 4 { // it has other things to do, now and then
			time.AfterFunc(time.Duration(k*4+1)*time.Second, n.fill)
		}
		const size = 20 << 20
		go ca.Write(make([]byte, size))
		if n, err := io.ReadFull(reader{cb}, make([]byte, size)); err != nil {
			t.Errorf("%d bytes, %v", n, err)
		}
		time.Sleep(10 * time.Second)
		n.mu.Lock()
		defer n.mu.Unlock()
		if len(n.bad) > 0 {
			t.Errorf("out of turn: %q", n.bad)
		}
	})
}

// A connection of which a part has left, and nothing any more, is given up in its time.
func TestDeviceThatTakesNoMoreIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		left, right := link.NewCable(link.CableConfig{Checksums: true})
		n := newNarrow(left, 3, time.Second)
		a := newMachine(t, n, "10.0.0.1/24", tcp.Config{})
		b := newMachine(t, right, "10.0.0.2/24", tcp.Config{})
		ca, _ := connected(t, a, b)
		time.Sleep(2 * time.Second)
		n.setPause(time.Hour)
		ca.SetUserTimeout(10 * time.Second)
		write(ca, string(make([]byte, 10_000)))
		start := time.Now()
		if err := read(ca); err != syscall.ETIMEDOUT {
			t.Errorf("%v", err)
		}
		if took := time.Since(start); took > 20*time.Second {
			t.Errorf("after %v", took)
		}
		ca.Close()
		if s := states(a); len(s) != 0 {
			t.Errorf("%v", s)
		}
	})
}
