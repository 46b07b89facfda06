package ladder_test

import (
	"bytes"
	"flag"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"landline"
	"landline/internal/ladder"
	"landline/lan"
	"landline/link"
	"landline/wire"
)

var update = flag.Bool("update", false, "write testdata anew")

// Two machines take addresses, one finds the other by its name, and they talk: the ladder of what passed is the same each
// time, and the one in testdata.
func TestLadderOfALAN(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, hosts := newLAN(t)
		gate, desk, shed := hosts[0], hosts[1], hosts[2]
		l.Note("desk asks shed, whom it knows by name")
		ln, err := shed.Listen(t.Context(), "tcp", ":80")
		if err != nil {
			t.Fatal(err)
		}
		go answer(t, ln)
		c, err := desk.DialContext(t.Context(), "tcp4", "shed.lan:80")
		if err != nil {
			t.Fatal(err)
		}
		ask(t, c)
		l.Note("who does not listen resets")
		if _, err := desk.DialContext(t.Context(), "tcp4", "10.0.0.3:81"); err == nil {
			t.Error("nobody listens there, and it is a connection")
		}
		l.Note("gate pings shed")
		if _, err := gate.Ping(t.Context(), "10.0.0.3", landline.PingConfig{}); err != nil {
			t.Error(err)
		}
		var got bytes.Buffer
		if err := l.Draw(&got, 0); err != nil {
			t.Fatal(err)
		}
		compare(t, "testdata/lan.txt", got.String())

		var tail bytes.Buffer
		if err := l.Draw(&tail, 2); err != nil || strings.Count(tail.String(), "\n") != 8 || !strings.HasSuffix(got.String(), tail.String()[strings.LastIndex(tail.String(), "what it says")+13:]) {
			t.Errorf("the last two steps are, %v:\n%s", err, &tail)
		}
	})
}

// compare checks a text against a file.
func compare(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("not what %s has; go test -update writes it anew:\n%s", file, got)
	}
	for line := range strings.Lines(got) {
		if n := len([]rune(line)) - 1; n > 100 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

// newLAN makes a LAN of three machines that is seen by a ladder. A frame takes a while from one to another, so that
// things happen one after the other.
func newLAN(t *testing.T) (*ladder.Ladder, []*landline.Host) {
	l := ladder.New(ladder.Machine{Name: "gate", MAC: mac(1)}, ladder.Machine{Name: "desk", MAC: mac(2)}, ladder.Machine{Name: "shed", MAC: mac(3)})
	s := lan.NewSwitch(lan.Config{Seed: 1})
	t.Cleanup(func() { s.Close() })
	port := func(n byte) link.Device {
		p, err := s.NewPort(lan.PortConfig{MAC: mac(n), Without: link.OffloadChecksum})
		if err != nil {
			t.Fatal(err)
		}
		late := link.Impairment{Delay: time.Duration(100+n) * time.Microsecond}
		return link.Impair(&seen{Device: p, ladder: l}, late, link.Impairment{})
	}
	g, err := lan.NewGateway(port(1), lan.GatewayConfig{Name: "gate", Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/24")}, Seed: 1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { g.Close() })
	hosts := []*landline.Host{g.Host()}
	for i, name := range []string{"desk", "shed"} {
		l.Note(name + " takes an address")
		h, err := landline.NewHost(port(byte(2+i)), landline.Config{DHCP: true, Hostname: name, NoIPv6: true, Probes: -1, Seed: uint64(2 + i)})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { h.Close() })
		if err := h.WaitReady(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		hosts = append(hosts, h)
	}
	return l, hosts
}

func mac(n byte) wire.MAC { return wire.MAC{0x02, 0, 0, 0, 0, n} }

// A seen device tells a ladder of frames before they are sent.
type seen struct {
	link.Device
	ladder *ladder.Ladder
}

func (d *seen) Write(frames []link.Frame) (int, error) {
	for i := range frames {
		d.ladder.Frame(time.Now(), &frames[i])
	}
	return d.Device.Write(frames)
}

// answer reads all that is asked, sends 20,000 bytes, and closes.
func answer(t *testing.T, ln net.Listener) {
	c, err := ln.Accept()
	if err != nil {
		t.Error(err)
		return
	}
	defer c.Close()
	if _, err := io.Copy(io.Discard, c); err != nil {
		t.Error(err)
	}
	if _, err := c.Write(make([]byte, 20_000)); err != nil {
		t.Error(err)
	}
}

// ask sends 5,000 bytes and their end, and reads the answer.
func ask(t *testing.T, c net.Conn) {
	t.Helper()
	if _, err := c.Write(make([]byte, 5_000)); err != nil {
		t.Error(err)
	}
	c.(*landline.TCPConn).CloseWrite()
	if n, err := io.Copy(io.Discard, c); n != 20_000 || err != nil {
		t.Errorf("%d bytes, %v", n, err)
	}
	c.Close()
	time.Sleep(time.Second)
}

// Several may tell it of frames while others look.
func TestLadderIsUsedByMany(t *testing.T) {
	l := ladder.New(ladder.Machine{Name: "desk", MAC: mac(1)})
	var busy sync.WaitGroup
	for range 4 {
		busy.Go(func() {
			for range 25 {
				l.Frame(time.Now(), &link.Frame{Head: segment(10)})
				l.Note("more")
				l.Draw(io.Discard, 0)
			}
		})
	}
	busy.Wait()
	frames := 0
	for _, s := range l.Steps() {
		frames += s.Segments
	}
	if frames != 100 {
		t.Errorf("%d segments, not 100", frames)
	}
}

// segment makes a frame with a TCP segment that carries n bytes.
func segment(n int) []byte {
	b := wire.AppendEthernet(nil, mac(2), mac(1), wire.TypeIPv4)
	h := wire.IPv4Header{TTL: 64, Protocol: wire.ProtoTCP, Src: netip.MustParseAddr("10.0.0.1"), Dst: netip.MustParseAddr("10.0.0.2")}
	b = wire.AppendIPv4(b, &h, wire.TCPLen+n)
	b = wire.AppendTCP(b, &wire.TCPHeader{SrcPort: 1, DstPort: 2, Seq: wire.SeqOf(1 << 31), Flags: wire.FlagACK}, nil)
	return append(b, make([]byte, n)...)
}

// A unit of several segments counts as these, and a connection that began before counts from where it is first seen.
func TestUnitsAreSegments(t *testing.T) {
	l := ladder.New(ladder.Machine{Name: "desk", MAC: mac(1)})
	l.Frame(time.Now(), &link.Frame{Head: segment(3000), SegSize: 1000})
	l.Frame(time.Now(), &link.Frame{Head: segment(1)})
	fin := segment(0)
	fin[47] |= byte(wire.FlagFIN)
	l.Frame(time.Now(), &link.Frame{Head: fin})
	steps := l.Steps()
	if len(steps) != 2 || steps[0].Segments != 4 || steps[0].Bytes != 3001 || steps[0].Text != "4 segments, 3,001 B" {
		t.Errorf("%+v", steps)
	} else if want := "FIN ACK seq 1 ack 1"; steps[1].Text != want {
		t.Errorf("%q, not %q", steps[1].Text, want)
	}
}

// All that is drawn stands in columns, however long it took.
func TestColumnsStayWhereTheyAreForHours(t *testing.T) {
	l := ladder.New(ladder.Machine{Name: "desk", MAC: mac(1)}, ladder.Machine{Name: "shed", MAC: mac(2)})
	for _, at := range []time.Duration{0, 20 * time.Second, 3 * time.Hour} {
		fin := segment(0)
		fin[47] |= byte(wire.FlagFIN)
		l.Frame(time.Unix(0, 0).Add(at), &link.Frame{Head: fin})
	}
	l.Note("more")
	var out strings.Builder
	l.Draw(&out, 0)
	_, drawn, _ := strings.Cut(out.String(), "\n\n")
	at := -1
	for line := range strings.Lines(drawn) {
		for _, head := range []string{"link", ":01 >", ":02 >", "more"} {
			if before, _, ok := strings.Cut(line, head); ok && at < 0 {
				at = utf8.RuneCountInString(before)
			} else if ok && at != utf8.RuneCountInString(before) {
				t.Errorf("a column moves:\n%s", drawn)
			}
		}
	}
	if at < 0 {
		t.Errorf("nothing is drawn:\n%s", drawn)
	}
}

// Whatever comes, it is drawn.
func FuzzLadder(f *testing.F) {
	f.Add([]byte{})
	f.Add(segment(0))
	f.Add(segment(20)[:50])
	f.Add(wire.AppendARP(wire.AppendEthernet(nil, wire.Broadcast, mac(1), wire.TypeARP), wire.ARPRequest, mac(1),
		netip.MustParseAddr("10.0.0.1"), wire.MAC{}, netip.MustParseAddr("10.0.0.2")))
	f.Add(append(wire.AppendEthernet(nil, mac(1), mac(2), wire.TypeIPv6), 0x60))
	f.Fuzz(func(t *testing.T, b []byte) {
		l := ladder.New(ladder.Machine{Name: "desk", MAC: mac(1)}, ladder.Machine{Name: "shed", MAC: mac(2)})
		for range 2 {
			l.Frame(time.Now(), &link.Frame{Head: b})
		}
		var out bytes.Buffer
		if err := l.Draw(&out, 0); err != nil {
			t.Fatal(err)
		}
		for _, c := range out.String() {
			if c != '\n' && (c < ' ' || c == 0x7f) {
				t.Fatalf("%q goes to the terminal", c)
			}
		}
	})
}
