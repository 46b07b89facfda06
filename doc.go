// Package landline is a machine of its own within a program: a Host, with addresses, a
// hardware address and ports that are not the system's, and sockets that are used as those of
// package net are.
//
//	end, other := link.NewCable(link.CableConfig{})
//	h, err := landline.NewHost(end, landline.Config{Addresses: prefixes, Hostname: "shed"})
//	l, err := h.Listen(ctx, "tcp", ":8080")
//	c, err := h.DialContext(ctx, "tcp", "desk.lan:80")
//	s, err := h.ListenPacket(ctx, "udp", ":53")
//	r, err := h.Ping(ctx, "10.0.0.1", landline.PingConfig{})
//
// A Host sits on any link.Device: the end of a cable to another Host, a TAP, a virtual machine's
// socket. It speaks IPv4 and IPv6 with ARP, Neighbor Discovery, ICMP, TCP and UDP, finds
// its addresses by DHCP and routers' advertisements, and looks names up by DNS.
//
// What Listen, ListenPacket and DialContext return are a net.Listener, net.PacketConn and net.Conn, so that net/http and all
// else that takes these runs over a Host: http.Transport{DialContext: h.DialContext}. Their types TCPListener,
// TCPConn and UDPConn have the further methods of those of net. Errors have the shapes of package net:
// errors.Is(err, syscall.ECONNREFUSED) holds as it does there. What is
// not here is what only a socket of the system has: File, SyscallConn.
//
// # In tests
//
// A Host, with all that it makes, may live in a testing/synctest bubble, where a day of a DHCP
// lease passes in a moment. With Config.Seed the same happens each time.
//
// # Standards
//
// Those of the packages ip, tcp, udp, dhcp and dns; and RFC 6724 for the order of a name's addresses, RFC
// 6761 for localhost, RFC 7766 for long answers of name servers, RFC 5227 for the check of a DHCP address.
package landline
