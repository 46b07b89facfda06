package interop

import (
	"context"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"landline"
	"landline/link"
)

// A rig is a network namespace of the test's own with a TAP in it: the kernel at one end of the wire, landline at the
// other. All that passes is captured, and in the end tshark looks at it.
//
// The test has to stay in its goroutine, whose thread is in the namespace: so are the programs that it starts and the
// sockets that it opens.
type rig struct {
	*testing.T
	rigConfig
	dev  link.Device
	bad  *link.Impaired // between the TAP and where frames are captured, if the wire is impaired
	file string
}

// A rigConfig says what the wire is like. The zero value is a perfect one, and a TAP with all offloads.
type rigConfig struct {
	without  link.Offloads // of the TAP
	snap     int           // how many bytes of a frame are captured, so that its checksum is not seen; if zero, all
	calm     bool          // TCP has no reason to send anything twice
	impaired bool          // the wire will be bad
	damaged  bool          // even so that frames are
	deaf     bool          // we do not hear that packets are too long
}

// badFrames is the display filter of what no capture may hold. An ICMP error quotes a packet as it was when its
// checksum was still open. The kernel writes the wrong one of two zeros, 0xffff, for TCP as for UDP.
const badFrames = "_ws.malformed or ip.checksum.status == 0 or icmp.checksum.status == 0 or icmpv6.checksum.status == 0 " +
	"or igmp.checksum.status == 0 or ((udp.checksum.status == 0 or tcp.checksum.status == 0 and tcp.checksum != 0xffff) " +
	"and not icmp and not icmpv6)"

// The addresses of both ends.
var (
	kernel4, kernel6 = netip.MustParsePrefix("10.77.0.1/24"), netip.MustParsePrefix("fd77::1/64")
	ours4, ours6     = netip.MustParsePrefix("10.77.0.2/24"), netip.MustParsePrefix("fd77::2/64")
)

// patience is how long a slow machine may take for what takes a moment.
const patience = 30 * time.Second

// newRig makes a namespace and a TAP in it, and gives the kernel its addresses there.
func newRig(t *testing.T) *rig { return rigConfig{}.make(t) }

func (cfg rigConfig) make(t *testing.T) *rig {
	t.Helper()
	enterNamespace(t)
	need(t, "ip", "tshark")
	// It stays when landline closes it, so that a program which hears the last words can still act on them.
	run(t, "ip", "tuntap", "add", "dev", "tap0", "mode", "tap")
	// What landline has not read yet waits in a queue, beyond which the kernel drops in silence.
	run(t, "ip", "link", "set", "tap0", "txqueuelen", "10000")
	tap, err := link.OpenTAP(link.TAPConfig{Name: "tap0", Without: cfg.without})
	if err != nil {
		miss(t, err.Error())
	}
	r := &rig{T: t, rigConfig: cfg, file: filepath.Join(t.ArtifactDir(), "wire.pcapng")}
	file, err := os.Create(r.file)
	if err != nil {
		t.Fatal(err)
	}
	pcap := link.NewPcapNG(file, link.PcapConfig{SnapLen: cfg.snap, OpenChecksums: cfg.snap != 0})
	t.Cleanup(func() {
		if err := pcap.Close(); err != nil {
			t.Error(err)
		}
		file.Close()
		r.checkCapture()
	})
	r.dev = link.Device(tap)
	if cfg.impaired {
		r.bad = link.Impair(tap, link.Impairment{}, link.Impairment{})
		r.dev = r.bad
	}
	if cfg.deaf {
		r.dev = deafDevice{r.dev}
	}
	r.dev = link.Capture(r.dev, pcap)
	run(t, "ip", "link", "set", "lo", "up")
	run(t, "ip", "addr", "add", kernel4.String(), "dev", "tap0")
	run(t, "ip", "addr", "add", kernel6.String(), "dev", "tap0", "nodad")
	run(t, "ip", "link", "set", "tap0", "up")
	return r
}

// enterNamespace gives the test a network namespace. The machine's own is not touched.
func enterNamespace(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to make a network namespace")
	}
	runtime.LockOSThread()
	origin, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		miss(t, "needs a network namespace: "+err.Error())
	}
	t.Cleanup(func() {
		defer origin.Close()
		if err := unix.Setns(int(origin.Fd()), unix.CLONE_NEWNET); err != nil {
			t.Error(err) // and the thread ends with the goroutine
			return
		}
		runtime.UnlockOSThread()
	})
}

// within does something in another namespace.
func within(t *testing.T, other *os.File, do func()) {
	t.Helper()
	here, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	defer here.Close()
	for _, ns := range []*os.File{other, here} {
		if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
			t.Fatal(err)
		}
		if ns == other {
			do()
		}
	}
}

// host puts a landline host on the TAP and waits until its addresses may be used.
func (r *rig) host(cfg landline.Config) *landline.Host {
	r.Helper()
	h, err := landline.NewHost(r.dev, cfg)
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { h.Close() })
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	if err := h.WaitReady(ctx); err != nil {
		r.Fatalf("the host is not ready: %v", err)
	}
	return h
}

// both is a host with our two addresses.
func (r *rig) both() *landline.Host {
	return r.host(landline.Config{Addresses: []netip.Prefix{ours4, ours6}})
}

// checkCapture holds that tshark finds no fault with what has passed.
func (r *rig) checkCapture() {
	r.Helper()
	if r.calm {
		for _, u := range upsets(r.tcpFrames()) {
			r.Error(u)
		}
		return
	}
	if bad := r.tshark("-Y", badFrames); bad != "" && !r.damaged {
		r.Errorf("tshark finds fault with\n%s", bad)
	}
}

// tshark runs tshark on the capture, and returns what it prints. All checksums are checked that can be. What programs say to each
// other over TCP is not looked at.
func (r *rig) tshark(args ...string) string {
	r.Helper()
	return tsharkOn(r.T, r.file, r.snap == 0, args...)
}

func tsharkOn(t *testing.T, file string, whole bool, args ...string) string {
	t.Helper()
	args = append([]string{"-r", file, "-n", "-d", "tcp.port==1-65535,data"}, args...)
	for _, p := range []string{"ip", "tcp", "udp"} {
		args = append(args, "-o", p+".check_checksum:"+strings.ToUpper(strconv.FormatBool(p == "ip" || whole)))
	}
	out, err := exec.Command(need(t, "tshark")["tshark"], args...).Output()
	if err != nil {
		t.Errorf("tshark: %v", err)
	}
	return strings.TrimSpace(string(out))
}

// eventually waits until a condition holds.
func (r *rig) eventually(what string, holds func() bool) {
	r.Helper()
	eventually(r.T, what, holds)
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); {
		if time.Now().After(end) {
			t.Fatalf("it does not come to pass that %s", what)
		}
		time.Sleep(20 * time.Millisecond)
	}
}
