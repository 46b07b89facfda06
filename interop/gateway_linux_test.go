package interop

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"landline/lan"
)

// plugGateway makes the kernel at the TAP a machine of a LAN, whose gateway offers the loopback outside of the namespace.
func (r *rig) plugGateway() *lan.Gateway {
	r.Helper()
	run(r.T, "ip", "addr", "flush", "dev", "tap0", "scope", "global")
	s := lan.NewSwitch(lan.Config{})
	r.Cleanup(func() { s.Close() })
	if _, err := s.Plug(r.dev, lan.PortConfig{}); err != nil {
		r.Fatal(err)
	}
	port, err := s.NewPort(lan.PortConfig{Name: "gateway"})
	if err != nil {
		r.Fatal(err)
	}
	g, err := lan.NewGateway(port, lan.GatewayConfig{
		Addresses: []netip.Prefix{netip.MustParsePrefix("10.77.0.1/24"), netip.MustParsePrefix("fd77::1/64")},
		Loopback:  true, ResolvConf: "/nonexistent",
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if host, _, _ := net.SplitHostPort(address); host != "127.0.0.1" && host != "::1" {
				return nil, syscall.EHOSTUNREACH // there is no world in this test
			}
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	})
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { g.Close() })
	return g
}

// lease takes an address with udhcpc, and uses it.
func (r *rig) lease() {
	r.Helper()
	script := filepath.Join(r.TempDir(), "script")
	text := "#!/bin/sh\n[ \"$1\" = bound ] || exit 0\nip addr add $ip/$mask dev $interface\nip route add default via $router\n"
	if err := os.WriteFile(script, []byte(text), 0o700); err != nil {
		r.Fatal(err)
	}
	run(r.T, need(r.T, "udhcpc")["udhcpc"], "-f", "-q", "-n", "-i", "tap0", "-s", script, "-x", "hostname:box")
}

// The kernel and its programs use the gateway as machines do: lease, names, ping, and connections with all that curl and
// socat ask of them.
func TestProgramsUseAGateway(t *testing.T) {
	outside := serveFiles(t) // before the test is in its namespace
	r := newRig(t)
	need(t, "udhcpc", "ping", "arping", "curl", "socat", "busybox", "rdisc6", "nmap", "sh")
	g := r.plugGateway()
	r.lease()
	if l := g.Leases(); len(l) != 1 || l[0].Name != "box" {
		t.Fatalf("%+v", l)
	}
	own := g.Leases()[0].Addr.String()

	r.eventually("the kernel has an address by the gateway's advertisement", func() bool {
		out := run(t, "ip", "-6", "addr", "show", "dev", "tap0", "scope", "global", "-tentative")
		return strings.Contains(out, "fd77:")
	})

	run(t, "ping", "-c", "2", "-i", "0.2", "-W", "5", "10.77.0.1")
	run(t, "ping", "-c", "1", "-W", "5", "fd77::1")
	run(t, "arping", "-c", "1", "-w", "5", "-I", "tap0", "10.77.0.1")
	if out := run(t, "rdisc6", "-1", "-w", "5000", "tap0"); !strings.Contains(out, "fd77::/64") || !strings.Contains(out, "lan") {
		t.Errorf("rdisc6: %s", out)
	}
	for question, want := range map[string]string{"box.lan": own, "GATEWAY.lan": "fd77::1", own: "box.lan", "10.77.0.1": "gateway.lan"} {
		if out := run(t, "busybox", "nslookup", question, "10.77.0.1"); !strings.Contains(out, want) {
			t.Errorf("nslookup %s: %s", question, out)
		}
	}
	if out, err := exec.Command("busybox", "nslookup", "nobody.lan", "10.77.0.1").CombinedOutput(); err == nil || !strings.Contains(string(out), "NXDOMAIN") {
		t.Errorf("nslookup of nobody: %v, %s", err, out)
	}

	for _, host := range []string{"10.77.0.1", "[fd77::1]"} {
		out := run(t, "sh", "-c", fmt.Sprintf("curl -sS -m 60 http://%s:%d/ | sha256sum", host, outside.port))
		if !strings.HasPrefix(out, outside.sum) {
			t.Errorf("curl from %s: %s", host, out)
		}
	}
	all := run(t, "sh", "-c", fmt.Sprintf("curl -sS -m 60 --parallel --parallel-immediate --parallel-max 100 -o /dev/null -w '%%{http_code}\\n' 'http://10.77.0.1:%d/short?[1-200]'", outside.port))
	if n := strings.Count(all, "200\n"); n != 200 {
		t.Errorf("curl: %d of 200 answers: %s", n, all)
	}
	half := run(t, "sh", "-c", fmt.Sprintf("printf hello | socat -t 20 - TCP:10.77.0.1:%d", outside.count))
	if half != "5 bytes" {
		t.Errorf("socat: %q", half)
	}

	for address, want := range map[string]string{
		fmt.Sprintf("10.77.0.1:%d", outside.closed): "refused", "192.0.2.1:80": "No route to host",
	} {
		out, err := exec.Command("socat", "-T", "20", "-", "TCP:"+address).CombinedOutput()
		if err == nil || !strings.Contains(string(out), want) {
			t.Errorf("socat to %s: %v, %s", address, err, out)
		}
	}
	if out, err := exec.Command("ping", "-c", "1", "-W", "5", "192.0.2.1").CombinedOutput(); err == nil || !strings.Contains(string(out), "Unreachable") {
		t.Errorf("ping of who is not there: %v, %s", err, out)
	}
	ports := fmt.Sprintf("%d,%d", outside.port, outside.closed)
	scan := run(t, "nmap", "-n", "-sS", "-p", ports, "--max-retries", "5", "10.77.0.1")
	if !strings.Contains(scan, fmt.Sprintf("%d/tcp", outside.port)) || strings.Count(scan, " open ") != 1 || strings.Count(scan, " closed ") != 1 {
		t.Errorf("nmap: %s", scan)
	}
}

// An outsideServer is what listens at the computer's loopback.
type outsideServer struct {
	port   int    // HTTP, with a long file and a short one
	sum    string // of the long one, by SHA-256
	count  int    // tells how much it got, when that has ended
	closed int    // nobody
}

func serveFiles(t *testing.T) outsideServer {
	t.Helper()
	data := make([]byte, 8<<20)
	random := rand.NewChaCha8([32]byte{1})
	random.Read(data)
	web, count, closed := listenBoth(t), listenBoth(t), listenBoth(t)
	closed.close()
	mux := http.NewServeMux()
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, _ *http.Request) { w.Write(data) })
	mux.HandleFunc("/short", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "short") })
	server := &http.Server{Handler: mux}
	t.Cleanup(func() { server.Close() })
	for _, l := range web.all {
		go server.Serve(l)
	}
	go func() {
		for {
			c, err := count.all[0].Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			b, _ := io.ReadAll(c)
			fmt.Fprintf(c, "%d bytes", len(b))
			c.Close()
		}
	}()
	return outsideServer{web.port, fmt.Sprintf("%x", sha256.Sum256(data)), count.port, closed.port}
}

// A bothListener listens at one port of both loopback addresses.
type bothListener struct {
	all  []net.Listener
	port int
}

func (b *bothListener) close() {
	for _, l := range b.all {
		l.Close()
	}
}

func listenBoth(t *testing.T) *bothListener {
	t.Helper()
	for range 10 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		six, err := net.Listen("tcp", fmt.Sprintf("[::1]:%d", port))
		if err != nil {
			l.Close()
			continue
		}
		b := &bothListener{[]net.Listener{l, six}, port}
		t.Cleanup(b.close)
		return b
	}
	t.Fatal("no port is free at both loopback addresses")
	return nil
}
