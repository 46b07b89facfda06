// Package pkt runs scripts in the packetdrill language, in which people who work on TCP say
// what a host must do: system calls, the packets that come to it, and those that must come of
// it, each at its time.
//
//	0    socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
//	+0   fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0
//	+0   connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)
//	+0   > S 0:0(0) <...>
//	+.1  < S. 0:0(0) ack 1 win 1000 <mss 1000>
//	+0   > . 1:1(0) ack 1
//
// Parse reads the language as its users write it: that of Google's packetdrill, and what its
// FreeBSD relatives add. What the host cannot do (tunnels, SCTP, MD5, Fast Open on our side) is
// read too, and is an error only if the script comes to it. Commands for a shell are reported
// as ignored.
//
// Run lets a script run on the stack, within a testing/synctest bubble, so that an hour of a
// connection passes in a moment and everything happens at its very time. The host sits on a
// device of this package, which answers for its neighbors; what it has from IP up, a script sees. When
// something is due at the same time as an event of the script, the host comes first.
//
// Scripts of others depend on choices of the systems that they were written for. A Profile makes
// some of them; of the rest those are not compared that the standards leave to the host: how
// large a window is, when PSH is set, timestamps of a clock of its own, and up to 4 ms. Scripts
// that were written for this stack are run with Config.Strict. Those are in tcp/testdata, and
// the test of this package runs them.
//
// The bytes of a stream tell where in it they are, so that each packet that comes out, and each
// read, is checked to have what was written there.
//
// Ports in front of a packet, as in "< 4001 > 8080 S 0:0(0) win 1000", make it one of another
// connection than the one that packets without ports belong to: that of the last connect, or
// the one that came to the last listen.
package pkt
