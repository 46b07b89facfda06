// Package ours joins hosts of landline.
package ours

import (
	"context"
	"net"
	"net/netip"

	"landline"
	"landline/bench/internal/kernel"
	"landline/bench/internal/load"
	"landline/link"
)

// Cable joins two hosts.
func Cable(c link.CableConfig) (*load.Pair, error) {
	a, b := link.NewCable(c)
	here, err := newHost(a, "10.9.0.1/24")
	if err != nil {
		return nil, err
	}
	there, err := newHost(b, "10.9.0.2/24")
	if err != nil {
		return nil, err
	}
	l, err := there.Listen(context.Background(), "tcp4", "10.9.0.2:0")
	if err != nil {
		return nil, err
	}
	go load.Serve(l)
	return &load.Pair{
		Dial: dialer(here, l.Addr().String()),
		UDP:  func() (net.PacketConn, net.Conn, error) { return udpPair(here, there) },
		Ping: func() error {
			_, err := here.Ping(context.Background(), "10.9.0.2", landline.PingConfig{})
			return err
		},
	}, nil
}

// TAP joins a host to the kernel.
func TAP() (*load.Pair, error) {
	tap, err := link.OpenTAP(link.TAPConfig{Name: "tap0"})
	if err != nil {
		return nil, err
	}
	h, err := newHost(tap, kernel.OwnAddr+"/24")
	if err != nil {
		return nil, err
	}
	pid, err := kernel.AddFar("tap0")
	if err != nil {
		return nil, err
	}
	return &load.Pair{Dial: dialer(h, kernel.Far), Others: []int{pid}}, nil
}

func newHost(dev link.Device, addr string) (*landline.Host, error) {
	return landline.NewHost(dev, landline.Config{Addresses: []netip.Prefix{netip.MustParsePrefix(addr)}})
}

func dialer(h *landline.Host, to string) func() (net.Conn, error) {
	return func() (net.Conn, error) { return h.DialContext(context.Background(), "tcp4", to) }
}

func udpPair(here, there *landline.Host) (net.PacketConn, net.Conn, error) {
	ctx := context.Background()
	rx, err := there.ListenPacket(ctx, "udp4", "10.9.0.2:0")
	if err != nil {
		return nil, nil, err
	}
	tx, err := here.DialContext(ctx, "udp4", rx.LocalAddr().String())
	if err != nil {
		rx.Close()
		return nil, nil, err
	}
	// gVisor's receiver takes 200 kB and more; 256 datagrams of 1,400 bytes want twice that.
	rx.(*landline.UDPConn).SetReadBuffer(4 << 20)
	return rx, tx, nil
}
