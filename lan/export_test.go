package lan

import "net"

// DialWorld is how gateways open sockets unless they are told otherwise.
var DialWorld = dialWorld

// ReadDatagram is how gateways read what comes back from the world.
func ReadDatagram(g *Gateway, c net.Conn, hear func([]byte)) error { return g.readDatagram(c, hear) }
