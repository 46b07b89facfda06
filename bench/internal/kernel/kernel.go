// Package kernel joins what is measured to the kernel's stack: its loopback, a pair of its
// interfaces, and the far end of a TAP. Programs call Help first, for what runs beside them
// are copies of themselves.
//
// All but the loopback needs root, and a network namespace in which nobody else is.
package kernel

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"syscall"

	"landline/bench/internal/load"
)

// cubic is the congestion control of what is measured. Where the machine's default is BBR, whose pacing takes
// four fifths of a loopback's rate from everyone, a measurement would compare nothing but
// that; and a namespace may not change the default, but its routes may.
const cubic = "cubic"

// SetUp brings the namespace's loopback up, with routes that ask for cubic.
func SetUp() error {
	return Run(
		"ip link set lo up",
		"ip route replace local 127.0.0.0/8 dev lo proto kernel scope host src 127.0.0.1 table local congctl "+cubic,
		"ip route del local 127.0.0.1 dev lo table local",
	)
}

// Furnish mounts what new namespaces of mounts and processes need: their own /proc, and an empty /run.
func Furnish() error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("making mounts private: %w", err)
	}
	if err := syscall.Mount("proc", "/proc", "proc", 0, ""); err != nil {
		return fmt.Errorf("mounting /proc: %w", err)
	}
	if err := syscall.Mount("tmpfs", "/run", "tmpfs", 0, "mode=755"); err != nil {
		return fmt.Errorf("mounting /run: %w", err)
	}
	return nil
}

// Run runs commands, until one fails.
func Run(lines ...string) error {
	for _, line := range lines {
		args := strings.Fields(line)
		if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", line, err, out)
		}
	}
	return nil
}

// Loopback is this host twice. It does not ping.
func Loopback() (*load.Pair, error) {
	// Outside of a namespace, too, with cubic.
	useCubic := func(_, _ string, c syscall.RawConn) (err error) {
		const tcpCongestion = 13
		c.Control(func(fd uintptr) {
			err = syscall.SetsockoptString(int(fd), syscall.IPPROTO_TCP, tcpCongestion, cubic)
		})
		return err
	}
	lc, d := net.ListenConfig{Control: useCubic}, net.Dialer{Control: useCubic}
	l, err := lc.Listen(context.Background(), "tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	go load.Serve(l)
	return &load.Pair{
		Dial: func() (net.Conn, error) { return d.Dial("tcp4", l.Addr().String()) },
		UDP: func() (net.PacketConn, net.Conn, error) {
			rx, err := net.ListenPacket("udp4", "127.0.0.1:0")
			if err != nil {
				return nil, nil, err
			}
			rx.(*net.UDPConn).SetReadBuffer(4 << 20)
			tx, err := net.Dial("udp4", rx.LocalAddr().String())
			return rx, tx, err
		},
	}, nil
}
