package dhcp_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"landline/dhcp"
	"landline/wire"
)

// lan is a network of which ten addresses are given.
func lan() dhcp.ServerConfig {
	return dhcp.ServerConfig{
		ID: addr("10.0.0.1"),
		Subnets: []dhcp.Subnet{{
			Prefix:  prefix("10.0.0.0/24"),
			Ranges:  []dhcp.Range{{First: addr("10.0.0.10"), Last: addr("10.0.0.19")}},
			Routers: addrs("10.0.0.1"), DNS: addrs("10.0.0.1"), Domain: "lan", Search: []string{"lan"}, MTU: 1500,
		}, {
			Prefix:  prefix("10.1.0.0/16"),
			Ranges:  []dhcp.Range{{First: addr("10.1.0.10"), Last: addr("10.1.0.19")}},
			Routers: addrs("10.1.0.1"),
		}},
	}
}

// office is a server, in virtual time, with the disk that its records are on.
type office struct {
	*testing.T
	config dhcp.ServerConfig
	s      *dhcp.Server
	now    time.Time
	disk   []byte
	r      dhcp.Reply
}

func open(t *testing.T, change func(*dhcp.ServerConfig)) *office {
	t.Helper()
	config := lan()
	if change != nil {
		change(&config)
	}
	o := &office{T: t, config: config, now: start}
	o.s = newServer(t, config)
	return o
}

func newServer(t testing.TB, config dhcp.ServerConfig) *dhcp.Server {
	t.Helper()
	s, err := dhcp.NewServer(config)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// restart ends the server as kill -9 does, and starts another.
func (o *office) restart() {
	o.Helper()
	o.s = newServer(o.T, o.config)
	equal(o.T, "bad records", o.s.Restore(o.now, o.disk), 0)
}

// ask is a client's message, as far as it is not the same always. Addresses are the
// end of 10.0.
type ask struct {
	kind      dhcp.Type
	client    byte   // the end of the hardware address
	id        string // client identifier
	uses      string // ciaddr
	want      string // requested address
	server    string // server identifier
	relay     string // giaddr
	alone     bool   // sent to the server alone
	broadcast bool
	name      string
	asks      string // parameters
	options   []byte // anything else
}

func full(end string) netip.Addr {
	if end == "" {
		return netip.Addr{}
	}
	return addr("10." + end)
}

// hear brings a message to the server, and writes what is to be written.
func (o *office) hear(a ask) {
	o.Helper()
	dst := addr("255.255.255.255")
	if a.alone {
		dst = o.config.ID
	}
	o.r = o.s.Arrive(o.now, parsed(o, a.message()), dst)
	o.disk = append(o.disk, o.r.Record...)
}

func (a ask) message() []byte {
	b := dhcp.AppendHeader(nil, &dhcp.Header{
		Op: dhcp.OpRequest, XID: 7, Broadcast: a.broadcast, CIAddr: full(a.uses), GIAddr: full(a.relay),
		CHAddr: wire.MAC{2, 0, 0, 0, 0, a.client},
	})
	b = dhcp.AppendType(b, a.kind)
	if a.want != "" {
		b = dhcp.AppendAddrs(b, dhcp.OptRequestedAddr, full(a.want))
	}
	if a.server != "" {
		b = dhcp.AppendAddrs(b, dhcp.OptServerID, full(a.server))
	}
	if a.id != "" {
		b = dhcp.AppendOption(b, dhcp.OptClientID, a.id)
	}
	if a.name != "" {
		b = dhcp.AppendOption(b, dhcp.OptHostName, a.name)
	}
	if a.asks != "" {
		b = dhcp.AppendOption(b, dhcp.OptParameters, a.asks)
	}
	return dhcp.AppendEnd(append(b, a.options...), 0)
}

// lease brings a client to a lease, and checks its address.
func (o *office) lease(a ask, want string) {
	o.Helper()
	a.kind = dhcp.Discover
	o.hear(a)
	o.is(dhcp.Offered, want)
	a.kind, a.want, a.server = dhcp.Request, want, "0.0.1"
	o.hear(a)
	o.is(dhcp.Granted, want)
}

// is checks what has just been decided, and about which address.
func (o *office) is(d dhcp.Decision, end string) {
	o.Helper()
	if got, want := fmt.Sprint(o.r.Decision, " ", o.r.Binding.Addr), fmt.Sprint(d, " ", full(end)); got != want {
		o.Errorf("decision: got %v (%v), want %v", got, o.r.Err, want)
	}
	if answered := o.r.Message != nil; answered != (d != dhcp.Ignored && d != dhcp.Freed && d != dhcp.Withdrawn) {
		o.Errorf("%v with an answer: %v", d, answered)
	}
}

// says checks the answer, and where it goes.
func (o *office) says(want string) {
	o.Helper()
	equal(o.T, "answer", replyText(o.T, o.r), want)
}

func replyText(t *testing.T, r dhcp.Reply) string {
	t.Helper()
	if r.Message == nil {
		return ""
	}
	s := fmt.Sprintf("%v at %v: %v", r.To.Addr, r.To.MAC, parsed(t, r.Message))
	s = strings.ReplaceAll(s, " xid 7", "")
	s = strings.ReplaceAll(s, "255.255.255.255:68 at ff:ff:ff:ff:ff:ff", "all")
	s = strings.ReplaceAll(s, " at 00:00:00:00:00:00", "")
	return strings.ReplaceAll(s, "02:00:00:00:00:0", "client ")
}

func TestServerOffersAndGives(t *testing.T) {
	o := open(t, nil)
	o.hear(ask{kind: dhcp.Discover, client: 1, id: "\x01abc", name: "Box", asks: "\x03\x01\x06\x0c\x0f\x1a\x1c\x33\x36\x3a\x3b\x77\x79"})
	o.is(dhcp.Offered, "0.0.10")
	equal(t, "no record of an offer", o.r.Record == nil, true)
	o.says("10.0.0.10:68 at client 1: dhcp offer client 1 gets 10.0.0.10 <server 10.0.0.1, id 01616263, lease 3600, mask /24, " +
		"routers 10.0.0.1, dns 10.0.0.1, domain lan, mtu 1500, broadcast 10.0.0.255, t1 1800, t2 3150, search lan>")
	o.hear(ask{
		kind: dhcp.Request, client: 1, id: "\x01abc", name: "Box", asks: "\x0c\x03\x03\x2b", broadcast: true,
		want: "0.0.10", server: "0.0.1",
	})
	o.is(dhcp.Granted, "0.0.10")
	o.says("all: dhcp ack client 1 broadcast gets 10.0.0.10 <server 10.0.0.1, id 01616263, lease 3600, mask /24, " +
		"name box, routers 10.0.0.1>")
	b := o.r.Binding
	equalBytes(t, "identifier", b.ClientID, []byte("\x01abc"))
	equal(t, "hardware address", b.MAC, mac1)
	equal(t, "name", b.Name, "box")
	equal(t, "end", b.Expiry, start.Add(time.Hour))
	equal(t, "listed", fmt.Sprint(o.s.Leases(o.now)), fmt.Sprint([]dhcp.Binding{b}))
	equal(t, "listed at its end", len(o.s.Leases(o.now.Add(time.Hour))), 0)
	got, ok := o.s.ByName(o.now, "box")
	equal(t, "by name", fmt.Sprint(got, ok), fmt.Sprint(b, true))
	got, ok = o.s.ByAddr(o.now, addr("10.0.0.10"))
	equal(t, "by address", fmt.Sprint(got, ok), fmt.Sprint(b, true))
	_, ok = o.s.ByAddr(o.now, addr("10.9.0.10"))
	equal(t, "by an address of nowhere", ok, false)
}

// Each line of the tables of RFC 2131, Section 4.3: first what is so, then what comes,
// then what is done.
func TestServerTable(t *testing.T) {
	mine := ask{client: 1}
	leased := func(o *office) { o.lease(mine, "0.0.10") }
	offered := func(o *office) { o.hear(ask{kind: dhcp.Discover, client: 1}) }
	over := func(o *office) { leased(o); o.now = o.now.Add(2 * time.Hour) }
	lost := func(o *office) { over(o); o.lease(ask{client: 2, want: "0.0.10"}, "0.0.10") }
	others := func(o *office) { o.lease(ask{client: 2}, "0.0.10") }
	none := func(*office) {}
	for _, c := range []struct {
		what   string
		before func(*office)
		a      ask
		shy    string // what a server does that is not authoritative, if not the same
		want   string
	}{
		// Section 4.3.1: DHCPDISCOVER.
		{"a new client", none, ask{kind: dhcp.Discover}, "", "offered 10.0.0.10"},
		{"its current address", leased, ask{kind: dhcp.Discover, want: "0.0.15"}, "", "offered 10.0.0.10"},
		{"its offer again", offered, ask{kind: dhcp.Discover, want: "0.0.15"}, "", "offered 10.0.0.10"},
		{"its former address", over, ask{kind: dhcp.Discover, want: "0.0.15"}, "", "offered 10.0.0.10"},
		{"not its former address, which another has", lost, ask{kind: dhcp.Discover}, "", "offered 10.0.0.11"},
		{"what it would like", none, ask{kind: dhcp.Discover, want: "0.0.15"}, "", "offered 10.0.0.15"},
		{"what another has", others, ask{kind: dhcp.Discover, want: "0.0.10"}, "", "offered 10.0.0.11"},
		{"what is not given", none, ask{kind: dhcp.Discover, want: "0.0.30"}, "", "offered 10.0.0.10"},
		{"what is elsewhere", none, ask{kind: dhcp.Discover, want: "1.0.10"}, "", "offered 10.0.0.10"},

		// Section 4.3.2: DHCPREQUEST in SELECTING.
		{"the offer", offered, ask{kind: dhcp.Request, want: "0.0.10", server: "0.0.1"}, "", "granted 10.0.0.10"},
		{"the offer of another server", offered, ask{kind: dhcp.Request, want: "0.0.10", server: "0.0.2"}, "", "ignored 10.0.0.10: for another server"},
		{"other than offered", offered, ask{kind: dhcp.Request, want: "0.0.11", server: "0.0.1"}, "", "denied 10.0.0.11: client has another address"},
		{"an offer that is forgotten", none, ask{kind: dhcp.Request, want: "0.0.10", server: "0.0.1"}, "", "granted 10.0.0.10"},
		{"what another has", others, ask{kind: dhcp.Request, want: "0.0.10", server: "0.0.1"}, "", "denied 10.0.0.10: address is not free"},
		{"what is not given", none, ask{kind: dhcp.Request, want: "0.0.30", server: "0.0.1"}, "", "denied 10.0.0.30: address is not free"},
		{"what is elsewhere", none, ask{kind: dhcp.Request, want: "9.0.1", server: "0.0.1"}, "", "denied 10.9.0.1: address of another network"},
		{"again what it has", leased, ask{kind: dhcp.Request, want: "0.0.10", server: "0.0.1"}, "", "extended 10.0.0.10"},

		// Section 4.3.2: INIT-REBOOT.
		{"what it has, after a reboot", leased, ask{kind: dhcp.Request, want: "0.0.10"}, "", "extended 10.0.0.10"},
		{"what it had, after a reboot", over, ask{kind: dhcp.Request, want: "0.0.10"}, "", "granted 10.0.0.10"},
		{"other than it has", leased, ask{kind: dhcp.Request, want: "0.0.11"}, "", "denied 10.0.0.11: client has another address"},
		{"other than it had", over, ask{kind: dhcp.Request, want: "0.0.11"}, "ignored 10.0.0.11: client is not known", "granted 10.0.0.11"},
		{"what another has by now", lost, ask{kind: dhcp.Request, want: "0.0.10"}, "ignored 10.0.0.10: client is not known", "denied 10.0.0.10: address is not free"},
		{"what is free, not known", none, ask{kind: dhcp.Request, want: "0.0.10"}, "ignored 10.0.0.10: client is not known", "granted 10.0.0.10"},
		{"what is not given, not known", none, ask{kind: dhcp.Request, want: "0.0.30"}, "ignored 10.0.0.30: client is not known", "denied 10.0.0.30: address is not free"},
		{"of another network", none, ask{kind: dhcp.Request, want: "9.0.1"}, "", "denied 10.9.0.1: address of another network"},
		{"of the relay's network", none, ask{kind: dhcp.Request, want: "1.0.10"}, "", "denied 10.1.0.10: address of another network"},
		{"of this network, by the relay", none, ask{kind: dhcp.Request, want: "0.0.10", relay: "1.0.1"}, "", "denied 10.0.0.10: address of another network"},
		{"nothing", none, ask{kind: dhcp.Request}, "", "ignored invalid IP: it names no address"},

		// Section 4.3.2: RENEWING.
		{"more time", leased, ask{kind: dhcp.Request, uses: "0.0.10", alone: true}, "", "extended 10.0.0.10"},
		{"more time, too late", over, ask{kind: dhcp.Request, uses: "0.0.10", alone: true}, "", "granted 10.0.0.10"},
		{"more time, much too late", lost, ask{kind: dhcp.Request, uses: "0.0.10", alone: true}, "", "denied 10.0.0.10: address is not free"},
		{"more time, not known", none, ask{kind: dhcp.Request, uses: "0.0.10", alone: true}, "", "granted 10.0.0.10"},
		{"more time for another's address", others, ask{kind: dhcp.Request, uses: "0.0.10", alone: true}, "", "denied 10.0.0.10: address is not free"},
		{"more time for another address", leased, ask{kind: dhcp.Request, uses: "0.0.11", alone: true}, "", "denied 10.0.0.11: client has another address"},
		{"more time from nowhere", none, ask{kind: dhcp.Request, uses: "9.0.1", alone: true}, "", "denied 10.9.0.1: address of another network"},
		{"more time behind the relay", none, ask{kind: dhcp.Request, uses: "1.0.10", alone: true}, "", "granted 10.1.0.10"},
		{"more time, in too many words", leased, ask{kind: dhcp.Request, uses: "0.0.10", server: "0.0.1", alone: true}, "", "extended 10.0.0.10"},

		// Section 4.3.2: REBINDING.
		{"more time, of all", leased, ask{kind: dhcp.Request, uses: "0.0.10"}, "", "extended 10.0.0.10"},
		{"more time, of all, not known", none, ask{kind: dhcp.Request, uses: "0.0.10"}, "ignored 10.0.0.10: client is not known", "granted 10.0.0.10"},
		{"more time, of all, for another's", others, ask{kind: dhcp.Request, uses: "0.0.10"}, "ignored 10.0.0.10: client is not known", "denied 10.0.0.10: address is not free"},
		{"more time, of all, elsewhere", none, ask{kind: dhcp.Request, uses: "1.0.10"}, "", "denied 10.1.0.10: address of another network"},

		// Sections 4.3.3 to 4.3.5.
		{"decline", leased, ask{kind: dhcp.Decline, want: "0.0.10", server: "0.0.1"}, "", "withdrawn 10.0.0.10"},
		{"decline an offer", offered, ask{kind: dhcp.Decline, want: "0.0.10", server: "0.0.1"}, "", "withdrawn 10.0.0.10"},
		{"decline another's", others, ask{kind: dhcp.Decline, want: "0.0.10", server: "0.0.1"}, "", "ignored 10.0.0.10: client is not known"},
		{"decline what is free", over, ask{kind: dhcp.Decline, want: "0.0.11", server: "0.0.1"}, "", "ignored 10.0.0.11: client is not known"},
		{"decline another server's", leased, ask{kind: dhcp.Decline, want: "0.0.10", server: "0.0.2"}, "", "ignored 10.0.0.10: for another server"},
		{"release", leased, ask{kind: dhcp.Release, uses: "0.0.10", server: "0.0.1", alone: true}, "", "freed 10.0.0.10"},
		{"release another's", others, ask{kind: dhcp.Release, uses: "0.0.10", server: "0.0.1"}, "", "ignored 10.0.0.10: client is not known"},
		{"release what is not leased", none, ask{kind: dhcp.Release, uses: "0.0.10", server: "0.0.1"}, "", "ignored 10.0.0.10: client is not known"},
		{"release another server's", leased, ask{kind: dhcp.Release, uses: "0.0.10", server: "0.0.2"}, "", "ignored 10.0.0.10: for another server"},
		{"inform", others, ask{kind: dhcp.Inform, uses: "0.0.10"}, "", "informed 10.0.0.10"},
		{"inform from outside of the ranges", none, ask{kind: dhcp.Inform, uses: "0.0.77"}, "", "informed 10.0.0.77"},
		{"inform without address", none, ask{kind: dhcp.Inform}, "", "ignored 0.0.0.0: it names no address"},

		// What is not for a server.
		{"an offer", none, ask{kind: dhcp.Offer}, "", "ignored invalid IP: not a message for a server"},
		{"a type that is unknown", none, ask{kind: 13}, "", "ignored invalid IP: not a message for a server"},
		{"BOOTP", none, ask{kind: 0}, "", "ignored invalid IP: not a message for a server"},
		{"from an unknown relay", none, ask{kind: dhcp.Discover, relay: "9.0.1"}, "", "ignored invalid IP: no such network here"},
		{"an endless identifier", none, ask{kind: dhcp.Discover, id: strings.Repeat("x", 256)}, "", "ignored invalid IP: client identifier too long"},
		{"the longest identifier", none, ask{kind: dhcp.Discover, id: strings.Repeat("x", 255)}, "", "offered 10.0.0.10"},
	} {
		for _, shy := range []bool{false, true} {
			o := open(t, func(s *dhcp.ServerConfig) { s.NotAuthoritative = shy })
			c.before(o)
			c.a.client = 1
			o.hear(c.a)
			got := fmt.Sprintf("%v %v", o.r.Decision, o.r.Binding.Addr)
			if o.r.Err != nil {
				got += ": " + o.r.Err.Error()
			}
			want := c.want
			if shy && c.shy != "" {
				want = c.shy
			}
			equal(t, fmt.Sprintf("%v: %s (not authoritative: %v)", c.a.kind, c.what, shy), got, want)
			records := o.r.Decision == dhcp.Granted || o.r.Decision == dhcp.Extended || o.r.Decision == dhcp.Freed || o.r.Decision == dhcp.Withdrawn
			equal(t, c.what+" is recorded", o.r.Record != nil, records)
		}
	}
}

// Section 4.1: where each answer goes.
func TestAnswersGoWhereTheyAreHeard(t *testing.T) {
	for _, c := range []struct {
		what string
		a    ask
		want string
	}{
		{"to a client without address", ask{kind: dhcp.Discover}, "10.0.0.10:68 at client 1: dhcp offer"},
		{"to one that wants broadcasts", ask{kind: dhcp.Discover, broadcast: true}, "all: dhcp offer"},
		{"to the relay", ask{kind: dhcp.Discover, relay: "1.0.1", broadcast: true}, "10.1.0.1:67: dhcp offer"},
		{"to one with an address", ask{kind: dhcp.Request, uses: "0.0.10", broadcast: true}, "10.0.0.10:68: dhcp ack"},
		{"to one with an address and a relay", ask{kind: dhcp.Request, uses: "1.0.10", relay: "1.0.1"}, "10.1.0.1:67: dhcp ack"},
		{"NAK", ask{kind: dhcp.Request, want: "0.0.30"}, "all: dhcp nak"},
		{"NAK to one with an address", ask{kind: dhcp.Request, uses: "0.0.30"}, "all: dhcp nak"},
		{"NAK to the relay", ask{kind: dhcp.Request, want: "0.0.30", relay: "1.0.1"}, "10.1.0.1:67: dhcp nak"},
		{"inform", ask{kind: dhcp.Inform, uses: "0.0.77", broadcast: true}, "10.0.0.77:68: dhcp ack"},
	} {
		o := open(t, nil)
		c.a.client = 1
		o.hear(c.a)
		if got := replyText(t, o.r); !strings.HasPrefix(got, c.want+" client 1 ") {
			t.Errorf("%s: got %s, want %s", c.what, got, c.want)
		}
	}
}

func TestDenialSaysWhyAndReachesTheClientBehindARelay(t *testing.T) {
	o := open(t, nil)
	o.hear(ask{kind: dhcp.Request, client: 1, id: "\x01abc", want: "0.0.10", relay: "1.0.1"})
	o.says("10.1.0.1:67: dhcp nak client 1 broadcast relay 10.1.0.1 " +
		"<server 10.0.0.1, id 01616263, text address of another network>")
}

func TestRelaysGetTheirOptionBack(t *testing.T) {
	o := open(t, nil)
	circuit := dhcp.AppendOption(nil, dhcp.OptRelay, "\x01\x02ab")
	o.hear(ask{kind: dhcp.Discover, client: 1, relay: "1.0.1", asks: "\x03", options: circuit})
	o.says("10.1.0.1:67: dhcp offer client 1 gets 10.1.0.10 relay 10.1.0.1 " +
		"<server 10.0.0.1, relay 01026162, lease 3600, mask /16, routers 10.1.0.1>")
}

// A client has a lease in each network that it is on.
func TestNetworksHaveTheirOwnLeases(t *testing.T) {
	o := open(t, nil)
	o.lease(ask{client: 1}, "0.0.10")
	o.lease(ask{client: 1, relay: "1.0.1"}, "1.0.10")
	equal(t, "leases", len(o.s.Leases(o.now)), 2)
	o.hear(ask{kind: dhcp.Release, client: 1, uses: "1.0.10", server: "0.0.1", alone: true})
	o.is(dhcp.Freed, "1.0.10")
}

func TestInformGivesNoLease(t *testing.T) {
	o := open(t, nil)
	o.hear(ask{kind: dhcp.Inform, client: 1, uses: "0.0.77", asks: "\x06\x0c\x33\x3a\x3b\x03"})
	o.says("10.0.0.77:68: dhcp ack client 1 uses 10.0.0.77 <server 10.0.0.1, mask /24, dns 10.0.0.1, routers 10.0.0.1>")
	equal(t, "leases", len(o.s.Leases(o.now)), 0)
}

func TestClientThatDoesNotSayGetsTheUsual(t *testing.T) {
	o := open(t, nil)
	o.hear(ask{kind: dhcp.Discover, client: 1})
	o.says("10.0.0.10:68 at client 1: dhcp offer client 1 gets 10.0.0.10 <server 10.0.0.1, lease 3600, mask /24, " +
		"routers 10.0.0.1, dns 10.0.0.1, domain lan, mtu 1500, broadcast 10.0.0.255, t1 1800, t2 3150>")
}

func TestRoutesTakeThePlaceOfRouters(t *testing.T) {
	o := open(t, func(c *dhcp.ServerConfig) {
		c.Subnets[0].Routes = []dhcp.Route{{Dst: prefix("10.8.0.0/16"), Via: addr("10.0.0.2")}}
	})
	for asks, want := range map[string]string{
		"\x03\x79": "routes 10.8.0.0/16 via 10.0.0.2 0.0.0.0/0 via 10.0.0.1",
		"\x79":     "routes 10.8.0.0/16 via 10.0.0.2 0.0.0.0/0 via 10.0.0.1",
		"\x03":     "routers 10.0.0.1",
	} {
		o.hear(ask{kind: dhcp.Discover, client: 1, asks: asks})
		_, got, _ := strings.Cut(replyText(t, o.r), "mask /24, ")
		equal(t, fmt.Sprintf("asked for %x", asks), got, want+">")
	}
}

func TestLeaseTimeIsBounded(t *testing.T) {
	for _, c := range []struct {
		most time.Duration
		asks uint32
		want string
	}{
		{time.Hour, 600, "lease 600, t1 300, t2 525"},
		{time.Hour, 7200, "lease 3600, t1 1800, t2 3150"},
		{time.Hour, 0, "lease 120, t1 60, t2 105"},
		{time.Hour, 0xffffffff, "lease 3600, t1 1800, t2 3150"},
		{time.Minute, 1, "lease 60, t1 30, t2 52"},
		{dhcp.Forever, 600, "lease 600, t1 300, t2 525"},
		{dhcp.Forever, 0xffffffff, "lease forever"},
	} {
		o := open(t, func(s *dhcp.ServerConfig) { s.Subnets[0].LeaseTime = c.most })
		d := time.Duration(c.asks) * time.Second
		if c.asks == 0xffffffff {
			d = dhcp.Forever
		}
		o.hear(ask{
			kind: dhcp.Request, client: 1, want: "0.0.10", asks: "\x3a\x3b",
			options: dhcp.AppendSeconds(nil, dhcp.OptLeaseTime, d),
		})
		got := replyText(t, o.r)
		got = got[strings.Index(got, "lease"):]
		equal(t, fmt.Sprint(c.most, c.asks), strings.Replace(got, ", mask /24", "", 1), c.want+">")
		if c.want == "lease forever" {
			equal(t, "end", o.r.Binding.Expiry, time.Time{})
			equal(t, "next", o.s.Next(), time.Time{})
			o.restart()
			equal(t, "leases", len(o.s.Leases(o.now.Add(1e6*time.Hour))), 1)
		}
	}
}

// Identity: RFC 2131, Section 4.2.
func TestClientsAreKnownByIdentifierElseByHardwareAddress(t *testing.T) {
	o := open(t, nil)
	o.lease(ask{client: 1, id: "abc"}, "0.0.10")
	o.hear(ask{kind: dhcp.Discover, client: 2, id: "abc"})
	o.is(dhcp.Offered, "0.0.10") // it has another interface now
	o.lease(ask{client: 1, id: "other"}, "0.0.11")
	o.lease(ask{client: 1}, "0.0.12")
	o.hear(ask{kind: dhcp.Discover, client: 1, id: "\x01\x02\x00\x00\x00\x00\x01"})
	o.is(dhcp.Offered, "0.0.12") // which says no more than the hardware address
	o.hear(ask{kind: dhcp.Discover, client: 1, id: "\x01\x02\x00\x00\x00\x00\x09"})
	o.is(dhcp.Offered, "0.0.13") // which claims to be another
	o.hear(ask{kind: dhcp.Discover, client: 1, id: "x"})
	o.is(dhcp.Offered, "0.0.12") // which is too short for an identifier

	for what, b := range map[string][]byte{
		"no hardware address":      with(ask{kind: dhcp.Discover}.message(), 28, 0, 0, 0, 0, 0, 0),
		"a group":                  with(ask{kind: dhcp.Discover}.message(), 28, 1),
		"another kind of hardware": with(ask{kind: dhcp.Discover}.message(), 1, 6),
		"a reply":                  with(ask{kind: dhcp.Discover}.message(), 0, 2),
	} {
		r := o.s.Arrive(o.now, parsed(t, b), o.config.ID)
		if r.Message != nil || r.Err != dhcp.ErrHardware && r.Err != dhcp.ErrNotForServer {
			t.Errorf("%s: %v, %v", what, r.Decision, r.Err)
		}
	}
}

func TestStaticClientsHaveTheirAddress(t *testing.T) {
	o := open(t, func(c *dhcp.ServerConfig) {
		c.Static = []dhcp.Static{
			{MAC: wire.MAC{2, 0, 0, 0, 0, 1}, Addr: addr("10.0.0.10"), Name: "one"},
			{ClientID: []byte("abc"), Addr: addr("10.0.0.200")},
			{ClientID: []byte{1, 2, 0, 0, 0, 0, 3}, Addr: addr("10.0.0.201")},
		}
	})
	o.lease(ask{client: 9, want: "0.0.10"}, "0.0.11") // is kept for another
	o.hear(ask{kind: dhcp.Request, client: 9, want: "0.0.10"})
	o.is(dhcp.Denied, "0.0.10")
	o.lease(ask{client: 1, id: "any", name: "else"}, "0.0.10")
	equal(t, "name", o.r.Binding.Name, "one")
	equal(t, "static", o.r.Binding.Static, true)
	o.lease(ask{client: 1, id: "of its system", want: "0.0.15"}, "0.0.10") // the same machine
	o.lease(ask{client: 2, id: "abc", name: "two"}, "0.0.200")
	o.lease(ask{client: 3}, "0.0.201")
	o.hear(ask{kind: dhcp.Request, client: 3, want: "0.0.15"})
	o.is(dhcp.Denied, "0.0.15")
	equal(t, "reason", o.r.Err, dhcp.ErrOtherAddress)
	o.lease(ask{client: 4, name: "one"}, "0.0.12")
	equal(t, "a name that is kept", o.r.Binding.Name, "one-2")

	// An address that somebody else uses is not insisted on.
	o.hear(ask{kind: dhcp.Decline, client: 3, want: "0.0.201", server: "0.0.1"})
	o.is(dhcp.Withdrawn, "0.0.201")
	o.lease(ask{client: 3}, "0.0.13")
	o.restart()
	o.hear(ask{kind: dhcp.Request, client: 3, uses: "0.0.13", alone: true})
	o.is(dhcp.Extended, "0.0.13")
	o.now = o.now.Add(10 * time.Minute)
	o.hear(ask{kind: dhcp.Request, client: 3, uses: "0.0.13", alone: true})
	o.is(dhcp.Denied, "0.0.13")
	o.lease(ask{client: 3}, "0.0.201")
	_, ok := o.s.ByAddr(o.now, addr("10.0.0.13"))
	equal(t, "two leases of one client", ok, false)
}

func TestFreshAddressesComeBeforeUsedOnes(t *testing.T) {
	o := open(t, nil)
	for i := range byte(4) {
		o.lease(ask{client: 1 + i}, fmt.Sprintf("0.0.%d", 10+i))
	}
	for _, i := range []byte{2, 1, 4, 3} { // the order in which they become free
		o.hear(ask{kind: dhcp.Release, client: i, uses: fmt.Sprintf("0.0.%d", 9+i), server: "0.0.1"})
		o.is(dhcp.Freed, fmt.Sprintf("0.0.%d", 9+i))
	}
	o.restart()
	for i := range byte(6) {
		o.lease(ask{client: 20 + i}, fmt.Sprintf("0.0.%d", 14+i))
	}
	o.lease(ask{client: 30}, "0.0.11")
	o.lease(ask{client: 1}, "0.0.10") // has its own again
	o.lease(ask{client: 31}, "0.0.13")
	o.lease(ask{client: 32}, "0.0.12")
	o.hear(ask{kind: dhcp.Discover, client: 2})
	o.is(dhcp.Ignored, "")
	equal(t, "reason", o.r.Err, dhcp.ErrExhausted)
	o.now = o.now.Add(time.Hour)
	o.lease(ask{client: 2}, "0.0.14") // the first that ran out
}

func TestReservedAddressesAreNotGiven(t *testing.T) {
	o := open(t, func(c *dhcp.ServerConfig) {
		c.Subnets = []dhcp.Subnet{{
			Prefix:  prefix("10.0.0.0/29"),
			Ranges:  []dhcp.Range{{First: addr("10.0.0.6"), Last: addr("10.0.0.7")}, {First: addr("10.0.0.0"), Last: addr("10.0.0.4")}},
			Routers: addrs("10.0.0.2"), DNS: addrs("10.0.0.3"),
		}}
	})
	for _, a := range []string{"0.0.0", "0.0.1", "0.0.2", "0.0.3", "0.0.5", "0.0.7"} {
		o.hear(ask{kind: dhcp.Request, client: 1, want: a})
		o.is(dhcp.Denied, a)
	}
	o.lease(ask{client: 1}, "0.0.4")
	o.lease(ask{client: 2}, "0.0.6")
	o.hear(ask{kind: dhcp.Discover, client: 3})
	equal(t, "reason", o.r.Err, dhcp.ErrExhausted)
}

func TestDeclinedAddressIsKeptFromAllForAWhile(t *testing.T) {
	o := open(t, func(c *dhcp.ServerConfig) { c.Subnets[0].Ranges[0].Last = addr("10.0.0.11") })
	o.lease(ask{client: 1, name: "box"}, "0.0.10")
	o.hear(ask{kind: dhcp.Decline, client: 1, want: "0.0.10", server: "0.0.1"})
	o.is(dhcp.Withdrawn, "0.0.10")
	equal(t, "who says so", o.r.Binding.MAC, mac1)
	o.restart()
	o.lease(ask{client: 2, want: "0.0.10", name: "box"}, "0.0.11")
	equal(t, "the name is free", o.r.Binding.Name, "box")
	o.hear(ask{kind: dhcp.Request, client: 1, want: "0.0.10"})
	o.is(dhcp.Denied, "0.0.10")
	o.now = o.now.Add(10*time.Minute - time.Second)
	o.hear(ask{kind: dhcp.Discover, client: 1})
	equal(t, "reason", o.r.Err, dhcp.ErrExhausted)
	o.now = o.now.Add(time.Second)
	o.lease(ask{client: 1}, "0.0.10")
}

func TestOffersEnd(t *testing.T) {
	o := open(t, nil)
	for i := range byte(10) {
		o.hear(ask{kind: dhcp.Discover, client: 1 + i})
		o.is(dhcp.Offered, fmt.Sprintf("0.0.%d", 10+i))
		o.now = o.now.Add(time.Second)
	}
	equal(t, "next", o.s.Next(), start.Add(30*time.Second))
	// Of more clients than addresses the last ones are served.
	o.hear(ask{kind: dhcp.Discover, client: 20})
	o.is(dhcp.Offered, "0.0.10")
	o.hear(ask{kind: dhcp.Request, client: 1, want: "0.0.10", server: "0.0.1"})
	o.is(dhcp.Denied, "0.0.10")
	o.hear(ask{kind: dhcp.Request, client: 2, want: "0.0.11", server: "0.0.9"})
	o.hear(ask{kind: dhcp.Discover, client: 21})
	o.is(dhcp.Offered, "0.0.11") // which client 2 did not want
	o.now = start.Add(time.Minute)
	equal(t, "leases that end", len(o.s.Expire(o.now)), 0)
	equal(t, "next", o.s.Next(), time.Time{})
	o.lease(ask{client: 22}, "0.0.10")
}

// A flood of clients that do not exist takes neither addresses nor memory from others.
func TestFloodOfDiscoversIsBounded(t *testing.T) {
	o := open(t, func(c *dhcp.ServerConfig) {
		c.Subnets[0].Prefix = prefix("10.0.0.0/16")
		c.Subnets[0].Ranges = []dhcp.Range{{First: addr("10.0.0.10"), Last: addr("10.0.255.250")}}
		c.Subnets = c.Subnets[:1]
	})
	o.lease(ask{client: 1}, "0.0.10")
	flood := func(want func(i int) string) {
		for i := range 20_000 {
			o.hear(ask{kind: dhcp.Discover, client: 2, id: fmt.Sprint("flood", i), want: want(i)})
			if o.r.Message == nil {
				t.Fatalf("after %d: %v", i, o.r.Err)
			}
		}
	}
	flood(func(int) string { return "" })
	equal(t, "no address is far away", o.r.Binding.Addr.Less(addr("10.0.5.0")), true)
	flood(func(i int) string { return fmt.Sprintf("0.%d.%d", i/250, i%250+1) })
	o.hear(ask{kind: dhcp.Request, client: 1, uses: "0.0.10", alone: true})
	o.is(dhcp.Extended, "0.0.10")
	o.now = o.now.Add(30 * time.Second)
	o.s.Expire(o.now)
	o.lease(ask{client: 3}, "0.0.11")
	equal(t, "known", strings.Count(string(o.s.Snapshot(o.now)), "\n"), 2)
}

func TestEveryDecisionCanBeRefused(t *testing.T) {
	var asked []dhcp.Ask
	no := errors.New("not today")
	var answer error
	o := open(t, func(c *dhcp.ServerConfig) {
		c.Allow = func(a dhcp.Ask) error { asked = append(asked, a); return answer }
	})
	o.lease(ask{client: 1, name: "Box", id: "abc"}, "0.0.10")
	equal(t, "questions", fmt.Sprint(asked), fmt.Sprint([]dhcp.Ask{
		{Type: dhcp.Discover, Addr: addr("10.0.0.10"), MAC: mac1, ClientID: []byte("abc"), HostName: "box", Relay: addr("0.0.0.0")},
		{Type: dhcp.Request, Addr: addr("10.0.0.10"), MAC: mac1, ClientID: []byte("abc"), HostName: "box", Relay: addr("0.0.0.0")},
	}))
	answer = no
	o.hear(ask{kind: dhcp.Discover, client: 2})
	o.is(dhcp.Ignored, "")
	equal(t, "reason", o.r.Err, no)
	o.hear(ask{kind: dhcp.Request, client: 2, want: "0.0.11"})
	o.is(dhcp.Denied, "0.0.11")
	equal(t, "nothing is recorded", o.r.Record == nil, true)
	o.hear(ask{kind: dhcp.Request, client: 1, id: "abc", uses: "0.0.10", alone: true})
	o.is(dhcp.Denied, "0.0.10")
	equal(t, "renewal", asked[len(asked)-1].Renewal, true)
	equal(t, "text", parsed(t, o.r.Message).Text(), "not today")
	equal(t, "leases", len(o.s.Leases(o.now)), 0)
	o.restart()
	equal(t, "leases after a restart", len(o.s.Leases(o.now)), 0)
	answer = nil
	o.lease(ask{client: 2}, "0.0.11")
}

func TestServerSleepsWithItsClients(t *testing.T) {
	o := open(t, nil)
	o.now = time.Now()
	o.lease(ask{client: 1}, "0.0.10")
	o.now = apart(o.now, 8*time.Hour, 50*time.Minute) // it slept, and so did they
	equal(t, "leases that end", len(o.s.Expire(o.now)), 0)
	equal(t, "leases", len(o.s.Leases(o.now)), 1)
	o.hear(ask{kind: dhcp.Request, client: 2, want: "0.0.10"})
	o.is(dhcp.Denied, "0.0.10")

	o = open(t, nil)
	o.now = time.Now()
	o.lease(ask{client: 1}, "0.0.10")
	o.now = apart(o.now, -time.Hour, time.Hour) // it was set back
	equal(t, "leases that end", len(o.s.Expire(o.now)), 0)
	equal(t, "next is not in the past", o.s.Next(), o.now.Add(time.Minute))
	o.now = apart(o.now, time.Hour, time.Hour)
	equal(t, "leases that end", len(o.s.Expire(o.now)), 0)
	o.now = apart(o.now, time.Hour, time.Hour)
	equal(t, "leases that end", len(o.s.Expire(o.now)), 1)
	equal(t, "next", o.s.Next(), time.Time{})
}

func TestExpireReportsLeasesThatEnd(t *testing.T) {
	o := open(t, nil)
	o.lease(ask{client: 1, name: "box"}, "0.0.10")
	o.now = o.now.Add(time.Minute)
	o.lease(ask{client: 2}, "0.0.11")
	equal(t, "next", o.s.Next(), start.Add(time.Hour))
	o.now = o.s.Next()
	ended := o.s.Expire(o.now)
	equal(t, "ended", fmt.Sprint(len(ended), ended[0].Addr, " ", ended[0].Name), "1 10.0.0.10 box")
	equal(t, "next", o.s.Next(), start.Add(time.Hour+time.Minute))
}

func TestDecisionsHaveNames(t *testing.T) {
	equal(t, "decision", dhcp.Informed.String(), "informed")
	equal(t, "decision", dhcp.Decision(99).String(), "unknown decision")
}

func TestConfigurationsThatCannotBeAreRefused(t *testing.T) {
	one := func(c *dhcp.ServerConfig) *dhcp.Subnet { return &c.Subnets[0] }
	for _, c := range []struct {
		want   string
		change func(*dhcp.ServerConfig)
	}{
		{"dhcp: server 10.9.0.1 is in no subnet", func(c *dhcp.ServerConfig) { c.ID = addr("10.9.0.1") }},
		{"dhcp: subnet fd00::/64: not a network of IPv4", func(c *dhcp.ServerConfig) { one(c).Prefix = prefix("fd00::/64") }},
		{"dhcp: subnet 10.0.0.0/31: not a network of IPv4", func(c *dhcp.ServerConfig) { one(c).Prefix = prefix("10.0.0.0/31") }},
		{"dhcp: subnet 0.0.0.0/0: not a network of IPv4", func(c *dhcp.ServerConfig) { one(c).Prefix = prefix("0.0.0.0/0") }},
		{"dhcp: subnet 10.0.0.0/8: overlaps another", func(c *dhcp.ServerConfig) { c.Subnets[1].Prefix = prefix("10.0.0.0/8") }},
		{"dhcp: subnet 10.0.0.0/24: lease time or MTU out of range", func(c *dhcp.ServerConfig) { one(c).LeaseTime = time.Millisecond }},
		{"dhcp: subnet 10.0.0.0/24: lease time or MTU out of range", func(c *dhcp.ServerConfig) { one(c).MTU = 65536 }},
		{"dhcp: subnet 10.0.0.0/24: range 10.0.0.10 to 10.0.1.1 is not in it", func(c *dhcp.ServerConfig) { one(c).Ranges[0].Last = addr("10.0.1.1") }},
		{"dhcp: subnet 10.0.0.0/24: range 10.0.0.10 to 10.0.0.9 is not in it", func(c *dhcp.ServerConfig) { one(c).Ranges[0].Last = addr("10.0.0.9") }},
		{"dhcp: subnet 10.0.0.0/24: range 10.0.0.19 overlaps another", func(c *dhcp.ServerConfig) {
			one(c).Ranges = append(one(c).Ranges, dhcp.Range{First: addr("10.0.0.19"), Last: addr("10.0.0.30")})
		}},
		{"dhcp: subnet 11.0.0.0/8: too many addresses", func(c *dhcp.ServerConfig) {
			c.Subnets[1] = dhcp.Subnet{Prefix: prefix("11.0.0.0/8"), Ranges: []dhcp.Range{{First: addr("11.0.0.0"), Last: addr("11.16.0.0")}}}
		}},
		{"dhcp: static client of 10.9.0.1: not an address of a subnet", static("10.9.0.1", "", 1)},
		{"dhcp: static client of 10.0.0.255: not an address of a subnet", static("10.0.0.255", "", 1)},
		{"dhcp: static client of 10.0.0.1: address is used twice", static("10.0.0.1", "", 1)},
		{"dhcp: static client of 10.0.0.10: address is used twice", static("10.0.0.10", "", 2)},
		{"dhcp: static client of 10.0.0.11: client has another address too", static("10.0.0.11", "", 9)},
		{"dhcp: static client of 10.0.0.11: name is not a label in lower case", static("10.0.0.11", "A.b", 1)},
		{"dhcp: static client of 10.0.0.11: name is used twice, or never given", static("10.0.0.11", "nine", 1)},
		{"dhcp: static client of 10.0.0.11: name is used twice, or never given", static("10.0.0.11", "wpad", 1)},
		{"dhcp: static client of 10.0.0.11: client identifier too long", func(c *dhcp.ServerConfig) {
			c.Static = []dhcp.Static{{ClientID: make([]byte, 256), Addr: addr("10.0.0.11")}}
		}},
	} {
		config := lan()
		c.change(&config)
		if _, err := dhcp.NewServer(config); err == nil || err.Error() != c.want {
			t.Errorf("got %v, want %s", err, c.want)
		}
	}
	equal(t, "server", newServer(t, lan()).ID(), addr("10.0.0.1"))
}

// static adds a static client behind that with the number 9, "nine".
func static(a, name string, client byte) func(*dhcp.ServerConfig) {
	return func(c *dhcp.ServerConfig) {
		c.Static = []dhcp.Static{
			{MAC: wire.MAC{2, 0, 0, 0, 0, 9}, Addr: addr("10.0.0.10"), Name: "nine"},
			{MAC: wire.MAC{2, 0, 0, 0, 0, client}, Addr: addr(a), Name: name},
		}
	}
}
