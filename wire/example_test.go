package wire_test

import (
	"fmt"
	"net/netip"

	"landline/wire"
)

// A datagram is built from the outside in and read again.
func Example() {
	src, dst := netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.0.0.2")
	question := "who is there?"

	frame := wire.AppendEthernet(nil, wire.Broadcast, wire.MAC{2, 0, 0, 0, 0, 1}, wire.TypeIPv4)
	header := wire.IPv4Header{TTL: 64, Protocol: wire.ProtoUDP, Src: src, Dst: dst}
	frame = wire.AppendIPv4(frame, &header, wire.UDPLen+len(question))
	at := len(frame)
	frame = wire.AppendUDP(frame, 40000, 7, len(question))
	frame = append(frame, question...)
	wire.UDP(frame[at:]).FillChecksum(wire.PseudoSum(src, dst, wire.ProtoUDP, len(frame)-at))

	e, err := wire.ParseEthernet(frame)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(e)

	packet, err := wire.ParseIPv4(e.Payload())
	if err != nil {
		fmt.Println(err)
		return
	}
	datagram, err := wire.ParseUDP(packet.Payload())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s\n", datagram.Payload())
	fmt.Println(datagram.Verify(packet.PseudoSum()))
	// Output:
	// eth 02:00:00:00:00:01 > ff:ff:ff:ff:ff:ff | ip4 10.0.0.1 > 10.0.0.2 ttl 64 id 0 | udp 40000 > 7 len 13
	// who is there?
	// <nil>
}

// Drops are counted by what was wrong.
func ExampleFault() {
	var drops [wire.Faults]int
	for _, b := range [][]byte{{1, 2, 3}, {0, 7, 0, 53, 0, 99, 0, 0}} {
		if _, err := wire.ParseUDP(b); err != nil {
			drops[err.(wire.Fault)]++
		}
	}
	for f, n := range drops {
		if n > 0 {
			fmt.Println(wire.Fault(f).String(), n)
		}
	}
	// Output:
	// udp short 1
	// udp length 1
}

// The options of a segment are walked without an allocation.
func ExampleTCP_Options() {
	options := wire.AppendMSS(nil, 1460)
	options = wire.AppendWindowScale(options, 7)
	segment := wire.TCP(wire.AppendTCP(nil, &wire.TCPHeader{Flags: wire.FlagSYN}, options))

	o := segment.Options()
	for o.Next() {
		fmt.Println("kind", o.Kind(), "data", o.Data())
	}
	fmt.Println(o.Err())
	// Output:
	// kind 2 data [5 180]
	// kind 3 data [7]
	// <nil>
}
