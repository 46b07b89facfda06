// Package wire knows how each header lies on the wire, from the Ethernet frame
// to the options of a TCP segment. It keeps no state: what a packet means is
// for the packages above.
//
// # Views
//
// A header and all that it carries is a byte slice with a name, such as UDP.
// Its Parse function checks every length once, cuts what follows the packet
// (short frames are padded), and copies nothing; after it no method panics. The
// error is a Fault, which counts as well as it reads. Options and extension
// headers are checked by the walker that visits them, since a bad one does not
// always spoil the packet. A view lives as long as the bytes under it. Views
// may be read by several goroutines at once.
//
// A conversion, such as UDP(b), makes a view too: of bytes that were just built
// here.
//
// # Builders
//
// Append functions append a header to a buffer, from the outside in: each is
// told how many bytes will follow. Options and payload are appended behind it.
// Checksums come last, since they cover what follows: IPv4, ICMP and IGMP have
// theirs set as they are appended; UDP, TCP and ICMPv6, which sum the addresses
// too, wait for FillChecksum. Or the sum of the payload is at hand from
// CopySum: then SetChecksum. Or a device does it: then SetPartialChecksum.
// Builders trust their caller: a value out of the range that is documented for
// it makes a bad packet, or a panic.
//
// # Text
//
// Each view has one describer, and String, AppendText and LogValue are its
// faces, so that logs, tests and captures read alike. A line goes from the
// outside in, with a bar between layers. A layer is its name, source and
// destination, then facts as "name value", flags as single words, options in
// angle brackets, and last the length of what is not described any further:
//
//	eth 02:00:00:00:00:01 > ff:ff:ff:ff:ff:ff | arp who has 10.0.0.2 tell 10.0.0.1 at 02:00:00:00:00:01
//	ip4 10.0.0.1 > 10.0.0.2 ttl 64 id 7 df | tcp 40000 > 80 [S] seq 1 win 65535 <mss 1460, sackok> len 0
//	ip6 fe80::1 > ff02::1:ff00:2 hop 255 | icmp6 neighbor solicit fe80::2 <source 02:00:00:00:00:01>
//
// What cannot be read is called bad, with the Fault: "… | bad udp length len
// 4".
//
// # Standards
//
//   - Ethernet II, IEEE 802.1Q and 802.1ad; ARP: RFC 826, 5227; multicast addresses: RFC 1112, 2464
//   - checksums: RFC 1071, 1624
//   - IPv4: RFC 791, 1122, 2113; ICMP: RFC 792, 1122, 1191, 1812
//   - IPv6: RFC 8200, 4291, 6946, 2711; ICMPv6: RFC 4443
//   - Neighbor Discovery: RFC 4861, 4862, 8106
//   - IGMP: RFC 2236, 3376; MLD: RFC 2710, 3810
//   - UDP: RFC 768; TCP: RFC 9293, with the options of RFC 2018 and 7323
//
// Not here: jumbograms, authentication headers, the meaning of routing headers,
// the source lists that a multicast host could ask for, and 802.3 framing.
package wire
