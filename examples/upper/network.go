package upper

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	"landline"
	"landline/link"
)

// A Network is where connections come from and go to. A *landline.Host is one.
type Network interface {
	Listen(ctx context.Context, network, address string) (net.Listener, error)
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

// System is this system's network.
func System() Network {
	return &struct {
		net.ListenConfig
		net.Dialer
	}{}
}

// Open returns the system's network if tap is empty; else that of a machine of its own on the TAP device of this
// name, with an address such as 10.0.0.2/24.
func Open(tap, addr string) (Network, error) {
	if tap == "" {
		return System(), nil
	}
	prefix, err := netip.ParsePrefix(addr)
	if err != nil {
		return nil, fmt.Errorf("-addr %s: not an address with the length of its network's prefix, such as 10.0.0.2/24", addr)
	}
	switch i, err := net.InterfaceByName(tap); {
	case err != nil:
		return nil, fmt.Errorf("-tap %s: there is no such device (as root: ip tuntap add %[1]s mode tap user $USER)", tap)
	case i.Flags&net.FlagUp == 0:
		return nil, fmt.Errorf("-tap %s: the device is down (as root: ip link set %[1]s up)", tap)
	}
	dev, err := link.OpenTAP(link.TAPConfig{Name: tap})
	if err != nil {
		return nil, err
	}
	return landline.NewHost(dev, landline.Config{Addresses: []netip.Prefix{prefix}})
}
