package gvisor

import (
	"context"
	"fmt"
	"net/netip"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/channel"
	"gvisor.dev/gvisor/pkg/tcpip/link/ethernet"
	"gvisor.dev/gvisor/pkg/tcpip/link/fdbased"
	"gvisor.dev/gvisor/pkg/tcpip/link/pipe"
	"gvisor.dev/gvisor/pkg/tcpip/link/tun"
	"gvisor.dev/gvisor/pkg/tcpip/link/veth"
	"gvisor.dev/gvisor/pkg/tcpip/stack"

	"landline/bench/internal/kernel"
	"landline/bench/internal/load"
)

const (
	macA = tcpip.LinkAddress("\x02\x00\x00\x00\x00\x01")
	macB = tcpip.LinkAddress("\x02\x00\x00\x00\x00\x02")
)

// wire makes what two hosts are joined by: a "pipe", on which the sender's goroutine delivers, under Ethernet,
// with checksums; a "veth", which copies, has one goroutine and leaves checksums out; a "channel" under Ethernet,
// with one goroutine each way and checksums; or "units", which is a channel that takes segments of up to 64 KiB
// whole and leaves checksums out.
func (c Config) wire() (a, b stack.LinkEndpoint, err error) {
	mtu := c.MTU + header.EthernetMinimumSize // the Ethernet layer takes its header off
	switch c.Link {
	case "pipe":
		x, y := pipe.New(macA, macB, mtu)
		return ethernet.New(x), ethernet.New(y), nil
	case "veth":
		x, y := veth.NewPair(c.MTU, veth.DefaultBacklogSize)
		return x, y, nil
	case "channel", "units":
		x, y := channel.New(4096, mtu, macA), channel.New(4096, mtu, macB)
		if c.Link == "units" {
			takeUnits(x)
			takeUnits(y)
		}
		a, b = ethernet.New(x), ethernet.New(y)
		go pump(x, y)
		go pump(y, x)
		return a, b, nil
	}
	return nil, nil, fmt.Errorf("no link %q", c.Link)
}

func takeUnits(e *channel.Endpoint) {
	e.SupportedGSOKind = stack.HostGSOSupported
	e.LinkEPCapabilities = stack.CapabilityTXChecksumOffload | stack.CapabilityRXChecksumOffload
}

func pump(from, to *channel.Endpoint) {
	for {
		p := from.ReadContext(context.Background())
		in := stack.NewPacketBuffer(stack.PacketBufferOptions{Payload: p.ToBuffer()})
		to.InjectInbound(p.NetworkProtocolNumber, in)
		in.DecRef()
		p.DecRef()
	}
}

// TAP joins a host to the kernel. Virtio-net headers are for sockets alone there, so each frame is a segment.
func TAP(c Config) (*load.Pair, error) {
	const name = "tap0"
	fd, err := tun.OpenTAP(name)
	if err != nil {
		return nil, err
	}
	ep, err := fdbased.New(&fdbased.Options{
		FDs: []int{fd}, MTU: 1500, EthernetHeader: true, Address: macB, PacketDispatchMode: fdbased.RecvMMsg,
	})
	if err != nil {
		return nil, err
	}
	h, err := newHost(ep, netip.MustParseAddr(kernel.OwnAddr).As4(), c)
	if err != nil {
		return nil, err
	}
	pid, err := kernel.AddFar(name)
	if err != nil {
		return nil, err
	}
	to := netip.MustParseAddrPort(kernel.Far)
	far := tcpip.FullAddress{NIC: nic, Addr: tcpip.AddrFrom4(to.Addr().As4()), Port: to.Port()}
	return &load.Pair{Dial: h.dialer(far), Others: []int{pid}}, nil
}
