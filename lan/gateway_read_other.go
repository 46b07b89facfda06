//go:build !unix

package lan

import "net"

// readDatagram waits for a datagram and gives it to hear.
func (g *Gateway) readDatagram(c net.Conn, hear func([]byte)) error { return g.readInto(c, hear) }
