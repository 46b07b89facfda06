package dhcp_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"landline/dhcp"
)

func TestHostNamesAreUnique(t *testing.T) {
	o := open(t, func(c *dhcp.ServerConfig) { c.Names = []string{"gateway"} })
	give := func(client byte, name, end, want string) {
		t.Helper()
		o.lease(ask{client: client, name: name}, end)
		equal(t, "name", o.r.Binding.Name, want)
		equal(t, "name that the client is told", parsed(t, o.r.Message).HostName(), want)
		b, ok := o.s.ByName(o.now, want)
		equal(t, "found by name", ok, want != "")
		equal(t, "found by name", !ok || b.Addr == full(end), true)
	}
	give(1, "box", "0.0.10", "box")
	give(2, "BOX.lan", "0.0.11", "box-2")
	give(3, "", "0.0.12", "")
	give(4, "box-2", "0.0.13", "box-2-2")
	give(5, "wpad", "0.0.14", "wpad-2")
	give(6, "gateway", "0.0.15", "gateway-2")
	give(7, "b\nx", "0.0.16", "")

	renew := func(client byte, name, end, want string) {
		t.Helper()
		o.hear(ask{kind: dhcp.Request, client: client, uses: end, alone: true, name: name})
		o.is(dhcp.Extended, end)
		equal(t, "name", o.r.Binding.Name, want)
	}
	renew(2, "box", "0.0.11", "box-2") // keeps what it has
	renew(2, "", "0.0.11", "box-2")
	renew(1, "crate", "0.0.10", "crate")
	renew(2, "box", "0.0.11", "box-2") // also when it could have the other
	_, ok := o.s.ByName(o.now, "box")
	equal(t, "a name that was given up", ok, false)
	give(8, "box", "0.0.17", "box")

	o.now = o.now.Add(time.Hour)
	_, ok = o.s.ByName(o.now, "crate")
	equal(t, "name of a lease that is over", ok, false)
	o.s.Expire(o.now)
	give(9, "crate", "0.0.18", "crate")
	o.hear(ask{kind: dhcp.Request, client: 1, want: "0.0.10"})
	o.is(dhcp.Granted, "0.0.10")
	equal(t, "name of one that comes back", o.r.Binding.Name, "crate-2")
}

func TestNamesAreMadeUniqueWithinBounds(t *testing.T) {
	o := open(t, func(c *dhcp.ServerConfig) {
		c.Subnets[0].Prefix = prefix("10.0.0.0/16")
		c.Subnets[0].Ranges[0].Last = addr("10.0.9.0")
		c.Subnets = c.Subnets[:1]
	})
	long := strings.Repeat("a", 62)
	seen := make(map[string]bool)
	for i := range 300 {
		o.hear(ask{kind: dhcp.Request, client: 1, id: fmt.Sprint("id", i), want: fmt.Sprintf("0.%d.%d", 1+i/250, i%250+1), name: long})
		o.is(dhcp.Granted, fmt.Sprintf("0.%d.%d", 1+i/250, i%250+1))
		name := o.r.Binding.Name
		if i < 256 && (name == "" || seen[name] || len(name) > 63) || i >= 256 && name != "" {
			t.Fatalf("client %d is called %q", i, name)
		}
		seen[name] = true
	}
}
