package interop

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A commoner is a user without any rights on a computer where /dev/net/tun has a mode of the test's choice.
type commoner struct {
	*testing.T
	dir  string // all may look into it, and it has the program
	mode string // of /dev/net/tun
	etc  string // what root does in /etc, which changes nothing outside of the test
}

// nobodyID is the user and the group.
const nobodyID = "65534"

func newCommoner(t *testing.T) *commoner {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to become another user and to make a device that all may open")
	}
	need(t, "unshare", "setpriv", "mount", "mknod", "ping", "ip", "python3", "timeout")
	dir, err := os.MkdirTemp("", "landline")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	run(t, "go", "build", "-o", filepath.Join(dir, "landline"), "landline/cmd/landline")
	run(t, "install", "-d", "-m", "700", "-o", nobodyID, "-g", nobodyID, filepath.Join(dir, "home"))
	run(t, "chmod", "711", dir)
	return &commoner{T: t, dir: dir, mode: "666", etc: "true"}
}

// asRoot makes the device and another /etc, in a mount namespace of its own, and has the user run the script.
const asRoot = `mount -t tmpfs none /dev/net && mknod /dev/net/tun c 10 200 && chmod $0 /dev/net/tun &&
mkdir /dev/net/etc /dev/net/work && mount -t overlay -o lowerdir=/etc,upperdir=/dev/net/etc,workdir=/dev/net/work none /etc &&
(cd /etc && eval "$3") && exec setpriv --reuid $1 --regid $1 --clear-groups timeout 60 sh -c "$2"`

// withLAN runs what stands after it while a LAN is up.
const withLAN = `landline lan up --quiet & up=$!
trap 'kill $up; wait $up' EXIT
until landline lan ps >/dev/null 2>&1; do sleep 0.02; done
`

// does has the user run a script while there is a LAN of his, and returns what it prints.
func (c *commoner) does(script string) string {
	c.Helper()
	home := filepath.Join(c.dir, "home")
	ctx, cancel := context.WithTimeout(c.Context(), 2*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "unshare", "-m", "--propagation", "private", "sh", "-c", asRoot, c.mode, nobodyID, withLAN+script, c.etc)
	cmd.Dir = home
	cmd.Env = append(os.Environ(), "PATH="+c.dir+":"+os.Getenv("PATH"), "HOME="+home, "XDG_RUNTIME_DIR="+home, "XDG_STATE_HOME="+home)
	out, err := cmd.CombinedOutput()
	if err != nil {
		c.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

// wants holds that a script prints lines, among others.
func (c *commoner) wants(script string, lines ...string) {
	c.Helper()
	out := c.does(script)
	for _, line := range lines {
		if !strings.Contains("\n"+out, "\n"+line+"\n") {
			c.Errorf("no %q in\n%s", line, out)
		}
	}
}

// A user who may do nothing else is a machine of his LAN as himself, with all that concerns its network, or as root.
func TestUserEntersALAN(t *testing.T) {
	c := newCommoner(t)
	c.wants(`landline lan enter --hostname box -- sh -c '
		echo user $(id -u) $(id -g) $(stat -c %u .) on $(hostname)
		ping -c 1 -W 5 gateway.lan >/dev/null && echo pinged
		python3 -c "import socket; s = socket.socket(); s.bind((\"\", 80)); print(\"low port\")"
		ip addr add 10.77.0.200/24 dev eth0 && echo configured
		echo interfaces: $(ls /sys/class/net)
		ls /sys/fs/cgroup | grep -q . && echo has control groups
		mount -t tmpfs none /mnt 2>/dev/null || echo mounts nothing
		exit 7'
		echo code $?
		landline lan enter --root -- sh -c 'echo root $(id -u) $(id -g) $(stat -c %u .); ping -c 1 -W 5 gateway.lan >/dev/null && echo pinged as root'`,
		"user 65534 65534 65534 on box", "pinged", "low port", "configured", "interfaces: eth0 lo", "has control groups", "mounts nothing", "code 7", "root 0 0 0", "pinged as root")
}

// What a system does not allow is said, with what would.
func TestUserWhoMayNotEnterALANHearsWhy(t *testing.T) {
	c := newCommoner(t)
	c.wants(`unshare -U --map-user=1000 --map-group=1000 --keep-caps sh -c '
		echo 0 >/proc/sys/user/max_user_namespaces; landline lan enter true; echo code $?'`,
		"landline: no namespaces: no space left on device (users may not make them here; as root: sysctl user.max_user_namespaces=10000)", "code 125")
	c.mode = "600"
	c.wants("landline lan enter true; echo code $?",
		"landline: no interface: permission denied (only root may open /dev/net/tun here; as root: chmod 666 /dev/net/tun)", "code 125")
}

// However the system looks up names, a command on the LAN asks there.
func TestResolverOfTheSystemIsNotAsked(t *testing.T) {
	c := newCommoner(t)
	c.etc = `rm -f resolv.conf && mkdir stub && echo nameserver 127.0.0.53 >stub/resolv.conf && ln -s stub/resolv.conf resolv.conf &&
		echo 'hosts: mymachines resolve [!UNAVAIL=return] files [NOTFOUND=return] dns' >nsswitch.conf`
	c.wants(`landline lan enter getent ahostsv4 gateway | sed -n 's/ *STREAM */ is /p'; cat /etc/stub/resolv.conf /etc/nsswitch.conf`,
		"10.77.0.1 is gateway.lan", "nameserver 127.0.0.53", "hosts: mymachines resolve [!UNAVAIL=return] files [NOTFOUND=return] dns")
	c.etc = "rm -f resolv.conf"
	c.wants("landline lan enter true",
		"landline: there is no /etc/resolv.conf that the LAN's could stand for, so names are not looked up there")
}
