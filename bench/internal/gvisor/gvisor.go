// Package gvisor joins hosts of gVisor's network stack.
package gvisor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/adapters/gonet"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/network/arp"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/icmp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/tcpip/transport/udp"
	"gvisor.dev/gvisor/pkg/waiter"

	"landline/bench/internal/load"
)

const (
	nic     = 1
	udpPort = 5004
	tcpPort = 5001
)

// A Config is one of the ways in which hosts are joined and set up.
type Config struct {
	Link string // of wires
	MTU  uint32
	// NoRACK finds losses without RACK, which costs time for each segment in flight.
	NoRACK bool
}

// Wire joins two hosts by a wire in memory.
func Wire(c Config) (*load.Pair, error) {
	a, b, err := c.wire()
	if err != nil {
		return nil, err
	}
	here, err := newHost(a, [4]byte{10, 9, 0, 1}, c)
	if err != nil {
		return nil, err
	}
	there, err := newHost(b, [4]byte{10, 9, 0, 2}, c)
	if err != nil {
		return nil, err
	}
	at := tcpip.FullAddress{NIC: nic, Addr: there.addr, Port: tcpPort}
	l, err := gonet.ListenTCP(there.stack, at, ipv4.ProtocolNumber)
	if err != nil {
		return nil, err
	}
	go load.Serve(l)
	ping, err := here.pinger(there.addr)
	return &load.Pair{
		Dial: here.dialer(at),
		UDP:  func() (net.PacketConn, net.Conn, error) { return udpPair(here, there) },
		Ping: ping,
	}, err
}

type host struct {
	stack *stack.Stack
	addr  tcpip.Address
}

func newHost(ep stack.LinkEndpoint, a [4]byte, c Config) (*host, error) {
	s := stack.New(stack.Options{
		NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol, arp.NewProtocol},
		TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol, udp.NewProtocol, icmp.NewProtocol4},
	})
	if err := setTCP(s, c); err != nil {
		return nil, err
	}
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

// setTCP turns on what makes it fast: selective acknowledgments, and buffers that grow to 8 MiB.
func setTCP(s *stack.Stack, c Config) error {
	sack := tcpip.TCPSACKEnabled(true)
	moderate := tcpip.TCPModerateReceiveBufferOption(true)
	rx := tcpip.TCPReceiveBufferSizeRangeOption{Min: 4 << 10, Default: 1 << 20, Max: 8 << 20}
	tx := tcpip.TCPSendBufferSizeRangeOption{Min: 4 << 10, Default: 1 << 20, Max: 8 << 20}
	options := []tcpip.SettableTransportProtocolOption{&sack, &moderate, &rx, &tx}
	if c.NoRACK {
		none := tcpip.TCPRecovery(0)
		options = append(options, &none)
	}
	for _, o := range options {
		if err := s.SetTransportProtocolOption(tcp.ProtocolNumber, o); err != nil {
			return fmt.Errorf("%T: %s", o, err)
		}
	}
	return nil
}

func (h *host) dialer(to tcpip.FullAddress) func() (net.Conn, error) {
	return func() (net.Conn, error) {
		c, err := gonet.DialContextTCP(context.Background(), h.stack, to, ipv4.ProtocolNumber)
		if err != nil {
			return nil, err // and not a *gonet.TCPConn that is nil
		}
		return c, nil
	}
}

func udpPair(here, there *host) (net.PacketConn, net.Conn, error) {
	to := tcpip.FullAddress{NIC: nic, Addr: there.addr, Port: udpPort}
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
