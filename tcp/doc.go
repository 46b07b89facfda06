// Package tcp is the transport that keeps what it sent until it is acknowledged: the
// Transmission Control Protocol, RFC 9293.
//
// A Layer is the TCP of one host. It sits on an ip.Stack and makes Listeners and Conns, whose
// errors are plain; package landline gives them the shapes of package net.
//
//	l := tcp.New(stack, tcp.Config{})
//	o, err := l.Listen(tcp.ListenConfig{Local: netip.MustParseAddrPort("0.0.0.0:80")})
//	c, err := l.Dial(ctx, tcp.DialConfig{Remote: netip.MustParseAddrPort("10.0.0.2:80")})
//
// It has two halves. The core knows the protocol and nothing else; the shell around it knows locks, timers,
// goroutines and the network.
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
// window.go, what is sent in output.go, timers in timer.go and rto.go, what was lost in loss.go, rack.go and
// tail.go, how fast to send in congestion.go and its neighbors. A sentence of an RFC is quoted where it is obeyed.
//
// # The shell
//
// A segment comes in with the goroutine that read it from the device, and that goroutine does all there is to do:
//
//	Layer.receive    checks it and makes a segment of it         receive.go
//	shard.lookup     finds the Conn of its two ends              table.go
//	Conn.mu          is taken; segments in a row share that
//	tcb.arrive       takes it
//	tcb.output       says what is to be sent now
//	Conn.sendLocked  sends that, and lets go of the lock for it  conn_send.go
//	Conn.wakeLocked  wakes Read, Write or Dial                   conn.go
//
// A Read, a Write, a Close and a timer do the same from the lock on. One goroutine sends for a connection at a time, so that segments
// leave in the order in which they were made; what others cause meanwhile goes with it. What an acknowledgment lets go may be left
// to who waits in Write (handOverLocked in conn_send.go). Nobody holds a lock
// while sending, and nobody waits for a device: a batch for which that has no room is parked with its connection until the
// device says that it has. Payload is sent from the ring where it lies (hold in acked.go), and who copies reads and writes in
// the rings (conn_lend.go). A large Write is sent from the user's memory (sendtext.go), and to a large Read that waits text comes
// into his (intake.go), so that between two machines of a process a byte may be copied once.
//
// What strangers can make a host keep is small: a SYN is a record until its handshake is over (syn.go), and a cookie
// if there are too many (cookie.go); TIME-WAIT is another record (timewait.go, table.go); all buffers count
// against one budget (memory.go).
//
// For gateways there is an AnyListener, which takes connections to the addresses of others (any.go).
//
// # Standards
//
//   - TCP: RFC 9293; against blind attacks: RFC 5961, 5927, 1337; reuse of ports in TIME-WAIT: RFC 6191
//   - options: timestamps, PAWS and window scale, RFC 7323; SACK, RFC 2018 and 2883
//   - retransmission: RFC 6298, 6675, 6582, 3042; RACK-TLP, RFC 8985; undo, RFC 3522 and 3708
//   - congestion: RFC 5681, 6928, 9438 (CUBIC), 9406 (HyStart++), and of RFC 7661 that the
//     window does not grow unless it is used; PRR, RFC 6937, is there and switched off, as docs/goodput.md says why
//
// Not here: ECN, urgent data (the pointer is ignored and the bytes stay in the stream),
// Fast Open, authentication, multipath.
package tcp
