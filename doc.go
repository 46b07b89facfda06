// Package landline is the root of a module that becomes a private LAN in user
// space, and a line to every machine on it.
//
// Today there is the line, over the sockets of the operating system: it runs
// commands on another machine and moves files, with the SSH keys that are there
// already. The program is cmd/landline; the packages under it are frame (messages
// on a byte stream), identity (SSH keys as TLS 1.3 identities) and remote
// (client and server, over any net.Conn).
//
// This package will hold the Host of the TCP/IP stack, which is not written
// yet. It exports nothing so far.
package landline
