package link_test

import (
	"encoding/binary"
	"errors"
	"net"
	"slices"
	"testing"
	"testing/synctest"

	"landline/link"
	"landline/wire"
)

// testFrame makes a frame of n bytes, at least 18, that says its number.
func testFrame(n int, number uint32) link.Frame {
	b := wire.AppendEthernet(make([]byte, 0, n), wire.MAC{2, 1}, wire.MAC{2, 2}, 0x88b5)
	return link.Frame{Head: binary.BigEndian.AppendUint32(b, number)[:n]}
}

func frameNumber(f *link.Frame) uint32 { return binary.BigEndian.Uint32(f.Head[wire.EthernetLen:]) }

// testFrames makes frames of 64 bytes with the numbers from first on.
func testFrames(first, n int) []link.Frame {
	frames := make([]link.Frame, n)
	for i := range frames {
		frames[i] = testFrame(64, uint32(first+i))
	}
	return frames
}

// newCable makes a cable that is closed at the end of the test.
func newCable(t testing.TB, c link.CableConfig) (a, b *link.CableEnd) {
	a, b = link.NewCable(c)
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

func ignore([]link.Frame) {}

// mustWrite writes frames that must all be taken.
func mustWrite(t testing.TB, d link.Device, frames ...link.Frame) {
	t.Helper()
	if n, err := d.Write(frames); n != len(frames) || err != nil {
		t.Errorf("Write took %d of %d frames, error %v", n, len(frames), err)
	}
}

func TestCableDeliversTheVeryFramesBeforeWriteReturns(t *testing.T) {
	a, b := newCable(t, link.CableConfig{})
	frames := testFrames(0, 3)
	frames[1].Body = []byte("more")
	var got []link.Frame
	b.Attach(link.Handler{Receive: func(f []link.Frame) { got = f }})
	mustWrite(t, a, frames...)
	if len(got) != 3 || &got[0] != &frames[0] {
		t.Errorf("got %d frames, want the three that were written, not copied", len(got))
	}
}

func TestCableEndsDescribeThemselves(t *testing.T) {
	a, b := newCable(t, link.CableConfig{})
	if i := a.Info(); i.MTU != 1500 || i.Offloads != link.OffloadChecksum || i.Name != "cable0" {
		t.Errorf("the end of a zero cable is %+v", i)
	}
	for _, m := range []wire.MAC{a.Info().MAC, b.Info().MAC} {
		if !m.IsLocal() || m.IsGroup() {
			t.Errorf("%v is not a local address of one machine", m)
		}
	}
	if a.Info().MAC == b.Info().MAC {
		t.Error("both ends have the same address")
	}

	given := wire.MAC{2, 0, 0, 0, 0, 9}
	seeded := link.CableConfig{Seed: 1, Units: true, MTU: 9000, Names: [2]string{"left", "right"}}
	a, b = newCable(t, seeded)
	seeded.MACs[0] = given
	c, d := newCable(t, seeded)
	if c.Info().MAC != given || b.Info() != d.Info() {
		t.Errorf("got %+v and %+v, want %v and %+v", c.Info(), d.Info(), given, b.Info())
	}
	want := link.Info{Name: "left", MAC: a.Info().MAC, MTU: 9000, Offloads: link.OffloadChecksum | link.OffloadTSO}
	if a.Info() != want {
		t.Errorf("got %+v, want %+v", a.Info(), want)
	}
	if a, _ = newCable(t, link.CableConfig{Checksums: true}); a.Info().Offloads != 0 {
		t.Errorf("a cable with checksums has offloads %b", a.Info().Offloads)
	}
}

func TestCableRefusesConfigsThatContradict(t *testing.T) {
	for _, c := range []link.CableConfig{{MTU: 67}, {MTU: 65536}, {MTU: -1}, {Units: true, Checksums: true}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%+v makes a cable", c)
				}
			}()
			link.NewCable(c)
		}()
	}
}

// tagged makes f carry so many VLAN tags.
func tagged(f link.Frame, tags int) link.Frame {
	for range tags {
		f.Head = slices.Insert(f.Head, 12, 0x81, 0, 0, 5)
	}
	return f
}

func TestCableRefusesFramesThatItCannotCarry(t *testing.T) {
	partial := testFrame(64, 0)
	partial.Sum, partial.SumStart, partial.SumField = link.SumPartial, 34, 50
	unit := testFrame(64, 0)
	unit.Body = make([]byte, 64000)
	unit.Sum, unit.SumStart, unit.SumField, unit.SegSize = link.SumPartial, 34, 50, 1460
	with := func(f link.Frame, change func(*link.Frame)) link.Frame { change(&f); return f }

	plain := link.CableConfig{}
	whole := link.CableConfig{Checksums: true}
	units := link.CableConfig{Units: true}
	for _, c := range []struct {
		what  string
		cable link.CableConfig
		frame link.Frame
		want  error
	}{
		{"the MTU", plain, testFrame(1514, 0), nil},
		{"over the MTU", plain, testFrame(1515, 0), link.ErrTooLong},
		{"over the MTU, in Body", plain, with(testFrame(1000, 0), func(f *link.Frame) { f.Body = make([]byte, 515) }), link.ErrTooLong},
		{"the MTU and a tag", plain, tagged(testFrame(1514, 0), 1), nil},
		{"the MTU and two tags", plain, tagged(testFrame(1514, 0), 2), nil},
		{"over the MTU, and a tag", plain, tagged(testFrame(1515, 0), 1), link.ErrTooLong},
		{"shorter than its header", plain, link.Frame{Head: make([]byte, 13), Body: make([]byte, 60)}, link.ErrFrame},
		{"the greatest MTU", link.CableConfig{MTU: 65535}, tagged(testFrame(14+65535, 0), 1), nil},

		{"an open checksum", plain, partial, nil},
		{"an open checksum on a wire", whole, partial, link.ErrOffload},
		{"an open checksum outside Head", plain, with(partial, func(f *link.Frame) { f.SumField = 63 }), link.ErrFrame},
		{"an open checksum before its start", plain, with(partial, func(f *link.Frame) { f.SumField = 33 }), link.ErrFrame},
		{"an open checksum in the Ethernet header", plain, with(partial, func(f *link.Frame) { f.SumStart = 13 }), link.ErrFrame},

		{"a unit", units, unit, nil},
		{"a unit where there are none", plain, unit, link.ErrOffload},
		{"a unit without an open checksum", units, with(unit, func(f *link.Frame) { f.Sum = link.SumGood }), link.ErrFrame},
		{"a unit of segments over the MTU", units, with(unit, func(f *link.Frame) { f.SegSize = 1461 }), link.ErrTooLong},
		{"the longest unit", units, with(unit, func(f *link.Frame) { f.Body = make([]byte, link.MaxFrame-64) }), nil},
		{"a unit that is too long", units, with(unit, func(f *link.Frame) { f.Body = make([]byte, link.MaxFrame-63) }), link.ErrTooLong},
		{"a long frame that is no unit", units, testFrame(1515, 0), link.ErrTooLong},
	} {
		a, b := newCable(t, c.cable)
		var got int
		b.Attach(link.Handler{Receive: func(f []link.Frame) { got += len(f) }})
		good := testFrame(64, 0)
		n, err := a.Write([]link.Frame{good, c.frame, good})
		if want := 3; c.want == nil && (n != want || got != want || err != nil) {
			t.Errorf("%s: took %d, gave %d, error %v, want all", c.what, n, got, err)
		}
		if want := 1; c.want != nil && (n != want || got != want || err != c.want) {
			t.Errorf("%s: took %d, gave %d, error %v, want the one before and %v", c.what, n, got, err, c.want)
		}
	}
}

func TestCableLosesWhatComesBeforeAttach(t *testing.T) {
	a, b := newCable(t, link.CableConfig{})
	mustWrite(t, a, testFrames(0, 2)...)
	var got []uint32
	b.Attach(link.Handler{Receive: func(f []link.Frame) { got = append(got, frameNumber(&f[0])) }})
	mustWrite(t, a, testFrame(64, 2))
	want := link.CableStats{Frames: 3, Bytes: 192, Lost: 2}
	if !slices.Equal(got, []uint32{2}) || a.Stats() != want {
		t.Errorf("got frames %v and %+v, want the last and %+v", got, a.Stats(), want)
	}
}

// A stuckEnd hears frames but stays in Receive, or in Room, until it is told to go on.
type stuckEnd struct {
	*link.CableEnd
	next    chan bool // one for each call of Receive
	batches [][]uint32
}

func stick(e *link.CableEnd) *stuckEnd {
	s := &stuckEnd{CableEnd: e, next: make(chan bool)}
	e.Attach(link.Handler{Receive: s.receive})
	return s
}

func (s *stuckEnd) receive(frames []link.Frame) {
	var numbers []uint32
	for i := range frames {
		numbers = append(numbers, frameNumber(&frames[i]))
	}
	s.batches = append(s.batches, numbers)
	<-s.next
}

func TestCableQueuesCopiesWhileTheOtherEndIsBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newCable(t, link.CableConfig{})
		stuck := stick(b)
		go mustWrite(t, a, testFrame(64, 0))
		synctest.Wait()

		frames := testFrames(1, 70)
		for i := range frames { // in two pieces, which the queue puts together
			frames[i].Head, frames[i].Body = frames[i].Head[:16], frames[i].Head[16:]
		}
		frames[0].Sum, frames[0].SumStart, frames[0].SumField = link.SumGood, 1, 2
		mustWrite(t, a, frames...)
		for i := range frames { // and which are the writer's again
			clear(frames[i].Head)
			clear(frames[i].Body)
		}
		close(stuck.next)
		synctest.Wait()

		var got []uint32
		for _, batch := range stuck.batches {
			got = append(got, batch...)
		}
		if len(stuck.batches) != 3 || !inOrder(got, 71) {
			t.Errorf("got %v, want 71 frames in their order, in three batches", stuck.batches)
		}
		want := link.CableStats{Frames: 71, Bytes: 71 * 64, Queued: 70}
		if a.Stats() != want {
			t.Errorf("got %+v, want %+v", a.Stats(), want)
		}
	})
}

// inOrder reports whether numbers are those from 0 to n.
func inOrder(numbers []uint32, n int) bool {
	for i, number := range numbers {
		if number != uint32(i) {
			return false
		}
	}
	return len(numbers) == n
}

func TestCableKeepsWhatItKnowsOfQueuedFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newCable(t, link.CableConfig{Units: true})
		next := make(chan bool)
		var got []link.Frame
		b.Attach(link.Handler{Receive: func(f []link.Frame) {
			got = append(got, f[0])
			<-next
		}})
		go mustWrite(t, a, testFrame(64, 0))
		synctest.Wait()
		unit := testFrame(64, 1)
		unit.Sum, unit.SumStart, unit.SumField, unit.SegSize = link.SumPartial, 34, 50, 8
		mustWrite(t, a, unit)
		close(next)
		synctest.Wait()
		unit.Head = nil
		last := got[len(got)-1]
		last.Head = nil
		if last.SegSize != unit.SegSize || last.Sum != unit.Sum || last.SumStart != 34 || last.SumField != 50 {
			t.Errorf("got %+v, want %+v", last, unit)
		}
	})
}

func TestCableTakesLessWhenFullAndSaysWhenThereIsRoom(t *testing.T) {
	for _, c := range []struct {
		what string
		link.CableConfig
		size, want int
	}{
		{"frames", link.CableConfig{QueueFrames: 100}, 64, 100},
		{"bytes", link.CableConfig{QueueBytes: 10_000}, 1000, 10},
		{"bytes for less than a frame", link.CableConfig{QueueBytes: 1}, 1514, 1},
		{"frames by default", link.CableConfig{}, 64, 1024},
		{"bytes by default", link.CableConfig{}, 1514, 1 << 20 / 1514},
		{"bytes for less than a unit", link.CableConfig{Units: true, QueueBytes: 1}, 1514, link.MaxFrame / 1514},
	} {
		synctest.Test(t, func(t *testing.T) {
			a, b := newCable(t, c.CableConfig)
			stuck := stick(b)
			rooms, took := 0, 0
			frame := testFrame(c.size, 0)
			a.Attach(link.Handler{Receive: ignore, Room: func() {
				rooms++
				mustWrite(t, a, frame) // there really is room
			}})
			go mustWrite(t, a, frame)
			synctest.Wait()
			for range 2000 {
				n, err := a.Write([]link.Frame{frame, frame})
				if took += n; n == 2 {
					continue
				} else if err != nil {
					t.Errorf("%s: error %v of a full cable", c.what, err)
				}
				break
			}
			if took != c.want {
				t.Errorf("%s: took %d, want %d", c.what, took, c.want)
			}
			if n, err := a.Write([]link.Frame{frame}); n != 0 || err != nil {
				t.Errorf("%s: took %d more, error %v", c.what, n, err)
			}
			close(stuck.next)
			synctest.Wait()
			if s := a.Stats(); rooms != 1 || s.Full != 2 || s.Frames != uint64(took+2) {
				t.Errorf("%s: %d calls of Room, %+v", c.what, rooms, s)
			}
		})
	}
}

func TestCableSaysNothingOfRoomIfNobodyWasRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newCable(t, link.CableConfig{QueueFrames: 4})
		stuck := stick(b)
		a.Attach(link.Handler{Receive: ignore, Room: func() { t.Error("Room was called") }})
		go mustWrite(t, a, testFrame(64, 0))
		synctest.Wait()
		mustWrite(t, a, testFrames(1, 4)...)
		close(stuck.next)
		synctest.Wait()
	})
}

func TestCloseOfOneEndEndsBoth(t *testing.T) {
	a, b := link.NewCable(link.CableConfig{})
	var downs []error
	a.Attach(link.Handler{Receive: ignore, Down: func(error) { t.Error("the end that was closed hears Down") }})
	b.Attach(link.Handler{Receive: ignore, Down: func(err error) {
		if _, err := b.Write(testFrames(0, 1)); err != net.ErrClosed {
			t.Errorf("Write in Down: %v", err)
		}
		downs = append(downs, err)
	}})
	for range 2 {
		if err := a.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range []link.Device{a, b} {
		for _, frames := range [][]link.Frame{nil, testFrames(0, 1)} {
			if n, err := d.Write(frames); n != 0 || err != net.ErrClosed {
				t.Errorf("Write of %d frames after Close: %d, %v", len(frames), n, err)
			}
		}
	}
	b.Close()
	if len(downs) != 1 || !errors.Is(downs[0], link.ErrUnplugged) {
		t.Errorf("the other end hears %v, want one %v", downs, link.ErrUnplugged)
	}
}

func TestClosedEndHearsNothingOfTheOthersClose(t *testing.T) {
	a, b := link.NewCable(link.CableConfig{})
	b.Attach(link.Handler{Receive: ignore, Down: func(error) {}})
	a.Attach(link.Handler{Receive: ignore, Down: func(error) { t.Error("Down after Close") }})
	a.Close()
	b.Close()
}

func TestLateAttachHearsThatTheCableIsDead(t *testing.T) {
	a, b := newCable(t, link.CableConfig{})
	a.Close()
	var got error
	b.Attach(link.Handler{Receive: ignore, Down: func(err error) { got = err }})
	if got != link.ErrUnplugged {
		t.Errorf("Down got %v", got)
	}
}

func TestAttachTwicePanics(t *testing.T) {
	a, _ := newCable(t, link.CableConfig{})
	a.Attach(link.Handler{Receive: ignore})
	defer func() {
		if recover() == nil {
			t.Error("a second Attach is taken")
		}
	}()
	a.Attach(link.Handler{Receive: ignore})
}

func TestCloseDropsWhatIsQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newCable(t, link.CableConfig{})
		stuck := stick(b)
		go mustWrite(t, a, testFrame(64, 0))
		synctest.Wait()
		mustWrite(t, a, testFrames(1, 5)...)
		a.Close()
		close(stuck.next)
		synctest.Wait()
		b.Close()
		if len(stuck.batches) != 1 || a.Stats().Lost != 5 {
			t.Errorf("got %v and %+v, want the first frame alone", stuck.batches, a.Stats())
		}
	})
}

// isBlocked reports whether do is still running when nothing else can happen.
func isBlocked(do func()) (done chan bool, blocked bool) {
	done = make(chan bool)
	go func() { do(); close(done) }()
	synctest.Wait()
	select {
	case <-done:
		return done, false
	default:
		return done, true
	}
}

func TestCloseWaitsForReceive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newCable(t, link.CableConfig{})
		stuck := stick(b)
		go mustWrite(t, a, testFrame(64, 0))
		synctest.Wait()
		if _, blocked := isBlocked(func() { a.Close() }); blocked {
			t.Error("Close waits for a function of the other end")
		}
		done, blocked := isBlocked(func() { b.Close() })
		if !blocked {
			t.Error("Close does not wait for Receive")
		}
		close(stuck.next)
		<-done
	})
}

func TestCloseWaitsForRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := newCable(t, link.CableConfig{QueueFrames: 1})
		stuck := stick(b)
		room := make(chan bool)
		a.Attach(link.Handler{Receive: ignore, Room: func() { <-room }})
		go mustWrite(t, a, testFrame(64, 0))
		synctest.Wait()
		if n, _ := a.Write(testFrames(1, 2)); n != 1 {
			t.Fatalf("took %d", n)
		}
		close(stuck.next)
		synctest.Wait()
		if _, blocked := isBlocked(func() { b.Close() }); blocked {
			t.Error("Close waits for a function of the other end")
		}
		done, blocked := isBlocked(func() { a.Close() })
		if !blocked {
			t.Error("Close does not wait for Room")
		}
		close(room)
		<-done
	})
}

func TestCloseWaitsForDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := link.NewCable(link.CableConfig{})
		next := make(chan bool)
		b.Attach(link.Handler{Receive: ignore, Down: func(error) { <-next }})
		first, _ := isBlocked(func() { a.Close() })
		done, blocked := isBlocked(func() { b.Close() })
		if !blocked {
			t.Error("Close does not wait for Down")
		}
		close(next)
		<-done
		<-first
	})
}
