package examples_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"landline"
	"landline/examples/upper"
	"landline/link"
)

// The pair does the same over the kernel's sockets and over two hosts on a cable.
func TestUpperPairDoesTheSameOnEachNetwork(t *testing.T) {
	t.Run("system", func(t *testing.T) { playUpper(t, upper.System(), upper.System(), "127.0.0.1:0") })
	t.Run("two hosts", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			desk, shed := link.NewCable(link.CableConfig{})
			playUpper(t, host(t, desk, "10.0.0.1/24"), host(t, shed, "10.0.0.2/24"), "10.0.0.2:0")
		})
	})
}

func host(t *testing.T, dev link.Device, addr string) *landline.Host {
	t.Helper()
	h, err := landline.NewHost(dev, landline.Config{Addresses: []netip.Prefix{netip.MustParsePrefix(addr)}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

func playUpper(t *testing.T, desk, shed upper.Network, addr string) {
	l, err := shed.Listen(context.Background(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error)
	go func() { served <- upper.Serve(l) }()
	long := strings.Repeat("a line that is longer than a segment; ", 1000)
	for _, text := range []string{"hello\n", "", "one\ntwo\nthree", long + "\nshort\n"} { // one client after another
		c, err := desk.DialContext(context.Background(), "tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		if err := upper.Ask(c, strings.NewReader(text), &got); err != nil {
			t.Error(err)
		}
		want := strings.ToUpper(text)
		if want != "" && !strings.HasSuffix(want, "\n") {
			want += "\n"
		}
		if got.String() != want {
			t.Errorf("%.60q is answered with %.60q", text, got.String())
		}
	}
	l.Close()
	if err := <-served; !errors.Is(err, net.ErrClosed) {
		t.Errorf("the server ended with %v", err)
	}
}

// A server that leaves in the middle has not answered.
func TestUpperClientNoticesAServerThatLeaves(t *testing.T) {
	near, far := net.Pipe()
	go func() {
		bufio.NewReader(far).ReadString('\n')
		io.WriteString(far, "HEL")
		far.Close()
	}()
	if err := upper.Ask(near, strings.NewReader("hello\n"), io.Discard); err != io.ErrUnexpectedEOF {
		t.Errorf("%v", err)
	}
}

// Who mistypes is told what to type.
func TestUpperExplainsWhatItLacks(t *testing.T) {
	for _, c := range []struct{ tap, addr, want string }{
		{"tap-none", "10.0.0.2", "-addr 10.0.0.2: not an address with the length of its network's prefix, such as 10.0.0.2/24"},
		{"tap-none", "10.0.0.2/24", "-tap tap-none: there is no such device (as root: ip tuntap add tap-none mode tap user $USER)"},
	} {
		if _, err := upper.Open(c.tap, c.addr); err == nil || err.Error() != c.want {
			t.Errorf("%v", err)
		}
	}
}

// buildUpper builds both programs.
func buildUpper(t *testing.T) (server, client string) {
	t.Helper()
	dir := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", dir+"/", "./upper-server", "./upper-client").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return filepath.Join(dir, "upper-server"), filepath.Join(dir, "upper-client")
}

func TestUpperProgramsTalkOverLoopback(t *testing.T) {
	server, client := buildUpper(t)
	serving := exec.Command(server, "127.0.0.1:0")
	stderr, err := serving.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := serving.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		serving.Process.Kill()
		serving.Wait()
	}()
	line, err := bufio.NewReader(stderr).ReadString('\n')
	_, addr, found := strings.Cut(strings.TrimSpace(line), "listening on ")
	if err != nil || !found {
		t.Fatalf("the server says %q, %v", line, err)
	}
	asking := exec.Command(client, addr)
	asking.Stdin = strings.NewReader("hello\nworld\n")
	if out, err := asking.CombinedOutput(); string(out) != "HELLO\nWORLD\n" || err != nil {
		t.Errorf("%q, %v", out, err)
	}
}

// The same programs, with a machine of landline on a TAP at either end and the kernel at the other.
func TestUpperProgramsTalkOverATAP(t *testing.T) {
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		t.Skip("needs root on Linux, to make a network namespace")
	}
	need(t, "unshare")
	need(t, "ip")
	server, client := buildUpper(t)
	const script = `
set -e
ip tuntap add tap0 mode tap
ip addr add 10.0.0.1/24 dev tap0
ip link set tap0 up
ask() { # SERVER_FLAGS ADDR CLIENT_FLAGS
	mkfifo said
	"$SERVER" $1 $2 2>said &
	read line <said
	echo hello | "$CLIENT" $3 $2
	kill $!
	wait $! || true
	rm said
}
ask "-tap tap0 -addr 10.0.0.2/24" 10.0.0.2:7000 ""
ask "" 10.0.0.1:7000 "-tap tap0 -addr 10.0.0.2/24"
`
	if err := exec.Command("unshare", "-n", "test", "-c", "/dev/net/tun").Run(); err != nil {
		t.Skip("needs a network namespace and TAP devices")
	}
	cmd := exec.Command("unshare", "-n", "sh", "-c", script)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), "SERVER="+server, "CLIENT="+client)
	var said bytes.Buffer
	cmd.Stderr = &said
	if out, err := cmd.Output(); string(out) != "HELLO\nHELLO\n" || err != nil {
		t.Errorf("%q, %v; %s", out, err, &said)
	}
}
