package lan_test

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"sync"
	"testing"

	"landline/lan"
	"landline/link"
	"landline/wire"
)

// A machine sits at a port and remembers what it hears.
type machine struct {
	t    testing.TB
	port link.Device
	mac  wire.MAC

	mu    sync.Mutex
	heard []link.Frame
	sizes []int // of the batches
	down  []error
}

// newSwitch makes a switch that is closed at the end of the test.
func newSwitch(t testing.TB, c lan.Config) *lan.Switch {
	s := lan.NewSwitch(c)
	t.Cleanup(func() { s.Close() })
	return s
}

// join puts a machine in this process at a switch.
func join(t testing.TB, s *lan.Switch, c lan.PortConfig) (*machine, *lan.Port) {
	t.Helper()
	p, err := s.NewPort(c)
	if err != nil {
		t.Fatal(err)
	}
	return sit(t, p), p
}

// sit attaches a machine to a device.
func sit(t testing.TB, d link.Device) *machine {
	m := &machine{t: t, port: d, mac: d.Info().MAC}
	d.Attach(m.handler())
	t.Cleanup(func() { d.Close() })
	return m
}

// plug puts a machine at the far end of a cable that is plugged into a switch.
func plug(t testing.TB, s *lan.Switch, c lan.PortConfig, cable link.CableConfig) (*machine, *lan.Port) {
	t.Helper()
	near, far := link.NewCable(cable)
	p, err := s.Plug(near, c)
	if err != nil {
		t.Fatal(err)
	}
	return sit(t, far), p
}

func (m *machine) handler() link.Handler {
	return link.Handler{
		Receive: m.receive,
		Down:    func(err error) { m.mu.Lock(); m.down = append(m.down, err); m.mu.Unlock() },
	}
}

func (m *machine) receive(frames []link.Frame) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.sizes = append(m.sizes, len(frames))
	for _, f := range frames {
		f.Head, f.Body = f.AppendTo(nil), nil
		m.heard = append(m.heard, f)
	}
}

// send writes frames, which must all be taken.
func (m *machine) send(frames ...link.Frame) {
	m.t.Helper()
	if n, err := m.port.Write(frames); n != len(frames) || err != nil {
		m.t.Errorf("Write took %d of %d frames, error %v", n, len(frames), err)
	}
}

// say sends a frame that holds a number to an address.
func (m *machine) say(to wire.MAC, numbers ...int) {
	m.t.Helper()
	var frames []link.Frame
	for _, n := range numbers {
		frames = append(frames, frame(to, m.mac, n))
	}
	m.send(frames...)
}

// numbers returns those of the frames that were heard, and forgets the frames.
func (m *machine) numbers() (numbers []int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.heard {
		numbers = append(numbers, int(binary.BigEndian.Uint32(m.heard[i].Head[wire.EthernetLen:])))
	}
	m.heard, m.sizes = nil, nil
	return numbers
}

// wants checks the numbers of what was heard.
func (m *machine) wants(what string, numbers ...int) {
	m.t.Helper()
	if got := m.numbers(); !slices.Equal(got, numbers) {
		m.t.Errorf("%s: got %v, want %v", what, got, numbers)
	}
}

// frame makes one of 64 bytes that holds a number.
func frame(to, from wire.MAC, number int) link.Frame {
	b := wire.AppendEthernet(make([]byte, 0, 64), to, from, 0x88b5)
	return link.Frame{Head: binary.BigEndian.AppendUint32(b, uint32(number))[:64]}
}

// frames makes such frames with the numbers from 0 to n-1.
func frames(to, from wire.MAC, n int) (fs []link.Frame) {
	for i := range n {
		fs = append(fs, frame(to, from, i))
	}
	return fs
}

// count returns the numbers from 0 to n-1.
func count(n int) (numbers []int) {
	for i := range n {
		numbers = append(numbers, i)
	}
	return numbers
}

// unit makes a unit of TCP segments, of n bytes of payload and so many each.
func unit(to, from wire.MAC, n int, size uint16) link.Frame {
	const tcpLen = wire.TCPLen
	a, b := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	head := wire.AppendEthernet(nil, to, from, wire.TypeIPv4)
	head = wire.AppendIPv4(head, &wire.IPv4Header{TTL: 64, Protocol: wire.ProtoTCP, Src: a, Dst: b}, tcpLen+n)
	f := link.Frame{SegSize: size, Sum: link.SumPartial, SumStart: uint16(len(head)), SumField: uint16(len(head)) + 16}
	f.Head = wire.AppendTCP(head, &wire.TCPHeader{SrcPort: 1, DstPort: 2, Seq: wire.SeqOf(1000), Flags: wire.FlagACK, Window: 500}, nil)
	binary.BigEndian.PutUint16(f.Head[f.SumField:], uint16(wire.PseudoSum(a, b, wire.ProtoTCP, tcpLen+n)))
	f.Body = make([]byte, n)
	for i := range f.Body {
		f.Body[i] = byte(i * 7)
	}
	return f
}

// drops checks what a port dropped, by the names of the reasons, and that it was nothing else.
func drops(t testing.TB, p *lan.Port, want map[string]uint64) {
	t.Helper()
	got := p.Stats().Drops.Map()
	for name := range want {
		if got[name] != want[name] {
			t.Errorf("%s dropped %v, want %v", p.Info().Name, got, want)
			return
		}
	}
	if len(got) != len(want) {
		t.Errorf("%s dropped %v, want %v", p.Info().Name, got, want)
	}
}
