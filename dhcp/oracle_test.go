package dhcp_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"landline/dhcp"
	"landline/wire"
)

// An oracle knows, by the answers alone, who may use which address until when.
type oracle struct {
	holds map[netip.Addr]hold
}

type hold struct {
	client string
	until  time.Time // zero for ever
}

// see checks an answer that the client hears. network tells which addresses belong
// together.
func (h *oracle) see(t *testing.T, now time.Time, client string, r dhcp.Reply, network func(netip.Addr) netip.Prefix) {
	t.Helper()
	a := r.Binding.Addr
	switch r.Decision {
	case dhcp.Freed, dhcp.Withdrawn:
		delete(h.holds, a)
	case dhcp.Denied:
		if h.holds[a].client == client {
			delete(h.holds, a)
		}
	case dhcp.Granted, dhcp.Extended:
		if old, ok := h.holds[a]; ok && old.client != client && (old.until.IsZero() || now.Before(old.until)) {
			t.Fatalf("%v: %v is given to %q, and %q has it until %v", now, a, client, old.client, old.until)
		}
		for b, old := range h.holds {
			if old.client == client && network(a) == network(b) {
				delete(h.holds, b)
			}
		}
		d, _ := parsed(t, r.Message).LeaseTime()
		until := now.Add(d)
		if d == dhcp.Forever {
			until = time.Time{}
		}
		h.holds[a] = hold{client, until}
	}
}

// crew drives a server with messages of a few clients, made of random bytes, and
// checks what must always hold.
type crew struct {
	office
	oracle
	refuse bool
	torn   int
	table  map[netip.Addr]dhcp.Binding // what an owner knows who only hears what is said
}

func newCrew(t *testing.T) *crew {
	c := &crew{oracle: oracle{make(map[netip.Addr]hold)}}
	config := lan()
	config.Static = []dhcp.Static{
		{MAC: wire.MAC{2, 0, 0, 0, 0, 6}, Addr: addr("10.0.0.12"), Name: "six"},
		{ClientID: []byte("id 7"), Addr: addr("10.0.0.30")},
	}
	config.Allow = func(dhcp.Ask) error {
		if c.refuse {
			return dhcp.ErrUnknown
		}
		return nil
	}
	c.office = office{T: t, config: config, now: start, s: newServer(t, config)}
	c.table = make(map[netip.Addr]dhcp.Binding)
	return c
}

// step is how many bytes one message is made of.
const step = 9

// do makes one message, or something else that happens.
func (c *crew) do(b []byte) {
	c.Helper()
	c.now = c.now.Add(time.Duration(b[8]) * time.Duration(b[8]) * time.Second / 8)
	c.refuse = b[7]&0xe0 == 0xe0
	switch b[0] % 12 {
	case 9:
		c.ends(c.s.Expire(c.now))
		return
	case 10:
		c.restart()
		return
	case 11:
		c.disk = c.s.Snapshot(c.now)
		c.restart()
		return
	}
	a := ask{
		kind: dhcp.Type(b[0] % 12), client: b[1] & 7, want: pickAddr(b[2]), uses: pickAddr(b[3]),
		server: [4]string{"", "0.0.1", "0.0.1", "0.0.2"}[b[4]&3], alone: b[5]&1 != 0, broadcast: b[5]&2 != 0,
		name: [4]string{"", "box", "six", "b\x00x"}[b[6]&3],
	}
	if b[5]&0x1c == 0x1c {
		a.relay = "1.0.1"
	}
	if b[1]&8 != 0 {
		a.id = fmt.Sprint("id ", b[1]&7)
	}
	if b[6]&0x30 == 0x30 {
		a.options = dhcp.AppendSeconds(nil, dhcp.OptLeaseTime, time.Duration(b[7])*10*time.Second)
	}
	c.say(a, b[7]&0x1f == 0x1f)
}

func pickAddr(b byte) string {
	switch {
	case b < 64:
		return ""
	case b >= 240:
		return fmt.Sprintf("1.0.%d", 8+b%14)
	}
	return fmt.Sprintf("0.0.%d", 8+b%14)
}

// say brings a message to the server. If the server crashes, some of the record is
// written, and nothing is sent.
func (c *crew) say(a ask, crash bool) {
	c.Helper()
	before := len(c.disk)
	c.hear(a)
	c.learn(c.r)
	c.check()
	if crash {
		c.disk = c.disk[:before+len(c.r.Record)/2]
		c.torn++
		c.restart()
		// The client may have meant to give its address up, and the server not know.
		return
	}
	c.see(c.T, c.now, identity(parsed(c, a.message())), c.r, c.network)
}

// identity is how the oracle tells clients apart. The one with the static address is
// known by its hardware, whatever it says.
func identity(m dhcp.Message) string {
	mac, _ := m.CHAddr()
	own := append([]byte{1}, mac[:]...)
	if id := m.ClientID(); id != nil && mac != (wire.MAC{2, 0, 0, 0, 0, 6}) && !bytes.Equal(id, own) {
		return fmt.Sprintf("id %x", id)
	}
	return mac.String()
}

// restart forgets all but the disk, on which there may be torn lines.
func (c *crew) restart() {
	c.Helper()
	c.s = newServer(c.T, c.config)
	if bad := c.s.Restore(c.now, c.disk); bad > c.torn {
		c.Fatalf("%d bad records, after %d that were torn", bad, c.torn)
	}
	clear(c.table)
	for _, l := range c.s.Leases(c.now) {
		c.table[l.Addr] = l
	}
}

// learn takes what a reply says of leases into the table.
func (c *crew) learn(r dhcp.Reply) {
	c.Helper()
	c.ends(r.Ended)
	if r.Decision == dhcp.Granted || r.Decision == dhcp.Extended {
		c.table[r.Binding.Addr] = r.Binding
	}
}

// ends hears of leases that have ended. Each was one.
func (c *crew) ends(ended []dhcp.Binding) {
	c.Helper()
	for _, b := range ended {
		if fmt.Sprint(c.table[b.Addr]) != fmt.Sprint(b) {
			c.Fatalf("%+v has ended, and was %+v", b, c.table[b.Addr])
		}
		delete(c.table, b.Addr)
	}
}

// checkTable checks that who only hears what is said knows all leases.
func (c *crew) checkTable() {
	c.Helper()
	known := 0
	for _, l := range c.s.Leases(c.now) {
		if fmt.Sprint(c.table[l.Addr]) != fmt.Sprint(l) {
			c.Fatalf("%+v was told as %+v", l, c.table[l.Addr])
		}
		known++
	}
	for _, b := range c.table {
		if b.Expiry.IsZero() || b.Expiry.After(c.now) {
			known--
		}
	}
	if known != 0 {
		c.Fatalf("%d leases have ended, and nobody was told", -known)
	}
}

func (c *crew) network(a netip.Addr) netip.Prefix {
	for _, n := range c.config.Subnets {
		if n.Prefix.Contains(a) {
			return n.Prefix
		}
	}
	return netip.Prefix{}
}

// check checks an answer, and the list of leases.
func (c *crew) check() {
	c.Helper()
	if c.r.Message != nil {
		m := parsed(c, c.r.Message)
		if a := m.YIAddr(); !a.IsUnspecified() && !c.mayGive(a) {
			c.Fatalf("gave %v", a)
		}
		equal(c.T, "number", m.XID(), 7)
	}
	c.checkTable()
	names := make(map[string]bool)
	for _, l := range c.s.Leases(c.now) {
		if l.Name != "" && names[l.Name] {
			c.Fatalf("two are called %s", l.Name)
		}
		names[l.Name] = true
		if b, ok := c.s.ByName(c.now, l.Name); l.Name != "" && (!ok || b.Addr != l.Addr) {
			c.Fatalf("%s is %v, and found as %v", l.Name, l.Addr, b.Addr)
		}
	}
}

func (c *crew) mayGive(a netip.Addr) bool {
	for _, n := range c.config.Subnets {
		for _, r := range n.Ranges {
			if !a.Less(r.First) && !r.Last.Less(a) {
				return true
			}
		}
	}
	return a == addr("10.0.0.30")
}

// Every lease that a client was told of is in the list, whatever has been.
func (c *crew) checkHolds() {
	c.Helper()
	for a, h := range c.holds {
		l, ok := c.s.ByAddr(c.now, a)
		if live := h.until.IsZero() || c.now.Before(h.until); live && !ok {
			c.Fatalf("%v: the lease of %v until %v is forgotten", c.now, a, h.until)
		} else if live && !h.until.IsZero() && l.Expiry.Before(h.until) {
			c.Fatalf("%v ends at %v, and the client was told %v", a, l.Expiry, h.until)
		}
	}
}

func TestNoAddressHasTwoHolders(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 7))
		c := newCrew(t)
		var b [step]byte
		for range 2000 {
			for i := range b {
				b[i] = byte(rng.Uint32())
			}
			if b[8] > 40 && b[8] < 250 {
				b[8] %= 8
			}
			if b[7]&0x1f == 0x1f && rng.IntN(4) > 0 {
				b[7] = 0
			}
			c.do(b[:])
		}
		c.restart()
	}
}

// Without crashes between a decision and its answer, the list is always what clients
// were told.
func TestLeasesAreWhatClientsWereTold(t *testing.T) {
	for seed := range uint64(20) {
		rng := rand.New(rand.NewPCG(seed, 8))
		c := newCrew(t)
		for range 2000 {
			b := make([]byte, step)
			for i := range b {
				b[i] = byte(rng.Uint32())
			}
			b[7] &^= 1
			c.do(b)
			c.checkHolds()
		}
	}
}

func FuzzServer(f *testing.F) {
	one := []byte{1, 1, 0, 0, 0, 0, 1, 0, 0}
	f.Add(discover, append(bytes.Clone(one), 3, 1, 66, 0, 1, 0, 1, 0, 9))
	f.Add(ask{kind: dhcp.Request, uses: "0.0.10"}.message(), append(bytes.Clone(one), 4, 1, 66, 0, 1, 0, 1, 0, 9))
	f.Add(ask{kind: dhcp.Inform, uses: "0.0.10", relay: "1.0.1"}.message(), append(bytes.Clone(one), 10, 0, 0, 0, 0, 0, 0, 0, 0))
	f.Fuzz(func(t *testing.T, raw, script []byte) {
		c := newCrew(t)
		for ; len(script) >= step; script = script[step:] {
			c.do(script[:step])
			if m, err := dhcp.ParseMessage(raw); err == nil {
				r := c.s.Arrive(c.now, m, c.config.ID)
				c.disk = append(c.disk, r.Record...)
				c.learn(r)
				c.see(t, c.now, identity(m), r, c.network)
			}
		}
		c.restart()
	})
}
