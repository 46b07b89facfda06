package interop

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"landline"
)

// Sizes of pings: the least that ping can measure, the most that fits a frame, one more, and near the most that there
// can be.
var pingSizes = []int{1, 1472, 1473, 65000}

func TestKernelPingsUs(t *testing.T) {
	r := newRig(t)
	need(t, "ping")
	r.both()
	for _, a := range []netip.Prefix{ours4, ours6} {
		for _, n := range pingSizes {
			// One at a time: the socket of a ping that is late has no room for two long answers.
			out := run(t, "ping", "-n", "-c", "1", "-W", "10", "-s", strconv.Itoa(n), a.Addr().String())
			if !strings.Contains(out, "1 received") {
				t.Errorf("%v, %d bytes:\n%s", a.Addr(), n, out)
			}
		}
	}
}

func TestWePingTheKernel(t *testing.T) {
	r := newRig(t)
	h := r.both()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for _, a := range []netip.Prefix{kernel4, kernel6} {
		for _, n := range pingSizes {
			reply, err := h.Ping(ctx, a.Addr().String(), landline.PingConfig{Size: n})
			if err != nil || reply.Size != n || reply.From != a.Addr() {
				t.Errorf("%v, %d bytes: %+v, %v", a.Addr(), n, reply, err)
			}
		}
	}
}

func TestArpingFindsUsAndOurAddressIsTaken(t *testing.T) {
	r := newRig(t)
	arping := need(t, "arping")["arping"]
	r.both()
	run(t, arping, "-c", "2", "-w", "20", "-I", "tap0", ours4.Addr().String())
	// -D asks as one who wants the address: it ends with 1 if somebody has it, with 0 if nobody does.
	run(t, "ip", "addr", "del", kernel4.String(), "dev", "tap0")
	err := exec.Command(arping, "-D", "-c", "2", "-w", "3", "-I", "tap0", ours4.Addr().String()).Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 1 {
		t.Errorf("our address seems free: %v", err)
	}
	if out, err := exec.Command(arping, "-D", "-c", "2", "-w", "3", "-I", "tap0", "10.77.0.99").CombinedOutput(); err != nil {
		t.Errorf("a free address seems taken: %v\n%s", err, out)
	}
}

func TestNdisc6FindsUs(t *testing.T) {
	r := newRig(t)
	ndisc := need(t, "ndisc6")["ndisc6"]
	h := r.both()
	mac := h.Interfaces()[1].MAC.String()
	out := run(t, ndisc, "-r", "5", "-w", "3000", ours6.Addr().String(), "tap0")
	if !strings.Contains(strings.ToLower(out), mac) {
		t.Errorf("no %s in\n%s", mac, out)
	}
}

// echo answers every datagram until the connection is closed.
func echo(c net.PacketConn) {
	buf := make([]byte, 65536)
	for {
		n, from, err := c.ReadFrom(buf)
		if err != nil {
			return
		}
		c.WriteTo(buf[:n], from)
	}
}

// bounces holds that datagrams of every size come back.
func bounces(t *testing.T, c net.Conn, most int) {
	t.Helper()
	defer c.Close()
	buf := make([]byte, 65536)
	for _, n := range []int{1, 2, 1400, 1452, 1453, 1472, 1473, 9000, most} {
		sent := []byte(strings.Repeat("landline ", n/9+1)[:n])
		c.SetDeadline(time.Now().Add(patience))
		if _, err := c.Write(sent); err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		got, err := c.Read(buf)
		if err != nil || string(buf[:got]) != string(sent) {
			t.Fatalf("%d bytes: %d came back, %v", n, got, err)
		}
	}
}

const (
	most4 = 65507
	most6 = 65487 // what the kernel sends at most over IPv6 without a jumbogram's header, less 40
)

func TestDatagramsGoBothWays(t *testing.T) {
	r := newRig(t)
	h := r.both()
	for _, c := range []struct {
		ours, theirs netip.Addr
		most         int
	}{{ours4.Addr(), kernel4.Addr(), most4}, {ours6.Addr(), kernel6.Addr(), most6}} {
		server, err := h.ListenPacket(t.Context(), "udp", netip.AddrPortFrom(c.ours, 7).String())
		if err != nil {
			t.Fatal(err)
		}
		go echo(server)
		client, err := net.Dial("udp", server.LocalAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		bounces(t, client, c.most)
		server.Close()

		server, err = net.ListenPacket("udp", netip.AddrPortFrom(c.theirs, 7).String())
		if err != nil {
			t.Fatal(err)
		}
		go echo(server)
		client, err = h.DialContext(t.Context(), "udp", server.LocalAddr().String())
		if err != nil {
			t.Fatal(err)
		}
		bounces(t, client, c.most)
		server.Close()
	}
}

func TestClosedPortsRefuseBothWays(t *testing.T) {
	r := newRig(t)
	h := r.both()
	for _, c := range []struct{ ours, theirs netip.Addr }{{ours4.Addr(), kernel4.Addr()}, {ours6.Addr(), kernel6.Addr()}} {
		theirs, err := net.Dial("udp", netip.AddrPortFrom(c.ours, 9).String())
		if err != nil {
			t.Fatal(err)
		}
		refused(t, "the kernel's socket", theirs)
		ours, err := h.DialContext(t.Context(), "udp", netip.AddrPortFrom(c.theirs, 9).String())
		if err != nil {
			t.Fatal(err)
		}
		refused(t, "our socket", ours)
	}
}

func refused(t *testing.T, what string, c net.Conn) {
	t.Helper()
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	if _, err := c.Write([]byte("anybody?")); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 10)); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("%s: %v", what, err)
	}
}

func TestNmapTellsOpenFromClosed(t *testing.T) {
	r := newRig(t)
	nmap := need(t, "nmap")["nmap"]
	h := r.both()
	server, err := h.ListenPacket(t.Context(), "udp", netip.AddrPortFrom(ours4.Addr(), 7).String())
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	go echo(server)
	out := run(t, nmap, "-n", "-sU", "-Pn", "--disable-arp-ping", "-p", "7,9", "--max-retries", "3", "--data-string", "hello", ours4.Addr().String())
	if !strings.Contains(out, "7/udp open ") || !strings.Contains(out, "9/udp closed") {
		t.Errorf("nmap says\n%s", out)
	}
	out = run(t, nmap, "-n", "-sn", ours4.Addr().String())
	if !strings.Contains(out, "Host is up") {
		t.Errorf("nmap -sn says\n%s", out)
	}
}

func TestWeTakeALeaseOfDnsmasq(t *testing.T) {
	r := newRig(t)
	dir := t.TempDir()
	dnsmasq := exec.Command(need(t, "dnsmasq")["dnsmasq"], "--keep-in-foreground", "--conf-file=/dev/null", "--no-hosts", "--no-resolv",
		"--user=root", "--interface=tap0", "--bind-interfaces", "--dhcp-range=10.77.0.50,10.77.0.60,2m", "--domain=rig.test",
		"--dhcp-option=option:router,10.77.0.1", "--address=/desk.rig.test/10.77.0.9", "--dhcp-authoritative",
		"--dhcp-leasefile="+filepath.Join(dir, "leases"), "--pid-file="+filepath.Join(dir, "pid"), "--log-dhcp", "--log-facility="+filepath.Join(dir, "log"))
	if err := dnsmasq.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		dnsmasq.Process.Kill()
		dnsmasq.Wait()
		if t.Failed() {
			text, _ := os.ReadFile(filepath.Join(dir, "log"))
			t.Logf("dnsmasq: %s", text)
		}
	})
	h := r.host(landline.Config{DHCP: true, Hostname: "shed"})
	var leased netip.Prefix
	for _, a := range h.Addresses() {
		if a.Origin == "dhcp" {
			leased = a.Prefix
		}
	}
	if !netip.MustParsePrefix("10.77.0.48/28").Contains(leased.Addr()) || leased.Bits() != 24 {
		t.Fatalf("leased %v", leased)
	}
	run(t, "ping", "-n", "-c", "1", "-W", "10", leased.Addr().String())
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	addrs, err := h.LookupHost(ctx, "desk") // by the domain and the server that the lease tells of
	if err != nil || len(addrs) != 1 || addrs[0] != "10.77.0.9" {
		t.Errorf("desk is %v, %v", addrs, err)
	}
	if out := run(t, "cat", filepath.Join(dir, "leases")); !strings.Contains(out, " shed ") {
		t.Errorf("leases:\n%s", out)
	}
	h.Close()
	r.eventually("dnsmasq takes the lease back", func() bool {
		text, _ := os.ReadFile(filepath.Join(dir, "leases"))
		return !strings.Contains(string(text), leased.Addr().String())
	})
}
