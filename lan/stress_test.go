package lan_test

import (
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"landline/lan"
	"landline/link"
	"landline/wire"
)

// A slow device takes a few frames a millisecond.
type slow struct {
	machine
	info link.Info

	mu      sync.Mutex
	handler link.Handler
	room    int
	refused bool
}

func (d *slow) Info() link.Info       { return d.info }
func (d *slow) Attach(h link.Handler) { d.handler = h }
func (d *slow) Close() error          { return nil }

func (d *slow) Write(frames []link.Frame) (int, error) {
	d.mu.Lock()
	n := min(len(frames), d.room)
	d.room -= n
	d.refused = n < len(frames)
	d.receive(frames[:n])
	d.mu.Unlock()
	return n, nil
}

// run makes room until there is nothing to do.
func (d *slow) run(done <-chan bool) {
	for tick := time.NewTicker(time.Millisecond); ; {
		select {
		case <-done:
			return
		case <-tick.C:
		}
		d.mu.Lock()
		d.room = rand.IntN(40)
		refused := d.refused
		d.refused = false
		d.mu.Unlock()
		if refused {
			d.handler.Room()
		}
	}
}

// Whatever is sent by many at once, to one or to all, through queues and past them, arrives once and in order, or
// is counted.
func TestEveryFrameArrivesOrIsCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := lan.NewSwitch(lan.Config{})
		defer s.Close()
		done := make(chan bool)
		var machines []*machine
		for range 4 {
			m, _ := join(t, s, lan.PortConfig{Flood: 2000, QueueFrames: 100})
			machines = append(machines, m)
		}
		for i := range 2 {
			d := &slow{info: link.Info{Name: "slow", MTU: 1500}, machine: machine{t: t, mac: wire.MAC{2, 0xee, byte(i)}}}
			p, err := s.Plug(d, lan.PortConfig{Flood: 2000, QueueFrames: 50})
			if err != nil {
				t.Fatal(err)
			}
			d.port = p // so that it sends as its device would
			machines = append(machines, &d.machine)
			go d.run(done)
		}
		var wait sync.WaitGroup
		for i := range machines {
			for j := range 2 { // goroutines of a machine
				wait.Go(func() { chatter(machines, i, 2*i+j) })
			}
		}
		wait.Wait()
		time.Sleep(time.Second)
		close(done)
		synctest.Wait()
		balance(t, s)
		for _, m := range machines {
			inOrder(t, m)
		}
	})
}

// chatter sends batches of a machine to the others, and to all, and to nobody.
func chatter(machines []*machine, self, stream int) {
	r := rand.New(rand.NewPCG(1, uint64(stream)))
	for number := 0; number < 5000; {
		var batch []link.Frame
		for range 1 + r.IntN(100) {
			to := wire.Broadcast
			switch k := r.IntN(len(machines) + 8); {
			case k < len(machines):
				to = machines[k].mac
			case k == len(machines):
				to = wire.MAC{2, 0xbb}
			case k > len(machines)+1:
				to = machines[(self+1)%len(machines)].mac
			}
			f := frame(to, machines[self].mac, number)
			binary.BigEndian.PutUint32(f.Head[20:], uint32(stream))
			batch = append(batch, f)
			number++
		}
		machines[self].port.Write(batch)
	}
}

// inOrder checks that no frame came twice, or after a later one.
func inOrder(t *testing.T, m *machine) {
	t.Helper()
	last := map[uint32]int{}
	for i := range m.heard {
		f := &m.heard[i]
		stream, n := binary.BigEndian.Uint32(f.Head[20:]), number(f)
		if before, ok := last[stream]; ok && n <= before {
			t.Fatalf("%d of stream %d came after %d", n, stream, before)
		}
		last[stream] = n
	}
}

// balance checks that what came in went out, or is counted.
func balance(t *testing.T, s *lan.Switch) {
	t.Helper()
	var in, out, dropped, queued uint64
	others := uint64(len(s.Ports()) - 1)
	for _, p := range s.Ports() {
		st := p.Stats()
		in += st.In + st.Flooded*(others-1)
		out += st.Out
		dropped += st.Drops.Total()
		queued += st.Queued
		if st.Waiting != 0 {
			t.Errorf("%s: %d frames wait", p.Info().Name, st.Waiting)
		}
	}
	if in != out+dropped || queued == 0 || dropped == 0 {
		t.Errorf("of %d frames %d were handed over and %d dropped; %d were queued", in, out, dropped, queued)
	}
}

// Machines come and go while all talk.
func TestPortsComeAndGoUnderLoad(t *testing.T) {
	visits.Store(1 << 20)
	synctest.Test(t, func(t *testing.T) {
		s := lan.NewSwitch(lan.Config{})
		defer s.Close()
		var stay []*machine
		for range 3 {
			m, _ := join(t, s, lan.PortConfig{})
			stay = append(stay, m)
		}
		var wait sync.WaitGroup
		for i := range stay {
			wait.Go(func() { chatter(stay, i, i) })
		}
		for i := range 3 {
			wait.Go(func() {
				for n := range 200 {
					comeAndGo(t, s, stay, n%3, wire.MAC{2, 1, byte(i), byte(n % 5)})
				}
			})
		}
		wait.Wait()
		synctest.Wait()
		for _, m := range stay {
			inOrder(t, m)
		}
		if len(s.Ports()) != 3 {
			t.Errorf("%d ports are left", len(s.Ports()))
		}
	})
}

// visits numbers the streams of those who come and go, apart from the others'.
var visits atomic.Uint32

// comeAndGo joins, speaks and leaves, one way or another.
func comeAndGo(t *testing.T, s *lan.Switch, others []*machine, way int, mac wire.MAC) {
	hello := append(frames(others[0].mac, mac, 10), frame(wire.Broadcast, mac, 10))
	stream := visits.Add(1)
	for i := range hello {
		binary.BigEndian.PutUint32(hello[i].Head[20:], stream)
	}
	if way == 0 {
		near, far := link.NewCable(link.CableConfig{})
		p, err := s.Plug(near, lan.PortConfig{})
		if err != nil {
			t.Error(err)
			return
		}
		far.Attach(link.Handler{Receive: func([]link.Frame) {}})
		far.Write(hello)
		far.Close()
		p.Close()
		return
	}
	p, err := s.NewPort(lan.PortConfig{MAC: mac})
	if err != nil {
		t.Error(err)
		return
	}
	p.Attach(link.Handler{Receive: func([]link.Frame) {}})
	p.Write(hello)
	if way == 1 {
		p.Unplug()
	}
	p.Close()
}

// Whatever a guest writes, it is delivered or counted, and nothing breaks.
func FuzzSwitch(f *testing.F) {
	add := func(frames ...link.Frame) {
		var b []byte
		for i := range frames {
			b = append(b, byte(frames[i].Len()))
			b = frames[i].AppendTo(b)
		}
		f.Add(b)
	}
	add(frame(wire.Broadcast, wire.MAC{2, 1}, 1), frame(wire.MAC{2, 1}, wire.MAC{2, 2}, 2), frame(group, group, 3))
	add(tag(ethernet(wire.MAC{2, 1}, wire.TypeIPv4, ipv4("10.0.0.1")), 1), ethernet(wire.MAC{2, 1}, wire.TypeARP, arp(wire.MAC{2, 1}, "10.0.0.1")))
	add(ethernet(wire.MAC{2, 1}, wire.TypeIPv6, ipv6("fe80::1", wire.ProtoICMPv6, advert("fe80::1"))), link.Frame{})
	f.Fuzz(func(t *testing.T, b []byte) {
		s := newSwitch(t, lan.Config{})
		var d raw
		guest, err := s.Plug(&d, lan.PortConfig{Addresses: 3, Flood: 10})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []lan.PortConfig{{MAC: wire.MAC{2, 1}}, {Without: link.OffloadChecksum}} {
			join(t, s, c)
		}
		if len(b) > 0 && b[0]&1 != 0 {
			guest.SetSources(&lan.Sources{MACs: []wire.MAC{{2, 1}}})
		}
		var batch []link.Frame
		for len(b) > 0 {
			n := min(int(b[0]), len(b)-1)
			batch = append(batch, link.Frame{Head: b[1 : 1+n]})
			b = b[1+n:]
		}
		d.handler.Receive(batch)
		var got, dropped uint64
		for _, p := range s.Ports() {
			got += p.Stats().Out
			dropped += p.Stats().Drops.Total()
		}
		st := guest.Stats()
		if st.In != uint64(len(batch)) || st.In+st.Flooded != got+dropped || st.Addresses > 3 {
			t.Fatalf("%d frames arrived, %d were dropped, %+v", got, dropped, st)
		}
	})
}
