package interop

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A box is a machine of a LAN that is no virtual one: a namespace of network, files and processes, whose interface eth0 is at a
// bridge with a TAP of the LAN. What runs in it ends with it, and what is written to its /etc, /run and /var/lib goes with it.
type box struct {
	*testing.T
	name string
	pid  int
	mac  string
	addr string // that it was given
}

// A machine is one whose shell we have.
type machine interface {
	run(command string) string
	try(command string) (out string, code int)
}

// slaac returns the address that a machine has made itself from what the gateway advertises.
func slaac(m machine) string {
	return strings.TrimSpace(m.run(`until ip -6 -o addr show dev eth0 scope global | grep -v tentative | grep fd77; do sleep 0.2; done | sed 's/.*inet6 \([0-9a-f:]*\).*/\1/'`))
}

// newTAP makes tap0, at a bridge for boxes.
func (s *site) newTAP() {
	s.Helper()
	run(s.T, "ip", "tuntap", "add", "dev", "tap0", "mode", "tap")
	run(s.T, "ip", "link", "add", "br0", "type", "bridge", "mcast_snooping", "0")
	for _, name := range []string{"tap0", "br0"} {
		sysctl(s.T, "net.ipv6.conf."+name+".disable_ipv6", 1) // the computer is no machine of its LAN
		run(s.T, "ip", "link", "set", name, "txqueuelen", "10000", "up")
	}
	run(s.T, "ip", "link", "set", "tap0", "master", "br0")
}

func (s *site) newBox(name string, number int) *box {
	s.Helper()
	b := &box{T: s.T, name: name, mac: fmt.Sprintf("52:54:00:77:01:%02x", number)}
	script := `set -e
mkdir "$1" && cp -a /etc/. "$1" && mount --bind "$1" /etc
for dir in /run /var/lib; do mount -t tmpfs none $dir; done
mkdir -p /var/lib/dhcp /run/dhcpcd
rm -f /etc/resolv.conf
hostname "$2"
ip link set lo up
echo "the machine is up"
exec sleep infinity`
	cmd := exec.Command(need(s.T, "unshare")["unshare"], "--net", "--mount", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc",
		"sh", "-c", script, "sh", s.path("etc-"+name), name)
	said := newTranscript()
	cmd.Stdout, cmd.Stderr = said, said
	start(s.T, cmd)
	if _, ok := said.await("the machine is up\n", 0, patience); !ok {
		s.Fatalf("%s does not start: %s", name, said)
	}
	b.pid = cmd.Process.Pid
	port := "port" + fmt.Sprint(number)
	run(s.T, "ip", "link", "add", port, "type", "veth", "peer", "name", "eth0", "address", b.mac, "netns", fmt.Sprintf("/proc/%d/ns/net", b.pid))
	sysctl(s.T, "net.ipv6.conf."+port+".disable_ipv6", 1)
	run(s.T, "ip", "link", "set", port, "master", "br0", "up")
	b.run("ip link set eth0 up")
	return b
}

// command is a shell's in the box.
func (b *box) command(command string) *exec.Cmd {
	b.Helper()
	return exec.Command(need(b.T, "nsenter")["nsenter"], "--target", fmt.Sprint(b.pid), "--net", "--mount", "--uts", "--root", "--wd",
		fmt.Sprintf("--pid=/proc/%d/ns/pid_for_children", b.pid), "timeout", fmt.Sprint(bootPatience.Seconds()), "sh", "-c", command)
}

// run does something in the box that must succeed, and returns what it printed.
func (b *box) run(command string) string {
	b.Helper()
	out, code := b.try(command)
	if code != 0 {
		b.Fatalf("%s: %s: exit code %d\n%s", b.name, command, code, out)
	}
	return out
}

// try does something in the box, and returns what it printed and its exit code.
func (b *box) try(command string) (out string, code int) {
	b.Helper()
	cmd := b.command(command)
	text, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		b.Fatalf("%s: %s: %v", b.name, command, err)
	}
	return string(text), cmd.ProcessState.ExitCode()
}

// lease makes the box take an address under its name with udhcpc, and keep it.
func (b *box) lease() {
	b.Helper()
	script, err := filepath.Abs("testdata/guest/dhcp")
	if err != nil {
		b.Fatal(err)
	}
	b.run(need(b.T, "udhcpc")["udhcpc"] + " -i eth0 -s " + script + " -x hostname:" + b.name + " -O search -O mtu -t 10 -p /run/udhcpc.pid >/run/udhcpc.log 2>&1 || { cat /run/udhcpc.log; false; }")
	b.addr = b.address()
}

// address returns the address of IPv4 that the box has.
func (b *box) address() string {
	b.Helper()
	return strings.TrimSpace(b.run(`ip -4 -o addr show dev eth0 scope global | sed 's/.*inet \([0-9.]*\).*/\1/'`))
}
