package ip

import (
	"net/netip"
	"testing"
	"time"
)

func TestAddressesAgeFromPreferredToDeprecatedToGone(t *testing.T) {
	a := address{
		state:          addrPreferred,
		preferredUntil: pureStart.Add(10 * time.Second),
		validUntil:     pureStart.Add(20 * time.Second),
	}
	for _, step := range []struct {
		after time.Duration
		valid bool
		state addrState
		next  time.Duration
	}{
		{0, true, addrPreferred, 10 * time.Second},
		{9 * time.Second, true, addrPreferred, 10 * time.Second},
		{10 * time.Second, true, addrDeprecated, 20 * time.Second},
		{19 * time.Second, true, addrDeprecated, 20 * time.Second},
		{20 * time.Second, false, addrDeprecated, 20 * time.Second},
	} {
		valid := a.age(pureStart.Add(step.after))
		if valid != step.valid || a.state != step.state || !a.next().Equal(pureStart.Add(step.next)) {
			t.Errorf("after %v: valid %v, %v, next %v", step.after, valid, a.state, a.next().Sub(pureStart))
		}
	}
}

func TestALongerLifetimePrefersAnAddressAgain(t *testing.T) {
	a := address{state: addrDeprecated, preferredUntil: pureStart}
	if a.prefer(pureStart); a.state != addrDeprecated {
		t.Errorf("%v, although its time has passed", a.state)
	}
	a.preferredUntil = pureStart.Add(time.Second)
	if a.prefer(pureStart); a.state != addrPreferred {
		t.Errorf("%v, although it has time left", a.state)
	}
}

func TestAddressesWithoutLifetimesStay(t *testing.T) {
	a := address{state: addrPreferred}
	if !a.age(pureStart.AddDate(100, 0, 0)) || a.state != addrPreferred || !a.next().IsZero() {
		t.Errorf("%v, next %v", a.state, a.next())
	}
}

func TestOnlyProvedAddressesAreUsable(t *testing.T) {
	want := map[addrState]bool{addrTentative: false, addrPreferred: true, addrDeprecated: true, addrDuplicated: false}
	for state, usable := range want {
		a := address{state: state}
		if a.usable() != usable {
			t.Errorf("a %v address is usable: %v", state, !usable)
		}
	}
}

func TestBroadcastAddresses(t *testing.T) {
	for _, c := range []struct{ prefix, want string }{
		{"10.0.0.7/24", "10.0.0.255"},
		{"10.1.2.3/8", "10.255.255.255"},
		{"10.1.2.3/0", "255.255.255.255"},
		{"192.168.4.9/30", "192.168.4.11"},
		{"192.168.4.9/31", "none"},
		{"192.168.4.9/32", "none"},
		{"fd00::1/64", "none"},
	} {
		p := netip.MustParsePrefix(c.prefix)
		a := address{addr: p.Addr(), prefix: p}
		got := "none"
		if b, ok := a.broadcast(); ok {
			got = b.String()
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.prefix, got, c.want)
		}
	}
}

func TestEarlierTakesZeroForNever(t *testing.T) {
	now, later, never := pureStart, pureStart.Add(1), time.Time{}
	for _, c := range [][3]time.Time{
		{now, later, now}, {later, now, now}, {never, now, now}, {now, never, now}, {never, never, never},
	} {
		if got := earlier(c[0], c[1]); !got.Equal(c[2]) {
			t.Errorf("earlier of %v and %v is %v", c[0], c[1], got)
		}
	}
}

func TestAddressesAreDescribed(t *testing.T) {
	seen := map[string]bool{}
	for state := addrTentative; state <= addrDuplicated; state++ {
		for origin := originStatic; origin <= originLinkLocal; origin++ {
			a := address{prefix: netip.MustParsePrefix("10.0.0.1/24"), origin: origin, state: state}
			seen[a.String()] = true
		}
	}
	if len(seen) != 16 || !seen["10.0.0.1/24 dhcp preferred"] || !seen["10.0.0.1/24 link local tentative"] {
		t.Errorf("%d texts of 16 addresses: %v", len(seen), seen)
	}
}
