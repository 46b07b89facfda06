package link_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"landline/link"
	"landline/wire"
)

func TestTAPIsWhatTheInterfaceIs(t *testing.T) {
	enterNamespace(t)
	ip(t, "tuntap", "add", "mode", "tap", "name", "mytap")
	ip(t, "link", "set", "mytap", "mtu", "1400")
	mac := wire.MAC{2, 1, 2, 3, 4, 5}
	for _, c := range []struct {
		config link.TAPConfig
		want   link.Info
	}{
		{link.TAPConfig{Name: "mytap", MAC: mac}, link.Info{Name: "mytap", MTU: 1400, Offloads: link.OffloadChecksum | link.OffloadTSO}},
		{link.TAPConfig{Name: "mytap", MAC: mac, MTU: 1300, Without: link.OffloadTSO}, link.Info{Name: "mytap", MTU: 1300, Offloads: link.OffloadChecksum}},
		{link.TAPConfig{Name: "mytap", MAC: mac, Without: link.OffloadChecksum}, link.Info{Name: "mytap", MTU: 1400}},
		{link.TAPConfig{MAC: mac}, link.Info{Name: "tap0", MTU: 1500, Offloads: link.OffloadChecksum | link.OffloadTSO}},
	} {
		tap, err := link.OpenTAP(c.config)
		if err != nil {
			t.Fatal(err)
		}
		c.want.MAC = mac
		if tap.Info() != c.want {
			t.Errorf("got %+v, want %+v", tap.Info(), c.want)
		}
		tap.Close()
	}
	if _, err := net.InterfaceByName("tap0"); err == nil {
		t.Error("the interface that was made is still there after Close")
	}
	tap, err := link.OpenTAP(link.TAPConfig{})
	if err != nil {
		t.Fatal(err)
	}
	defer tap.Close()
	if m := tap.Info().MAC; !m.IsLocal() || m.IsGroup() {
		t.Errorf("%v is not a local address of one machine", m)
	}
}

func TestTAPBringsWhatTheKernelSends(t *testing.T) {
	r := newTAPRig(t, link.TAPConfig{})
	conn, err := net.Dial("udp4", "10.9.0.77:9")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.Write([]byte("who?"))
	f := r.next(func(e wire.Ethernet) bool { return e.Type() == wire.TypeARP })
	arp, err := wire.ParseARP(wire.Ethernet(f.Head).Payload())
	if err != nil || arp.TargetIP() != netip.MustParseAddr("10.9.0.77") || arp.Sender() != r.kernel.mac {
		t.Errorf("got %v, error %v", wire.Ethernet(f.Head), err)
	}
	if f.Sum != link.SumUnchecked || f.SegSize != 0 {
		t.Errorf("got an ARP frame with %+v", f)
	}
	if s := r.Stats(); s.In == 0 || s.BytesIn == 0 || s.BadLength+s.BadSum+s.BadUnit != 0 {
		t.Errorf("got %+v", s)
	}
}

func TestKernelAnswersPing(t *testing.T) {
	r := newTAPRig(t, link.TAPConfig{})
	data := pattern(1472)
	f := packetFrame(r.us, r.kernel, wire.ProtoICMP, wire.AppendICMPv4(nil, wire.ICMPv4Echo, 0, wire.EchoRest(5, 6), data), nil)
	f = link.Frame{Head: f.Head} // ICMP has no pseudo-header, and its checksum is there
	icmp := wire.ICMPv4(f.Head[34:])
	icmp.FillChecksum()
	mustWrite(t, r, f)
	got := r.next(is(wire.ProtoICMP))
	body, _, _ := transportOf(got.Head, wire.ProtoICMP)
	echo, err := wire.ParseICMPv4(body)
	if err != nil || echo.Type() != wire.ICMPv4EchoReply || echo.ID() != 5 || !bytes.Equal(echo.Payload(), data) {
		t.Errorf("got %v, error %v", wire.Ethernet(got.Head), err)
	}
	if err := echo.Verify(); err != nil {
		t.Error(err)
	}
}

func TestTAPBringsOpenChecksums(t *testing.T) {
	r := newTAPRig(t, link.TAPConfig{})
	r.await6()
	for _, c := range []struct {
		kernel, us station
		start      uint16
	}{{r.kernel, r.us, 34}, {r.kernel6, r.us6, 54}} {
		conn := r.listenUDP(c.kernel.ip)
		conn.WriteTo([]byte("hello"), net.UDPAddrFromAddrPort(netip.AddrPortFrom(c.us.ip, 9)))
		f := r.next(is(wire.ProtoUDP))
		body, pseudo, _ := transportOf(f.Head, wire.ProtoUDP)
		udp, err := wire.ParseUDP(body)
		if err != nil || string(udp.Payload()) != "hello" {
			t.Fatalf("got %v, error %v", wire.Ethernet(f.Head), err)
		}
		if f.Sum != link.SumPartial || f.SumStart != c.start || f.SumField != c.start+6 || udp.Checksum() != uint16(pseudo) {
			t.Errorf("got %+v with checksum %#x, want %#x of the pseudo-header at %d", f, udp.Checksum(), uint16(pseudo), c.start)
		}
	}
}

func TestTAPWithoutOffloadsBringsWholeChecksums(t *testing.T) {
	for _, without := range []link.Offloads{link.OffloadChecksum, link.OffloadChecksum | link.OffloadTSO} {
		t.Run("", func(t *testing.T) {
			r := newTAPRig(t, link.TAPConfig{Without: without})
			r.listenUDP(r.kernel.ip).WriteTo([]byte("hello"), net.UDPAddrFromAddrPort(netip.AddrPortFrom(r.us.ip, 9)))
			f := r.next(is(wire.ProtoUDP))
			body, pseudo, _ := transportOf(f.Head, wire.ProtoUDP)
			if err := wire.UDP(body).Verify(pseudo); err != nil || f.Sum == link.SumPartial {
				t.Errorf("got %+v, error %v", f, err)
			}
			if _, err := r.Write([]link.Frame{udpFrame(r.us, r.kernel, 9, 7000, nil)}); err != link.ErrOffload {
				t.Errorf("an open checksum is %v, want %v", err, link.ErrOffload)
			}
		})
	}
}

func TestKernelFinishesOpenChecksums(t *testing.T) {
	r := newTAPRig(t, link.TAPConfig{})
	r.await6()
	before := r.Stats()
	for _, c := range []struct{ kernel, us station }{{r.kernel, r.us}, {r.kernel6, r.us6}} {
		conn := r.listenUDP(c.kernel.ip)
		wrong := udpFrame(c.us, c.kernel, 9, 7000, []byte("wrong"))
		wrong.Sum = link.SumUnchecked // so the kernel checks it, and drops it
		inBody := udpFrame(c.us, c.kernel, 9, 7000, pattern(1400))
		inHead := udpFrame(c.us, c.kernel, 9, 7000, []byte("in head"))
		inHead.Head, inHead.Body = inHead.AppendTo(nil), nil
		mustWrite(t, r, wrong, inBody, inHead)
		if got := conn.read(); !bytes.Equal(got, pattern(1400)) {
			t.Errorf("the kernel got %d bytes: %.20q", len(got), got)
		}
		if got := conn.read(); string(got) != "in head" {
			t.Errorf("the kernel got %.20q", got)
		}
		conn.Close()
	}
	if s := r.Stats(); s.Out != before.Out+6 || s.LostDown+s.LostOther+s.Full != 0 {
		t.Errorf("got %+v", s)
	}
}

func TestTAPRefusesFramesThatItCannotCarry(t *testing.T) {
	r := newTAPRig(t, link.TAPConfig{})
	good := testFrame(64, 0)
	unit := tcpFrame(r.us, r.kernel, &wire.TCPHeader{}, nil, pattern(3000))
	unit.SegSize = 1460
	noTCP, noIP, noHeader := unit, unit, unit
	noTCP.SumField = noTCP.SumStart + 6
	noIP.Head = append([]byte(nil), unit.Head...)
	binary.BigEndian.PutUint16(noIP.Head[12:], 0x88b5)
	noHeader.Head = append([]byte(nil), unit.Head...)
	noHeader.Head[noHeader.SumStart+12] = 0xf0
	for _, c := range []struct {
		what  string
		frame link.Frame
		want  error
	}{
		{"over the MTU", testFrame(1515, 0), link.ErrTooLong},
		{"shorter than its header", link.Frame{Head: make([]byte, 13)}, link.ErrFrame},
		{"a unit that is not TCP", noTCP, link.ErrFrame},
		{"a unit that is not IP", noIP, link.ErrFrame},
		{"a unit whose header is not in Head", noHeader, link.ErrFrame},
	} {
		n, err := r.Write([]link.Frame{good, c.frame, good})
		if n != 1 || err != c.want {
			t.Errorf("%s: took %d, error %v, want the one before and %v", c.what, n, err, c.want)
		}
	}
}

// A handTCP is a connection of the kernel whose other end the test plays.
type handTCP struct {
	*tapRig
	us, kernel station
	conn       *net.TCPConn // the kernel's end
	seq, ack   wire.Seq
}

// connect does the three-way handshake with a socket of the kernel.
func (r *tapRig) connect(us, kernel station) *handTCP {
	r.t.Helper()
	at := net.TCPAddrFromAddrPort(netip.AddrPortFrom(kernel.ip, 7000))
	listener, err := net.ListenTCP("tcp", at)
	if err != nil {
		r.t.Fatal(err)
	}
	defer listener.Close()
	h := &handTCP{tapRig: r, us: us, kernel: kernel, seq: wire.SeqOf(1000)}
	options := wire.AppendWindowScale(wire.AppendNOP(wire.AppendMSS(nil, 1440)), 10)
	h.send(wire.FlagSYN, options, nil)
	_, synAck := r.nextTCP()
	if synAck.Flags() != wire.FlagSYN|wire.FlagACK {
		r.t.Fatalf("the kernel answers SYN with %v", synAck)
	}
	h.seq, h.ack = synAck.Ack(), synAck.Seq().Add(1)
	h.send(wire.FlagACK, nil, nil)
	listener.SetDeadline(time.Now().Add(tapPatience))
	if h.conn, err = listener.AcceptTCP(); err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { h.conn.Close() })
	h.conn.SetDeadline(time.Now().Add(tapPatience))
	return h
}

// send sends a segment, as a unit if it is over a segment's size.
func (h *handTCP) send(flags wire.TCPFlags, options, payload []byte) {
	h.t.Helper()
	f := tcpFrame(h.us, h.kernel, &wire.TCPHeader{
		SrcPort: 9, DstPort: 7000, Seq: h.seq, Ack: h.ack, Flags: flags, Window: 65535,
	}, options, payload)
	if len(payload) > 1440 {
		f.SegSize = 1440
	}
	mustWrite(h.t, h, f)
	h.seq = h.seq.Add(len(payload))
}

// receive receives so many bytes, acknowledges them, and returns them with the length of
// the largest unit.
func (h *handTCP) receive(n int) (data []byte, largest int) {
	h.t.Helper()
	for len(data) < n {
		f, tcp := h.nextTCP()
		if tcp.Seq() != h.ack {
			continue
		}
		payload := tcp.Payload()
		if f.Sum != link.SumPartial || len(payload) > 1440 && f.SegSize != 1440 {
			h.t.Fatalf("a unit of %d bytes with segments of %d, sum %d", len(payload), f.SegSize, f.Sum)
		}
		data, largest = append(data, payload...), max(largest, len(payload))
		h.ack = h.ack.Add(len(payload))
		h.send(wire.FlagACK, nil, nil)
	}
	return data, largest
}

// bothFamilies runs a test over IPv4 and over IPv6.
func bothFamilies(t *testing.T, test func(t *testing.T, h *handTCP)) {
	t.Run("IPv4", func(t *testing.T) {
		r := newTAPRig(t, link.TAPConfig{})
		test(t, r.connect(r.us, r.kernel))
	})
	t.Run("IPv6", func(t *testing.T) {
		r := newTAPRig(t, link.TAPConfig{})
		r.await6()
		test(t, r.connect(r.us6, r.kernel6))
	})
}

func TestTAPBringsUnits(t *testing.T) {
	bothFamilies(t, func(t *testing.T, h *handTCP) {
		data := pattern(400_000)
		done := make(chan error, 1)
		go func() {
			_, err := h.conn.Write(data)
			done <- err
		}()
		got, largest := h.receive(len(data))
		if err := <-done; err != nil || !bytes.Equal(got, data) {
			t.Errorf("got other bytes than the kernel sent, error %v", err)
		}
		if largest < 2*1440 {
			t.Errorf("the largest unit has %d bytes, which is not several segments", largest)
		}
	})
}

func TestKernelTakesUnits(t *testing.T) {
	bothFamilies(t, func(t *testing.T, h *handTCP) {
		data := pattern(60_000)
		h.send(wire.FlagACK|wire.FlagPSH|wire.FlagCWR, nil, data)
		got := make([]byte, len(data))
		if _, err := io.ReadFull(h.conn, got); err != nil || !bytes.Equal(got, data) {
			t.Errorf("the kernel got other bytes, error %v", err)
		}
	})
}

// What a Segmenter makes is what a bare wire takes.
func TestKernelTakesSegments(t *testing.T) {
	r := newTAPRig(t, link.TAPConfig{Without: link.OffloadChecksum})
	at := r.listenUDP(r.kernel.ip)
	var s link.Segmenter
	conn := net.TCPAddrFromAddrPort(netip.AddrPortFrom(r.kernel.ip, 7000))
	listener, err := net.ListenTCP("tcp", conn)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	add := func(f link.Frame, segSize uint16) {
		f.SegSize = segSize
		if err := s.Add(&f); err != nil {
			t.Fatal(err)
		}
	}
	h := wire.TCPHeader{SrcPort: 9, DstPort: 7000, Seq: wire.SeqOf(1000), Flags: wire.FlagSYN, Window: 65535}
	add(udpFrame(r.us, r.kernel, 9, 7000, []byte("hello")), 0)
	add(tcpFrame(r.us, r.kernel, &h, nil, nil), 0)
	mustWrite(t, r, s.Frames()...)
	if got := at.read(); string(got) != "hello" {
		t.Errorf("the kernel got %q", got)
	}
	_, synAck := r.nextTCP()
	h.Seq, h.Ack, h.Flags = synAck.Ack(), synAck.Seq().Add(1), wire.FlagACK|wire.FlagFIN
	data := pattern(60_000)
	s.Reset()
	add(tcpFrame(r.us, r.kernel, &h, nil, data), 536)
	mustWrite(t, r, s.Frames()...)
	listener.SetDeadline(time.Now().Add(tapPatience))
	c, err := listener.AcceptTCP()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(tapPatience))
	if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, data) {
		t.Errorf("the kernel got %d bytes, error %v", len(got), err)
	}
}

func TestTAPWhoseInterfaceIsDeletedIsDown(t *testing.T) {
	r := newTAPRig(t, link.TAPConfig{})
	ip(t, "link", "del", "tap0")
	select {
	case err := <-r.downs:
		if !errors.Is(err, unix.EBADFD) || !strings.Contains(err.Error(), "tap tap0: read: ") || !strings.Contains(err.Error(), "deleted") {
			t.Errorf("Down hears %v", err)
		}
	case <-time.After(tapPatience):
		t.Fatal("Down is not called")
	}
	if n, err := r.Write(testFrames(0, 1)); n != 0 || err != net.ErrClosed {
		t.Errorf("Write took %d, error %v", n, err)
	}
	r.Close()
	if len(r.downs) != 0 {
		t.Error("Down is called again")
	}
}

func TestTAPThatIsClosedHearsNothing(t *testing.T) {
	r := newTAPRig(t, link.TAPConfig{})
	for range 2 {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	if n, err := r.Write(testFrames(0, 1)); n != 0 || err != net.ErrClosed {
		t.Errorf("Write took %d, error %v", n, err)
	}
	if len(r.downs) != 0 {
		t.Errorf("Down hears %v", <-r.downs)
	}
}

func TestTAPCountsWhatItLosesWhileDown(t *testing.T) {
	r := newTAPRig(t, link.TAPConfig{})
	conn := r.listenUDP(r.kernel.ip)
	ip(t, "link", "set", "tap0", "down")
	mustWrite(t, r, udpFrame(r.us, r.kernel, 9, 7000, []byte("lost")))
	ip(t, "link", "set", "tap0", "up")
	mustWrite(t, r, udpFrame(r.us, r.kernel, 9, 7000, []byte("found")))
	if got := conn.read(); string(got) != "found" {
		t.Errorf("the kernel got %q", got)
	}
	if s := r.Stats(); s.LostDown != 1 || s.Out != 1 {
		t.Errorf("got %+v", s)
	}
	if len(r.downs) != 0 {
		t.Errorf("Down hears %v", <-r.downs)
	}
}

// The kernel is full once a bridge does not get rid of what it was given.
func TestFullTAPTakesLessAndSaysWhenThereIsRoom(t *testing.T) {
	enterNamespace(t)
	file := openTUN(t, "tap0", unix.IFF_TAP|unix.IFF_NO_PI|unix.IFF_VNET_HDR)
	if err := unix.IoctlSetPointerInt(int(file.Fd()), unix.TUNSETSNDBUF, 100_000); err != nil {
		t.Fatal(err)
	}
	tap, err := link.OpenTAP(link.TAPConfig{File: file})
	if err != nil {
		t.Fatal(err)
	}
	defer tap.Close()
	file.Close()
	frame := testFrame(1514, 0) // to a machine that the bridge does not know
	rooms := make(chan int, 10)
	tap.Attach(link.Handler{Receive: ignore, Room: func() {
		n, _ := tap.Write([]link.Frame{frame})
		rooms <- n
	}})
	for _, line := range []string{
		"link add bridge0 type bridge", "link add left type veth peer name right",
		"link set tap0 master bridge0", "link set left master bridge0",
		"link set bridge0 up", "link set left up", "link set right up", "link set tap0 up",
	} {
		ip(t, strings.Fields(line)...)
	}
	needProgram(t, "tc")
	if out, err := exec.Command("tc", strings.Fields("qdisc add dev left root tbf rate 8bit burst 2000 limit 10000000")...).CombinedOutput(); err != nil {
		miss(t, "needs the queue tbf: ", err, ": ", string(out))
	}

	took := 0
	for {
		n, err := tap.Write([]link.Frame{frame, frame})
		if err != nil {
			t.Fatal(err)
		}
		if took += n; n < 2 {
			break
		}
		if took > 10_000 {
			t.Fatal("the kernel is never full")
		}
	}
	for range 3 { // no goroutine each
		if n, err := tap.Write([]link.Frame{frame}); n != 0 || err != nil {
			t.Errorf("a full TAP took %d more, error %v", n, err)
		}
	}
	ip(t, "link", "set", "left", "down") // forgets what it has
	select {
	case n := <-rooms:
		if n != 1 {
			t.Error("Room is called while there is none")
		}
	case <-time.After(tapPatience):
		t.Fatal("Room is not called")
	}
	if s := tap.Stats(); s.Full != 4 || s.Out != uint64(took+1) {
		t.Errorf("got %+v after %d frames", s, took)
	}
	tap.Close()
	if len(rooms) != 0 {
		t.Error("Room is called again")
	}
}
