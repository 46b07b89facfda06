package link_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"landline/link"
)

// told describes the packets of a file: "out 3" is one that was written, with its
// number.
func told(t testing.TB, file *bytes.Buffer) (all []string) {
	t.Helper()
	way := map[link.Direction]string{link.Inbound: "in", link.Outbound: "out"}
	for _, p := range mustParse(t, file.Bytes()).packets {
		all = append(all, fmt.Sprint(way[p.direction()], " ", binary.BigEndian.Uint32(p.bytes[14:])))
	}
	return all
}

func TestCaptureWritesBothDirections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var file bytes.Buffer
		p := link.NewPcapNG(&file, link.PcapConfig{})
		far := newHearer(t)
		fake := newFake(far.receive)
		d := link.Capture(fake, p)
		if d.Info() != fake.info {
			t.Errorf("got %+v, want %+v", d.Info(), fake.info)
		}
		near := newHearer(t)
		d.Attach(link.Handler{Receive: near.receive})
		mustWrite(t, d, testFrames(0, 2)...)
		time.Sleep(time.Millisecond)
		fake.arrive(testFrames(2, 2)...)
		d.Close()
		if got, want := told(t, &file), []string{"out 0", "out 1", "in 2", "in 3"}; !slices.Equal(got, want) {
			t.Errorf("the file has %q, want %q", got, want)
		}
		far.mustArrive("0s 0", "0s 1")
		near.mustArrive("1ms 2", "1ms 3")
		c := mustParse(t, file.Bytes())
		if at := time.Unix(0, int64(c.packets[3].at)); !at.Equal(time.Now()) {
			t.Errorf("the last packet is of %v, want %v", at, time.Now())
		}
		if c.faces[0].name != "fake" {
			t.Errorf("the interface is %+v", c.faces[0])
		}
		if err := p.Close(); err != nil || !fake.closed {
			t.Errorf("error %v, and the device is closed: %v", err, fake.closed)
		}
	})
}

// On a cable the answer is there before Write has returned.
func TestCaptureWritesAnAnswerAfterTheQuestion(t *testing.T) {
	var file bytes.Buffer
	p := link.NewPcapNG(&file, link.PcapConfig{})
	defer p.Close()
	a, b := newCable(t, link.CableConfig{})
	d := link.Capture(a, p)
	d.Attach(link.Handler{Receive: ignore})
	b.Attach(link.Handler{Receive: func([]link.Frame) { mustWrite(t, b, testFrames(1, 1)...) }})
	mustWrite(t, d, testFrames(0, 1)...)
	p.Flush()
	if got, want := told(t, &file), []string{"out 0", "in 1"}; !slices.Equal(got, want) {
		t.Errorf("the file has %q, want %q", got, want)
	}
}

func TestCaptureLeavesOutWhatTheDeviceDidNotTake(t *testing.T) {
	var file bytes.Buffer
	p := link.NewPcapNG(&file, link.PcapConfig{})
	fake := newFake(nil)
	d := link.Capture(fake, p)
	depth := 0
	fake.receive = func(frames []link.Frame) { // answers, and writes again, while it takes
		p.Flush() // must not write what may still be refused
		if depth++; depth == 1 {
			fake.arrive(testFrames(100, 1)...)
			fake.room = 1
			d.Write(testFrames(200, 3))
			fake.arrive(testFrames(101, 1)...)
		}
	}
	d.Attach(link.Handler{Receive: ignore})
	fake.room = 2
	if n, _ := d.Write(testFrames(0, 5)); n != 2 {
		t.Fatalf("Write took %d frames", n)
	}
	fake.room = -1
	mustWrite(t, d, testFrames(2, 3)...)
	fake.room = 0
	d.Write(testFrames(9, 3))
	fake.Close()
	d.Write(testFrames(9, 3))
	p.Close()
	want := []string{"out 0", "out 1", "in 100", "out 200", "in 101", "out 2", "out 3", "out 4"}
	if got := told(t, &file); !slices.Equal(got, want) {
		t.Errorf("the file has %q, want %q", got, want)
	}
	if s := mustParse(t, file.Bytes()).stats[0]; s != [2]uint64{8, 0} {
		t.Errorf("statistics are %v", s)
	}
}

func TestCaptureAsksForComments(t *testing.T) {
	var file bytes.Buffer
	p := link.NewPcapNG(&file, link.PcapConfig{Comment: func(d link.Direction, f *link.Frame) string {
		if frameNumber(f)%2 == 0 {
			return ""
		}
		return fmt.Sprint(d, " ", frameNumber(f))
	}})
	fake := newFake(ignore)
	d := link.Capture(fake, p)
	d.Attach(link.Handler{Receive: ignore})
	mustWrite(t, d, testFrames(0, 2)...)
	fake.arrive(testFrames(3, 2)...)
	p.Close()
	var got []string
	for _, p := range mustParse(t, file.Bytes()).packets {
		got = append(got, p.comment)
	}
	if want := []string{"", "2 1", "1 3", ""}; !slices.Equal(got, want) {
		t.Errorf("the comments are %q, want %q", got, want)
	}
}

func TestCaptureWritesUnitsAsTheyAre(t *testing.T) {
	var file bytes.Buffer
	p := link.NewPcapNG(&file, link.PcapConfig{})
	d := link.Capture(newFake(ignore), p)
	f := packetTo(addr4b, 6, 65000)
	f.SegSize = 1448
	mustWrite(t, d, f)
	p.Close()
	got := mustParse(t, file.Bytes()).packets[0]
	if !bytes.Equal(got.bytes, whole(&f)) || got.flags != 2|1<<11 {
		t.Errorf("got %d bytes, flags %x", len(got.bytes), got.flags)
	}
}

// Several devices, each with several writers and a device that is full now and then,
// and a file that is flushed all the time.
func TestCaptureIsWholeWhateverHappens(t *testing.T) {
	file := new(lockedFile)
	p := link.NewPcapNG(file, link.PcapConfig{Comment: func(_ link.Direction, f *link.Frame) string {
		return strings.Repeat("x", f.Len()%5)
	}})
	var wg, flusher sync.WaitGroup
	var mu sync.Mutex
	var written, arrived [2]int
	for face := range 2 {
		fake := newFake(ignore)
		d := link.Capture(fake, p)
		d.Attach(link.Handler{Receive: ignore, Room: func() {}})
		for who := range uint64(3) {
			wg.Go(func() {
				r := rand.New(rand.NewPCG(who, uint64(face)))
				for range 300 {
					n, _ := d.Write(atRandom(r))
					mu.Lock()
					written[face] += n
					mu.Unlock()
					fake.allow(r.IntN(30))
				}
			})
		}
		wg.Go(func() {
			r := rand.New(rand.NewPCG(9, uint64(face)))
			for range 300 {
				frames := atRandom(r)
				fake.arrive(frames...)
				arrived[face] += len(frames)
			}
		})
	}
	done := make(chan struct{})
	flusher.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				p.Flush()
			}
		}
	})
	wg.Wait()
	close(done)
	flusher.Wait()
	p.Close()
	c := mustParse(t, file.Bytes())
	var got [2][3]int
	for _, p := range c.packets {
		got[p.face][p.direction()]++
	}
	for face := range 2 {
		s := c.stats[uint32(face)]
		if want := [3]int{0, arrived[face], written[face]}; s[1] == 0 && got[face] != want || s[0] != uint64(want[1]+want[2]) {
			t.Errorf("device %d: the file has %v frames, want %v; statistics %v", face, got[face], want, s)
		}
	}
}

func TestCaptureAllocatesNothing(t *testing.T) {
	comments := link.PcapConfig{Comment: func(link.Direction, *link.Frame) string { return "always the same" }}
	for what, c := range map[string]link.PcapConfig{"plain": {}, "comments": comments} {
		if raceEnabled && c.Comment != nil {
			continue // the race detector makes pools forget
		}
		p := link.NewPcapNG(nothing{}, c)
		fake := newFake(ignore)
		d := link.Capture(fake, p)
		d.Attach(link.Handler{Receive: ignore})
		frames := testFrames(0, 40)
		frames[7] = packetTo(addr6b, 6, 1400)
		mustNotAllocate(t, what, func() {
			mustWrite(t, d, frames...)
			fake.arrive(frames...)
			fake.room = 20
			d.Write(frames)
			fake.room = -1
			p.Flush()
		})
		p.Close()
	}
}

type nothing struct{}

func (nothing) Write(b []byte) (int, error) { return len(b), nil }

func BenchmarkCapture(b *testing.B) {
	for _, snap := range []int{0, 96} {
		b.Run(fmt.Sprintf("snap=%d", snap), func(b *testing.B) {
			p := link.NewPcapNG(nothing{}, link.PcapConfig{SnapLen: snap})
			d := link.Capture(newFake(ignore), p)
			frames := make([]link.Frame, 32)
			for i := range frames {
				frames[i] = packetTo(addr4b, 17, 1472)
			}
			b.SetBytes(32 * 1514)
			b.ReportAllocs()
			for b.Loop() {
				d.Write(frames)
			}
			p.Close()
		})
	}
}
