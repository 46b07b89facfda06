package link_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"landline/link"
	"landline/wire"
)

// Sockets of the system know no bubbles, so these tests wait for what they are told.

// socketPair makes two connected datagram sockets.
func socketPair(t testing.TB) (a, b net.Conn) {
	t.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	var conns [2]net.Conn
	for i, fd := range fds {
		f := os.NewFile(uintptr(fd), "socket")
		if conns[i], err = net.FileConn(f); err != nil {
			t.Fatal(err)
		}
		f.Close()
		t.Cleanup(func() { conns[i].Close() })
	}
	return conns[0], conns[1]
}

// events are what a device has called.
type events struct {
	frames chan [][]byte // a batch each
	room   chan struct{}
	down   chan error
}

func newEvents() *events {
	return &events{make(chan [][]byte, 100), make(chan struct{}, 100), make(chan error, 100)}
}

func (e *events) handler() link.Handler {
	return link.Handler{
		Receive: func(frames []link.Frame) {
			var batch [][]byte
			for i := range frames {
				batch = append(batch, frames[i].AppendTo(nil))
			}
			e.frames <- batch
		},
		Room: func() { e.room <- struct{}{} },
		Down: func(err error) { e.down <- err },
	}
}

func newDatagram(t testing.TB, conn net.Conn, info link.Info) *link.Datagram {
	t.Helper()
	d, err := link.NewDatagram(conn, info)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func mustRead(t testing.TB, conn net.Conn) []byte {
	t.Helper()
	b := make([]byte, 1<<17)
	n, err := conn.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return b[:n]
}

func TestEachDatagramIsAFrame(t *testing.T) {
	conn, far := socketPair(t)
	d := newDatagram(t, conn, link.Info{})
	want := [][]byte{streamFrame(60, 1), streamFrame(1514, 2), streamFrame(link.MaxFrame, 3), {1, 2, 3}}
	for _, f := range want {
		if _, err := far.Write(f); err != nil {
			t.Fatal(err)
		}
	}
	e := newEvents()
	d.Attach(e.handler())
	if got := <-e.frames; !slices.EqualFunc(got, want, bytes.Equal) {
		t.Errorf("%d frames in the first batch", len(got))
	}
	head := streamFrame(20, 4)
	if n, err := d.Write([]link.Frame{{Head: head, Body: []byte("body")}, {Head: head}}); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	if got := mustRead(t, far); !bytes.Equal(got, append(slices.Clone(head), "body"...)) {
		t.Errorf("%x", got)
	}
	if got := mustRead(t, far); !bytes.Equal(got, head) {
		t.Errorf("%x", got)
	}
}

// No MTU is so large that a datagram which was cut is taken for a frame.
func TestDatagramThatIsTooLongStaysSo(t *testing.T) {
	conn, far := socketPair(t)
	d := newDatagram(t, conn, link.Info{MTU: link.MaxMTU})
	e := newEvents()
	d.Attach(e.handler())
	for _, n := range []int{70_000, 100_000} {
		f := wire.AppendEthernetVLAN(make([]byte, 0, n), wire.Broadcast, wire.MAC{2}, 0, wire.TypeVLAN)
		if _, err := far.Write(f[:n]); err != nil {
			t.Fatal(err)
		}
		info := d.Info()
		if _, err := info.Check(frames((<-e.frames)[0])); err != link.ErrTooLong {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func TestFullDatagramSocketTakesLessAndSaysWhenThereIsRoom(t *testing.T) {
	conn, far := socketPair(t)
	d := newDatagram(t, conn, link.Info{})
	e := newEvents()
	d.Attach(e.handler())
	batch := slices.Repeat(frames(streamFrame(1514, 1)), 1000)
	n, err := d.Write(batch)
	if n == 0 || n == len(batch) || err != nil {
		t.Fatalf("took %d, %v", n, err)
	}
	if more, err := d.Write(batch); more != 0 || err != nil { // nor does it ask twice for room
		t.Errorf("took %d more, %v", more, err)
	}
	select {
	case <-e.room:
		t.Error("room, and nobody has read")
	default:
	}
	for range n {
		mustRead(t, far)
	}
	<-e.room
	if again, err := d.Write(batch); again != n || err != nil {
		t.Errorf("with room it takes %d, not %d, %v", again, n, err)
	}
	if d.Close(); len(e.room) != 0 {
		t.Errorf("room %d times more", len(e.room))
	}
}

func TestDatagramWhoseMachineIsGoneIsDown(t *testing.T) {
	conn, far := socketPair(t)
	d := newDatagram(t, conn, link.Info{})
	e := newEvents()
	d.Attach(e.handler())
	far.Close()
	for range 2 {
		if n, err := d.Write(frames(streamFrame(60, 1))); n != 0 || err != net.ErrClosed {
			t.Errorf("took %d, %v", n, err)
		}
	}
	if err := <-e.down; !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("down: %v", err)
	}
	d.Close()
	if len(e.down) != 0 {
		t.Error("down twice")
	}
}

func TestClosedDatagramTakesNothing(t *testing.T) {
	conn, far := socketPair(t)
	d := newDatagram(t, conn, link.Info{})
	e := newEvents()
	d.Attach(e.handler())
	for range 2 {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
	if n, err := d.Write(frames(streamFrame(60, 0))); n != 0 || err != net.ErrClosed {
		t.Errorf("took %d, %v", n, err)
	}
	if _, err := far.Write([]byte{0}); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("the socket is open: %v", err)
	}
	if len(e.down) != 0 {
		t.Error("down after Close")
	}
	conn, _ = socketPair(t)
	newDatagram(t, conn, link.Info{}).Close() // never attached
}

func TestDatagramRefusesWhatItCannotCarry(t *testing.T) {
	conn, far := socketPair(t)
	d := newDatagram(t, conn, link.Info{MTU: 1000, Offloads: link.OffloadTSO})
	info := d.Info()
	if info.Offloads != 0 || info.MTU != 1000 || info.Name != "datagram" || info.MAC == (wire.MAC{}) || info.MAC.IsGroup() {
		t.Errorf("%+v", info)
	}
	good := streamFrame(60, 0)
	for _, c := range []struct {
		bad  link.Frame
		want error
	}{
		{link.Frame{Head: streamFrame(1015, 0)}, link.ErrTooLong},
		{link.Frame{Head: good, Sum: link.SumPartial, SumStart: 34, SumField: 40}, link.ErrOffload},
	} {
		n, err := d.Write([]link.Frame{{Head: good}, c.bad, {Head: good}})
		if n != 1 || err != c.want {
			t.Errorf("%d, %v, want 1, %v", n, err, c.want)
		}
		mustRead(t, far)
	}
	if _, err := link.NewDatagram(new(sink), link.Info{}); err == nil {
		t.Error("what is no socket is taken for one")
	}
}

// A hall is a listener, with what has joined it.
type hall struct {
	*link.DatagramListener
	path   string
	joined chan *guest
}

// A guest is a device of a listener, and what it has called.
type guest struct {
	*link.Datagram
	*events
}

func newHall(t testing.TB, info link.Info) *hall {
	t.Helper()
	h := newPlace(t)
	h.listen(t, info, h.bind(t))
	return h
}

// newPlace makes a place for a listener.
func newPlace(t testing.TB) *hall {
	t.Helper()
	dir, err := os.MkdirTemp("", "lan") // t.TempDir is too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return &hall{path: filepath.Join(dir, "lan"), joined: make(chan *guest, 100)}
}

func (h *hall) bind(t testing.TB) *net.UnixConn {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: h.path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func (h *hall) listen(t testing.TB, info link.Info, conn *net.UnixConn) {
	h.listenWith(t, info, conn, func(d *link.Datagram) {
		g := &guest{d, newEvents()}
		d.Attach(g.handler())
		h.joined <- g
	})
}

func (h *hall) listenWith(t testing.TB, info link.Info, conn *net.UnixConn, join func(*link.Datagram)) {
	t.Helper()
	var err error
	h.DatagramListener, err = link.ListenDatagram(conn, info, func(d *link.Datagram) {
		t.Cleanup(func() { d.Close() })
		join(d)
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
}

// qemu is a machine's socket as QEMU makes it: bound to a path, which it takes over, but not connected.
func (h *hall) qemu(t testing.TB, name string) *qemu {
	t.Helper()
	if name[0] != '@' {
		name = filepath.Join(filepath.Dir(h.path), name)
		os.Remove(name)
	}
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &qemu{c, &net.UnixAddr{Name: h.path, Net: "unixgram"}}
}

type qemu struct {
	*net.UnixConn
	to *net.UnixAddr
}

func (q *qemu) Write(b []byte) (int, error) { return q.WriteTo(b, q.to) }

// vfkit is a machine's socket as vfkit makes it: bound, and connected to the listener.
func (h *hall) vfkit(t testing.TB, name string) net.Conn {
	t.Helper()
	from := &net.UnixAddr{Name: filepath.Join(filepath.Dir(h.path), name), Net: "unixgram"}
	c, err := net.DialUnix("unixgram", from, &net.UnixAddr{Name: h.path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func mustSend(t testing.TB, c net.Conn, b []byte) {
	t.Helper()
	if _, err := c.Write(b); err != nil {
		t.Fatal(err)
	}
}

// Machines that share a socket are told apart by their addresses, whatever kind those are, and each gets
// what is for it.
func TestGuestsOfASocketAreToldApart(t *testing.T) {
	h := newHall(t, link.Info{MTU: 9000, Name: "all"})
	machines := []net.Conn{h.qemu(t, "shed"), h.vfkit(t, "desk"), h.qemu(t, "@loft")}
	var guests []*guest
	for i, m := range machines {
		mustSend(t, m, streamFrame(60, byte(i)))
		g := <-h.joined
		if got := <-g.frames; len(got) != 1 || !bytes.Equal(got[0], streamFrame(60, byte(i))) {
			t.Errorf("the first frame of %d is %x", i, got)
		}
		guests = append(guests, g)
	}
	for i, want := range []string{"shed", "desk", "\x00loft"} {
		if got := guests[i].Info(); got.Name != want || got.MTU != 9000 || got.MAC == (wire.MAC{}) {
			t.Errorf("%+v", got)
		}
	}
	for i, m := range machines {
		if n, err := guests[i].Write(frames(streamFrame(60, byte(10+i)), streamFrame(61, 0))); n != 2 || err != nil {
			t.Error(n, err)
		}
		if got := mustRead(t, m); !bytes.Equal(got, streamFrame(60, byte(10+i))) {
			t.Errorf("%d hears %x", i, got)
		}
		mustSend(t, m, streamFrame(70, byte(i)))
		if got := <-guests[i].frames; len(got) != 1 || len(got[0]) != 70 {
			t.Errorf("%d says %x", i, got)
		}
	}
	if len(h.joined) != 0 {
		t.Error("somebody joined twice")
	}
}

// What several have sent before anybody read comes in batches, each of one machine.
func TestDatagramsOfOneMachineInARowAreABatch(t *testing.T) {
	h := newPlace(t)
	conn := h.bind(t)
	a, b := h.qemu(t, "a"), h.qemu(t, "b")
	for _, c := range []net.Conn{a, a, a, b, b, a} {
		mustSend(t, c, streamFrame(60, 0))
	}
	h.listen(t, link.Info{}, conn)
	first, second := <-h.joined, <-h.joined
	if x, y, z := len(<-first.frames), len(<-second.frames), len(<-first.frames); x != 3 || y != 2 || z != 1 {
		t.Errorf("batches of %d, %d and %d", x, y, z)
	}
}

func TestHelloOfVfkitIsNoFrame(t *testing.T) {
	h := newHall(t, link.Info{})
	for i, m := range []net.Conn{h.vfkit(t, "a"), h.qemu(t, "b")} {
		mustSend(t, m, []byte("VFKT"))
		g := <-h.joined
		if n, err := g.Write(frames(streamFrame(60, 1))); n != 1 || err != nil {
			t.Error(n, err)
		}
		mustRead(t, m)
		mustSend(t, m, streamFrame(60, 2))
		if got := <-g.frames; len(got) != 1 || len(got[0]) != 60 {
			t.Errorf("%d: the first frame is %x", i, got)
		}
	}
}

// A machine that does not read gets no more, and is told of room when it reads again. The others get all.
func TestGuestThatDoesNotReadKeepsUpNobody(t *testing.T) {
	h := newHall(t, link.Info{})
	stuck, other := h.qemu(t, "stuck"), h.qemu(t, "other")
	mustSend(t, stuck, streamFrame(60, 0))
	a := <-h.joined
	mustSend(t, other, streamFrame(60, 0))
	b := <-h.joined
	batch := slices.Repeat(frames(streamFrame(1514, 1)), 1000)
	n, err := a.Write(batch)
	if n == len(batch) || err != nil {
		t.Fatalf("took %d, %v", n, err)
	}
	for range 10_000 {
		if n, err := b.Write(batch[:1]); n != 1 || err != nil {
			t.Fatalf("the other takes %d, %v", n, err)
		}
		mustRead(t, other)
	}
	for range n {
		mustRead(t, stuck)
	}
	<-a.room
	if again, err := a.Write(batch[:n]); again != n || err != nil {
		t.Errorf("with room it takes %d, not %d, %v", again, n, err)
	}
}

// A machine that has connected its socket is sent to by the one that all share, which does not say when it has
// room again.
func TestConnectedGuestIsTriedAgain(t *testing.T) {
	h := newHall(t, link.Info{})
	m := h.vfkit(t, "desk")
	mustSend(t, m, []byte("VFKT"))
	g := <-h.joined
	batch := slices.Repeat(frames(streamFrame(1514, 1)), 1<<15)
	n, err := g.Write(batch)
	if n == len(batch) || err != nil {
		t.Fatalf("took %d, %v", n, err)
	}
	<-g.room // after a pause, for nothing
	if more, err := g.Write(batch); more != 0 || err != nil {
		t.Errorf("took %d more, %v", more, err)
	}
	for range n {
		mustRead(t, m)
	}
	<-g.room
	if again, err := g.Write(batch); again == 0 || err != nil {
		t.Errorf("with room it takes %d, %v", again, err)
	}
}

// A machine that is started again has the path of the one before, and is a new one.
func TestGuestThatIsStartedAgainIsNew(t *testing.T) {
	h := newHall(t, link.Info{})
	m := h.qemu(t, "shed")
	mustSend(t, m, streamFrame(60, 0))
	before := <-h.joined
	m.Close()
	again := h.qemu(t, "shed")
	if n, err := before.Write(frames(streamFrame(60, 1))); n != 0 || err != net.ErrClosed {
		t.Errorf("took %d, %v", n, err)
	}
	if err := <-before.down; !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("down: %v", err)
	}
	mustSend(t, again, streamFrame(60, 2))
	after := <-h.joined
	if n, err := after.Write(frames(streamFrame(60, 3))); n != 1 || err != nil {
		t.Errorf("took %d, %v", n, err)
	}
	mustRead(t, again)
}

// What comes before somebody hears is lost, as on a cable.
func TestGuestMayBeAttachedToLater(t *testing.T) {
	h := newPlace(t)
	joined := make(chan *link.Datagram, 2)
	h.listenWith(t, link.Info{}, h.bind(t), func(d *link.Datagram) { joined <- d })
	m, other := h.qemu(t, "shed"), h.qemu(t, "other")
	mustSend(t, m, streamFrame(60, 1))
	d := <-joined
	mustSend(t, m, streamFrame(60, 2))
	mustSend(t, other, streamFrame(60, 0))
	<-joined // so the second has been read
	e := newEvents()
	d.Attach(e.handler())
	mustSend(t, m, streamFrame(60, 3))
	if got := <-e.frames; len(got) != 1 || !bytes.Equal(got[0], streamFrame(60, 3)) {
		t.Errorf("hears %x", got)
	}
}

// A machine that connects its socket only later hears no other but the listener's from then on.
func TestGuestThatConnectsLaterIsNew(t *testing.T) {
	h := newHall(t, link.Info{})
	m := h.qemu(t, "shed")
	mustSend(t, m, streamFrame(60, 0))
	before := <-h.joined
	raw, err := m.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) { err = unix.Connect(int(fd), &unix.SockaddrUnix{Name: h.path}) })
	if err != nil {
		t.Fatal(err)
	}
	if n, err := before.Write(frames(streamFrame(60, 1))); n != 0 || err != net.ErrClosed {
		t.Errorf("took %d, %v", n, err)
	}
	if err := <-before.down; !errors.Is(err, syscall.EPERM) {
		t.Errorf("down: %v", err)
	}
	mustSend(t, m, streamFrame(60, 2))
	if n, err := (<-h.joined).Write(frames(streamFrame(60, 3))); n != 1 || err != nil {
		t.Errorf("took %d, %v", n, err)
	}
	mustRead(t, m)
}

func TestCloseWaitsForFunctionsOfADatagram(t *testing.T) {
	h := newPlace(t)
	var running atomic.Int32
	entered, leave := make(chan bool, 1), make(chan bool)
	busy := func() {
		running.Add(1)
		entered <- true
		<-leave
		running.Add(-1)
	}
	joined := make(chan *link.Datagram, 1)
	handler := link.Handler{Receive: func([]link.Frame) { busy() }, Down: func(error) { busy() }}
	h.listenWith(t, link.Info{}, h.bind(t), func(d *link.Datagram) {
		d.Attach(handler)
		joined <- d
	})
	conn, far := socketPair(t)
	alone := newDatagram(t, conn, link.Info{})
	alone.Attach(handler)
	guest := h.qemu(t, "shed")
	for _, c := range []struct {
		what  string
		enter func() *link.Datagram
	}{
		{"Receive of a guest", func() *link.Datagram { mustSend(t, guest, streamFrame(60, 0)); return <-joined }},
		{"Down", func() *link.Datagram {
			guest := h.qemu(t, "other")
			mustSend(t, guest, streamFrame(60, 0))
			d := <-joined
			<-entered
			leave <- true
			guest.Close()
			d.Write(frames(streamFrame(60, 0)))
			return d
		}},
		{"Receive", func() *link.Datagram { mustSend(t, far, streamFrame(60, 0)); return alone }},
	} {
		d := c.enter()
		<-entered
		left := make(chan int32)
		go func() {
			d.Close()
			left <- running.Load()
		}()
		var err error
		for err == nil { // until Close has begun
			_, err = d.Write(nil)
		}
		leave <- true
		if n := <-left; n != 0 {
			t.Errorf("Close does not wait for %s", c.what)
		}
	}
}

func TestSendersThatCannotBeAnsweredAreCounted(t *testing.T) {
	h := newHall(t, link.Info{})
	nameless, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: h.path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer nameless.Close()
	hidden, m := h.qemu(t, "hidden"), h.qemu(t, "shed")
	os.Remove(hidden.LocalAddr().String())
	mustSend(t, nameless, streamFrame(60, 0))
	mustSend(t, hidden, streamFrame(60, 0))
	mustSend(t, hidden, streamFrame(60, 0))
	mustSend(t, m, streamFrame(60, 0))
	<-h.joined
	if s := h.Stats(); s.Nameless != 1 || s.Refused != 2 || len(h.joined) != 0 {
		t.Errorf("%+v", s)
	}
}

// Who closes the device in join has refused the machine. It may knock again.
func TestGuestMayBeRefused(t *testing.T) {
	h := newPlace(t)
	asked := make(chan string)
	h.listenWith(t, link.Info{}, h.bind(t), func(d *link.Datagram) {
		d.Attach(link.Handler{Receive: func([]link.Frame) { t.Error("heard all the same") }})
		d.Close()
		asked <- d.Info().Name
	})
	m := h.qemu(t, "shed")
	for range 2 {
		mustSend(t, m, streamFrame(60, 0))
		if name := <-asked; name != "shed" {
			t.Errorf("%s asks", name)
		}
	}
}

func TestListenerThatClosesTakesItsGuestsAlong(t *testing.T) {
	h := newHall(t, link.Info{})
	machines := []net.Conn{h.qemu(t, "shed"), h.vfkit(t, "desk")}
	var guests []*guest
	for _, m := range machines {
		mustSend(t, m, streamFrame(60, 0))
		guests = append(guests, <-h.joined)
	}
	for range 2 {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, g := range guests {
		if err := <-g.down; err != net.ErrClosed {
			t.Errorf("down: %v", err)
		}
		if n, err := g.Write(frames(streamFrame(60, 0))); n != 0 || err != net.ErrClosed {
			t.Errorf("took %d, %v", n, err)
		}
	}
}

// echoing is a listener whose devices send back what comes.
func echoing(t testing.TB) *hall {
	h := newPlace(t)
	h.listenWith(t, link.Info{}, h.bind(t), func(d *link.Datagram) {
		d.Attach(link.Handler{Receive: func(frames []link.Frame) {
			if n, err := d.Write(frames); n != len(frames) || err != nil {
				t.Errorf("took %d, %v", n, err)
			}
		}})
	})
	return h
}

// Many machines come, talk and go at once.
func TestGuestsComeAndGoUnderLoad(t *testing.T) {
	h := echoing(t)
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			for j := range 10 {
				m := h.qemu(t, fmt.Sprint(i, "-", j))
				for k := range 20 {
					want := binary.BigEndian.AppendUint32(streamFrame(60, 0), uint32(k))
					mustSend(t, m, want)
					if got := mustRead(t, m); !bytes.Equal(got, want) {
						t.Errorf("hears %x", got)
					}
				}
				m.Close()
			}
		})
	}
	all.Wait()
}

func TestDatagramAllocatesNothingPerFrame(t *testing.T) {
	for _, m := range []net.Conn{echoing(t).vfkit(t, "shed"), echoed(t)} {
		frame, buf := streamFrame(1514, 0), make([]byte, 2000)
		mustNotAllocate(t, "there and back", func() {
			mustSend(t, m, frame)
			if _, err := m.Read(buf); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// echoed is the far end of a device that sends back what comes.
func echoed(t testing.TB) net.Conn {
	conn, far := socketPair(t)
	d := newDatagram(t, conn, link.Info{})
	d.Attach(link.Handler{Receive: func(frames []link.Frame) { d.Write(frames) }})
	return far
}

func BenchmarkDatagram(b *testing.B) {
	conn, far := socketPair(b)
	left, right := newDatagram(b, conn, link.Info{}), newDatagram(b, far, link.Info{})
	room := make(chan struct{}, 1)
	left.Attach(link.Handler{Room: func() { room <- struct{}{} }})
	right.Attach(link.Handler{Receive: func([]link.Frame) {}})
	batch := slices.Repeat(frames(streamFrame(1514, 0)), 32)
	b.SetBytes(32 * 1514)
	b.ReportAllocs()
	for b.Loop() {
		for rest := batch; len(rest) > 0; {
			n, err := left.Write(rest)
			if err != nil {
				b.Fatal(err)
			}
			if rest = rest[n:]; len(rest) > 0 {
				<-room
			}
		}
	}
}
