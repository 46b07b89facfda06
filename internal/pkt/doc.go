// Package pkt runs scripts in the packetdrill language, in which people who work on TCP say
// what a host must do: system calls, the packets that come to it, and those that must come of
// it, each at its time.
//
//	0    socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
//	+0   connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)
//	+0   > S 0:0(0) <...>
//	+.1  < S. 0:0(0) ack 1 win 1000 <mss 1000>
//	+0   > . 1:1(0) ack 1
//
// Parse reads the language as its users write it: that of Google's packetdrill, and what its
// FreeBSD relatives add. What the host cannot do (tunnels, SCTP, MD5, Fast Open on our side) is
// read too, and is an error only if the script comes to it. Commands for a shell are reported
// as ignored.
package pkt
