package ip

import (
	"maps"
	"net/netip"
)

// A view is all that a packet's way depends on. It is replaced as a whole when that
// changes, so that packets look at it without a lock.
type view struct {
	number     uint64 // of this view: each has another
	interfaces []*Interface
	locals     map[netip.Addr]local
	broadcasts map[netip.Addr]*Interface // of the networks that we are on
	addresses  [][]address               // of each interface, by index - 1
	routes     routeTable
}

// A local is where one of our addresses is.
type local struct {
	i         *Interface
	tentative bool
}

func (l local) whose() whose {
	if l.tentative {
		return toTentative
	}
	return toUs
}

// on reports whether l's address a is one on interface i: link-local addresses are
// nowhere else, others everywhere (the weak host model, RFC 1122, Section 3.3.4.2).
func (l local) on(i *Interface, a netip.Addr) bool {
	return l.i == i || i.loopback || !a.IsLinkLocalUnicast()
}

// isLocal reports whether a is ours, and certainly so.
func (v *view) isLocal(a netip.Addr) bool {
	l, ok := v.locals[a]
	return ok && !l.tentative
}

// publishLocked makes a new view of what there is now.
func (s *Stack) publishLocked() {
	old := s.view.Load()
	v := &view{
		number: old.number + 1, interfaces: s.interfaces, routes: s.routes.clone(),
		locals: map[netip.Addr]local{}, broadcasts: map[netip.Addr]*Interface{},
	}
	for _, i := range s.interfaces {
		var usable []address
		if i != nil {
			usable = v.add(i)
		}
		v.addresses = append(v.addresses, usable)
	}
	s.view.Store(v)
	s.armRoutesLocked()
	s.changedLocked()
}

// add adds an interface's addresses and returns those that packets may come from.
func (v *view) add(i *Interface) (usable []address) {
	for _, a := range i.addresses {
		if a.state == addrDuplicated {
			continue
		}
		tentative := a.state == addrTentative
		v.locals[a.addr] = local{i, tentative}
		if last, ok := a.broadcast(); ok {
			v.broadcasts[last] = i
		}
		if !tentative {
			usable = append(usable, a)
		}
	}
	return usable
}

// Locals returns the addresses of this host that are in use, and the names of their
// interfaces.
func (s *Stack) Locals() map[netip.Addr]string {
	names := map[netip.Addr]string{}
	for a, l := range maps.All(s.view.Load().locals) {
		if !l.tentative {
			names[a] = l.i.name
		}
	}
	return names
}
