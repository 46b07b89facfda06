//go:build unix

package main

import (
	"context"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"landline"
	"landline/dhcp"
	"landline/link"
)

// A desk is the machine at the other end of a script's network.
type desk struct {
	listener net.Listener
	ready    chan struct{} // closed when somebody has connected, or nobody will
	host     *landline.Host
}

type deskKey struct{}

func deskOf(ts *testscript.TestScript) *desk {
	d := ts.Value(deskKey{}).(map[string]*desk)["desk"]
	if d == nil {
		ts.Fatalf("there is no desk")
	}
	<-d.ready
	if d.host == nil {
		ts.Fatalf("nobody has connected to the desk")
	}
	return d
}

func cmdDesk(ts *testscript.TestScript, _ bool, args []string) {
	ln, err := net.Listen("unix", ts.MkAbs(args[0]))
	ts.Check(err)
	cfg := landline.Config{Probes: -1}
	for _, s := range args[1:] {
		cfg.Addresses = append(cfg.Addresses, netip.MustParsePrefix(s))
	}
	d := &desk{listener: ln, ready: make(chan struct{})}
	ts.Value(deskKey{}).(map[string]*desk)["desk"] = d
	go d.accept(cfg)
	ts.Defer(d.close)
}

func (d *desk) accept(cfg landline.Config) {
	defer close(d.ready)
	conn, err := d.listener.Accept()
	if err != nil {
		return
	}
	d.plug(link.NewStream(conn, link.Info{Name: "eth0"}), cfg, true)
}

// plug puts the desk on a network, with a DHCP server or without.
func (d *desk) plug(dev link.Device, cfg landline.Config, server bool) {
	h, err := landline.NewHost(dev, cfg)
	if err != nil {
		return
	}
	d.host = h
	if !server {
		return
	}
	if s, err := h.ListenUDP("udp4", &net.UDPAddr{Port: dhcp.ServerPort}); err == nil {
		s.SetBroadcast(true)
		go lease(s, cfg.Addresses[0])
	}
}

// lease gives out the addresses of the desk's network from its 100th on.
func lease(s *landline.UDPConn, own netip.Prefix) {
	first := own.Masked().Addr().As4()
	first[3] += 100
	last := first
	last[3] += 9
	server, err := dhcp.NewServer(dhcp.ServerConfig{ID: own.Addr(), Subnets: []dhcp.Subnet{{
		Prefix: own.Masked(), Ranges: []dhcp.Range{{First: netip.AddrFrom4(first), Last: netip.AddrFrom4(last)}},
	}}})
	if err != nil {
		return
	}
	for b := make([]byte, 1500); ; {
		n, _, to, err := s.ReadFromTo(b)
		if err != nil {
			return
		}
		if m, err := dhcp.ParseMessage(b[:n]); err == nil {
			if r := server.Arrive(time.Now(), m, to); r.Message != nil {
				s.WriteToUDPAddrPort(r.Message, r.To.Addr)
			}
		}
	}
}

func (d *desk) close() {
	d.listener.Close()
	<-d.ready
	if d.host != nil {
		d.host.Close()
	}
}

func cmdUnplug(ts *testscript.TestScript, _ bool, _ []string) { deskOf(ts).host.Close() }

func cmdPing(ts *testscript.TestScript, _ bool, args []string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	_, err := deskOf(ts).host.Ping(ctx, args[0], landline.PingConfig{Size: 4000})
	ts.Check(err)
}

func cmdAsk(ts *testscript.TestScript, neg bool, args []string) {
	wait := patience
	if neg {
		wait = 200 * time.Millisecond
	}
	local := &net.UDPAddr{}
	if len(args) > 3 { // from a port
		ap, err := netip.ParseAddrPort(args[3])
		ts.Check(err)
		local = net.UDPAddrFromAddrPort(ap)
	}
	remote, err := netip.ParseAddrPort(args[1])
	ts.Check(err)
	c, err := deskOf(ts).host.DialUDP("udp", local, net.UDPAddrFromAddrPort(remote))
	ts.Check(err)
	defer c.Close()
	_, err = c.Write([]byte(args[2]))
	ts.Check(err)
	c.SetReadDeadline(time.Now().Add(wait))
	b := make([]byte, 65535)
	n, err := c.Read(b)
	if neg != (err != nil) {
		ts.Fatalf("%s answers %q, %v", args[1], b[:n], err)
	}
	ts.Check(os.WriteFile(filepath.Join(ts.Getenv("WORK"), args[0]), b[:n], 0o600))
}

// Who waits for an address is told when none comes, and only then.
func TestNoLeaseIsTold(t *testing.T) {
	const said = "landline: no DHCP server has given an address yet\n"
	for server, times := range map[bool]int{false: 1, true: 0} {
		synctest.Test(t, func(t *testing.T) {
			near, far := link.NewCable(link.CableConfig{})
			d := desk{}
			d.plug(far, landline.Config{Addresses: []netip.Prefix{netip.MustParsePrefix("10.9.0.1/16")}, Probes: -1}, server)
			defer d.host.Close()
			h, err := landline.NewHost(near, landline.Config{DHCP: true})
			if err != nil {
				t.Fatal(err)
			}
			defer h.Close()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			m := machine{app: &app{}, host: h, dhcp: true}
			got := stderrOf(t, func() { m.serve(ctx, nil) })
			if strings.Count(got, said) != times || strings.Contains(got, "is up (dhcp)") != server {
				t.Errorf("with a server: %v; told %q", server, got)
			}
		})
	}
}

// --quiet leaves errors alone.
func TestQuietMachineSaysNothing(t *testing.T) {
	for _, quiet := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			near, _ := link.NewCable(link.CableConfig{})
			m := machine{app: &app{quiet: quiet}, host: newMachine(t, near, "10.0.0.2/24")}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			got := stderrOf(t, func() { m.serve(ctx, []service{{"echo", 7}}) })
			m.close()
			if lines := strings.Count(got, "\n"); (lines == 0) != quiet {
				t.Errorf("quiet is %v, and told %q", quiet, got)
			}
		})
	}
}

// stderrOf returns what f prints to standard error.
func stderrOf(t *testing.T, f func()) string {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	real := os.Stderr
	defer func() { os.Stderr = real }()
	os.Stderr = file
	f()
	b, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// cmdTalk says something to a TCP service and hears it out, or up to a number of bytes, after which the client
// leaves.
func cmdTalk(ts *testscript.TestScript, _ bool, args []string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := deskOf(ts).host.DialContext(ctx, "tcp", args[1])
	ts.Check(err)
	c := conn.(*landline.TCPConn)
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	text, err := strconv.Unquote(`"` + args[2] + `"`)
	ts.Check(err)
	_, err = io.WriteString(c, text)
	ts.Check(err)
	ts.Check(c.CloseWrite())
	limit := int64(1 << 30)
	if len(args) > 3 {
		limit, err = strconv.ParseInt(args[3], 10, 64)
		ts.Check(err)
	}
	answer, err := io.ReadAll(io.LimitReader(c, limit))
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), answer, 0o600))
}

// The ports of small services are not answered.
func TestServicesDoNotAnswerEachOther(t *testing.T) {
	g := guard{700}
	for port, want := range map[uint16]bool{7: true, 19: true, 700: true, 701: false, 53: false} {
		if g.has(port) != want {
			t.Errorf("port %d is guarded: %v", port, !want)
		}
	}
}

func TestServices(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"upper", "Grüße, déjà vu\n", "GRÜßE, DÉJÀ VU\n"},
		{"upper", "raw \xff\x00 abc", "RAW \xff\x00 ABC"},
		{"upper", "a\xe2\x82b", "A\xe2\x82B"},
		{"echo", "a\x00b", "a\x00b"},
		{"discard", "x", ""},
		{"chargen", "", "\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghi\r\n"},
	} {
		if got := string(answererOf(c.name)([]byte(c.in), 2)); got != c.want {
			t.Errorf("%s of %q: %q", c.name, c.in, got)
		}
	}
	if last := chargen(94); len(last) != 74 || last[0] != '~' || last[1] != ' ' {
		t.Errorf("the 94th line is %q", last)
	}
}
