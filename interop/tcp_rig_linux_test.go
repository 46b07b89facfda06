package interop

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"

	"landline"
	"landline/link"
)

// A pair is the addresses of both ends, in one of the families.
type pair struct{ ours, theirs netip.Addr }

var pairs = []pair{{ours4.Addr(), kernel4.Addr()}, {ours6.Addr(), kernel6.Addr()}}

// tapKinds are those of a TAP: with virtio-net headers, checksums left open and units of many segments, and bare.
var tapKinds = map[string]link.Offloads{"offloads": 0, "plain": link.OffloadChecksum | link.OffloadTSO}

// onWires runs a test on a wire with a TAP of each kind, over IPv4 and over IPv6.
func onWires(t *testing.T, cfg rigConfig, test func(r *rig, h *landline.Host, p pair)) {
	for name, without := range tapKinds {
		t.Run(name, func(t *testing.T) {
			cfg.without = without
			r := cfg.make(t)
			h := r.quick()
			for _, p := range pairs {
				test(r, h, p)
			}
		})
	}
}

// quick is as both, without a second in which IPv6 asks whether somebody else has our address.
func (r *rig) quick() *landline.Host {
	return r.host(landline.Config{Addresses: []netip.Prefix{ours4, ours6}, Probes: -1})
}

// sysctl sets something of the kernel's in the test's namespace.
func (r *rig) sysctl(name string, value int) {
	r.Helper()
	sysctl(r.T, name, value)
}

func sysctl(t *testing.T, name string, value int) {
	t.Helper()
	file := "/proc/sys/" + strings.ReplaceAll(name, ".", "/")
	if err := os.WriteFile(file, []byte(strconv.Itoa(value)), 0); err != nil {
		t.Fatal(err)
	}
}

// listen makes our host listen at an address and a port.
func (r *rig) listen(h *landline.Host, a netip.Addr, port uint16) *landline.TCPListener {
	r.Helper()
	l, err := h.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(a, port)))
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { l.Close() })
	return l
}

// A stream is bytes that differ wherever they are: a block of noise again and again, whose length is no
// length of anything else.
type stream struct {
	block []byte
	at    int
	left  int64
}

func newStream(n int64) *stream {
	block := make([]byte, 1<<20+7)
	rand.NewChaCha8([32]byte{}).Read(block)
	return &stream{block: block, left: n}
}

func (s *stream) Read(b []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(int64(len(b)), s.left)], s.block[s.at:])
	s.at = (s.at + n) % len(s.block)
	s.left -= int64(n)
	return n, nil
}

// hashOf returns the SHA-256 of all that r has, and how much that is.
func hashOf(r io.Reader) (string, error) {
	h := sha256.New()
	n, err := io.CopyBuffer(struct{ io.Writer }{h}, struct{ io.Reader }{r}, make([]byte, 256<<10))
	return fmt.Sprintf("%s of %d bytes", hex.EncodeToString(h.Sum(nil)[:8]), n), err
}

func hashOfStream(n int64) string {
	s, _ := hashOf(newStream(n))
	return s
}

// kernelCounters are those of the test's namespace, as "TcpExt.TCPOFOQueue".
func (r *rig) kernelCounters() map[string]int {
	r.Helper()
	all := map[string]int{}
	for _, file := range []string{"snmp", "netstat"} {
		text, err := os.ReadFile("/proc/thread-self/net/" + file)
		if err != nil {
			r.Fatal(err)
		}
		var names []string
		for line := range strings.Lines(string(text)) {
			f := strings.Fields(line)
			if len(names) == 0 {
				names = f
				continue
			}
			for k, v := range f[1:] {
				all[strings.TrimSuffix(f[0], ":")+"."+names[k+1]], _ = strconv.Atoi(v)
			}
			names = nil
		}
	}
	return all
}

// checkKernel holds that on a calm wire the kernel has seen nothing of us that is out of place.
func (r *rig) checkKernel() {
	r.Helper()
	c := r.kernelCounters()
	names := []string{"Tcp.InErrs", "Tcp.InCsumErrors", "TcpExt.PAWSEstab", "TcpExt.TCPChallengeACK", "TcpExt.TCPSACKReneging"}
	if c["TcpExt.TCPRcvQDrop"]+c["TcpExt.TCPZeroWindowDrop"] == 0 { // it has not taken its window back
		names = append(names, "TcpExt.TCPOFOQueue", "TcpExt.TCPSackRecovery", "TcpExt.TCPDSACKOfoSent")
	}
	for _, name := range names {
		v, ok := c[name]
		if !ok {
			r.Errorf("the kernel has no counter %s", name)
		}
		if v != 0 {
			r.Errorf("the kernel counts %d %s", v, name)
		}
	}
}
