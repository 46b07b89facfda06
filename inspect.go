package landline

import (
	"net/netip"
	"time"

	"landline/ip"
	"landline/tcp"
	"landline/wire"
)

// An Address is one that a host has.
type Address struct {
	Interface string
	Prefix    netip.Prefix // the address, with the length of its network's prefix
	// State is "preferred" or "deprecated", both of which may be used, "tentative" until it is
	// proved to be nobody else's, or "duplicated" if it is somebody else's.
	State string
	// Origin is "static", "dhcp", "slaac" (by a router's advertisement) or "link local".
	Origin string
	// PreferredUntil and ValidUntil end its use for what is new, and for all. The zero Time is
	// never.
	PreferredUntil, ValidUntil time.Time
}

// Addresses returns the host's addresses, those of the loopback first.
func (h *Host) Addresses() []Address {
	var all []Address
	for _, i := range h.stack.Interfaces() {
		for _, a := range i.Addresses() {
			all = append(all, Address{i.Name(), a.Prefix, a.State, a.Origin, a.PreferredUntil, a.ValidUntil})
		}
	}
	return all
}

// A Route says where packets for a network go.
type Route struct {
	Dst       netip.Prefix // the network
	Gateway   netip.Addr   // the router that knows the way; the zero Addr says that Dst is on the link
	Interface string       // that leads there
	Metric    int          // of routes to the same network, the least is taken
	Source    netip.Addr   // what packets come from, unless somebody chose; the zero Addr is by RFC 6724
	Expires   time.Time    // the zero Time is never
}

// Routes returns the host's routes.
func (h *Host) Routes() []Route {
	names := map[int]string{}
	for _, i := range h.stack.Interfaces() {
		names[i.Index()] = i.Name()
	}
	var all []Route
	for _, r := range h.stack.Routes() {
		all = append(all, Route{r.Dst, r.Gateway, names[r.Interface], r.Metric, r.Source, r.Expires})
	}
	return all
}

// AddRoute adds a route, or changes the one to the same network by the same gateway and
// interface. The error says why it leads nowhere; it is syscall.ENODEV if there is no such
// interface.
func (h *Host) AddRoute(r Route) error {
	route, err := h.route(r)
	if err != nil {
		return err
	}
	return h.stack.AddRoute(route)
}

// RemoveRoute removes the route to the same network by the same gateway and interface, and reports
// whether there was one.
func (h *Host) RemoveRoute(r Route) bool {
	route, err := h.route(r)
	return err == nil && h.stack.RemoveRoute(route)
}

func (h *Host) route(r Route) (ip.Route, error) {
	i, err := h.interfaceOf(r.Interface)
	if err != nil {
		return ip.Route{}, err
	}
	return ip.Route{
		Dst: r.Dst, Gateway: r.Gateway.WithZone(""), Interface: i.Index(),
		Metric: r.Metric, Source: r.Source, Expires: r.Expires,
	}, nil
}

// A Neighbor is a machine on the same link.
type Neighbor struct {
	Interface string
	ip.Neighbor
}

// Neighbors returns what the host knows of the machines on its links.
func (h *Host) Neighbors() []Neighbor {
	var all []Neighbor
	for _, i := range h.stack.Interfaces() {
		for _, n := range i.Neighbors() {
			all = append(all, Neighbor{i.Name(), n})
		}
	}
	return all
}

// An Interface is where a host is on a network.
type Interface struct {
	Name     string
	MAC      wire.MAC
	MTU      int  // of IPv4, in bytes
	Loopback bool // it leads to the host itself
	Stats    ip.InterfaceStats
}

// Interfaces returns the host's interfaces, the loopback first.
func (h *Host) Interfaces() []Interface {
	var all []Interface
	for _, i := range h.stack.Interfaces() {
		all = append(all, Interface{i.Name(), i.MAC(), i.MTU(), i.Loopback(), i.Stats()})
	}
	return all
}

// Conns returns how all TCP listeners and connections are doing, sorted by their ends: those connections too that
// have been closed here and are not over yet.
func (h *Host) Conns() []tcp.Info { return h.tcp.Conns() }

// Stats counts what a host did since it was made. Every packet that went no further is counted in
// Drops under a reason, and Drops prints as the names and numbers of those that there were. In a quiet LAN
// "no group" counts the solicitations and the MLD reports of others, which are for routers.
type Stats struct {
	ip.Stats
	UDPSockets int // that are open
	TCP        tcp.Stats
}

// Stats returns what has been counted.
func (h *Host) Stats() Stats {
	return Stats{Stats: h.stack.Stats(), UDPSockets: h.udp.Sockets(), TCP: h.tcp.Stats()}
}
