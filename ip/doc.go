// Package ip is the network layer of a host: interfaces with their addresses,
// routes, neighbors (ARP and NDP), ICMP, fragments, multicast groups, and
// forwarding; IPv4 and IPv6 alike.
//
// A Stack has interfaces, each on a link.Device. The goroutine that brings a batch of
// frames carries it through here to the transport that registered for it.
//
// What has states and times is a machine without locks, clocks or
// goroutines: it is told what happened and when, and says what is to be sent.
// neighbor.go, detect.go (duplicate addresses), autoconf.go (router advertisements),
// groups.go, reassembly.go and pathmtu.go are such machines. stack.go, interface.go,
// input.go and output.go put them together.
package ip
