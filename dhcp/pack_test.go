package dhcp_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"landline/dhcp"
)

// A server has to get everything into as much as a client takes: first where options
// are, then where nothing else is, and the rest not at all.
func TestRepliesFitTheClient(t *testing.T) {
	const everything = "\x03\x06\x0c\x0f\x1a\x1c\x2a\x3a\x3b\x77\x79"
	var routes []dhcp.Route
	for i := range 100 {
		routes = append(routes, dhcp.Route{Dst: netip.PrefixFrom(netip.AddrFrom4([4]byte{172, byte(i)}), 16), Via: addr("10.0.0.2")})
	}
	for n := range 100 {
		o := open(t, func(c *dhcp.ServerConfig) {
			c.Subnets[0].Routes = routes[:n]
			c.Subnets[0].Search = []string{strings.Repeat("a", 60), strings.Repeat("b", 60), strings.Repeat("c", 10)}
			c.Subnets[0].NTP = addrs("10.0.0.123")
		})
		for _, limit := range []uint16{0, 576, 1500} {
			options := []byte(nil)
			if limit != 0 {
				options = dhcp.AppendUint16(nil, dhcp.OptMaxSize, limit)
			}
			o.hear(ask{kind: dhcp.Discover, client: 1, id: "abc", name: "box", asks: everything, options: options})
			m := parsed(t, o.r.Message)
			if most := int(max(limit, 576)) - 28; len(m) > most {
				t.Fatalf("%d bytes for a client that takes %d", len(m), most)
			}
			got, _ := m.AppendRoutes(nil)
			if want := len(routes[:n]) + 1; n > 0 && len(got) != want && (limit == 1500 || n < 40) {
				t.Errorf("%d routes of %d in %d bytes", len(got), want, len(m))
			}
			if len(got) > 0 && !slices.Equal(got[:len(got)-1], routes[:n]) {
				t.Fatalf("routes %v", got)
			}
			equal(t, "what must be there", fmt.Sprintln(m.Type(), m.ServerID(), m.MaskBits(), string(m.ClientID())), "offer 10.0.0.1 24 abc\n")
			equal(t, "domain", m.Domain(), "lan")
		}
	}
}

func TestFieldsAreUsedOnlyIfNeeded(t *testing.T) {
	o := open(t, nil)
	o.hear(ask{kind: dhcp.Discover, client: 1, asks: "\x03"})
	equalBytes(t, "server name and boot file", o.r.Message[44:236], make([]byte, 192))
	equal(t, "overload", bytes.Contains(o.r.Message, []byte{52, 1, 3}), false)
	equal(t, "length", len(o.r.Message), 300)
}
