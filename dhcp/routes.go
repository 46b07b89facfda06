package dhcp

import "net/netip"

// A Route says where packets go that are for a network.
type Route struct {
	Dst netip.Prefix // masked
	Via netip.Addr   // 0.0.0.0 if the machines of Dst are on the link
}

// maxRoutes is how many routes are read of a message.
const maxRoutes = 128

// AppendRoutes appends the classless static routes (RFC 3442). It reports false, and
// appends none, if the option is not there or is malformed.
func (m Message) AppendRoutes(to []Route) ([]Route, bool) {
	before := len(to)
	b := m.Option(OptRoutes)
	for len(b) > 0 {
		r, n := readRoute(b)
		if n == 0 {
			return to[:before], false
		}
		if len(to)-before < maxRoutes {
			to = append(to, r)
		}
		b = b[n:]
	}
	return to, len(to) > before
}

// readRoute reads a route and returns how many bytes it took: 0 if it is malformed.
// Only as much of the destination is there as its mask covers.
func readRoute(b []byte) (r Route, n int) {
	bits := int(b[0])
	significant := (bits + 7) / 8
	n = 1 + significant + 4
	if bits > 32 || n > len(b) {
		return Route{}, 0
	}
	var dst [4]byte
	copy(dst[:], b[1:1+significant])
	r = Route{Dst: netip.PrefixFrom(netip.AddrFrom4(dst), bits).Masked(), Via: addr4(b[1+significant:])}
	if !r.Via.IsUnspecified() && !isUnicast(r.Via) {
		return Route{}, 0
	}
	return r, n
}

// AppendRoutes appends classless static routes to the options in b. Their
// destinations must be IPv4.
func AppendRoutes(b []byte, routes ...Route) []byte {
	at := len(b)
	b = append(b, byte(OptRoutes), 0)
	for _, r := range routes {
		dst := r.Dst.Masked().Addr().As4()
		b = append(b, byte(r.Dst.Bits()))
		b = append(b, dst[:(r.Dst.Bits()+7)/8]...)
		b = append4(b, r.Via)
	}
	return seal(b, at)
}
