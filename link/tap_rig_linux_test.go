package link_test

import (
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"landline/link"
	"landline/wire"
)

// needRoot skips the test if it cannot make a TAP in a network namespace. If root cannot
// either and LANDLINE_INTEROP=1 is set, it fails.
func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to make a network namespace")
	}
	if _, err := os.Stat("/dev/net/tun"); err != nil {
		miss(t, "needs TUN/TAP: ", err)
	}
	needProgram(t, "ip")
}

func needProgram(t testing.TB, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		miss(t, "needs ", name, ", of iproute2: ", err)
	}
}

func miss(t testing.TB, reason ...any) {
	t.Helper()
	if os.Getenv("LANDLINE_INTEROP") == "1" {
		t.Fatal(reason...)
	}
	t.Skip(reason...)
}

// enterNamespace gives the test a network namespace of its own, as long as it stays in its
// goroutine. The machine's own is not touched.
func enterNamespace(t testing.TB) {
	t.Helper()
	needRoot(t)
	runtime.LockOSThread()
	origin, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		miss(t, "needs a network namespace: ", os.NewSyscallError("unshare", err))
	}
	t.Cleanup(func() {
		defer origin.Close()
		if err := unix.Setns(int(origin.Fd()), unix.CLONE_NEWNET); err != nil {
			t.Error(os.NewSyscallError("setns", err)) // and the thread ends with the goroutine
			return
		}
		runtime.UnlockOSThread()
	})
}

// ip runs the program of that name.
func ip(t testing.TB, args ...string) {
	t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		t.Fatalf("ip %q: %v\n%s", args, err, out)
	}
}

// A tapRig is a TAP and the kernel behind it.
type tapRig struct {
	*link.TAP
	t      testing.TB
	frames chan link.Frame // copies of what was received
	downs  chan error

	us, kernel   station // IPv4
	us6, kernel6 station
}

const tapPatience = 20 * time.Second

// newTAPRig opens a TAP in a namespace of the test, sets it up, and tells the kernel our
// addresses.
func newTAPRig(t testing.TB, c link.TAPConfig) *tapRig {
	t.Helper()
	enterNamespace(t)
	tap, err := link.OpenTAP(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tap.Close() })
	r := &tapRig{TAP: tap, t: t, frames: make(chan link.Frame, 4096), downs: make(chan error, 4)}
	tap.Attach(link.Handler{Receive: r.receive, Down: func(err error) { r.downs <- err }})
	r.address()
	return r
}

func (r *tapRig) address() {
	name, mac := r.Info().Name, r.Info().MAC
	iface, err := net.InterfaceByName(name)
	if err != nil {
		r.t.Fatal(err)
	}
	kernel := wire.MAC(iface.HardwareAddr)
	r.us, r.kernel = station{mac, netip.MustParseAddr("10.9.0.2")}, station{kernel, netip.MustParseAddr("10.9.0.1")}
	r.us6, r.kernel6 = station{mac, netip.MustParseAddr("fd00:9::2")}, station{kernel, netip.MustParseAddr("fd00:9::1")}
	ip(r.t, "link", "set", name, "up")
	ip(r.t, "addr", "add", "10.9.0.1/24", "dev", name)
	ip(r.t, "addr", "add", "fd00:9::1/64", "dev", name, "nodad")
	ip(r.t, "neigh", "add", "10.9.0.2", "lladdr", mac.String(), "dev", name)
	ip(r.t, "neigh", "add", "fd00:9::2", "lladdr", mac.String(), "dev", name)
}

func (r *tapRig) receive(frames []link.Frame) {
	for _, f := range frames {
		f.Head = f.AppendTo(nil)
		f.Body = nil
		select {
		case r.frames <- f:
		default:
			r.t.Error("more frames than expected")
		}
	}
}

// next returns the next frame for which want says so. The kernel has things of its own to
// say, such as who its multicast groups are.
func (r *tapRig) next(want func(e wire.Ethernet) bool) link.Frame {
	r.t.Helper()
	timeout := time.After(tapPatience)
	for {
		select {
		case f := <-r.frames:
			e, err := wire.ParseEthernet(f.Head)
			if err != nil {
				r.t.Fatal(err)
			}
			if want(e) {
				return f
			}
		case <-timeout:
			r.t.Fatal("the frame does not come")
		}
	}
}

// await6 waits until the kernel answers at its IPv6 address: it takes that into use some time
// after the interface is up.
func (r *tapRig) await6() {
	r.t.Helper()
	ping := packetFrame(r.us6, r.kernel6, wire.ProtoICMPv6, wire.AppendICMPv6(nil, wire.ICMPv6Echo, 0, 0, nil), nil)
	wire.ICMPv6(ping.Head[ping.SumStart:]).FillChecksum(wire.PseudoSum(r.us6.ip, r.kernel6.ip, wire.ProtoICMPv6, wire.ICMPLen))
	ping.Sum = link.SumUnchecked
	tick, timeout := time.NewTicker(20*time.Millisecond), time.After(tapPatience)
	defer tick.Stop()
	for {
		select {
		case f := <-r.frames:
			body, _, ok := transportOf(f.Head, wire.ProtoICMPv6)
			if ok && wire.ICMPv6(body).Type() == wire.ICMPv6EchoReply {
				return
			}
		case <-tick.C:
			mustWrite(r.t, r, ping)
		case <-timeout:
			r.t.Fatal("the kernel does not speak IPv6")
		}
	}
}

// is returns what next wants to hear about packets of protocol p.
func is(p wire.Protocol) func(wire.Ethernet) bool {
	return func(e wire.Ethernet) bool {
		_, _, ok := transportOf(e, p)
		return ok
	}
}

// nextTCP returns the next TCP segment, and its frame.
func (r *tapRig) nextTCP() (link.Frame, wire.TCP) {
	r.t.Helper()
	f := r.next(is(wire.ProtoTCP))
	body, _, _ := transportOf(f.Head, wire.ProtoTCP)
	tcp, err := wire.ParseTCP(body)
	if err != nil {
		r.t.Fatal(err)
	}
	return f, tcp
}

// A kernelSocket is a UDP socket of the kernel.
type kernelSocket struct {
	net.PacketConn
	t testing.TB
}

func (r *tapRig) listenUDP(at netip.Addr) kernelSocket {
	r.t.Helper()
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(at, 7000)))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(tapPatience))
	return kernelSocket{conn, r.t}
}

func (s kernelSocket) read() []byte {
	s.t.Helper()
	b := make([]byte, 65536)
	n, _, err := s.ReadFrom(b)
	if err != nil {
		s.t.Fatal(err)
	}
	return b[:n]
}
