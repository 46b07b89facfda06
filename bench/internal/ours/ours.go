// Package ours makes pairs of landline hosts on a cable.
package ours

import (
	"context"
	"fmt"
	"net"
	"net/netip"

	"landline"
	"landline/bench/internal/load"
	"landline/link"
)

// Pair joins two hosts by a cable. With checksums it is as a wire is: each datagram is
// summed by its sender and its receiver.
func Pair(mtu int, checksums bool) (*load.Pair, error) {
	a, b := link.NewCable(link.CableConfig{MTU: mtu, Checksums: checksums})
	here, err := newHost(a, "10.9.0.1/24")
	if err != nil {
		return nil, err
	}
	there, err := newHost(b, "10.9.0.2/24")
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("landline, MTU %d", mtu)
	if !checksums {
		name += ", checksums left out"
	}
	return &load.Pair{
		Name: name,
		UDP:  func() (net.PacketConn, net.Conn, error) { return udpPair(here, there) },
		Ping: func() error {
			_, err := here.Ping(context.Background(), "10.9.0.2", landline.PingConfig{})
			return err
		},
		Close: func() {
			here.Close()
			there.Close()
		},
	}, nil
}

func newHost(dev link.Device, addr string) (*landline.Host, error) {
	return landline.NewHost(dev, landline.Config{Addresses: []netip.Prefix{netip.MustParsePrefix(addr)}})
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
