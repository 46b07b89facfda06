package upper

import (
	"context"
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
		return nil, err
	}
	dev, err := link.OpenTAP(link.TAPConfig{Name: tap})
	if err != nil {
		return nil, err
	}
	return landline.NewHost(dev, landline.Config{Addresses: []netip.Prefix{prefix}})
}
