package pkt

import (
	"bytes"
	"net"
	"sync"
	"time"

	"landline/link"
	"landline/wire"
)

// A device is the wire at which a host under test sits. It keeps what comes out. Questions
// for hardware addresses it answers itself, so that a script has to do with IP alone.
type device struct {
	mtu  int
	wake chan struct{} // a token: something came out
	ask  chan struct{} // a token: there are questions
	done chan struct{} // closed when answer has returned

	receiving sync.Mutex // held while the handler receives
	handler   link.Handler

	mu      sync.Mutex
	closed  bool
	out     []capture
	answers []link.Frame
}

// A capture is an IP packet that came out.
type capture struct {
	at time.Time
	ip []byte
}

var (
	hostMAC = wire.MAC{0x02, 0, 0, 0, 0, 1}
	peerMAC = wire.MAC{0x02, 0, 0, 0, 0, 2} // that of all others
)

func newDevice(mtu int) *device {
	return &device{mtu: mtu, wake: make(chan struct{}, 1), ask: make(chan struct{}, 1), done: make(chan struct{})}
}

func (d *device) Info() link.Info { return link.Info{Name: "pkt0", MAC: hostMAC, MTU: d.mtu} }

func (d *device) Attach(h link.Handler) {
	d.handler = h
	go d.answer()
}

func (d *device) Write(frames []link.Frame) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return 0, net.ErrClosed
	}
	for i := range frames {
		d.takeLocked(wire.Ethernet(frames[i].AppendTo(nil)))
	}
	return len(frames), nil
}

// takeLocked keeps a frame, or the answer to it.
func (d *device) takeLocked(e wire.Ethernet) {
	switch reply, quiet := answerTo(e); {
	case reply != nil:
		d.answers = append(d.answers, link.Frame{Head: reply})
		signal(d.ask)
	case !quiet:
		d.out = append(d.out, capture{time.Now(), bytes.Clone(e.Payload())})
		signal(d.wake)
	}
}

func signal(token chan struct{}) {
	select {
	case token <- struct{}{}:
	default:
	}
}

// answer brings answers, until the device is closed.
func (d *device) answer() {
	defer close(d.done)
	for range d.ask {
		d.mu.Lock()
		answers := d.answers
		d.answers = nil
		d.mu.Unlock()
		d.deliver(answers)
	}
}

func (d *device) deliver(frames []link.Frame) {
	d.receiving.Lock()
	defer d.receiving.Unlock()
	if len(frames) > 0 {
		d.handler.Receive(frames)
	}
}

// inject brings an IP packet to the host.
func (d *device) inject(ip []byte) {
	t := wire.TypeIPv4
	if ip[0]>>4 == 6 {
		t = wire.TypeIPv6
	}
	frame := append(wire.AppendEthernet(nil, hostMAC, peerMAC, t), ip...)
	d.deliver([]link.Frame{{Head: frame}})
}

func (d *device) Close() error {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return net.ErrClosed
	}
	d.closed = true
	close(d.ask) // nobody sends any more: takeLocked wants the lock
	d.mu.Unlock()
	if d.handler.Receive != nil {
		<-d.done
	}
	return nil
}

// answerTo returns the answer to a frame, if it is a question for a hardware address. What is quiet is not for
// the script to see: what hosts do by themselves on a link.
func answerTo(e wire.Ethernet) (reply []byte, quiet bool) {
	switch e.Type() {
	case wire.TypeARP:
		a, err := wire.ParseARP(e.Payload())
		if err != nil || a.Op() != wire.ARPRequest || a.IsProbe() || a.IsAnnouncement() {
			return nil, true
		}
		reply = wire.AppendEthernet(nil, e.Src(), peerMAC, wire.TypeARP)
		return wire.AppendARP(reply, wire.ARPReply, peerMAC, a.TargetIP(), a.Sender(), a.SenderIP()), true
	case wire.TypeIPv4:
		h, err := wire.ParseIPv4(e.Payload())
		return nil, err == nil && h.Protocol() == wire.ProtoIGMP
	case wire.TypeIPv6:
		return answerTo6(e)
	}
	return nil, true
}

func answerTo6(e wire.Ethernet) (reply []byte, quiet bool) {
	h, err := wire.ParseIPv6(e.Payload())
	if err != nil {
		return nil, false
	}
	proto, b, err := h.Upper()
	if err != nil || proto != wire.ProtoICMPv6 {
		return nil, false
	}
	m, err := wire.ParseICMPv6(b)
	if err != nil {
		return nil, false
	}
	if s, err := wire.ParseNeighborSolicit(m); m.Type() == wire.ICMPv6NeighborSolicit && err == nil && !h.Src().IsUnspecified() {
		return advertise(e, h, s), true
	}
	t := m.Type()
	return nil, wire.ICMPv6MLDQuery <= t && t <= wire.ICMPv6Redirect || t == wire.ICMPv6MLDv2Report
}

// advertise answers a neighbor solicitation.
func advertise(e wire.Ethernet, h wire.IPv6, s wire.NeighborSolicit) []byte {
	m := wire.AppendNeighborAdvert(nil, wire.NeighborSolicited|wire.NeighborOverride, s.Target())
	m = wire.AppendLinkAddr(m, wire.NDPTargetLinkAddr, peerMAC)
	wire.ICMPv6(m).FillChecksum(wire.PseudoSum(s.Target(), h.Src(), wire.ProtoICMPv6, len(m)))
	b := wire.AppendEthernet(nil, e.Src(), peerMAC, wire.TypeIPv6)
	b = wire.AppendIPv6(b, &wire.IPv6Header{
		NextHeader: wire.ProtoICMPv6, HopLimit: 255, Src: s.Target(), Dst: h.Src(),
	}, len(m))
	return append(b, m...)
}
