package lan

import (
	"context"
	"net"
	"net/netip"
	"sync"
	"syscall"
)

// mappings keep for each place that a machine sends datagrams from the port of the computer that the world sees, whoever they go to:
// "A NAT MUST have an 'Endpoint-Independent Mapping' behavior" (RFC 4787, Section 4.1), or programs that look for a way to each
// other find none. There is still a socket for each destination, that is connected to it: errors come to it, and nobody gets in who
// was not asked ("Address and Port-Dependent Filtering", Section 5).
type mappings struct {
	mu    sync.Mutex
	bySrc map[netip.AddrPort]*mapping
	ports map[uint16]bool // of all mappings, as others of the same user may share them
}

// A mapping is such a place.
type mapping struct {
	users int // with the mu of mappings

	mu   sync.Mutex
	port uint16 // 0 until there was one
}

func newMappings() *mappings {
	return &mappings{bySrc: map[netip.AddrPort]*mapping{}, ports: map[uint16]bool{}}
}

// dial opens a socket to an address, from the port of who sends there.
func (m *mappings) dial(ctx context.Context, src netip.AddrPort, address string) (net.Conn, error) {
	p := m.use(src)
	c, err := m.open(ctx, p, address)
	if err != nil {
		m.release(src, p)
		return nil, err
	}
	return &mappedConn{UDPConn: c, end: func() { m.release(src, p) }}, nil
}

// tries is how often another port is looked for if one is taken. Two places never have the same one: answers could not be told apart.
const tries = 16

func (m *mappings) open(ctx context.Context, p *mapping, address string) (*net.UDPConn, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.port != 0 {
		return dialShared(ctx, p.port, address)
	}
	for range tries {
		c, err := dialShared(ctx, 0, address)
		if err != nil {
			return nil, err
		}
		port := uint16(c.LocalAddr().(*net.UDPAddr).Port)
		if m.claim(port) {
			p.port = port
			return c, nil
		}
		c.Close()
	}
	return nil, &net.OpError{Op: "dial", Net: "udp", Err: syscall.EADDRINUSE}
}

// claim notes a port that is used, and reports whether it was not.
func (m *mappings) claim(port uint16) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ports[port] {
		return false
	}
	m.ports[port] = true
	return true
}

// dialShared opens a socket whose port others of the gateway may have too.
func dialShared(ctx context.Context, port uint16, address string) (*net.UDPConn, error) {
	d := net.Dialer{LocalAddr: &net.UDPAddr{Port: int(port)}, Control: sharePort}
	c, err := d.DialContext(ctx, "udp", address)
	if err != nil {
		return nil, err
	}
	return c.(*net.UDPConn), nil
}

func (m *mappings) use(src netip.AddrPort) *mapping {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.bySrc[src]
	if p == nil {
		p = new(mapping)
		m.bySrc[src] = p
	}
	p.users++
	return p
}

func (m *mappings) release(src netip.AddrPort, p *mapping) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p.users--; p.users == 0 {
		delete(m.bySrc, src)
		delete(m.ports, p.port)
	}
}

// A mappedConn gives its mapping back when it is closed.
type mappedConn struct {
	*net.UDPConn
	end  func()
	once sync.Once
}

// Close closes the socket.
func (c *mappedConn) Close() error {
	err := c.UDPConn.Close()
	c.once.Do(c.end)
	return err
}
