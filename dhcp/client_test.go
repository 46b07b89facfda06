package dhcp_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"
	"unsafe"

	"landline/dhcp"
)

// half is a source of random numbers that are all in the middle of their range.
type half struct{}

func (half) Uint64() uint64 { return 1 << 63 }

const (
	halfXID = " xid 2147483648"
	ourID   = "id ff000000010003000102" + "0000000001"
	wishes  = "max 1500, name box, asks 1 121 3 6 12 15 119 26 28 42 51 58 59"
)

// dialogue is a client, in virtual time, and what it does.
type dialogue struct {
	*testing.T
	c   *dhcp.Client
	now time.Time
	out dhcp.Output
}

// dial makes a client that has not started.
func dial(t *testing.T, change func(*dhcp.ClientConfig)) *dialogue {
	config := dhcp.ClientConfig{MAC: mac1, HostName: "box", Rand: rand.New(half{})}
	if change != nil {
		change(&config)
	}
	return &dialogue{T: t, c: dhcp.NewClient(config), now: start}
}

// started makes a client that has sent its first message.
func started(t *testing.T) *dialogue {
	d := dial(t, nil)
	d.out = d.c.Start(d.now)
	return d
}

// bound makes a client with a lease of 10.0.0.9 for an hour.
func bound(t *testing.T) *dialogue {
	d := started(t)
	d.hear(d.answer(dhcp.Offer))
	d.hear(d.answer(dhcp.ACK))
	d.is(dhcp.Bound, dhcp.Acquired)
	return d
}

// answer builds an answer to the last message, which gives 10.0.0.9. Options, as
// pairs of code and value, replace and add.
func (d *dialogue) answer(kind dhcp.Type, options ...any) []byte {
	d.Helper()
	q := parsed(d, d.out.Message)
	h := dhcp.Header{Op: dhcp.OpReply, XID: q.XID(), YIAddr: addr("10.0.0.9"), CHAddr: mac1}
	values := map[dhcp.Code]string{
		dhcp.OptServerID: "\x0a\x00\x00\x01", dhcp.OptLeaseTime: "\x00\x00\x0e\x10", dhcp.OptSubnetMask: "\xff\xff\xff\x00",
		dhcp.OptRouters: "\x0a\x00\x00\x01",
	}
	for i := 0; i < len(options); i += 2 {
		switch key := options[i].(type) {
		case dhcp.Code:
			values[key] = options[i+1].(string)
		case string:
			h.YIAddr = addr(options[i+1].(string))
		}
	}
	b := dhcp.AppendType(dhcp.AppendHeader(nil, &h), kind)
	for code := range dhcp.Code(255) {
		if v, ok := values[code]; ok && v != "absent" {
			b = dhcp.AppendOption(b, code, v)
		}
	}
	return dhcp.AppendEnd(b, 0)
}

// hear brings a message to the client.
func (d *dialogue) hear(b []byte) {
	d.Helper()
	d.out = d.c.Arrive(d.now, parsed(d, b))
}

// pass lets time go by until the client wants to do something, and says how much.
func (d *dialogue) pass() time.Duration {
	d.Helper()
	next := d.c.Next()
	if next.IsZero() {
		d.Fatal("the client waits for nothing")
	}
	took := next.Sub(d.now)
	d.now = next
	d.out = d.c.Expire(d.now)
	return took
}

// is checks the client's state, and the event that has just been.
func (d *dialogue) is(s dhcp.State, e dhcp.Event) {
	d.Helper()
	equal(d.T, "state", d.c.State(), s)
	equal(d.T, "event", d.out.Event, e)
}

// says checks what the client has just sent, less what is always the same.
func (d *dialogue) says(want string) {
	d.Helper()
	equal(d.T, "message", said(d.T, d.out), want)
}

func said(t *testing.T, out dhcp.Output) string {
	t.Helper()
	if out.Message == nil {
		return ""
	}
	s := fmt.Sprintf("%v > %v %v", out.Src, out.Dst, parsed(t, out.Message))
	for _, known := range []struct{ long, short string }{
		{"0.0.0.0:68 > 255.255.255.255:67", "all:"}, {"10.0.0.9:68 > 10.0.0.1:67", "server:"},
		{" 02:00:00:00:00:01", ""}, {halfXID, ""}, {ourID, "id"}, {wishes, "wishes"},
	} {
		s = strings.ReplaceAll(s, known.long, known.short)
	}
	return s
}

func TestClientGetsALease(t *testing.T) {
	d := started(t)
	d.is(dhcp.Selecting, dhcp.Nothing)
	d.says("all: dhcp discover <id, wishes>")
	d.now = d.now.Add(time.Second)
	d.hear(d.answer(dhcp.Offer))
	d.is(dhcp.Requesting, dhcp.Nothing)
	d.says("all: dhcp request <id, requested 10.0.0.9, server 10.0.0.1, wishes>")
	asked := d.now
	d.now = d.now.Add(time.Second)
	d.hear(d.answer(dhcp.ACK))
	d.is(dhcp.Bound, dhcp.Acquired)
	d.says("")
	l := d.out.Lease
	equal(t, "lease", d.c.Lease(), l)
	equal(t, "address", l.Addr, prefix("10.0.0.9/24"))
	equal(t, "server", l.ServerID, addr("10.0.0.1"))
	equal(t, "the lease counts from the request", l.Start, asked)
	equal(t, "end", l.Expiry, asked.Add(time.Hour))
	equal(t, "T1", l.Renew.Sub(asked).Truncate(time.Second), 1743*time.Second) // 1800 less half of 112
	equal(t, "T2", l.Rebind.Sub(asked).Truncate(time.Second), 3093*time.Second)
	equal(t, "next", d.c.Next(), l.Renew)
	equalSlices(t, "routes", l.Routes, []dhcp.Route{{Dst: prefix("0.0.0.0/0"), Via: addr("10.0.0.1")}})
}

func TestClientReadsEverythingOfALease(t *testing.T) {
	d := started(t)
	d.hear(d.answer(dhcp.Offer))
	all := []any{
		dhcp.OptDNS, "\x0a\x00\x00\x35", dhcp.OptNTP, "\x0a\x00\x00\x7b", dhcp.OptHostName, "Box-2", dhcp.OptDomain, "lan",
		dhcp.OptSearch, "\x03lan\x00\x04home\xc0\x00", dhcp.OptMTU, "\x05\x78", dhcp.OptSubnetMask, "\xff\xff\x00\x00",
		dhcp.OptRoutes, "\x08\x0a\x0a\x00\x00\x02", dhcp.OptT1, "\x00\x00\x00\x64", dhcp.OptT2, "\x00\x00\x00\xc8",
	}
	d.hear(d.answer(dhcp.ACK, all...))
	d.is(dhcp.Bound, dhcp.Acquired)
	l := d.out.Lease
	equal(t, "address", l.Addr, prefix("10.0.0.9/16"))
	equalSlices(t, "name servers", l.DNS, addrs("10.0.0.53"))
	equalSlices(t, "time servers", l.NTP, addrs("10.0.0.123"))
	equal(t, "name", l.Name, "box-2")
	equal(t, "domain", l.Domain, "lan")
	equalSlices(t, "search", l.Search, []string{"lan", "home.lan"})
	equal(t, "MTU", l.MTU, 1400)
	equalSlices(t, "routes, not the router", l.Routes, []dhcp.Route{{Dst: prefix("10.0.0.0/8"), Via: addr("10.0.0.2")}})
	equal(t, "T1", l.Renew, start.Add(100*time.Second))
	equal(t, "T2", l.Rebind, start.Add(200*time.Second))
}

// The delays of RFC 2131, Section 4.1, for as long as nobody answers.
func TestDiscoverIsRepeatedMoreAndMoreSlowly(t *testing.T) {
	d := started(t)
	secs := 0
	for _, want := range []int{4, 8, 16, 32, 64, 64, 64} {
		equal(t, "delay", d.pass(), time.Duration(want)*time.Second)
		secs += want
		d.says(fmt.Sprintf("all: dhcp discover secs %d <id, wishes>", secs))
		d.is(dhcp.Selecting, dhcp.Nothing)
	}
}

func TestDelaysVaryByASecond(t *testing.T) {
	var least, most time.Duration = time.Hour, 0
	for seed := range uint64(200) {
		d := dial(t, func(c *dhcp.ClientConfig) { c.Rand = rand.New(rand.NewPCG(seed, 1)) })
		d.c.Start(d.now)
		delay := d.c.Next().Sub(d.now)
		least, most = min(least, delay), max(most, delay)
	}
	if least < 3*time.Second || least > 3100*time.Millisecond || most > 5*time.Second || most < 4900*time.Millisecond {
		t.Errorf("first delays are from %v to %v, want from 3 s to 5 s", least, most)
	}
}

func TestRequestIsRepeatedForAMinute(t *testing.T) {
	d := started(t)
	d.pass()
	d.hear(d.answer(dhcp.Offer))
	for _, want := range []int{4, 8, 16} {
		equal(t, "delay", d.pass(), time.Duration(want)*time.Second)
		d.says("all: dhcp request secs 4 <id, requested 10.0.0.9, server 10.0.0.1, wishes>")
	}
	equal(t, "delay", d.pass(), 32*time.Second)
	d.is(dhcp.Selecting, dhcp.Nothing)
	d.says("all: dhcp discover <id, requested 10.0.0.9, wishes>")
}

func TestClientRenewsUntilItsLeaseIsOver(t *testing.T) {
	d := bound(t)
	l := *d.c.Lease()
	left := l.Rebind.Sub(l.Renew)
	d.pass()
	secs := time.Duration(0)
	for left > 2*time.Minute {
		d.is(dhcp.Renewing, dhcp.Nothing)
		d.says("server: dhcp request" + secsText(secs) + " uses 10.0.0.9 <id, wishes>")
		took := d.pass()
		equal(t, "delay", took, left/2)
		left, secs = left-took, secs+took
	}
	equal(t, "renewing lasts a minute at least, and not beyond T2", d.pass(), time.Minute)
	equal(t, "then comes T2", d.pass() < time.Minute, true)
	equal(t, "T2", d.now, l.Rebind)
	for range 3 {
		d.is(dhcp.Rebinding, dhcp.Nothing)
		equal(t, "broadcast", strings.HasPrefix(said(t, d.out), "10.0.0.9:68 > 255.255.255.255:67 dhcp request secs"), true)
		equal(t, "what it names", strings.HasSuffix(said(t, d.out), " uses 10.0.0.9 <id, wishes>"), true)
		d.pass()
	}
	for d.c.State() == dhcp.Rebinding {
		d.pass()
	}
	equal(t, "end", d.now, l.Expiry)
	d.is(dhcp.Selecting, dhcp.Expired)
	equal(t, "lease that is over", d.out.Lease.Addr, l.Addr)
	equal(t, "lease", d.c.Lease(), nil)
	d.says("all: dhcp discover <id, requested 10.0.0.9, wishes>")
}

func secsText(d time.Duration) string {
	if d < time.Second {
		return ""
	}
	return fmt.Sprintf(" secs %d", d/time.Second)
}

func TestRenewalKeepsOrChangesTheLease(t *testing.T) {
	d := bound(t)
	d.pass()
	asked := d.now
	d.now = d.now.Add(3 * time.Second)
	d.hear(d.answer(dhcp.ACK))
	d.is(dhcp.Bound, dhcp.Renewed)
	equal(t, "end", d.c.Lease().Expiry, asked.Add(time.Hour))

	d.pass()
	d.hear(d.answer(dhcp.ACK, dhcp.OptDNS, "\x0a\x00\x00\x35"))
	d.is(dhcp.Bound, dhcp.Changed)
	equalSlices(t, "name servers", d.out.Lease.DNS, addrs("10.0.0.53"))
}

func TestAnotherServerMayExtendTheLeaseAfterT2(t *testing.T) {
	d := bound(t)
	d.pass()
	other := dhcp.OptServerID
	d.hear(d.answer(dhcp.ACK, other, "\x0a\x00\x00\x02"))
	d.is(dhcp.Renewing, dhcp.Nothing)
	d.out = d.c.Expire(d.now.Add(-time.Hour)) // too early is nothing
	d.is(dhcp.Renewing, dhcp.Nothing)
	for d.c.State() == dhcp.Renewing {
		d.pass()
	}
	d.hear(d.answer(dhcp.ACK, other, "\x0a\x00\x00\x02"))
	d.is(dhcp.Bound, dhcp.Renewed)
	d.pass()
	equal(t, "renewed from", d.out.Dst, netip.MustParseAddrPort("10.0.0.2:67"))
}

func TestInfiniteLeaseIsNeverRenewed(t *testing.T) {
	d := started(t)
	d.hear(d.answer(dhcp.Offer))
	d.hear(d.answer(dhcp.ACK, dhcp.OptLeaseTime, "\xff\xff\xff\xff", dhcp.OptT1, "\x00\x00\x00\x01"))
	d.is(dhcp.Bound, dhcp.Acquired)
	equal(t, "next", d.c.Next(), time.Time{})
	equal(t, "end", d.out.Lease.Expiry, time.Time{})
	d.out = d.c.Expire(d.now.Add(1000 * 24 * time.Hour))
	d.is(dhcp.Bound, dhcp.Nothing)
}

func TestClientAsksForItsOldAddressFirst(t *testing.T) {
	last := bound(t).c.Lease()
	d := dial(t, func(c *dhcp.ClientConfig) { c.Last = last })
	d.now = d.now.Add(time.Minute)
	d.out = d.c.Start(d.now)
	d.is(dhcp.Rebooting, dhcp.Nothing)
	equal(t, "not in use yet", d.c.Lease(), nil)
	d.says("all: dhcp request <id, requested 10.0.0.9, wishes>")
	d.pass()
	d.says("all: dhcp request secs 4 <id, requested 10.0.0.9, wishes>")
	d.hear(d.answer(dhcp.ACK))
	d.is(dhcp.Bound, dhcp.Acquired)
	equal(t, "server", d.c.Lease().ServerID, addr("10.0.0.1"))
}

func TestOldAddressIsNotInsistedOn(t *testing.T) {
	last := bound(t).c.Lease()
	remember := func(c *dhcp.ClientConfig) { c.Last = last }

	d := dial(t, remember)
	d.out = d.c.Start(d.now)
	equal(t, "delay", d.pass(), 4*time.Second)
	equal(t, "delay", d.pass(), 8*time.Second)
	d.is(dhcp.Selecting, dhcp.Nothing)
	d.says("all: dhcp discover <id, requested 10.0.0.9, wishes>")

	d = dial(t, remember)
	d.out = d.c.Start(d.now)
	d.hear(d.answer(dhcp.NAK, dhcp.OptText, "wrong network"))
	d.is(dhcp.Selecting, dhcp.Nothing)
	d.says("all: dhcp discover <id, wishes>")
	equal(t, "text", d.out.Text, "wrong network")

	d = dial(t, remember)
	d.now = d.now.Add(2 * time.Hour)
	d.out = d.c.Start(d.now)
	d.is(dhcp.Selecting, dhcp.Nothing)
	d.says("all: dhcp discover <id, requested 10.0.0.9, wishes>")
}

// An interface that was down for a while may be on another network.
func TestStartingAgainProvesTheLease(t *testing.T) {
	d := bound(t)
	l := d.c.Lease()
	d.out = d.c.Start(d.now)
	d.is(dhcp.Rebooting, dhcp.Nothing)
	equal(t, "kept", d.c.Lease(), l)
	d.hear(d.answer(dhcp.ACK))
	d.is(dhcp.Bound, dhcp.Renewed)

	l = d.c.Lease()
	d.out = d.c.Start(d.now)
	d.pass()
	d.pass()
	d.is(dhcp.Bound, dhcp.Nothing) // nobody answered, and nobody refused
	equal(t, "kept", d.c.Lease(), l)
	equal(t, "next", d.c.Next(), l.Renew)

	d.out = d.c.Start(d.now)
	d.hear(d.answer(dhcp.NAK))
	d.is(dhcp.Selecting, dhcp.Refused)
	equal(t, "lease", d.out.Lease, l)
	d.says("all: dhcp discover <id, wishes>")

	d = bound(t)
	d.now = d.now.Add(time.Hour - time.Second)
	d.out = d.c.Start(d.now)
	equal(t, "the end comes in the middle of it", d.pass(), time.Second)
	d.is(dhcp.Selecting, dhcp.Expired)

	d = bound(t)
	d.now = d.now.Add(time.Hour)
	d.out = d.c.Start(d.now)
	d.is(dhcp.Selecting, dhcp.Expired)
}

func TestRefusalEndsTheLease(t *testing.T) {
	d := bound(t)
	d.pass()
	d.hear(d.answer(dhcp.NAK, dhcp.OptServerID, "\x0a\x00\x00\x02"))
	d.is(dhcp.Renewing, dhcp.Nothing) // another server was not asked
	d.pass()
	d.hear(d.answer(dhcp.NAK, dhcp.OptText, "no\nmore"))
	d.is(dhcp.Selecting, dhcp.Refused)
	d.says("all: dhcp discover <id, wishes>")
	equal(t, "text", d.out.Text, `no\010more`)
	equal(t, "lease", d.c.Lease(), nil)
	d.out = d.c.Start(d.now)
	d.says("all: dhcp discover <id, wishes>")
}

func TestOnlyTheServerThatWasTakenMayRefuse(t *testing.T) {
	d := started(t)
	d.hear(d.answer(dhcp.Offer))
	asked := d.out
	d.hear(d.answer(dhcp.NAK, dhcp.OptServerID, "\x0a\x00\x00\x02"))
	d.is(dhcp.Requesting, dhcp.Nothing)
	d.out = asked
	d.hear(d.answer(dhcp.NAK, dhcp.OptServerID, "absent"))
	d.is(dhcp.Selecting, dhcp.Nothing)
}

func TestLostLeasesAreToldFromOthers(t *testing.T) {
	for e := dhcp.Nothing; e <= dhcp.Released; e++ {
		want := e == dhcp.Expired || e == dhcp.Refused || e == dhcp.Declined || e == dhcp.Released
		equal(t, e.String(), e.Lost(), want)
	}
}

func TestServerThatOffersAndRefusesIsNotAskedWithoutPause(t *testing.T) {
	d := started(t)
	d.hear(d.answer(dhcp.Offer))
	d.hear(d.answer(dhcp.NAK))
	d.is(dhcp.Selecting, dhcp.Nothing)
	d.says("all: dhcp discover <id, wishes>")
	for range 3 {
		d.hear(d.answer(dhcp.Offer))
		d.hear(d.answer(dhcp.NAK))
		d.is(dhcp.Init, dhcp.Nothing)
		d.says("")
		equal(t, "pause", d.pass(), 10*time.Second)
		d.is(dhcp.Selecting, dhcp.Nothing)
	}
	d.hear(d.answer(dhcp.Offer))
	d.hear(d.answer(dhcp.ACK))
	d.pass()
	d.hear(d.answer(dhcp.NAK))
	d.is(dhcp.Selecting, dhcp.Refused) // a lease makes good for the past
}

func TestAddressThatIsInUseIsDeclined(t *testing.T) {
	d := bound(t)
	d.out = d.c.Declined(d.now)
	d.is(dhcp.Init, dhcp.Declined)
	d.says("all: dhcp decline <id, requested 10.0.0.9, server 10.0.0.1>")
	equal(t, "lease", d.c.Lease(), nil)
	d.out = d.c.Declined(d.now)
	d.is(dhcp.Init, dhcp.Nothing)
	equal(t, "pause", d.pass(), 10*time.Second)
	d.is(dhcp.Selecting, dhcp.Nothing)
	d.says("all: dhcp discover <id, wishes>")

	d = bound(t)
	d.pass()
	d.out = d.c.Declined(d.now)
	d.is(dhcp.Init, dhcp.Declined)
	d.says("all: dhcp decline <id, requested 10.0.0.9, server 10.0.0.1>")
}

func TestReleaseGivesTheLeaseBack(t *testing.T) {
	d := bound(t)
	d.out = d.c.Release(d.now)
	d.is(dhcp.Stopped, dhcp.Released)
	d.says("server: dhcp release uses 10.0.0.9 <id, server 10.0.0.1>")
	equal(t, "next", d.c.Next(), time.Time{})
	d.out = d.c.Release(d.now)
	d.is(dhcp.Stopped, dhcp.Nothing)
	d.says("")
	d.out = d.c.Start(d.now)
	d.is(dhcp.Rebooting, dhcp.Nothing)

	d = started(t)
	d.out = d.c.Release(d.now)
	d.is(dhcp.Stopped, dhcp.Nothing)
	d = bound(t)
	d.out = d.c.Release(d.now.Add(time.Hour))
	d.is(dhcp.Stopped, dhcp.Nothing)
}

func TestStoppedClientDoesNothing(t *testing.T) {
	d := started(t)
	offer := d.answer(dhcp.Offer)
	d.c.Stop()
	equal(t, "next", d.c.Next(), time.Time{})
	d.hear(offer)
	d.is(dhcp.Stopped, dhcp.Nothing)
	d.out = d.c.Expire(d.now.Add(time.Hour))
	d.is(dhcp.Stopped, dhcp.Nothing)
	d.says("")
}

// apart is the time at which the clock on the wall has gone on by one duration since
// t, and the monotonic one by another. There is no call for it, as only a computer
// that sleeps, or is set, has such times; so it reaches into t, whose second word is
// the monotonic reading.
func apart(t time.Time, wall, monotonic time.Duration) time.Time {
	t = t.Add(wall)
	words := (*[2]int64)(unsafe.Pointer(&t))
	words[1] += int64(monotonic - wall)
	return t
}

func TestTimesCanBeTakenApart(t *testing.T) {
	now := time.Now()
	later := apart(now, 2*time.Hour, time.Minute)
	equal(t, "monotonic", later.Sub(now), time.Minute)
	equal(t, "wall", later.Round(0).Sub(now.Round(0)), 2*time.Hour)
}

// boundNow makes a client with a lease since the present, which has both readings.
func boundNow(t *testing.T) *dialogue {
	d := dial(t, nil)
	d.now = time.Now()
	d.out = d.c.Start(d.now)
	d.hear(d.answer(dhcp.Offer))
	d.hear(d.answer(dhcp.ACK))
	d.is(dhcp.Bound, dhcp.Acquired)
	return d
}

func TestSleepOfTheComputerCountsForALease(t *testing.T) {
	d := boundNow(t)
	d.out = d.c.Expire(apart(d.now, 2*time.Hour, time.Minute))
	d.is(dhcp.Selecting, dhcp.Expired)
	d.says("all: dhcp discover <id, requested 10.0.0.9, wishes>")

	// The same when a message is what wakes it, even if that is the right answer.
	d = boundNow(t)
	d.pass()
	late := d.answer(dhcp.ACK)
	d.now = apart(d.now, 2*time.Hour, time.Second)
	d.hear(late)
	d.is(dhcp.Selecting, dhcp.Expired)
}

func TestClockThatIsSetBackDoesNotProlongALease(t *testing.T) {
	d := boundNow(t)
	d.out = d.c.Expire(apart(d.now, -time.Hour, 50*time.Minute))
	d.is(dhcp.Renewing, dhcp.Nothing)
	d.out = d.c.Expire(apart(d.now, -time.Hour, time.Hour))
	d.is(dhcp.Selecting, dhcp.Expired)
}

func TestClientWantsBroadcastsIfToldSo(t *testing.T) {
	d := dial(t, func(c *dhcp.ClientConfig) { c.Broadcast, c.VendorClass, c.MTU, c.HostName = true, "v", 400, "" })
	d.out = d.c.Start(d.now)
	d.says("all: dhcp discover broadcast <id, max 576, vendor v, asks 1 121 3 6 12 15 119 26 28 42 51 58 59>")
	d.hear(d.answer(dhcp.Offer))
	equal(t, "request", parsed(t, d.out.Message).Broadcast(), true)
	d.hear(d.answer(dhcp.ACK))
	d.pass()
	equal(t, "renewal, for which it has an address", parsed(t, d.out.Message).Broadcast(), false)
}

func TestEachExchangeHasItsNumber(t *testing.T) {
	d := dial(t, func(c *dhcp.ClientConfig) { c.Rand = nil })
	seen := make(map[uint32]bool)
	fresh := func(what string, want bool) {
		t.Helper()
		xid := parsed(t, d.out.Message).XID()
		equal(t, what+" has a new number", !seen[xid], want)
		seen[xid] = true
	}
	d.out = d.c.Start(d.now)
	fresh("discover", true)
	d.pass()
	fresh("repeated discover", false)
	d.hear(d.answer(dhcp.Offer))
	fresh("request", false)
	d.hear(d.answer(dhcp.ACK))
	d.pass()
	fresh("renewal", true)
	old := d.answer(dhcp.ACK)
	d.pass()
	fresh("next renewal", true)
	d.hear(old)
	d.is(dhcp.Renewing, dhcp.Nothing)
	d.pass()
	d.out = d.c.Release(d.now)
	fresh("release", true)
}

// Each line is an offer that is not taken, and an acknowledgement that is not
// believed.
func TestSenselessLeasesAreNotTaken(t *testing.T) {
	for _, c := range []struct {
		what    string
		options []any
	}{
		{"no address", []any{"addr", "0.0.0.0"}},
		{"a loopback address", []any{"addr", "127.0.0.1"}},
		{"a multicast address", []any{"addr", "224.0.0.5"}},
		{"the broadcast address of all", []any{"addr", "255.255.255.255"}},
		{"the network's address", []any{"addr", "10.0.0.0"}},
		{"the network's broadcast address", []any{"addr", "10.0.0.255"}},
		{"a mask with a hole", []any{dhcp.OptSubnetMask, "\xff\x00\xff\x00"}},
		{"a mask of nothing", []any{dhcp.OptSubnetMask, "\x00\x00\x00\x00"}},
		{"a mask of three bytes", []any{dhcp.OptSubnetMask, "\xff\xff\xff"}},
		{"no time", []any{dhcp.OptLeaseTime, "\x00\x00\x00\x00"}},
		{"a server that cannot be", []any{dhcp.OptServerID, "\xff\xff\xff\xff"}},
	} {
		d := started(t)
		d.hear(d.answer(dhcp.Offer, c.options...))
		if d.c.State() != dhcp.Selecting {
			t.Errorf("%s: offer was taken", c.what)
		}
		d = started(t)
		d.hear(d.answer(dhcp.Offer))
		d.hear(d.answer(dhcp.ACK, c.options...))
		if d.c.State() != dhcp.Requesting {
			t.Errorf("%s: acknowledgement was believed", c.what)
		}
	}
	d := started(t)
	d.hear(d.answer(dhcp.Offer, dhcp.OptServerID, "absent"))
	d.is(dhcp.Selecting, dhcp.Nothing)
}

func TestLeasesWithLittleInThemAreTaken(t *testing.T) {
	for _, c := range []struct {
		what    string
		options []any
		addr    string
		end     time.Duration
		renew   time.Duration
	}{
		{"no mask: class A", []any{dhcp.OptSubnetMask, "absent"}, "10.0.0.9/8", 3600, 1743},
		{"a mask of one address", []any{dhcp.OptSubnetMask, "\xff\xff\xff\xff"}, "10.0.0.9/32", 3600, 1743},
		{"a mask of two", []any{dhcp.OptSubnetMask, "\xff\xff\xff\xfe"}, "10.0.0.9/31", 3600, 1743},
		{"no time", []any{dhcp.OptLeaseTime, "absent"}, "10.0.0.9/24", 3600, 1743},
		{"ten seconds", []any{dhcp.OptLeaseTime, "\x00\x00\x00\x0a"}, "10.0.0.9/24", 10, 4},
		{"136 years", []any{dhcp.OptLeaseTime, "\xff\xff\xff\xfe"}, "10.0.0.9/24", 0xfffffffe, 2080374783},
		{"T1 without T2", []any{dhcp.OptT1, "\x00\x00\x00\x05"}, "10.0.0.9/24", 3600, 1743},
		{"T1 at T2", []any{dhcp.OptT1, "\x00\x00\x00\x05", dhcp.OptT2, "\x00\x00\x00\x05"}, "10.0.0.9/24", 3600, 1743},
		{"T1 of 0", []any{dhcp.OptT1, "\x00\x00\x00\x00", dhcp.OptT2, "\x00\x00\x00\x05"}, "10.0.0.9/24", 3600, 1743},
		{"T2 at the end", []any{dhcp.OptT1, "\x00\x00\x00\x05", dhcp.OptT2, "\x00\x00\x0e\x10"}, "10.0.0.9/24", 3600, 1743},
		{"no server", []any{dhcp.OptServerID, "absent"}, "10.0.0.9/24", 3600, 1743},
	} {
		d := started(t)
		d.hear(d.answer(dhcp.Offer))
		d.hear(d.answer(dhcp.ACK, c.options...))
		if d.out.Event != dhcp.Acquired {
			t.Errorf("%s: not taken", c.what)
			continue
		}
		l := d.out.Lease
		equal(t, c.what, l.Addr, prefix(c.addr))
		equal(t, c.what+", end", l.Expiry, start.Add(c.end*time.Second))
		equal(t, c.what+", T1", l.Renew.Truncate(time.Second), start.Add(c.renew*time.Second))
		equal(t, c.what+", server", l.ServerID, addr("10.0.0.1"))
	}
	for class, want := range map[string]string{"172.16.0.9": "172.16.0.9/16", "192.168.7.9": "192.168.7.9/24"} {
		d := started(t)
		d.hear(d.answer(dhcp.Offer, "addr", class))
		d.hear(d.answer(dhcp.ACK, "addr", class, dhcp.OptSubnetMask, "absent"))
		equal(t, "address without mask", d.out.Lease.Addr, prefix(want))
	}
}

// A lease of seconds is too short for a minute between its renewals.
func TestShortLeaseIsRenewedInTime(t *testing.T) {
	d := started(t)
	ten := []any{dhcp.OptLeaseTime, "\x00\x00\x00\x0a"}
	d.hear(d.answer(dhcp.Offer, ten...))
	d.hear(d.answer(dhcp.ACK, ten...))
	for range 5 {
		d.pass()
		d.is(dhcp.Renewing, dhcp.Nothing)
		d.hear(d.answer(dhcp.ACK, ten...))
		d.is(dhcp.Bound, dhcp.Renewed)
	}
	d.pass()
	d.pass()
	d.is(dhcp.Rebinding, dhcp.Nothing)
	d.pass()
	d.is(dhcp.Selecting, dhcp.Expired)
}

// Each line is an answer that the client must not take for its own.
func TestAnswersToOthersAreIgnored(t *testing.T) {
	for _, c := range []struct {
		what   string
		change func([]byte) []byte
	}{
		{"a request", func(b []byte) []byte { return with(b, 0, 1) }},
		{"another number", func(b []byte) []byte { return with(b, 7, 1) }},
		{"another hardware address", func(b []byte) []byte { return with(b, 33, 9) }},
		{"another kind of hardware", func(b []byte) []byte { return with(b, 1, 9) }},
		{"another identifier", func(b []byte) []byte { return dhcp.AppendOption(trimEnd(b), dhcp.OptClientID, "other") }},
	} {
		d := started(t)
		d.hear(c.change(d.answer(dhcp.Offer)))
		if d.c.State() != dhcp.Selecting {
			t.Errorf("%s: offer was taken", c.what)
		}
	}
	d := started(t)
	d.hear(dhcp.AppendOption(trimEnd(d.answer(dhcp.Offer)), dhcp.OptClientID, parsed(t, d.out.Message).ClientID()))
	d.is(dhcp.Requesting, dhcp.Nothing)
	d.hear(d.answer(dhcp.ACK, "addr", "10.0.0.10"))
	d.is(dhcp.Requesting, dhcp.Nothing)
}

// trimEnd cuts the end and what fills the message up.
func trimEnd(b []byte) []byte {
	for b[len(b)-1] == 0 {
		b = b[:len(b)-1]
	}
	return b[:len(b)-1]
}

// Each state meets each kind of answer. "-" is to ignore it.
func TestEveryStateMeetsEveryAnswer(t *testing.T) {
	reach := map[dhcp.State]func() *dialogue{
		dhcp.Stopped:   func() *dialogue { d := started(t); out := d.out; d.c.Stop(); d.out = out; return d },
		dhcp.Init:      func() *dialogue { d := bound(t); d.out = d.c.Declined(d.now); return d },
		dhcp.Selecting: func() *dialogue { return started(t) },
		dhcp.Requesting: func() *dialogue {
			d := started(t)
			d.hear(d.answer(dhcp.Offer))
			return d
		},
		dhcp.Rebooting: func() *dialogue { d := bound(t); d.out = d.c.Start(d.now); return d },
		dhcp.Bound: func() *dialogue {
			d := started(t)
			out := d.out
			d.hear(d.answer(dhcp.Offer))
			d.hear(d.answer(dhcp.ACK))
			d.out = out
			return d
		},
		dhcp.Renewing: func() *dialogue { d := bound(t); d.pass(); return d },
		dhcp.Rebinding: func() *dialogue {
			d := bound(t)
			for d.c.State() != dhcp.Rebinding {
				d.pass()
			}
			return d
		},
	}
	for _, c := range []struct {
		state           dhcp.State
		offer, ack, nak string
	}{
		{dhcp.Stopped, "-", "-", "-"},
		{dhcp.Init, "-", "-", "-"},
		{dhcp.Selecting, "requesting", "-", "-"},
		{dhcp.Requesting, "-", "bound acquired", "selecting"},
		{dhcp.Rebooting, "-", "bound renewed", "selecting refused"},
		{dhcp.Bound, "-", "-", "-"},
		{dhcp.Renewing, "-", "bound renewed", "selecting refused"},
		{dhcp.Rebinding, "-", "bound renewed", "selecting refused"},
	} {
		for kind, want := range map[dhcp.Type]string{
			dhcp.Offer: c.offer, dhcp.ACK: c.ack, dhcp.NAK: c.nak,
			dhcp.Discover: "-", dhcp.Request: "-", dhcp.Decline: "-", dhcp.Release: "-", dhcp.Inform: "-", 0: "-", 13: "-",
		} {
			d := reach[c.state]()
			equal(t, "state", d.c.State(), c.state)
			d.hear(d.answer(kind))
			got := d.c.State().String()
			if d.out.Event != dhcp.Nothing {
				got += " " + d.out.Event.String()
			}
			if d.c.State() == c.state && d.out.Event == dhcp.Nothing && d.out.Message == nil {
				got = "-"
			}
			equal(t, fmt.Sprintf("%v, then %v", c.state, kind), got, want)
		}
	}
}

func TestClientAllocatesNothingToSend(t *testing.T) {
	d := started(t)
	noAllocs(t, "discover", func() {
		d.now = d.c.Next()
		d.c.Expire(d.now)
	})
	d = bound(t)
	d.now = d.c.Lease().Renew
	noAllocs(t, "renewal", func() { d.c.Expire(d.now); d.now = d.now.Add(time.Minute) })
}

// FuzzClient throws messages and times at a client, which has to keep its word: no
// panic, a lease that is not over, always something that it waits for.
func FuzzClient(f *testing.F) {
	d := &dialogue{T: new(testing.T), c: dhcp.NewClient(dhcp.ClientConfig{MAC: mac1, Rand: rand.New(half{})}), now: start}
	d.out = d.c.Start(d.now)
	f.Add(append([]byte{5}, d.answer(dhcp.Offer)...), append([]byte{200}, d.answer(dhcp.ACK)...), []byte{0})
	f.Add(append([]byte{5}, d.answer(dhcp.Offer)...), append([]byte{200}, d.answer(dhcp.NAK)...), []byte{9})
	f.Fuzz(func(t *testing.T, a, b, c []byte) {
		client := dhcp.NewClient(dhcp.ClientConfig{MAC: mac1, Rand: rand.New(half{})})
		now := start
		client.Start(now)
		for range 3 {
			for _, input := range [][]byte{a, b, c} {
				now = throw(client, now, input)
				if l := client.Lease(); l != nil && (!l.Addr.IsValid() || !l.Expiry.IsZero() && !now.Before(l.Expiry)) {
					t.Fatalf("lease %+v at %v", l, now)
				}
				if client.Next().IsZero() && (client.Lease() == nil || !client.Lease().Expiry.IsZero()) {
					t.Fatalf("%v without a timer", client.State())
				}
			}
		}
	})
}

// throw gives a client one input, whose first byte says when.
func throw(client *dhcp.Client, now time.Time, input []byte) time.Time {
	if len(input) == 0 {
		return now
	}
	now = now.Add(time.Duration(input[0]) * time.Second)
	client.Expire(now)
	if m, err := dhcp.ParseMessage(input[1:]); err == nil {
		client.Arrive(now, m)
	} else if len(input) == 1 && input[0] == 9 {
		client.Declined(now)
	}
	client.Expire(now)
	return now
}
