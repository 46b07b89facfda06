package dhcp

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"landline/wire"
)

// maxAddresses is how many addresses a subnet may give: each that was used once costs
// memory.
const maxAddresses = 1 << 20

// defaultServerLease is for configurations that do not say.
const defaultServerLease = time.Hour

// neverNames are given to nobody, as programs believe what they find there.
var neverNames = [...]string{"localhost", "wpad", "isatap"}

// NewServer returns a server without leases. The error says what is wrong with the
// configuration.
func NewServer(config ServerConfig) (*Server, error) {
	s := &Server{config: config, names: make(map[string]*entry)}
	for _, n := range slices.Concat(config.Names, neverNames[:]) {
		s.names[label([]byte(n))] = nil
	}
	for _, subnet := range config.Subnets {
		if err := s.addPool(subnet); err != nil {
			return nil, fmt.Errorf("dhcp: subnet %v: %w", subnet.Prefix, err)
		}
	}
	if s.local = s.poolWith(config.ID); s.local == nil {
		return nil, fmt.Errorf("dhcp: server %v is in no subnet", config.ID)
	}
	for i := range config.Static {
		if err := s.addStatic(&config.Static[i]); err != nil {
			return nil, fmt.Errorf("dhcp: static client of %v: %w", config.Static[i].Addr, err)
		}
	}
	return s, nil
}

// ID returns the server's address.
func (s *Server) ID() netip.Addr { return s.config.ID }

func (s *Server) addPool(n Subnet) error {
	n.Prefix = n.Prefix.Masked()
	if !n.Prefix.Addr().Is4() || n.Prefix.Bits() == 0 || n.Prefix.Bits() > 30 {
		return errConfig("not a network of IPv4")
	}
	if slices.ContainsFunc(s.pools, func(p *pool) bool { return p.Prefix.Overlaps(n.Prefix) }) {
		return errConfig("overlaps another")
	}
	if n.LeaseTime == 0 {
		n.LeaseTime = defaultServerLease
	}
	if n.LeaseTime < time.Second || n.MTU < 0 || n.MTU > 65535 {
		return errConfig("lease time or MTU out of range")
	}
	p := &pool{Subnet: n, entries: make(map[netip.Addr]*entry), clients: make(map[string]*entry), static: make(map[string]*entry)}
	if err := p.checkRanges(); err != nil {
		return err
	}
	p.setRoutes()
	p.reserved = slices.Concat([]netip.Addr{s.config.ID}, n.Routers, n.DNS)
	s.pools = append(s.pools, p)
	return nil
}

// errConfig is what is wrong with a configuration.
type errConfig string

func (e errConfig) Error() string { return string(e) }

// checkRanges sorts the ranges and finds what is wrong with them.
func (p *pool) checkRanges() error {
	p.Ranges = slices.Clone(p.Ranges)
	slices.SortFunc(p.Ranges, func(a, b Range) int { return a.First.Compare(b.First) })
	total := 0
	for i, r := range p.Ranges {
		if !p.Prefix.Contains(r.First) || !p.Prefix.Contains(r.Last) || r.Last.Less(r.First) {
			return errConfig("range " + r.First.String() + " to " + r.Last.String() + " is not in it")
		}
		if i > 0 && !p.Ranges[i-1].Last.Less(r.First) {
			return errConfig("range " + r.First.String() + " overlaps another")
		}
		total += number(r.Last) - number(r.First) + 1
	}
	if total > maxAddresses {
		return errConfig("too many addresses")
	}
	if len(p.Ranges) > 0 {
		p.next = p.Ranges[0].First
	}
	return nil
}

func number(a netip.Addr) int {
	b := a.As4()
	return int(binary.BigEndian.Uint32(b[:]))
}

// setRoutes adds the default route to the others: "it is necessary to include" it, as
// clients that read option 121 do not look at the routers (RFC 3442, Section 4, in
// other words).
func (p *pool) setRoutes() {
	hasDefault := slices.ContainsFunc(p.Routes, func(r Route) bool { return r.Dst.Bits() == 0 })
	if len(p.Routes) > 0 && len(p.Routers) > 0 && !hasDefault {
		p.Routes = append(slices.Clone(p.Routes), Route{Dst: everywhere, Via: p.Routers[0]})
	}
}

func (s *Server) addStatic(c *Static) error {
	p := s.poolWith(c.Addr)
	switch {
	case p == nil || !isHost(c.Addr, p.Prefix.Bits()):
		return errConfig("not an address of a subnet")
	case c.Addr == s.config.ID || p.entries[c.Addr] != nil:
		return errConfig("address is used twice")
	case len(c.ClientID) > maxClientID:
		return ErrClientID
	case c.Name != "" && label([]byte(c.Name)) != c.Name:
		return errConfig("name is not a label in lower case")
	}
	key := c.key()
	if p.static[key] != nil {
		return errConfig("client has another address too")
	}
	e := &entry{addr: c.Addr, pool: p, static: c, condition: isFree}
	if c.Name != "" {
		if _, taken := s.names[c.Name]; taken {
			return errConfig("name is used twice, or never given")
		}
		s.names[c.Name] = e
	}
	p.entries[c.Addr], p.static[key] = e, e
	return nil
}

// key is what the client is known by. An identifier of the type 1 is a hardware address.
func (c *Static) key() string {
	if len(c.ClientID) == 7 && c.ClientID[0] == hardwareEthernet {
		return clientKey(nil, wire.MAC(c.ClientID[1:]))
	}
	return clientKey(c.ClientID, c.MAC)
}
