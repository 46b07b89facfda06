package interop

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"landline/link"
	"landline/wire"
)

// tshark prints fields of each packet of a capture file, one packet a line, and checks
// all checksums.
func tshark(t *testing.T, path string, fields ...string) []string {
	t.Helper()
	args := []string{"-r", path, "-n", "-T", "fields", "-E", "separator=/s", "-E", "occurrence=f"}
	for _, p := range []string{"ip", "tcp", "udp"} {
		args = append(args, "-o", p+".check_checksum:TRUE")
	}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	cmd := exec.CommandContext(t.Context(), need(t, "tshark")["tshark"], args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	complaint := strings.Join(slices.DeleteFunc(strings.Split(stderr.String(), "\n"), func(line string) bool {
		return line == "" || strings.HasPrefix(line, "Running as user")
	}), "\n")
	if err != nil || complaint != "" {
		t.Fatalf("tshark: %v\n%s", err, complaint)
	}
	return strings.Split(strings.TrimRight(string(out), "\n"), "\n")
}

var (
	tsharkMACs  = [2]wire.MAC{{2, 0, 0, 0, 0, 1}, {2, 0, 0, 0, 0, 2}}
	tsharkAddrs = map[bool][2]netip.Addr{
		false: {netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")},
		true:  {netip.MustParseAddr("fd00::1"), netip.MustParseAddr("fd00::2")},
	}
)

// openTCP makes a segment whose checksum is left open, and openUDP a datagram.
func openTCP(v6 bool, n int) link.Frame {
	a := tsharkAddrs[v6]
	f := openIP(v6, wire.ProtoTCP, wire.TCPLen+n)
	f.Head = wire.AppendTCP(f.Head, &wire.TCPHeader{SrcPort: 40000, DstPort: 9, Seq: wire.SeqOf(1), Flags: wire.FlagACK, Window: 1000}, nil)
	wire.TCP(f.Head[f.SumStart:]).SetPartialChecksum(wire.PseudoSum(a[0], a[1], wire.ProtoTCP, wire.TCPLen+n))
	f.SumField = f.SumStart + 16
	f.Body = bytes.Repeat([]byte("landline "), n/9+1)[:n]
	return f
}

func openUDP(v6 bool, n int) link.Frame {
	a := tsharkAddrs[v6]
	f := openIP(v6, wire.ProtoUDP, wire.UDPLen+n)
	f.Head = wire.AppendUDP(f.Head, 40000, 9, n)
	wire.UDP(f.Head[f.SumStart:]).SetPartialChecksum(wire.PseudoSum(a[0], a[1], wire.ProtoUDP, wire.UDPLen+n))
	f.SumField = f.SumStart + 6
	f.Body = bytes.Repeat([]byte("landline "), n/9+1)[:n]
	return f
}

func openIP(v6 bool, p wire.Protocol, n int) link.Frame {
	a, m := tsharkAddrs[v6], tsharkMACs
	var b []byte
	if v6 {
		b = wire.AppendEthernet(b, m[1], m[0], wire.TypeIPv6)
		b = wire.AppendIPv6(b, &wire.IPv6Header{NextHeader: p, HopLimit: 64, Src: a[0], Dst: a[1]}, n)
	} else {
		b = wire.AppendEthernet(b, m[1], m[0], wire.TypeIPv4)
		b = wire.AppendIPv4(b, &wire.IPv4Header{Protocol: p, TTL: 64, Src: a[0], Dst: a[1]}, n)
	}
	return link.Frame{Head: b, Sum: link.SumPartial, SumStart: uint16(len(b))}
}

// captureOf makes a capture file of frames that a cable carries, as both of its ends
// see them.
func captureOf(t *testing.T, c link.PcapConfig, frames ...link.Frame) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cable.pcapng")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	p := link.NewPcapNG(file, c)
	a, b := link.NewCable(link.CableConfig{Units: true, Names: [2]string{"left", "right"}, MACs: tsharkMACs})
	left, right := link.Capture(a, p), link.Capture(b, p)
	for _, d := range []link.Device{left, right} {
		d.Attach(link.Handler{Receive: func([]link.Frame) {}})
	}
	for _, f := range frames {
		if n, err := left.Write([]link.Frame{f}); n != 1 || err != nil {
			t.Fatalf("Write took %d frames, error %v", n, err)
		}
	}
	for _, close := range []func() error{left.Close, right.Close, p.Close, file.Close} {
		if err := close(); err != nil {
			t.Fatal(err)
		}
	}
	return path
}

func TestTsharkFindsNoFaultInACapture(t *testing.T) {
	need(t, "tshark")
	unit4, unit6 := openTCP(false, 65000), openTCP(true, 65000)
	unit4.SegSize, unit6.SegSize = 1460, 1440
	arp := wire.AppendEthernet(nil, wire.Broadcast, tsharkMACs[0], wire.TypeARP)
	a := tsharkAddrs[false]
	arp = wire.AppendARP(arp, wire.ARPRequest, tsharkMACs[0], a[0], wire.MAC{}, a[1])
	path := captureOf(t, link.PcapConfig{}, openTCP(false, 100), openTCP(true, 1), openUDP(false, 1400), openUDP(true, 0),
		unit4, unit6, link.Frame{Head: arp})
	got := tshark(t, path, "frame.interface_name", "frame.packet_flags_direction", "frame.len",
		"ip.checksum.status", "tcp.checksum.status", "udp.checksum.status", "arp.dst.proto_ipv4")
	// A status of 1 is good. Each frame is seen as it leaves the left end, and as it comes to
	// the right one.
	var want []string
	for _, line := range []string{
		"154 1 1  ",
		"75  1  ",
		"1442 1  1 ",
		"62   1 ",
		"65054 1 1  ",
		"65074  1  ",
		"42    10.0.0.2",
	} {
		want = append(want, "left 0x00000002 "+line, "right 0x00000001 "+line)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestTsharkSeesWhatWasLeftOpen(t *testing.T) {
	need(t, "tshark")
	path := captureOf(t, link.PcapConfig{OpenChecksums: true}, openTCP(true, 100))
	if got := tshark(t, path, "tcp.checksum.status"); !slices.Equal(got, []string{"0", "0"}) {
		t.Errorf("the checksums have status %q, want 0 (bad)", got)
	}
}

func TestTsharkReadsTimesCommentsAndLengths(t *testing.T) {
	need(t, "tshark")
	path := filepath.Join(t.TempDir(), "file.pcapng")
	var file bytes.Buffer
	p := link.NewPcapNG(&file, link.PcapConfig{SnapLen: 60})
	var want []string
	for i, name := range []string{"left", "right"} {
		face := p.Interface(link.Info{Name: name, MAC: tsharkMACs[i]})
		f := openUDP(false, 100*i)
		p.Frame(face, link.NoDirection, time.Unix(1_700_000_000, int64(i+7)), &f, "Grüße "+name)
		want = append(want, fmt.Sprintf("%s 1700000000.%09d %d %d Grüße %s", name, i+7, f.Len(), min(60, f.Len()), name))
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	got := tshark(t, path, "frame.interface_name", "frame.time_epoch", "frame.len", "frame.cap_len", "frame.comment")
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
