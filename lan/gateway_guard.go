package lan

import (
	"errors"
	"fmt"
	"net/netip"
)

var errNotThere = errors.New("the gateway is not at that switch")

// startGuard begins to guard the switch, if there is one.
func (g *Gateway) startGuard() error {
	if g.cfg.Switch == nil {
		if g.cfg.CheckSources {
			return errNotThere
		}
		return nil
	}
	port := g.cfg.Switch.portOf(g.dev.Info().MAC)
	if port == nil {
		return errNotThere
	}
	g.guard = newGuard(port, g.cfg.Addresses, g.cfg.CheckSources, g.conflict)
	for _, s := range g.cfg.Static {
		if s.ClientID == nil {
			g.guard.lease(s.Addr, s.MAC)
		}
	}
	return nil
}

func (g *Gateway) endGuard() {
	if g.guard != nil {
		g.guard.close()
	}
}

// conflict tells of an address that two machines use.
func (g *Gateway) conflict(c conflict) {
	g.log.Warn("an address is used by two machines", "address", c.addr, "mac", c.mac, "port", c.port.info.Name, "other", c.other, "dropped", c.dropped)
	e := Event{
		Ask:     Ask{Kind: KindAddress, Src: netip.AddrPortFrom(c.addr, 0), MAC: c.mac},
		Verdict: Allowed, Err: fmt.Errorf("%w: %s", ErrDuplicate, c.other),
	}
	if c.dropped {
		e.Verdict = Refused
	}
	g.tell(e)
}
