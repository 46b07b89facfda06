package ip

import (
	"net/netip"
	"time"
)

// redirectLife is how long a redirect is believed. Neither RFC says; a router that is still of its opinion
// says it again.
const redirectLife = 10 * time.Minute

// maxRedirects bounds the routes that are learnt this way.
const maxRedirects = 256

// redirect notes that router from says that packets to dst should go by another neighbor. "A Redirect message SHOULD
// be silently discarded if the new gateway address it specifies is not on the same connected (sub-) net
// through which the Redirect arrived, or if the source of the Redirect is not the current first-hop gateway for
// the specified destination" (RFC 1122, Section 3.2.2.2; RFC 4861, Section 8.1 says so of IPv6). A
// router does not listen (RFC 1812, Section 5.2.7.2).
func (s *Stack) redirect(i *Interface, from, dst, gateway netip.Addr) Drop {
	if s.cfg.Forwarding {
		return DropICMPKind
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	via, ok := s.routes.lookup(dst, i.index)
	v := s.view.Load()
	switch {
	case !ok || via.Gateway != from, v.isLocal(gateway):
		return DropNDP
	case gateway.Is4() && !v.onLink(i, gateway):
		return DropNDP // what is far cannot become near: over IPv4 anybody could say so
	case dst == gateway:
		gateway = netip.Addr{} // it is a neighbor itself
	case gateway.Is6() && !gateway.IsLinkLocalUnicast():
		return DropNDP
	}
	if s.redirects++; s.redirects > maxRedirects {
		s.routes.removeFunc(func(r *Route) bool { return r.owner == ownerRedirect })
		s.redirects = 1
	}
	s.routes.add(Route{
		Dst: netip.PrefixFrom(dst, dst.BitLen()), Gateway: gateway, Interface: i.index,
		Expires: time.Now().Add(redirectLife), owner: ownerRedirect,
	})
	s.publishLocked()
	return 0
}
