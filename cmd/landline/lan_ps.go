package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"landline/dhcp"
	"landline/ip"
	"landline/wire"
)

func (a *app) lanPsCommand() *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "ps [flags]",
		Short: "List the machines of a LAN that is up",
		Long: `Ps lists the machines of a LAN: those that were heard of lately, and those that have a lease.
The columns are the machine's name, its addresses, its hardware address and whose kind that is, the port
of the switch where it is ("-" if it has not been heard of for some minutes), how long its lease lasts,
and of this port the bytes that were sent there and received, and what was dropped and why. Machines
behind one port, as those of a TAP may be, share these figures.

With --json each machine is an object, with all that is known of it.`,
		Example: `  landline lan ps
  landline lan ps --name two --json | jq -r .mac`,
		Args: none,
		RunE: func(*cobra.Command, []string) error {
			return withLAN(name, func(ctx context.Context, l *lanClient) error { return a.lanPs(ctx, l) })
		},
	}
	lanFlag(cmd, &name)
	return cmd
}

// A member is a machine of a LAN.
type member struct {
	Name      string            `json:"name"`
	Addresses []netip.Addr      `json:"addresses"`
	MAC       string            `json:"mac"`
	Vendor    string            `json:"vendor"`
	Port      string            `json:"port"`                    // empty if it is not there
	Lease     *time.Time        `json:"lease_expires,omitempty"` // nil if it has none, or one that does not end
	Sent      uint64            `json:"sent_bytes"`              // of its port
	Received  uint64            `json:"received_bytes"`
	Drops     map[string]uint64 `json:"drops"`
}

func (c *control) machines(w http.ResponseWriter, _ *http.Request) error {
	return answer(w, c.network.members())
}

// members returns the machines that are known, in the order of their addresses.
func (n *network) members() []*member {
	byMAC := map[wire.MAC]*member{}
	of := func(mac wire.MAC) *member {
		if byMAC[mac] == nil {
			byMAC[mac] = &member{MAC: mac.String(), Vendor: vendorOf(mac), Addresses: []netip.Addr{}, Drops: map[string]uint64{}}
		}
		return byMAC[mac]
	}
	for _, s := range n.lan.Stations() {
		m, stats := of(s.MAC), s.Port.Stats()
		m.Port, m.Sent, m.Received, m.Drops = s.Port.Info().Name, stats.InBytes, stats.OutBytes, stats.Drops.Map()
	}
	for _, b := range n.gateway.Leases() {
		of(b.MAC).take(&b)
	}
	n.addNeighbors(of)
	for _, m := range byMAC {
		slices.SortFunc(m.Addresses, byUse)
	}
	return slices.SortedFunc(maps.Values(byMAC), byAddress)
}

func (m *member) take(b *dhcp.Binding) {
	m.Name, m.Addresses = b.Name, append(m.Addresses, b.Addr)
	if !b.Expiry.IsZero() {
		m.Lease = &b.Expiry
	}
}

// addNeighbors adds the gateway's own addresses, and those that it has seen others have.
func (n *network) addNeighbors(of func(wire.MAC) *member) {
	host := n.gateway.Host()
	for _, i := range host.Interfaces() {
		if i.MAC == (wire.MAC{}) {
			continue
		}
		self := of(i.MAC)
		self.Name = "gateway"
		for _, p := range n.gateway.Addresses() {
			self.Addresses = append(self.Addresses, p.Addr())
		}
	}
	for _, b := range host.Neighbors() {
		if b.State == ip.NeighborIncomplete {
			continue
		}
		if m := of(b.MAC); !slices.Contains(m.Addresses, b.Addr) {
			m.Addresses = append(m.Addresses, b.Addr)
		}
	}
}

// byUse orders addresses of a machine: IPv4 first, and last those that are good for the link alone.
func byUse(a, b netip.Addr) int {
	if a.IsLinkLocalUnicast() != b.IsLinkLocalUnicast() {
		if a.IsLinkLocalUnicast() {
			return 1
		}
		return -1
	}
	return a.Compare(b)
}

// byAddress orders machines by their first address, and those that have none behind the others.
func byAddress(a, b *member) int {
	switch {
	case len(a.Addresses) > 0 && len(b.Addresses) > 0:
		return a.Addresses[0].Compare(b.Addresses[0])
	case len(a.Addresses) != len(b.Addresses):
		return len(b.Addresses) - len(a.Addresses)
	}
	return strings.Compare(a.MAC, b.MAC)
}

func (a *app) lanPs(ctx context.Context, l *lanClient) error {
	var all []*member
	if err := l.ask(ctx, "GET", "machines", nil, &all); err != nil {
		return err
	}
	if a.json {
		for _, m := range all {
			printJSON(&a.out, m)
		}
		return nil
	}
	w := tabwriter.NewWriter(&a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NAME\tADDRESSES\tMAC\tVENDOR\tPORT\tLEASE\tSENT\tRECEIVED\tDROPS")
	for _, m := range all {
		m.print(w)
	}
	// What fails is standard output, which remembers.
	_ = w.Flush()
	return nil
}

func (m *member) print(w *tabwriter.Writer) {
	var addrs, drops []string
	for _, a := range m.Addresses {
		addrs = append(addrs, a.String())
	}
	for _, name := range slices.Sorted(maps.Keys(m.Drops)) {
		drops = append(drops, fmt.Sprintf("%s %d", name, m.Drops[name]))
	}
	lease := ""
	if m.Lease != nil {
		lease = max(0, time.Until(*m.Lease)).Round(time.Second).String()
	}
	var cells []string
	for _, s := range []string{m.Name, strings.Join(addrs, " "), m.MAC, m.Vendor, m.Port, lease} {
		cells = append(cells, cmp.Or(escape(s), "-"))
	}
	fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", strings.Join(cells, "\t"), size(int64(m.Sent)), size(int64(m.Received)), cmp.Or(escape(strings.Join(drops, ", ")), "-"))
}
