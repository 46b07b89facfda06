package ip

import (
	"net"
	"net/netip"
	"slices"
	"syscall"
	"time"
)

// AddAddress gives the interface an address, with the length of its network's prefix. Unless probes find that
// another machine has it, it can be used soon: at once if there are no probes. The error is EINVAL if
// no host can have that address, EEXIST if it is there already.
func (i *Interface) AddAddress(p netip.Prefix) error {
	return i.addAddress(address{prefix: p, origin: originStatic})
}

// AddLease is AddAddress for an address that DHCP gives, until a time, or for ever if that is zero. If the
// interface has it already, only the time changes. "The client SHOULD perform a final check" that nobody else has
// it (RFC 2131, Section 3.1, step 5): it is probed for as RFC 5227 says, unless InterfaceConfig.Probes is
// negative.
func (i *Interface) AddLease(p netip.Prefix, until time.Time) error {
	err := i.addAddress(address{prefix: p, origin: originDHCP, validUntil: until})
	if err == syscall.EEXIST {
		i.changeAddress(p.Addr(), func(a *address) { a.validUntil = until })
		err = nil
	}
	i.ageAddresses()
	return err
}

// addAddress adds an address and begins to find out whether it is ours alone.
func (i *Interface) addAddress(a address) error {
	a.addr, a.index = a.prefix.Addr(), i.index
	if !a.prefix.IsValid() || a.addr.Zone() != "" || !a.addr.Is4() && i.noIPv6 || !mayBeOurs(a.addr, i.loopback) {
		return syscall.EINVAL
	}
	a.state = i.firstState(&a)
	if err := i.install(&a); err != nil {
		return err
	}
	i.prove(&a)
	return nil
}

// install adds an address and the route to its network. That of an address which was made of a prefix is not known to be
// on the link: "the existence of an address" does not say so (RFC 5942, Section 4).
func (i *Interface) install(a *address) error {
	i.stack.mu.Lock()
	defer i.stack.mu.Unlock()
	switch {
	case i.stack.closed || i.stack.interfaces[i.index-1] != i:
		return net.ErrClosed
	case slices.ContainsFunc(i.addresses, func(b address) bool { return b.addr == a.addr }):
		return syscall.EEXIST
	}
	i.addresses = append(i.addresses, *a)
	if a.origin != originSLAAC {
		i.stack.routes.add(i.onLink(a.prefix))
	}
	i.stack.publishLocked()
	return nil
}

// mayBeOurs reports whether a host can have an address.
func mayBeOurs(a netip.Addr, loopback bool) bool {
	if loopback {
		return a.IsLoopback()
	}
	return !a.IsMulticast() && !a.IsUnspecified() && !a.IsLoopback() && !martianSource(a, a)
}

// onLink is the route to the network of an address.
func (i *Interface) onLink(p netip.Prefix) Route {
	return Route{Dst: p.Masked(), Interface: i.index, owner: ownerAddress}
}

// RemoveAddress takes an address away, and the route to its network unless another address is in it. It
// reports whether the interface had it.
func (i *Interface) RemoveAddress(a netip.Addr) bool {
	if !i.uninstall(a) {
		return false
	}
	i.forget(a)
	return true
}

// uninstall takes an address away, and reports whether it was there.
func (i *Interface) uninstall(a netip.Addr) bool {
	i.stack.mu.Lock()
	defer i.stack.mu.Unlock()
	k := slices.IndexFunc(i.addresses, func(b address) bool { return b.addr == a })
	if k < 0 {
		return false
	}
	network := i.onLink(i.addresses[k].prefix)
	i.addresses = slices.Delete(i.addresses, k, k+1)
	same := func(b address) bool { return b.origin != originSLAAC && b.prefix.Masked() == network.Dst }
	if !slices.ContainsFunc(i.addresses, same) {
		i.stack.routes.remove(network)
	}
	i.stack.publishLocked()
	return true
}

// setState notes what was found out about an address.
func (i *Interface) setState(a netip.Addr, state addrState) {
	i.changeAddress(a, func(b *address) { b.state = state })
}

// changeAddress changes an address that the interface has.
func (i *Interface) changeAddress(a netip.Addr, change func(*address)) {
	i.stack.mu.Lock()
	defer i.stack.mu.Unlock()
	for k := range i.addresses {
		if i.addresses[k].addr == a {
			change(&i.addresses[k])
			i.stack.publishLocked()
			return
		}
	}
}

// age removes addresses whose lifetime is over and deprecates those that are no more preferred. It
// returns when it has something to do next.
func (i *Interface) age(now time.Time) (next time.Time) {
	over, next := i.grow(now)
	for _, a := range over {
		i.RemoveAddress(a)
	}
	return next
}

// grow changes the states of addresses, and returns those that are over.
func (i *Interface) grow(now time.Time) (over []netip.Addr, next time.Time) {
	i.stack.mu.Lock()
	defer i.stack.mu.Unlock()
	changed := false
	for k := range i.addresses {
		a := &i.addresses[k]
		state := a.state
		if !a.age(now) {
			over = append(over, a.addr)
			continue
		}
		changed = changed || a.state != state
		next = earlier(next, a.next())
	}
	if changed {
		i.stack.publishLocked()
	}
	return over, next
}
