// Package tcp is the transport that keeps what it sent until it is acknowledged: the
// Transmission Control Protocol, RFC 9293.
//
// What is here today is the core, and nothing that a program could call: connections
// with their states, and no sockets, listeners, ports or locks around them.
//
// # The core
//
// A tcb is one connection. It is pure: it is told what happens, and when, and says
// what is to be sent. It has no lock, clock, goroutine or device, so that a test runs
// an hour of a connection in a millisecond, and twice alike.
//
//	t.arrive(now, &segment)   a segment came in
//	t.expire(now)             nextTimeout has been reached
//	t.write, read, closeWrite, abort, …   the user wants something
//	t.output(now, list)       after any of these: what to send now
//
// The core keeps no object for a segment. What was written lies in a byte ring until
// it is acknowledged, beside a short list of runs: which numbers were sent when, and
// what became of them (flight.go). What arrives is written to its place in another
// ring at once, in order or not. An idle connection has neither ring.
//
// Files follow the sections of the RFC: the steps that a segment goes through are in
// arrive.go, open.go (the handshake), acked.go, text.go and close.go; windows are in
// window.go, and so on. A sentence of an RFC is quoted where it is obeyed.
//
// # Standards
//
//   - TCP: RFC 9293; against blind attacks: RFC 5961, 5927, 1337; reuse of ports in TIME-WAIT: RFC 6191
//   - options: timestamps, PAWS and window scale, RFC 7323; SACK, RFC 2018 and 2883
//   - retransmission: RFC 6298, 6675, 6582, 3042; RACK-TLP, RFC 8985; undo, RFC 3522 and 3708
//   - congestion: RFC 5681, 6928, 9438 (CUBIC), 9406 (HyStart++), 6937 (PRR), and of RFC 7661 that the
//     window does not grow unless it is used
//
// Not here: ECN, urgent data (the pointer is ignored and the bytes stay in the stream),
// Fast Open, authentication, multipath.
package tcp
