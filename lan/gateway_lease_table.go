package lan

import (
	"net/netip"
	"slices"
	"sync"

	"landline/dhcp"
	"landline/wire"
)

// A leaseTable is what others want to know of the leases.
type leaseTable struct {
	mu     sync.RWMutex
	byAddr map[netip.Addr]dhcp.Binding
	byName map[string]netip.Addr
	byMAC  map[wire.MAC]netip.Addr // one of its leases
}

func newLeaseTable() leaseTable {
	return leaseTable{byAddr: map[netip.Addr]dhcp.Binding{}, byName: map[string]netip.Addr{}, byMAC: map[wire.MAC]netip.Addr{}}
}

// put makes a lease known, in place of another one of the address.
func (t *leaseTable) put(b dhcp.Binding) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.removeLocked(b.Addr)
	t.byAddr[b.Addr], t.byMAC[b.MAC] = b, b.Addr
	if b.Name != "" {
		t.byName[b.Name] = b.Addr
	}
}

func (t *leaseTable) remove(a netip.Addr) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.removeLocked(a)
}

func (t *leaseTable) removeLocked(a netip.Addr) {
	b, ok := t.byAddr[a]
	if !ok {
		return
	}
	delete(t.byAddr, a)
	if t.byName[b.Name] == a {
		delete(t.byName, b.Name)
	}
	if t.byMAC[b.MAC] == a {
		delete(t.byMAC, b.MAC)
	}
}

// all returns the leases in the order of their addresses.
func (t *leaseTable) all() []dhcp.Binding {
	t.mu.RLock()
	defer t.mu.RUnlock()
	all := make([]dhcp.Binding, 0, len(t.byAddr))
	for _, b := range t.byAddr {
		all = append(all, b)
	}
	slices.SortFunc(all, func(a, b dhcp.Binding) int { return a.Addr.Compare(b.Addr) })
	return all
}

// ofAddr returns the lease of an address.
func (t *leaseTable) ofAddr(a netip.Addr) (dhcp.Binding, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	b, ok := t.byAddr[a]
	return b, ok
}

// ofName returns the lease of the machine with a name.
func (t *leaseTable) ofName(name string) (dhcp.Binding, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	b, ok := t.byAddr[t.byName[name]]
	return b, ok
}

// ofMAC returns a lease of the machine with a hardware address.
func (t *leaseTable) ofMAC(m wire.MAC) (dhcp.Binding, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	b, ok := t.byAddr[t.byMAC[m]]
	return b, ok
}
