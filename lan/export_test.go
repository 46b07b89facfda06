package lan

import "net"

// DialWorld is how gateways open sockets unless they are told otherwise.
var DialWorld = dialWorld

// ReadDatagram is how gateways read what comes back from the world.
func ReadDatagram(g *Gateway, c net.Conn, hear func([]byte)) error { return g.readDatagram(c, hear) }

// Holders returns how many addresses a guard knows the holders of.
func Holders(s *Switch) int {
	g := s.guard.Load()
	g.mu.RLock()
	defer g.mu.RUnlock()
	return len(g.holders)
}
