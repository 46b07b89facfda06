// Package gvisor makes pairs of hosts from gVisor's network stack.
package gvisor

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/ethernet"
	"gvisor.dev/gvisor/pkg/tcpip/link/pipe"
	"gvisor.dev/gvisor/pkg/tcpip/link/veth"
	"gvisor.dev/gvisor/pkg/tcpip/network/arp"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
	"gvisor.dev/gvisor/pkg/waiter"

	"landline/bench/internal/load"
)

const (
	nic  = 1
	port = 5004
)

// Links are the wires in memory that Pair knows: "pipe", on which the sender's goroutine
// delivers, under Ethernet, with checksums; "veth", which copies, has one goroutine
// and leaves checksums out.
var Links = []string{"pipe", "veth"}

// Pair joins two hosts.
func Pair(link string, mtu uint32) (*load.Pair, error) {
	a, b, err := wire(link, mtu)
	if err != nil {
		return nil, err
	}
	here, err := newHost(a, [4]byte{10, 9, 0, 1})
	if err != nil {
		return nil, err
	}
	there, err := newHost(b, [4]byte{10, 9, 0, 2})
	if err != nil {
		return nil, err
	}
	ping, err := here.pinger(there.addr)
	if err != nil {
		return nil, err
	}
	return &load.Pair{
		Name: fmt.Sprintf("gVisor, %s, MTU %d", link, mtu),
		UDP:  func() (net.PacketConn, net.Conn, error) { return udpPair(here, there) },
		Ping: ping,
		Close: func() {
			here.stack.Destroy()
			there.stack.Destroy()
		},
	}, nil
}

func wire(link string, mtu uint32) (a, b stack.LinkEndpoint, err error) {
	switch link {
	case "pipe":
		// The Ethernet layer takes its header off the MTU.
		x, y := pipe.New("\x02\x00\x00\x00\x00\x01", "\x02\x00\x00\x00\x00\x02", mtu+header.EthernetMinimumSize)
		return ethernet.New(x), ethernet.New(y), nil
	case "veth":
		x, y := veth.NewPair(mtu, veth.DefaultBacklogSize)
		return x, y, nil
	}
	return nil, nil, fmt.Errorf("no link %q", link)
}

type host struct {
	stack *stack.Stack
	addr  tcpip.Address
}

func newHost(ep stack.LinkEndpoint, a [4]byte) (*host, error) {
	s := stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol, arp.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{udp.NewProtocol, icmp.NewProtocol4},
	})
	if err := s.CreateNIC(nic, ep); err != nil {
		return nil, errors.New(err.String())
	}
	h := &host{s, tcpip.AddrFrom4(a)}
	addr := tcpip.ProtocolAddress{
		Protocol:          ipv4.ProtocolNumber,
		AddressWithPrefix: tcpip.AddressWithPrefix{Address: h.addr, PrefixLen: 24},
	}
	if err := s.AddProtocolAddress(nic, addr, stack.AddressProperties{}); err != nil {
		return nil, errors.New(err.String())
	}
	s.SetRouteTable([]tcpip.Route{{Destination: header.IPv4EmptySubnet, NIC: nic}})
	return h, nil
}

func udpPair(here, there *host) (net.PacketConn, net.Conn, error) {
	to := tcpip.FullAddress{NIC: nic, Addr: there.addr, Port: port}
	rx, err := gonet.DialUDP(there.stack, &to, nil, ipv4.ProtocolNumber)
	if err != nil {
		return nil, nil, err
	}
	tx, err := gonet.DialUDP(here.stack, nil, &to, ipv4.ProtocolNumber)
	return rx, tx, err
}

// pinger returns a function that sends an echo request and waits for the reply.
func (h *host) pinger(to tcpip.Address) (func() error, error) {
	var queue waiter.Queue
	ep, terr := h.stack.NewEndpoint(icmp.ProtocolNumber4, ipv4.ProtocolNumber, &queue)
	if terr != nil {
		return nil, errors.New(terr.String())
	}
	if terr := ep.Connect(tcpip.FullAddress{NIC: nic, Addr: to}); terr != nil {
		return nil, errors.New(terr.String())
	}
	entry, readable := waiter.NewChannelEntry(waiter.ReadableEvents)
	queue.EventRegister(&entry)
	request := make(header.ICMPv4, header.ICMPv4MinimumSize+56)
	request.SetType(header.ICMPv4Echo)
	return func() error {
		request.SetSequence(request.Sequence() + 1)
		if _, terr := ep.Write(bytes.NewReader(request), tcpip.WriteOptions{}); terr != nil {
			return errors.New(terr.String())
		}
		for {
			_, terr := ep.Read(io.Discard, tcpip.ReadOptions{})
			if terr == nil {
				return nil
			}
			if _, again := terr.(*tcpip.ErrWouldBlock); !again {
				return errors.New(terr.String())
			}
			<-readable
		}
	}, nil
}
