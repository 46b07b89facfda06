package interop

import (
	"bytes"
	"debug/elf"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// bootPatience is how long a virtual machine may take to start, or a machine for what it is told to do: there may be no hardware to
// help it, and much else to do.
const bootPatience = 4 * time.Minute

// A guest is a virtual machine: QEMU with Debian's kernel and a busybox, at whose console we are.
type guest struct {
	*testing.T
	name    string
	addr    string // that it was given
	console *transcript
	keys    io.Writer
	asked   int
}

// newGuest starts a virtual machine, whose network interface is at what QEMU is told by netdev, the end of its option.
func newGuest(t *testing.T, name, netdev string, number byte) *guest {
	t.Helper()
	qemu := need(t, "qemu-system-x86_64")["qemu-system-x86_64"]
	kernel, initramfs := guestFiles(t)
	accel := "tcg"
	if os.Getenv("LANDLINE_KVM") == "1" {
		accel = "kvm"
	}
	cmd := exec.Command(qemu, "-accel", accel, "-m", "384", "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
		"-kernel", kernel, "-initrd", initramfs, "-append", "console=ttyS0 loglevel=4 panic=-1 mitigations=off",
		"-serial", "stdio", "-netdev", netdev+",id=lan",
		"-device", fmt.Sprintf("virtio-net-pci,netdev=lan,romfile=,mac=52:54:00:77:00:%02x", number))
	g := &guest{T: t, name: name, console: newTranscript()}
	cmd.Stdout, cmd.Stderr = g.console, g.console
	keys, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	g.keys = keys
	start(t, cmd)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the console of %s:\n%s", name, g.console)
		}
	})
	return g
}

// start starts a program that ends with the test, or with the test's process if that is killed.
func start(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
}

// up waits until the machine has started.
func (g *guest) up() {
	g.Helper()
	if _, ok := g.console.await("the machine is up\n", 0, bootPatience); !ok {
		g.Fatalf("%s does not start", g.name)
	}
}

// run does something at the console that must succeed, and returns what it printed.
func (g *guest) run(command string) string {
	g.Helper()
	out, code := g.try(command)
	if code != 0 {
		g.Fatalf("%s: %s: exit code %d\n%s", g.name, command, code, out)
	}
	return out
}

// try does something at the console, and returns what it printed and its exit code.
func (g *guest) try(command string) (out string, code int) {
	g.Helper()
	g.asked++
	from := g.console.len()
	mark := fmt.Sprintf("\n== %d: ", g.asked)
	fmt.Fprintf(g.keys, "{ %s; } </dev/null 2>&1; printf '\\n== %%d: %%d\\n' %d $?\n", command, g.asked)
	end, ok := g.console.await(mark, from, bootPatience)
	if ok {
		var line int
		line, ok = g.console.await("\n", end, patience)
		code, _ = strconv.Atoi(g.console.between(end, line-1))
	}
	if !ok {
		g.Fatalf("%s: %s: does not end", g.name, command)
	}
	return g.console.between(from, end-len(mark)), code
}

// lease makes the machine take an address under its name, and keep it.
func (g *guest) lease() {
	g.Helper()
	g.run("udhcpc -i eth0 -s /dhcp -x hostname:" + g.name + " -O search -O mtu -t 10 -p /udhcpc.pid >/udhcpc.log 2>&1 || { cat /udhcpc.log; false; }")
	g.addr = strings.TrimSpace(g.run(`ip -4 -o addr show dev eth0 scope global | sed 's/.*inet \([0-9.]*\).*/\1/'`))
}

// guestFiles returns the kernel, and an initramfs of busybox, the kernel's modules and our scripts.
func guestFiles(t *testing.T) (kernel, initramfs string) {
	t.Helper()
	busybox := need(t, "busybox")["busybox"]
	if f, err := elf.Open(busybox); err != nil || slices.ContainsFunc(f.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
		miss(t, "needs a busybox without libraries, as Debian's busybox-static is")
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(cache, "landline", "guest")
	kernel = filepath.Join(dir, "vmlinuz")
	if _, err := os.Stat(kernel); err != nil {
		miss(t, "needs a kernel for virtual machines, which interop/testdata/guest/fetch-kernel brings")
	}
	var c cpio
	for _, folder := range []string{"bin", "dev", "etc", "modules", "proc", "sys", "tmp", "www"} {
		c.add(folder, syscall.S_IFDIR|0o755, nil)
	}
	files := map[string]string{"bin/busybox": busybox, "init": "testdata/guest/init", "dhcp": "testdata/guest/dhcp"}
	modules, _ := filepath.Glob(dir + "/*.ko")
	for _, path := range modules {
		files["modules/"+filepath.Base(path)] = path
	}
	for name, path := range files {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		c.add(name, syscall.S_IFREG|0o755, b)
	}
	c.add("TRAILER!!!", 0, nil)
	initramfs = filepath.Join(t.TempDir(), "initramfs")
	if err := os.WriteFile(initramfs, c.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return kernel, initramfs
}

// A cpio is an archive in the format "newc", which the kernel unpacks.
type cpio struct{ bytes.Buffer }

func (c *cpio) add(name string, mode uint32, data []byte) {
	c.WriteString("070701")
	for _, field := range []uint32{0, mode, 0, 0, 1, 0, uint32(len(data)), 0, 0, 0, 0, uint32(len(name) + 1), 0} {
		fmt.Fprintf(c, "%08x", field)
	}
	c.WriteString(name + "\x00")
	c.pad()
	c.Write(data)
	c.pad()
}

func (c *cpio) pad() { c.Write(make([]byte, -c.Len()&3)) }

// A transcript is what a program has said so far.
type transcript struct {
	mu    sync.Mutex
	text  []byte
	grown chan struct{} // closed when there is more
}

func newTranscript() *transcript { return &transcript{grown: make(chan struct{})} }

func (s *transcript) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text = append(s.text, bytes.ReplaceAll(b, []byte("\r"), nil)...)
	close(s.grown)
	s.grown = make(chan struct{})
	return len(b), nil
}

func (s *transcript) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.text)
}

func (s *transcript) between(from, to int) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.text[from:to])
}

func (s *transcript) String() string { return s.between(0, s.len()) }

// await waits until a text was said, not before from, and returns where it ends.
func (s *transcript) await(text string, from int, patience time.Duration) (end int, ok bool) {
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		s.mu.Lock()
		at, grown := bytes.Index(s.text[from:], []byte(text)), s.grown
		s.mu.Unlock()
		if at >= 0 {
			return from + at + len(text), true
		}
		select {
		case <-grown:
		case <-late.C:
			return 0, false
		}
	}
}
