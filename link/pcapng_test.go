package link_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"landline/link"
	"landline/wire"
)

// mustParse reads what was written so far.
func mustParse(t testing.TB, b []byte) *capture {
	t.Helper()
	c, err := parseCapture(b)
	if err != nil {
		t.Fatalf("the file cannot be read: %v\n%s", err, hex.Dump(b))
	}
	return c
}

// golden is a file of an interface and a packet, that can be checked by hand.
const golden = `
	0a0d0d0a 2c000000            | section header, 44 bytes
	4d3c2b1a 01000000            | byte order, version 1.0
	ffffffffffffffff             | a section of unknown length
	04000800 6c616e646c696e65    | user application "landline"
	00000000 2c000000            | end of options, length again

	01000000 34000000            | interface description, 52 bytes
	01000000 00000000            | Ethernet, no limit to the packets' length
	02000400 74617030            | name "tap0"
	06000600 020000000001 0000   | hardware address, padded
	09000100 09 000000           | resolution 10^-9 s, padded
	00000000 34000000            | end of options, length again

	06000000 48000000 00000000   | enhanced packet, 72 bytes, interface 0
	7a3ac917 15e9ce4b            | nanoseconds since 1970, the higher half first
	12000000 12000000            | 18 bytes of 18
	020000000002 020000000001    | Ethernet: to, from
	88b5 01020304 0000           | type, payload, padded
	01000200 6869 0000           | comment "hi", padded
	02000400 02000000            | flags: outbound
	00000000 48000000            | end of options, length again

	05000000 34000000 00000000   | statistics, 52 bytes, interface 0
	cf4c230d 00004352            | when: 2000-01-01 00:00:00 UTC
	04000800 0100000000000000    | one frame
	05000800 0000000000000000    | none of them dropped
	00000000 34000000            | end of options, length again
`

func unhex(t *testing.T, annotated string) (b []byte) {
	for line := range strings.Lines(annotated) {
		digits, _, _ := strings.Cut(line, "|")
		part, err := hex.DecodeString(strings.Join(strings.Fields(digits), ""))
		if err != nil {
			t.Fatal(err)
		}
		b = append(b, part...)
	}
	return b
}

func TestPcapNGWritesTheseBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // where it is the year 2000
		var file bytes.Buffer
		p := link.NewPcapNG(&file, link.PcapConfig{})
		face := p.Interface(link.Info{Name: "tap0", MAC: mac1})
		f := link.Frame{Head: wire.AppendEthernet(nil, mac2, mac1, 0x88b5), Body: []byte{1, 2, 3, 4}}
		p.Frame(face, link.Outbound, time.Unix(1_713_965_430, 123_456_789), &f, "hi")
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		if want := unhex(t, golden); !bytes.Equal(file.Bytes(), want) {
			t.Errorf("got\n%swant\n%s", hex.Dump(file.Bytes()), hex.Dump(want))
		}
	})
}

func TestPcapNGKeepsWhatItIsGiven(t *testing.T) {
	var file bytes.Buffer
	r := rand.New(rand.NewPCG(1, 2))
	p := link.NewPcapNG(&file, link.PcapConfig{SnapLen: 2000})
	for _, name := range []string{"left", "", "right"} {
		p.Interface(link.Info{Name: name, MAC: mac1})
	}
	var want []packet
	for i := range 500 {
		f := link.Frame{Head: payload(14 + r.IntN(100)), Body: payload(r.IntN(3000))}
		if i%50 == 0 {
			f.Body = payload(link.MaxFrame - len(f.Head))
		}
		w := packet{face: uint32(r.IntN(3)), length: uint32(f.Len()), comment: strings.Repeat("ä", r.IntN(9)), flags: uint32(r.IntN(3))}
		at := time.Unix(int64(i), int64(r.IntN(1e9)))
		w.at = uint64(at.UnixNano())
		w.bytes = f.AppendTo(nil)[:min(f.Len(), 2000)]
		p.Frame(int(w.face), link.Direction(w.flags), at, &f, w.comment)
		want = append(want, w)
	}
	p.Close()
	c := mustParse(t, file.Bytes())
	if len(c.faces) != 3 || c.faces[2] != (captureFace{"right", string(mac1[:]), 2000}) || c.faces[1].name != "" {
		t.Errorf("the interfaces are %+v", c.faces)
	}
	if len(c.packets) != len(want) {
		t.Fatalf("there are %d packets, want %d", len(c.packets), len(want))
	}
	for i, w := range want {
		got := c.packets[i]
		if !bytes.Equal(got.bytes, w.bytes) || got.at != w.at || got.face != w.face ||
			got.length != w.length || got.comment != w.comment || got.flags != w.flags {
			t.Errorf("packet %d is %+v, want %+v", i, got, w)
		}
	}
	if frames := c.stats[0][0] + c.stats[1][0] + c.stats[2][0]; frames != 500 || len(c.stats) != 3 {
		t.Errorf("the statistics are %v", c.stats)
	}
}

func TestPcapNGCutsLongText(t *testing.T) {
	var file bytes.Buffer
	p := link.NewPcapNG(&file, link.PcapConfig{})
	p.Interface(link.Info{Name: "x" + strings.Repeat("ä", 5000)})
	f := testFrame(64, 0)
	p.Frame(0, link.NoDirection, time.Unix(0, 0), &f, "x"+strings.Repeat("€", 5000)+"\xff")
	p.Frame(0, link.NoDirection, time.Unix(0, 0), &f, "\xff\xfe")
	p.Close()
	c := mustParse(t, file.Bytes())
	for _, s := range []string{c.faces[0].name, c.packets[0].comment} {
		if !utf8.ValidString(s) || len(s) > 4096 || len(s) < 4090 {
			t.Errorf("text has %d bytes: %q", len(s), s)
		}
	}
	if c.packets[1].comment != "" {
		t.Errorf("got %q", c.packets[1].comment)
	}
}

func TestPcapNGCompletesChecksums(t *testing.T) {
	for _, dst := range []struct {
		f link.Frame
	}{
		{packetTo(addr4b, wire.ProtoTCP, 1000)}, {packetTo(addr4b, wire.ProtoUDP, 1001)},
		{packetTo(addr6b, wire.ProtoTCP, 3)}, {packetTo(addr6b, wire.ProtoUDP, 0)},
		{packetTo(addr4b, wire.ProtoTCP, 65000)},
	} {
		f := dst.f
		f.Head, f.Body = append(f.Head, f.Body[:f.Len()%3%(len(f.Body)+1)]...), f.Body[f.Len()%3%(len(f.Body)+1):]
		var file, open bytes.Buffer
		p, q := link.NewPcapNG(&file, link.PcapConfig{SnapLen: 100}), link.NewPcapNG(&open, link.PcapConfig{OpenChecksums: true})
		for _, p := range []*link.PcapNG{p, q} {
			p.Interface(link.Info{})
			p.Frame(0, link.Outbound, time.Unix(0, 0), &f, "")
			p.Close()
		}
		if got, want := mustParse(t, file.Bytes()).packets[0], whole(&f); !bytes.Equal(got.bytes, want[:min(100, len(want))]) || got.flags != 2 {
			t.Errorf("got %+v, want %v", got, want[:min(100, len(want))])
		}
		if got := mustParse(t, open.Bytes()).packets[0]; !bytes.Equal(got.bytes, f.AppendTo(nil)) || got.flags != 2|1<<9 {
			t.Errorf("a checksum was completed that was to stay open: %+v", got)
		}
	}
}

// A sum of zero is sent as all ones: in UDP, zero would say that there is none.
func TestPcapNGNeverWritesAZeroChecksum(t *testing.T) {
	f := packetTo(addr4b, wire.ProtoUDP, 2)
	sum := whole(&f)[f.SumField:][:2]
	c := wire.Sum(uint16(f.Body[0])<<8 | uint16(f.Body[1])).Plus(wire.Sum(uint16(sum[0])<<8 | uint16(sum[1])))
	f.Body = []byte{byte(c >> 8), byte(c)}
	var file bytes.Buffer
	p := link.NewPcapNG(&file, link.PcapConfig{})
	p.Interface(link.Info{})
	p.Frame(0, link.Outbound, time.Unix(0, 0), &f, "")
	p.Close()
	got := mustParse(t, file.Bytes()).packets[0].bytes
	if accepted(got) == nil || got[f.SumField] != 0xff {
		t.Errorf("the checksum is %x", got[f.SumField:][:2])
	}
}

// slowFile is a file that takes nothing until it is let go.
type slowFile struct {
	letGo chan struct{}
	bytes.Buffer
}

func (f *slowFile) Write(b []byte) (int, error) {
	<-f.letGo
	return f.Buffer.Write(b)
}

func TestPcapNGNeverWaitsForTheFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := &slowFile{letGo: make(chan struct{})}
		p := link.NewPcapNG(file, link.PcapConfig{})
		p.Interface(link.Info{})
		const n, size = 30_000, 1500 // 45 MB
		f := testFrame(size, 0)
		for range n {
			p.Frame(0, link.Inbound, time.Now(), &f, "")
		}
		synctest.Wait() // the file is being written
		for range n {
			p.Frame(0, link.Inbound, time.Now(), &f, "")
		}
		close(file.letGo)
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
		c := mustParse(t, file.Bytes())
		there := uint64(len(c.packets))
		if s := c.stats[0]; s[0] != 2*n || s[1] != 2*n-there {
			t.Errorf("statistics are %v, with %d frames in the file", s, there)
		}
		if least := uint64(2*(32<<20)/(size+100) - 2); there < least || there > least*11/10 {
			t.Errorf("%d frames are in the file, want those of 64 MiB", there)
		}
	})
}

func TestPcapNGWritesEveryQuarterOfASecondOrMuchAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := new(lockedFile)
		p := link.NewPcapNG(file, link.PcapConfig{})
		defer p.Close()
		p.Interface(link.Info{})
		f := testFrame(64, 0)
		p.Frame(0, link.Inbound, time.Now(), &f, "")
		time.Sleep(249 * time.Millisecond)
		p.Frame(0, link.Inbound, time.Now(), &f, "")
		synctest.Wait()
		if len(file.all()) != 0 {
			t.Errorf("%d bytes are in the file after 249 ms", len(file.all()))
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if c := mustParse(t, file.all()); len(c.packets) != 2 {
			t.Errorf("%d frames are in the file after 250 ms, want 2", len(c.packets))
		}
		for range 200 {
			f := testFrame(1500, 0)
			p.Frame(0, link.Inbound, time.Now(), &f, "")
		}
		synctest.Wait() // no time passes
		if c := mustParse(t, file.all()); len(c.packets) < 170 {
			t.Errorf("%d frames are in the file, want more", len(c.packets))
		}
		p.Flush()
		if c := mustParse(t, file.all()); len(c.packets) != 202 {
			t.Errorf("%d frames are in the file after Flush, want 202", len(c.packets))
		}
	})
}

// failingFile takes so many bytes and then fails, and counts how often.
type failingFile struct {
	left  int
	calls int
}

func (f *failingFile) Write(b []byte) (int, error) {
	if f.left -= len(b); f.left >= 0 {
		return len(b), nil
	}
	f.calls++
	return 0, errDisk
}

var errDisk = errors.New("disk is full")

func TestPcapNGStopsAtAnError(t *testing.T) {
	file := &failingFile{left: 1000}
	p := link.NewPcapNG(file, link.PcapConfig{})
	d := link.Capture(newFake(ignore), p)
	d.Attach(link.Handler{Receive: ignore})
	mustWrite(t, d, testFrames(0, 1)...)
	if err := p.Flush(); err != nil || p.Err() != nil {
		t.Fatalf("an early error: %v", err)
	}
	mustWrite(t, d, testFrames(0, 100)...)
	for range 3 {
		if err := p.Flush(); err != errDisk || p.Err() != errDisk {
			t.Errorf("got %v, want %v", err, errDisk)
		}
		mustWrite(t, d, testFrames(0, 100)...)
	}
	if err := d.Close(); err != nil {
		t.Errorf("Close of the device: %v", err)
	}
	if err := p.Close(); err != errDisk || file.calls != 1 {
		t.Errorf("got %v after %d calls, want %v after one", err, file.calls, errDisk)
	}
}

type shortFile struct{}

func (shortFile) Write(b []byte) (int, error) { return len(b) - 1, nil }

func TestPcapNGNoticesAShortWrite(t *testing.T) {
	p := link.NewPcapNG(shortFile{}, link.PcapConfig{})
	if err := p.Close(); err != io.ErrShortWrite {
		t.Errorf("got %v", err)
	}
}

func TestPcapNGIgnoresWhatComesAfterClose(t *testing.T) {
	var file bytes.Buffer
	p := link.NewPcapNG(&file, link.PcapConfig{})
	d := link.Capture(newFake(ignore), p)
	d.Attach(link.Handler{Receive: ignore})
	mustWrite(t, d, testFrames(0, 1)...)
	p.Close()
	n := file.Len()
	mustWrite(t, d, testFrames(0, 1)...)
	p.Interface(link.Info{})
	d.Close()
	if err := p.Close(); err != nil || file.Len() != n {
		t.Errorf("%d bytes were written after Close, error %v", file.Len()-n, err)
	}
}

// lockedFile is a file that is read while it is written.
type lockedFile struct {
	mu sync.Mutex
	bytes.Buffer
}

func (f *lockedFile) Write(b []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.Buffer.Write(b)
}

func (f *lockedFile) all() []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	return bytes.Clone(f.Bytes())
}

// Whatever a frame says of itself, the file stays readable.
func FuzzPcapNGFrame(f *testing.F) {
	f.Add([]byte("0123456789abcdef"), []byte("body"), uint16(0), uint8(2), uint16(14), uint16(15), 0, "comment", false)
	f.Add([]byte{}, []byte{}, uint16(9), uint8(2), uint16(0xffff), uint16(0xffff), 3, "\xff", true)
	f.Add([]byte("0123456789abcdef"), []byte{}, uint16(0), uint8(9), uint16(14), uint16(14), -5, "", false)
	f.Fuzz(func(t *testing.T, head, body []byte, seg uint16, sum uint8, start, field uint16, snap int, comment string, open bool) {
		frame := link.Frame{Head: head, Body: body, SegSize: seg, Sum: link.SumState(sum), SumStart: start, SumField: field}
		before := frame.AppendTo(nil)
		var file bytes.Buffer
		p := link.NewPcapNG(&file, link.PcapConfig{SnapLen: snap, OpenChecksums: open})
		d := link.Capture(newFake(ignore), p)
		d.Write([]link.Frame{frame, frame})
		p.Frame(0, link.NoDirection, time.Unix(-1, 0), &frame, comment)
		p.Close()
		c := mustParse(t, file.Bytes())
		if len(c.packets) != 3 || int(c.packets[2].length) != len(before) || !bytes.Equal(frame.AppendTo(nil), before) {
			t.Errorf("got %+v of %v", c.packets, before)
		}
	})
}
