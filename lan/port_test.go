package lan_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"landline"
	"landline/lan"
	"landline/link"
	"landline/wire"
)

func TestPortsDescribeThemselves(t *testing.T) {
	all := link.OffloadChecksum | link.OffloadTSO
	s := newSwitch(t, lan.Config{MTU: 9000, Seed: 1})
	again := newSwitch(t, lan.Config{MTU: 9000, Seed: 1})
	a, _ := s.NewPort(lan.PortConfig{})
	b, _ := s.NewPort(lan.PortConfig{Name: "desk", MAC: wire.MAC{2, 7}, Without: link.OffloadTSO})
	c, _ := s.NewPort(lan.PortConfig{Without: link.OffloadChecksum})
	d, err := s.Plug(new(raw), lan.PortConfig{})
	if err != nil {
		t.Fatal(err)
	}
	e, _ := s.Plug(new(raw), lan.PortConfig{Name: "tap"})
	same, _ := again.NewPort(lan.PortConfig{})
	if a.Info().MAC == c.Info().MAC || !a.Info().MAC.IsLocal() || a.Info().MAC.IsGroup() || same.Info() != a.Info() {
		t.Errorf("addresses %v, %v, %v", a.Info(), c.Info(), same.Info())
	}
	for _, x := range []struct {
		p    *lan.Port
		want link.Info
	}{
		{a, link.Info{Name: "port1", MAC: a.Info().MAC, MTU: 9000, Offloads: all}},
		{b, link.Info{Name: "desk", MAC: wire.MAC{2, 7}, MTU: 9000, Offloads: link.OffloadChecksum}},
		{c, link.Info{Name: "port3", MAC: c.Info().MAC, MTU: 9000}},
		{d, link.Info{Name: "raw", MTU: 1500}},
		{e, link.Info{Name: "tap", MTU: 1500}},
	} {
		if got := x.p.Info(); got != x.want {
			t.Errorf("%+v, want %+v", got, x.want)
		}
	}
	if got := s.Ports(); !slices.Equal(got, []*lan.Port{a, b, c, d, e}) {
		t.Errorf("ports %v", got)
	}
}

func TestSwitchRefusesAnImpossibleMTU(t *testing.T) {
	for _, mtu := range []int{67, 65536, -1} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("a switch with an mtu of %d", mtu)
				}
			}()
			lan.NewSwitch(lan.Config{MTU: mtu})
		}()
	}
}

func TestPortRefusesFramesThatItCannotCarry(t *testing.T) {
	s := newSwitch(t, lan.Config{})
	a, _ := join(t, s, lan.PortConfig{Without: link.OffloadTSO})
	b, _ := join(t, s, lan.PortConfig{})
	good := frame(b.mac, a.mac, 1)
	long := good
	long.Body = make([]byte, 1514-64+1)
	for _, c := range []struct {
		bad  link.Frame
		want error
	}{
		{long, link.ErrTooLong}, {unit(b.mac, a.mac, 5000, 1460), link.ErrOffload}, {link.Frame{Head: good.Head[:13]}, link.ErrFrame},
	} {
		n, err := a.port.Write([]link.Frame{good, c.bad, good})
		if n != 1 || err != c.want {
			t.Errorf("took %d, %v, want %v", n, err, c.want)
		}
		b.wants("b", 1)
	}
}

func TestBatchForOneMachineArrivesAsItIs(t *testing.T) {
	s := newSwitch(t, lan.Config{})
	a, _ := join(t, s, lan.PortConfig{})
	b, err := s.NewPort(lan.PortConfig{})
	if err != nil {
		t.Fatal(err)
	}
	var got []link.Frame
	b.Attach(link.Handler{Receive: func(f []link.Frame) { got = f }})
	fs := frames(b.Info().MAC, a.mac, 50)
	a.send(fs...)
	if len(got) != 50 || &got[0] != &fs[0] {
		t.Errorf("got %d frames, want the very 50 that were written", len(got))
	}
}

// Frames for several machines arrive as one batch each, and what is for all stands where it stood.
func TestMixedBatchIsSortedIntoBatches(t *testing.T) {
	s := newSwitch(t, lan.Config{})
	a, port := join(t, s, lan.PortConfig{})
	b, _ := join(t, s, lan.PortConfig{})
	c, _ := join(t, s, lan.PortConfig{})
	var fs []link.Frame
	for i, to := range []wire.MAC{b.mac, c.mac, wire.Broadcast, b.mac, a.mac, c.mac, group, b.mac} {
		fs = append(fs, frame(to, a.mac, i))
	}
	a.send(fs...)
	if !slices.Equal(b.sizes, []int{5}) || !slices.Equal(c.sizes, []int{4}) {
		t.Errorf("in batches of %v and %v", b.sizes, c.sizes)
	}
	b.wants("b", 0, 2, 3, 6, 7)
	c.wants("c", 1, 2, 5, 6)
	a.wants("a")
	drops(t, port, map[string]uint64{"same port": 1})

	a.send(fs[0], fs[1], fs[0], fs[1]) // none of which is for all
	if !slices.Equal(b.sizes, []int{2}) || !slices.Equal(c.sizes, []int{2}) {
		t.Errorf("in batches of %v and %v", b.sizes, c.sizes)
	}
	b.wants("b", 0, 0)
	c.wants("c", 1, 1)
}

func TestPortsComeAndGo(t *testing.T) {
	s := newSwitch(t, lan.Config{})
	m, p := trio(t, s)
	for _, x := range m {
		x.say(group, 0)
	}
	p[1].Close()
	if n, err := m[1].port.Write(frames(group, m[1].mac, 1)); n != 0 || err != net.ErrClosed {
		t.Errorf("a device that was unplugged takes %d, %v", n, err)
	}
	if !errors.Is(m[1].down[0], link.ErrUnplugged) || !slices.Equal(s.Ports(), []*lan.Port{p[0], p[2]}) {
		t.Errorf("down %v, ports %v", m[1].down, s.Ports())
	}
	m[0].numbers()
	m[2].numbers()
	m[0].say(m[1].mac, 1) // forgotten, so it goes to all that are left
	m[2].wants("c", 1)
	again, _ := plug(t, s, lan.PortConfig{}, link.CableConfig{MACs: [2]wire.MAC{{}, m[1].mac}})
	again.say(m[0].mac, 2)
	m[0].say(m[1].mac, 3)
	again.wants("b again", 3)
	m[2].wants("c")
}

func TestClosedPortTakesNothing(t *testing.T) {
	s := newSwitch(t, lan.Config{})
	a, port := join(t, s, lan.PortConfig{})
	b, _ := join(t, s, lan.PortConfig{})
	for range 2 {
		if err := port.Close(); err != nil {
			t.Error(err)
		}
	}
	if n, err := port.Write(frames(b.mac, a.mac, 1)); n != 0 || err != net.ErrClosed {
		t.Errorf("takes %d, %v", n, err)
	}
	b.say(a.mac, 1)
	a.wants("a")
	if port.Unplug(); a.down != nil {
		t.Errorf("down after its own Close: %v", a.down)
	}
	if _, err := s.NewPort(lan.PortConfig{MAC: a.mac}); err != nil {
		t.Errorf("its address: %v", err)
	}
}

func TestSwitchThatClosesPullsAllCables(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := lan.NewSwitch(lan.Config{})
		a, _ := join(t, s, lan.PortConfig{})
		far, _ := plug(t, s, lan.PortConfig{}, link.CableConfig{})
		late, err := s.NewPort(lan.PortConfig{})
		if err != nil {
			t.Fatal(err)
		}
		far.say(a.mac, 1)
		a.wants("a", 1)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		for _, m := range []*machine{a, far, sit(t, late)} {
			if len(m.down) != 1 || !errors.Is(m.down[0], link.ErrUnplugged) {
				t.Errorf("down %v", m.down)
			}
			if n, err := m.port.Write(frames(group, m.mac, 1)); n != 0 || err != net.ErrClosed {
				t.Errorf("takes %d, %v", n, err)
			}
		}
		if _, err := s.NewPort(lan.PortConfig{}); err != net.ErrClosed {
			t.Errorf("a new port: %v", err)
		}
		if _, err := s.Plug(new(raw), lan.PortConfig{}); err != net.ErrClosed {
			t.Errorf("a new device: %v", err)
		}
		s.Close()
	})
}

// counted counts how often it is closed, and may take its time to take frames.
type counted struct {
	raw
	closed int
	write  func([]link.Frame) (int, error)
}

func (d *counted) Close() error { d.closed++; return io.ErrNoProgress }

func (d *counted) Write(frames []link.Frame) (int, error) { return d.write(frames) }

func TestPortClosesItsDeviceOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := lan.NewSwitch(lan.Config{})
		a, _ := join(t, s, lan.PortConfig{})
		closes, ends := new(counted), new(counted)
		p, err := s.Plug(closes, lan.PortConfig{})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Close(); err != io.ErrNoProgress {
			t.Errorf("its error is %v", err)
		}
		p.Unplug()
		closes.handler.Receive(frames(wire.Broadcast, wire.MAC{2, 3}, 1))
		closes.handler.Down(io.EOF)
		a.wants("a, of what comes too late")

		hooked := make(chan bool)
		if _, err = s.Plug(ends, lan.PortConfig{Down: func(error) { <-hooked }}); err != nil {
			t.Fatal(err)
		}
		ends.handler.Down(io.EOF)
		done := false
		go func() { s.Close(); done = true }()
		synctest.Wait()
		if done {
			t.Error("Close does not wait for who hears that a device has ended")
		}
		close(hooked)
		synctest.Wait()
		if !done || closes.closed != 1 || ends.closed != 1 {
			t.Errorf("closed %d and %d times, not once", closes.closed, ends.closed)
		}
	})
}

func TestMachineHearsOnceThatItIsUnplugged(t *testing.T) {
	s := newSwitch(t, lan.Config{})
	a, port := join(t, s, lan.PortConfig{})
	port.Unplug()
	port.Unplug()
	if len(a.down) != 1 {
		t.Errorf("down %v", a.down)
	}
}

// What a device was busy with when its port was closed, and did not take, is counted.
func TestFramesThatAreLeftAtCloseAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := lan.NewSwitch(lan.Config{})
		defer s.Close()
		next := make(chan bool)
		p, err := s.Plug(&counted{write: func([]link.Frame) (int, error) { <-next; return 1, nil }}, lan.PortConfig{})
		if err != nil {
			t.Fatal(err)
		}
		a, _ := join(t, s, lan.PortConfig{})
		go a.say(group, 1, 2, 3)
		synctest.Wait()
		a.say(group, 4)
		go p.Close()
		synctest.Wait()
		close(next)
		synctest.Wait()
		drops(t, p, map[string]uint64{"closed": 3})
		if st := p.Stats(); st.Out != 1 || st.Waiting != 0 {
			t.Errorf("%+v", st)
		}
	})
}

// closer closes a port when something is logged.
type closer struct {
	slog.Handler
	port *lan.Port
}

func (h *closer) Handle(context.Context, slog.Record) error { return h.port.Close() }

// A port that is taken away while it sends leaves no address behind.
func TestPortThatHasGoneLearnsNothing(t *testing.T) {
	h := &closer{Handler: slog.NewTextHandler(io.Discard, nil)}
	s := newSwitch(t, lan.Config{Logger: slog.New(h)})
	a, _ := join(t, s, lan.PortConfig{})
	b, _ := join(t, s, lan.PortConfig{})
	var d raw
	var err error
	if h.port, err = s.Plug(&d, lan.PortConfig{}); err != nil {
		t.Fatal(err)
	}
	late := wire.MAC{2, 0x77}
	d.handler.Receive([]link.Frame{frame(b.mac, a.mac, 0), frame(b.mac, late, 1)}) // the first is reported
	b.wants("b", 1)
	a.say(late, 2)
	b.wants("all", 2)
	drops(t, h.port, map[string]uint64{"foreign source": 1})
}

// A guest that goes away takes its port with it, and leaves no socket open.
func TestDeviceThatEndsTakesItsPortWithIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		s := lan.NewSwitch(lan.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))})
		defer s.Close()
		a, _ := join(t, s, lan.PortConfig{})
		near, far := net.Pipe()
		var why []error
		p, err := s.Plug(link.NewStream(near, link.Info{}), lan.PortConfig{Name: "guest", Down: func(err error) { why = append(why, err) }})
		if err != nil {
			t.Fatal(err)
		}
		far.Close()
		synctest.Wait()
		if len(why) != 1 || why[0] != io.EOF || len(s.Ports()) != 1 {
			t.Errorf("down %v, ports %v", why, s.Ports())
		}
		if _, err := near.Write([]byte{0}); err != io.ErrClosedPipe {
			t.Errorf("the socket is open: %v", err)
		}
		if !strings.Contains(log.String(), "port=guest") {
			t.Errorf("%s", &log)
		}
		a.say(group, 1)
		if err := p.Close(); err != nil || len(why) != 1 {
			t.Errorf("%v, down %v", err, why)
		}
	})
}

func TestFramesForNobodyAreCounted(t *testing.T) {
	s := newSwitch(t, lan.Config{})
	p, err := s.NewPort(lan.PortConfig{})
	if err != nil {
		t.Fatal(err)
	}
	a, _ := join(t, s, lan.PortConfig{})
	a.say(p.Info().MAC, 1, 2)
	drops(t, p, map[string]uint64{"nobody": 2})
	m := sit(t, p)
	a.say(p.Info().MAC, 3)
	m.wants("now", 3)
}

func TestPortIsAttachedToOnce(t *testing.T) {
	s := newSwitch(t, lan.Config{})
	_, p := join(t, s, lan.PortConfig{})
	q, err := s.Plug(new(raw), lan.PortConfig{})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []*lan.Port{p, q} {
		func() {
			defer func() {
				if recover() == nil {
					t.Error("attached twice")
				}
			}()
			p.Attach(link.Handler{})
		}()
	}
}

func TestCloseWaitsForTheMachine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := lan.NewSwitch(lan.Config{})
		defer s.Close()
		p, err := s.NewPort(lan.PortConfig{})
		if err != nil {
			t.Fatal(err)
		}
		next, done := make(chan bool), make(chan bool)
		p.Attach(link.Handler{Receive: func([]link.Frame) { <-next }, Down: func(error) { <-next }})
		a, _ := join(t, s, lan.PortConfig{})
		waits := func(what string) {
			synctest.Wait()
			select {
			case <-done:
				t.Errorf("Close does not wait for %s", what)
			default:
				next <- true
				<-done
			}
		}
		go a.say(p.Info().MAC, 1)
		synctest.Wait()
		a.say(p.Info().MAC, 2) // waits, and is lost
		go func() { p.Close(); done <- true }()
		waits("Receive")
		drops(t, p, map[string]uint64{"closed": 1})

		p, err = s.NewPort(lan.PortConfig{})
		if err != nil {
			t.Fatal(err)
		}
		p.Attach(link.Handler{Receive: func([]link.Frame) {}, Down: func(error) { <-next }})
		go p.Unplug()
		synctest.Wait()
		go func() { p.Close(); done <- true }()
		waits("Down")
	})
}

// Two machines that answer each other for ever do so in a loop, and not ever deeper. Who began it is let go.
func TestAnswersForEverHoldUpNobody(t *testing.T) {
	s := newSwitch(t, lan.Config{})
	var ports [2]*lan.Port
	for i := range ports {
		var err error
		if ports[i], err = s.NewPort(lan.PortConfig{}); err != nil {
			t.Fatal(err)
		}
	}
	var deep, deepest atomic.Int32
	for i := range ports {
		answer := []link.Frame{frame(ports[1-i].Info().MAC, ports[i].Info().MAC, i)}
		ports[i].Attach(link.Handler{Receive: func([]link.Frame) {
			deepest.Store(max(deepest.Load(), deep.Add(1)))
			ports[i].Write(answer)
			deep.Add(-1)
		}})
	}
	ports[0].Write([]link.Frame{frame(ports[1].Info().MAC, ports[0].Info().MAC, 0)})
	ports[0].Close()
	ports[1].Close()
	if n := deepest.Load(); n == 0 || n > 2 {
		t.Errorf("%d calls deep", n)
	}
}

// A port can be looked into for a while: what its machine sends and gets, in the order in which it did.
func TestPortIsCapturedForAWhile(t *testing.T) {
	s := newSwitch(t, lan.Config{})
	a, port := join(t, s, lan.PortConfig{})
	b, err := s.NewPort(lan.PortConfig{Name: "echo"})
	if err != nil {
		t.Fatal(err)
	}
	b.Attach(link.Handler{Receive: func(frames []link.Frame) {
		for i := range frames {
			b.Write([]link.Frame{frame(a.mac, b.Info().MAC, number(&frames[i])+1000)})
		}
	}})
	var file bytes.Buffer
	pcap := link.NewPcapNG(&file, link.PcapConfig{})
	say := func(n int) []byte {
		a.say(b.Info().MAC, n)
		a.wants("a", n+1000)
		return frame(b.Info().MAC, a.mac, n).Head
	}
	before := say(1)
	// Others come before and go after, and the other way round.
	var longer bytes.Buffer
	early := b.Capture(link.NewPcapNG(io.Discard, link.PcapConfig{}))
	stop := b.Capture(pcap)
	late := b.Capture(link.NewPcapNG(&longer, link.PcapConfig{}))
	early()
	asked, answer := say(2), frame(a.mac, b.Info().MAC, 1002).Head
	stop()
	stop()
	after := say(3)
	late()
	say(4)
	if got := longer.Bytes(); bytes.Index(got, after) < bytes.Index(got, asked) || bytes.Count(got, answer) != 1 {
		t.Errorf("the other capture has %d bytes", len(got))
	}
	got := file.Bytes()
	first, second := bytes.Index(got, asked), bytes.Index(got, answer)
	if first < 0 || second < first || bytes.Contains(got, before) || bytes.Contains(got, after) || !bytes.Contains(got, []byte("echo")) {
		t.Errorf("the question is at %d, the answer at %d of %d bytes", first, second, len(got))
	}
	if st := port.Stats(); st.Out != 4 {
		t.Errorf("%+v", st)
	}
}

// What an ordinary machine does: two hosts find each other and talk, over wires that lose
// and file that remember, on either side of a port.
func TestHostsTalkOverASwitch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := lan.NewSwitch(lan.Config{Seed: 1})
		defer s.Close()
		var file bytes.Buffer
		capture := link.NewPcapNG(&file, link.PcapConfig{})
		near, far := link.NewCable(link.CableConfig{Seed: 2})
		if _, err := s.Plug(link.Impair(near, link.Impairment{Delay: time.Millisecond}, link.Impairment{}), lan.PortConfig{}); err != nil {
			t.Fatal(err)
		}
		port, err := s.NewPort(lan.PortConfig{})
		if err != nil {
			t.Fatal(err)
		}
		host := func(dev link.Device, seed uint64, addr string) *landline.Host {
			h, err := landline.NewHost(dev, landline.Config{Seed: seed, Addresses: []netip.Prefix{netip.MustParsePrefix(addr)}})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { h.Close() })
			return h
		}
		desk := host(link.Capture(port, capture), 1, "10.0.0.1/24")
		host(far, 2, "10.0.0.2/24")
		var wait sync.WaitGroup
		for range 5 {
			wait.Go(func() {
				if _, err := desk.Ping(t.Context(), "10.0.0.2", landline.PingConfig{}); err != nil {
					t.Error(err)
				}
			})
		}
		wait.Wait()
		if err := capture.Flush(); err != nil || file.Len() < 10*98 {
			t.Errorf("%d bytes were captured, %v", file.Len(), err)
		}
	})
}
