package interop

import (
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"landline"
	"landline/dhcp"
)

// serveLeases answers DHCP clients on the TAP until the test ends. What would go to a hardware address that ARP does
// not know yet is broadcast, as RFC 2131, Section 4.1, allows.
func (r *rig) serveLeases() (leases func() []dhcp.Binding) {
	r.Helper()
	h := r.host(landline.Config{Addresses: []netip.Prefix{ours4}})
	server, err := dhcp.NewServer(dhcp.ServerConfig{ID: ours4.Addr(), Subnets: []dhcp.Subnet{{
		Prefix: ours4.Masked(), Ranges: []dhcp.Range{{First: netip.MustParseAddr("10.77.0.100"), Last: netip.MustParseAddr("10.77.0.150")}},
		Routers: []netip.Addr{ours4.Addr()}, DNS: []netip.Addr{ours4.Addr()}, Domain: "rig.test",
	}}})
	if err != nil {
		r.Fatal(err)
	}
	c, err := h.ListenUDP("udp4", &net.UDPAddr{Port: 67})
	if err != nil {
		r.Fatal(err)
	}
	c.SetBroadcast(true)
	var mu sync.Mutex
	go func() {
		buf := make([]byte, 1500)
		for {
			n, _, to, err := c.ReadFromTo(buf)
			if err != nil {
				return
			}
			m, err := dhcp.ParseMessage(buf[:n])
			if err != nil {
				continue
			}
			mu.Lock()
			if reply := server.Arrive(time.Now(), m, to); reply.Message != nil {
				dst := reply.To.Addr
				if reply.To.MAC != [6]byte{} {
					dst = netip.AddrPortFrom(netip.AddrFrom4([4]byte{255, 255, 255, 255}), dst.Port())
				}
				c.WriteToUDPAddrPort(reply.Message, dst)
			}
			mu.Unlock()
		}
	}()
	return func() []dhcp.Binding {
		mu.Lock()
		defer mu.Unlock()
		return server.Leases(time.Now())
	}
}

// Each client gets a script that only notes what it is told, so that nothing of the machine changes.
func TestClientsTakeLeasesOfOurs(t *testing.T) {
	for _, c := range []struct {
		program string
		args    func(dir, script string) []string
		address string // the name by which the script is told of it
	}{
		{"udhcpc", func(dir, script string) []string {
			return []string{"-f", "-q", "-n", "-i", "tap0", "-s", script, "-t", "10", "-x", "hostname:box"}
		}, "ip"},
		{"dhclient", func(dir, script string) []string {
			return []string{"-4", "-1", "-d", "-sf", script, "-lf", dir + "/leases", "-pf", dir + "/pid", "-cf", "/dev/null", "tap0"}
		}, "new_ip_address"},
		{"dhcpcd", func(dir, script string) []string {
			return []string{"-4", "-1", "-B", "-A", "-f", "/dev/null", "-c", script, "-T", "tap0"}
		}, "new_ip_address"},
	} {
		t.Run(c.program, func(t *testing.T) {
			r := newRig(t)
			program := need(t, c.program)[c.program]
			run(t, "ip", "addr", "del", kernel4.String(), "dev", "tap0")
			leases := r.serveLeases()
			dir := t.TempDir()
			script, notes := filepath.Join(dir, "script"), filepath.Join(dir, "notes")
			text := "#!/bin/sh\nenv >>" + notes + "\n"
			if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
				t.Fatal(err)
			}
			// In a process namespace of its own, so that what it leaves in the background ends with it, and with
			// empty folders in place of those where it keeps its state.
			const alone = `mount -t tmpfs none /run && mount -t tmpfs none /var/lib && exec "$0" "$@"`
			args := append([]string{"--pid", "--fork", "--kill-child", "--mount", "sh", "-c", alone, program}, c.args(dir, script)...)
			cmd := exec.Command(need(t, "unshare")["unshare"], args...)
			cmd.WaitDelay = time.Second
			var said strings.Builder
			cmd.Stdout, cmd.Stderr = &said, &said
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				cmd.Process.Kill()
				cmd.Wait()
				if t.Failed() {
					t.Logf("%s says\n%s", c.program, said.String())
				}
			})
			r.eventually(c.program+" is told of its address", func() bool {
				told, _ := os.ReadFile(notes)
				for _, l := range leases() {
					if strings.Contains(string(told), c.address+"="+l.Addr.String()) {
						return true
					}
				}
				return c.program == "dhcpcd" && strings.Contains(string(told), c.address+"=10.77.0.1")
			})
		})
	}
}
