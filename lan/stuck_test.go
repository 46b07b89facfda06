package lan_test

import (
	"encoding/binary"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"landline/lan"
	"landline/link"
	"landline/wire"
)

// A wall is a device that takes nothing, as one whose machine has been stopped.
type wall struct {
	raw
	room int // how many frames it takes before it is stuck
	got  []int
}

func (d *wall) Write(frames []link.Frame) (int, error) {
	n := min(d.room, len(frames))
	for i := range frames[:n] {
		d.got = append(d.got, number(&frames[i]))
	}
	d.room -= n
	return n, nil
}

func number(f *link.Frame) int {
	return int(binary.BigEndian.Uint32(f.AppendTo(nil)[wire.EthernetLen:]))
}

// One machine is stuck. Its queue fills, what does not fit is dropped and counted by name, and all others
// get every frame, also of those that are for all.
func TestStuckPortCostsTheOthersNothing(t *testing.T) {
	for _, c := range []struct {
		what string
		dev  func(t *testing.T) link.Device
		held uint64 // frames that are not in the queue but beyond it
	}{
		{"a device that takes nothing", func(t *testing.T) link.Device { return new(wall) }, 0},
		{"a device that took some", func(t *testing.T) link.Device { return &wall{room: 100} }, 100},
		{"a socket that nobody reads", func(t *testing.T) link.Device { return unread(t) }, 0},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := lan.NewSwitch(lan.Config{})
			defer s.Close()
			stuck, err := s.Plug(c.dev(t), lan.PortConfig{Flood: -1, QueueFrames: 300})
			if err != nil {
				t.Fatal(err)
			}
			var m []*machine
			for range 6 {
				x, _ := join(t, s, lan.PortConfig{Flood: -1, QueueFrames: 100_000}) // for the time that it is busy
				m = append(m, x)
			}
			const rounds, each = 100, 64
			var all sync.WaitGroup
			for i, x := range m { // each to the next one, and now and then to all
				all.Go(func() {
					next := m[(i+1)%len(m)].mac
					for range rounds {
						x.send(frames(next, x.mac, each)...)
						x.say(wire.Broadcast, 1000+i)
					}
				})
			}
			all.Wait()
			synctest.Wait()
			for i, x := range m {
				wantAll(t, x, (i+len(m)-1)%len(m), len(m), rounds, each)
			}
			st := stuck.Stats()
			total := uint64(rounds * len(m))
			if full := st.Drops[lan.DropQueueFull]; st.Out+uint64(st.Waiting)+full != total || st.Waiting != 300 || st.Drops.Total() != full {
				t.Errorf("%s: %+v, want %d frames in all", c.what, st, total)
			}
			if c.held != 0 && st.Out != c.held {
				t.Errorf("%s: took %d frames", c.what, st.Out)
			}
			for _, p := range s.Ports()[1:] {
				drops(t, p, nil)
			}
		})
	}
}

// unread is the socket of a machine that has been stopped, and whose buffer is full.
func unread(t *testing.T) link.Device {
	near, far := net.Pipe()
	t.Cleanup(func() { far.Close() })
	return &fullStream{link.NewStream(near, link.Info{})}
}

// A fullStream is full from the start.
type fullStream struct{ *link.Stream }

func (d *fullStream) Attach(h link.Handler) {
	d.Stream.Attach(h)
	fill := frames(wire.Broadcast, wire.MAC{2}, 64)
	for n := 1; n > 0; {
		synctest.Wait() // until its goroutine is stuck
		n, _ = d.Stream.Write(fill)
	}
}

// wantAll checks that x heard all that one sent it in order, and what each of the others sent to all.
func wantAll(t *testing.T, x *machine, from, machines, rounds, each int) {
	t.Helper()
	var mine []int
	all := map[int]int{}
	for _, n := range x.numbers() {
		if n >= 1000 {
			all[n-1000]++
		} else {
			mine = append(mine, n)
		}
	}
	if want := slices.Repeat(count(each), rounds); !slices.Equal(mine, want) {
		t.Errorf("got %d of %d frames from %d, or in another order", len(mine), len(want), from)
	}
	if len(all) != machines-1 {
		t.Errorf("heard %v", all)
	}
	for who, n := range all {
		if n != rounds {
			t.Errorf("got %d of %d frames that %d sent to all", n, rounds, who)
		}
	}
}

// A function of a machine must not block. If one does all the same, who is in it waits, but nobody else.
func TestMachineThatBlocksHoldsUpOneGoroutine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := lan.NewSwitch(lan.Config{})
		defer s.Close()
		p, err := s.NewPort(lan.PortConfig{QueueFrames: 10})
		if err != nil {
			t.Fatal(err)
		}
		next := make(chan bool)
		p.Attach(link.Handler{Receive: func([]link.Frame) { <-next }})
		a, _ := join(t, s, lan.PortConfig{})
		b, _ := join(t, s, lan.PortConfig{})
		go a.say(p.Info().MAC, 1)
		synctest.Wait()
		a.send(frames(p.Info().MAC, a.mac, 15)...) // another goroutine of the same machine
		a.say(b.mac, 2)
		a.say(wire.Broadcast, 3)
		b.say(a.mac, 4)
		b.wants("b", 2, 3)
		a.wants("a", 4)
		drops(t, p, map[string]uint64{"queue full": 6})
		close(next)
		synctest.Wait()
		if st := p.Stats(); st.Out != 11 || st.Waiting != 0 {
			t.Errorf("afterwards %+v", st)
		}
	})
}

// What a device could not take it gets when it has room, first of all and in order.
func TestDeviceGetsWhatWaitsWhenThereIsRoom(t *testing.T) {
	s := newSwitch(t, lan.Config{})
	d := &wall{room: 3}
	p, err := s.Plug(d, lan.PortConfig{QueueFrames: 200})
	if err != nil {
		t.Fatal(err)
	}
	a, _ := join(t, s, lan.PortConfig{})
	a.send(frames(group, a.mac, 100)...)
	if st := p.Stats(); st.Waiting != 97 || st.Out != 3 || st.Queued != 97 {
		t.Errorf("%+v", st)
	}
	for d.room = 10; len(d.got) < 60; d.room = 10 {
		d.handler.Room()
	}
	a.say(group, 100)
	d.room = 1000
	d.handler.Room()
	a.say(group, 101, 102)
	if !slices.Equal(d.got, count(103)) {
		t.Errorf("got %v", d.got)
	}
	if st := p.Stats(); st.Waiting != 0 || st.Out != 103 {
		t.Errorf("%+v", st)
	}
}

// roomy is full after each frame, and says that there is room before Write has returned.
type roomy struct {
	wall
	first func()
}

func (d *roomy) Write(frames []link.Frame) (int, error) {
	d.room = 1
	n, err := d.wall.Write(frames)
	if first := d.first; first != nil {
		d.first = nil
		first()
	}
	d.handler.Room()
	return n, err
}

func TestRoomThatComesEarlyIsNotMissed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSwitch(t, lan.Config{})
		d := new(roomy)
		p, err := s.Plug(d, lan.PortConfig{})
		if err != nil {
			t.Fatal(err)
		}
		a, _ := join(t, s, lan.PortConfig{})
		d.first = func() { a.say(group, 200) } // which has to wait for those that came before
		a.send(frames(group, a.mac, 200)...)
		synctest.Wait()
		if st := p.Stats(); !slices.Equal(d.got, count(201)) || st.Waiting != 0 {
			t.Errorf("%v, %+v", d.got, st)
		}
	})
}

// picky does not want frames with odd numbers.
type picky struct{ wall }

func (d *picky) Write(frames []link.Frame) (int, error) {
	for i := range frames {
		if n := number(&frames[i]); n%2 == 1 {
			return i, io.ErrShortWrite
		} else if n == 50 {
			return i, net.ErrClosed
		} else {
			d.got = append(d.got, n)
		}
	}
	return len(frames), nil
}

func TestFrameThatADeviceDoesNotWantIsLeftOut(t *testing.T) {
	s := newSwitch(t, lan.Config{})
	d := new(picky)
	p, err := s.Plug(d, lan.PortConfig{})
	if err != nil {
		t.Fatal(err)
	}
	a, _ := join(t, s, lan.PortConfig{})
	a.send(frames(group, a.mac, 10)...)
	a.send(frames(group, a.mac, 60)[49:]...) // 49, 50 and 9 more
	if want := []int{0, 2, 4, 6, 8}; !slices.Equal(d.got, want) {
		t.Errorf("got %v, want %v", d.got, want)
	}
	drops(t, p, map[string]uint64{"device": 6, "closed": 10})
	if st := p.Stats(); st.Out != 5 {
		t.Errorf("%+v", st)
	}
}
