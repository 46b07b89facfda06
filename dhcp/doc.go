// Package dhcp gives machines their IPv4 addresses: the messages of the Dynamic
// Host Configuration Protocol, its client and its server.
//
// A Message is a view of bytes, as those of package wire are: ParseMessage checks
// every length once, and after it no method panics. Append functions build
// messages.
//
// A Client and a Server are machines without goroutines, locks and
// clocks. Each is told what happened and when, and says what is to be done. The
// owner has the socket, the timer and the disk:
//
//	c := dhcp.NewClient(dhcp.ClientConfig{MAC: mac})
//	do(c.Start(time.Now()))             // sends what is to be sent
//	do(c.Arrive(time.Now(), message))   // for each message to port 68
//	do(c.Expire(time.Now()))            // when c.Next() has come
//
// Neither may be used by two goroutines at once.
//
// # Standards
//
//   - the protocol: RFC 2131; client identifiers: RFC 4361, 6842
//   - options: RFC 2132; long options: RFC 3396; search domains: RFC 3397; routes: RFC 3442
//   - the relay's own option is returned to it: RFC 3046
//
// Not here: BOOTP without DHCP, hardware other than Ethernet, boot files, leases by
// two messages (RFC 4039), authentication, and addresses that machines make up for
// themselves (RFC 2563, 3927).
package dhcp
