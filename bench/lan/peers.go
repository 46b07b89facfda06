package main

import (
	"fmt"
	"os"

	"landline/bench/internal/kernel"
)

// socket is where machines connect. The folder ends with the measurement.
const socket = "/run/lan.sock"

// up starts landline.
func up(mtu int, args string) (int, error) {
	return start("is up", fmt.Sprintf("%s lan up --name bench --state /run --loopback --mtu %d %s", bin("landline"), mtu, args))
}

func landlineTAP(mtu, guest int) (*path, error) {
	err := kernel.Run("ip tuntap add tap0 mode tap vnet_hdr", fmt.Sprintf("ip link set tap0 mtu %d", mtu))
	if err != nil {
		return nil, err
	}
	pid, err := up(mtu, "--tap tap0")
	if err != nil {
		return nil, err
	}
	return &path{gateway: pid, server: "10.77.0.1"}, furnish(guest, mtu, "10.77.0.2/24", "10.77.0.1")
}

func landlineSocket(mtu, guest int) (*path, error) {
	pid, err := up(mtu, "--socket "+socket)
	if err != nil {
		return nil, err
	}
	return forwarded(pid, guest, mtu, "10.77.0.2/24", "10.77.0.1", "10.77.0.1")
}

// gvproxySocket is gvproxy as QEMU uses it. Its host has the address .254.
func gvproxySocket(mtu, guest int) (*path, error) {
	pid, err := start("", fmt.Sprintf("%s -listen-qemu unix://%s -ssh-port -1 -mtu %d", bin("gvproxy"), socket, mtu))
	if err != nil {
		return nil, err
	}
	err = await(func() error {
		_, err := os.Stat(socket)
		return err
	})
	if err != nil {
		return nil, err
	}
	return forwarded(pid, guest, mtu, "192.168.127.2/24", "192.168.127.1", "192.168.127.254")
}

// forwarded joins a guest to the socket of a gateway.
func forwarded(gateway, guest, mtu int, addr, router, server string) (*path, error) {
	forwarder, err := kernel.Forward("tap0", socket)
	if err != nil {
		return nil, err
	}
	return &path{gateway: gateway, server: server, others: []int{forwarder}}, furnish(guest, mtu, addr, router)
}

// furnish gives a guest the interface tap0.
func furnish(guest, mtu int, addr, router string) error {
	in := kernel.Enter(guest)
	return kernel.Run(
		fmt.Sprintf("ip link set tap0 netns %d", guest),
		fmt.Sprintf("%sip link set tap0 mtu %d up", in, mtu),
		in+"ip addr add "+addr+" dev tap0",
		in+"ip route add default via "+router,
	)
}

// slirp makes the guest's interface itself.
func slirp(mtu, guest int) (*path, error) {
	pid, err := start("", fmt.Sprintf("slirp4netns --configure --mtu=%d %d tap0", mtu, guest))
	return &path{gateway: pid, server: "10.0.2.2"}, err
}

// pasta makes the guest's interface itself, after the pattern of one here. Nothing goes by its way around the stack, between loopback
// and loopback.
func pasta(mtu, guest int) (*path, error) {
	err := kernel.Run(
		"ip link add ext0 type veth peer name ext1",
		"ip addr add 192.0.2.2/24 dev ext0",
		"ip link set ext0 up",
		"ip link set ext1 up",
		"ip route add default via 192.0.2.1",
	)
	if err != nil {
		return nil, err
	}
	pid, err := start("", fmt.Sprintf("pasta -f --runas 0 --config-net -I tap0 -m %d -t none -u none -T none -U none %d", mtu, guest))
	return &path{gateway: pid, server: "192.0.2.1"}, err
}
