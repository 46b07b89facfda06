package kernel

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"syscall"

	"landline/bench/internal/load"
)

// The far end is a process of its own, as another machine is: the kernel's sockets with
// load.Serve on them. Where it serves, and what this end has on the same wire:
const (
	Far     = "10.77.0.1:5001"
	farAddr = "10.77.0.1"
	OwnAddr = "10.77.0.2"
)

// helper tells a copy of the program what it is.
const helper = "LANDLINE_BENCH_HELPER"

// Help does not return if the process was started to help another. It ends when that does.
func Help() {
	var err error
	switch os.Getenv(helper) {
	default:
		return
	case "far":
		err = serveFar()
	case "copy":
		err = copyFrames()
	case "forward":
		err = forwardFrames()
	case "guest":
		err = wait()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func serveFar() error {
	l, err := net.Listen("tcp4", ":5001") // its address may come later
	if err != nil {
		return err
	}
	go load.Serve(l)
	return wait()
}

// wait says that the helper is ready, and returns when the program that it helps has ended.
func wait() error {
	fmt.Println("ready")
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// start starts a helper, in this namespace or in one of its own, of the network and of users, with files as its third and so on, and
// waits until it is ready.
func start(role string, own bool, files ...*os.File) (pid int, err error) {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), helper+"="+role)
	cmd.Stderr, cmd.ExtraFiles = os.Stderr, files
	if own {
		root := []syscall.SysProcIDMap{{Size: 1}}
		cmd.SysProcAttr = &syscall.SysProcAttr{
			Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWUSER, UidMappings: root, GidMappings: root,
		}
	}
	if _, err := cmd.StdinPipe(); err != nil { // which is closed with this process
		return 0, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	go cmd.Wait()
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		return 0, fmt.Errorf("helper %q: %w", role, err)
	}
	return cmd.Process.Pid, nil
}

// AddFar makes an interface of this namespace that of the far end, which is the kernel here, and starts it.
// It returns its process.
func AddFar(name string) (pid int, err error) {
	if err := address("", name, farAddr); err != nil {
		return 0, err
	}
	return start("far", false)
}

// address gives an interface an address and sets it up. enter is the beginning of a command that
// enters its namespace.
func address(enter, name, addr string) error {
	return Run(
		enter+"ip addr add "+addr+"/24 dev "+name,
		enter+"ip link set "+name+" up",
		enter+"ip route replace 10.77.0.0/24 dev "+name+" proto kernel scope link src "+addr+" congctl "+cubic,
	)
}

// dialFar connects to the far end by the kernel of this namespace.
func dialFar() (net.Conn, error) {
	return net.Dial("tcp4", Far)
}

// join starts a far end in a namespace of its own, gives it one of two interfaces that are wired to each other,
// and takes the other.
func join(own, far string) (pid int, err error) {
	pid, err = start("far", true)
	if err != nil {
		return 0, err
	}
	if err := Run(fmt.Sprintf("ip link set %s netns %d", far, pid)); err != nil {
		return 0, err
	}
	if err := address(fmt.Sprintf("nsenter --net=/proc/%d/ns/net ", pid), far, farAddr); err != nil {
		return 0, err
	}
	return pid, address("", own, OwnAddr)
}

// Veth is two kernels and a pair of interfaces, on which nothing is left to the device: segments are cut
// and summed, as on the simplest of wires.
func Veth() (*load.Pair, error) {
	err := Run("ip link add own0 type veth peer name far0",
		"ethtool -K own0 tso off gso off gro off tx off rx off sg off",
		"ethtool -K far0 tso off gso off gro off tx off rx off sg off")
	if err != nil {
		return nil, err
	}
	pid, err := join("own0", "far0")
	if err != nil {
		return nil, err
	}
	return &load.Pair{Dial: dialFar, Others: []int{pid}}, nil
}
