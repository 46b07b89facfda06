package dhcp_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"landline/dhcp"
	"landline/wire"
)

func TestRecordsAreLinesOfText(t *testing.T) {
	o := open(t, nil)
	o.now = o.now.Add(time.Second / 2)
	o.lease(ask{client: 1, name: "box"}, "0.0.10")
	equal(t, "lease", string(o.r.Record), "\nlease 10.0.0.10 1767326646 68020000000001 02:00:00:00:00:01 box cce0208c\n")
	o.lease(ask{client: 2, id: "abc"}, "0.0.11")
	equal(t, "lease", string(o.r.Record), "\nlease 10.0.0.11 1767326646 69616263 02:00:00:00:00:02 - 473e95b0\n")
	o.hear(ask{kind: dhcp.Release, client: 1, uses: "0.0.10", server: "0.0.1"})
	equal(t, "release", string(o.r.Record), "\nfree 10.0.0.10 0 68020000000001 02:00:00:00:00:01 box d1f065cf\n")
	o.hear(ask{kind: dhcp.Decline, client: 2, id: "abc", want: "0.0.11", server: "0.0.1"})
	equal(t, "decline", string(o.r.Record), "\nbad 10.0.0.11 1767323646 - 00:00:00:00:00:00 - e49d832c\n")
}

// known is all that a server knows, for comparison.
func known(s *dhcp.Server, now time.Time) string {
	var b strings.Builder
	for _, l := range s.Leases(now) {
		fmt.Fprintln(&b, l.Addr, l.MAC, l.ClientID, l.Name, l.Expiry.Unix(), l.Static)
	}
	lines := strings.Split(string(s.Snapshot(now)), "\n")
	slices.Sort(lines)
	return b.String() + strings.Join(lines, "\n")
}

// busy is a server that has seen everything that is recorded.
func busy(t *testing.T) *office {
	o := open(t, func(c *dhcp.ServerConfig) {
		c.Static = []dhcp.Static{{MAC: wire.MAC{2, 0, 0, 0, 0, 7}, Addr: addr("10.0.0.77"), Name: "seven"}}
	})
	o.lease(ask{client: 1, name: "box"}, "0.0.10")
	o.lease(ask{client: 2, name: "box", id: "abc"}, "0.0.11")
	o.lease(ask{client: 3, name: "gone"}, "0.0.12")
	o.hear(ask{kind: dhcp.Release, client: 3, uses: "0.0.12", server: "0.0.1"})
	o.lease(ask{client: 4}, "0.0.13")
	o.hear(ask{kind: dhcp.Decline, client: 4, want: "0.0.13", server: "0.0.1"})
	o.lease(ask{client: 4, name: "gone"}, "0.0.14")
	o.lease(ask{client: 7}, "0.0.77")
	o.hear(ask{kind: dhcp.Release, client: 7, uses: "0.0.77", server: "0.0.1"})
	o.lease(ask{client: 1, relay: "1.0.1"}, "1.0.10")
	o.now = o.now.Add(time.Minute)
	o.hear(ask{kind: dhcp.Request, client: 1, uses: "0.0.10", alone: true})
	o.is(dhcp.Extended, "0.0.10")
	o.hear(ask{kind: dhcp.Discover, client: 3})
	o.is(dhcp.Offered, "0.0.12")
	return o
}

func TestRestartForgetsNothing(t *testing.T) {
	o := busy(t)
	before := known(o.s, o.now)
	equal(t, "leases", strings.Count(before, "\nlease "), 4)
	o.restart()
	equal(t, "known after a restart", known(o.s, o.now), before)
	o.disk = o.s.Snapshot(o.now)
	o.restart()
	equal(t, "known after another", known(o.s, o.now), before)
	o.hear(ask{kind: dhcp.Discover, client: 3})
	o.is(dhcp.Offered, "0.0.12")
	o.now = o.now.Add(time.Hour)
	o.restart()
	equal(t, "leases", len(o.s.Leases(o.now)), 0)
	o.hear(ask{kind: dhcp.Discover, client: 2, id: "abc"})
	o.is(dhcp.Offered, "0.0.11")
}

// Whenever the server is killed, every lease that a client was told of is there: the
// records up to that one are whole, and the next may be cut anywhere.
func TestCutRecordsLoseNoLeaseThatWasAcknowledged(t *testing.T) {
	o := busy(t)
	lines := bytes.SplitAfter(o.disk, []byte("\n\n"))
	for i := range lines {
		whole := bytes.Join(lines[:i], nil)
		s := newServer(t, o.config)
		equal(t, "bad records", s.Restore(o.now, whole), 0)
		want := known(s, o.now)
		for cut := range len(lines[i]) - 3 {
			torn := append(slices.Clone(whole), lines[i][:cut]...)
			s := newServer(t, o.config)
			s.Restore(o.now, torn)
			equal(t, "known", known(s, o.now), want)

			// What is appended to a torn line must count.
			m := ask{kind: dhcp.Request, client: 9, want: "0.0.19"}.message()
			torn = append(torn, s.Arrive(o.now, parsed(t, m), addr("255.255.255.255")).Record...)
			s = newServer(t, o.config)
			s.Restore(o.now, torn)
			if _, ok := s.ByAddr(o.now, addr("10.0.0.19")); !ok {
				t.Fatalf("record behind %q is lost", lines[i][:cut])
			}
		}
	}
}

func TestDamagedRecordsTellNothing(t *testing.T) {
	o := open(t, nil)
	o.lease(ask{client: 1, name: "box"}, "0.0.10")
	line := bytes.TrimSpace(o.disk)
	for i := range line {
		for bit := range 8 {
			s := newServer(t, o.config)
			damaged := with(line, i, line[i]^1<<bit)
			s.Restore(o.now, damaged)
			if len(s.Leases(o.now)) != 0 {
				t.Errorf("%q was believed", damaged)
			}
		}
	}
	equal(t, "a long line", newServer(t, o.config).Restore(o.now, bytes.Repeat([]byte{'x'}, 5000)), 1)
}

func TestRecordsOfAnotherConfigurationAreDropped(t *testing.T) {
	o := busy(t)
	config := lan()
	config.Subnets = config.Subnets[:1]
	config.Subnets[0].Ranges[0].First = addr("10.0.0.11")
	config.Static = []dhcp.Static{{MAC: wire.MAC{2, 0, 0, 0, 0, 9}, Addr: addr("10.0.0.14")}}
	s := newServer(t, config)
	if s.Restore(o.now, o.disk) == 0 {
		t.Error("all records were taken")
	}
	var got []string
	for _, l := range s.Leases(o.now) {
		got = append(got, l.Addr.String())
	}
	equal(t, "leases", strings.Join(got, " "), "10.0.0.11")
}

func FuzzRecords(f *testing.F) {
	f.Add([]byte("lease 10.0.0.10 1767326646 68020000000001 02:00:00:00:00:01 box cce0208c"))
	f.Add([]byte("\nbad 10.0.0.11 1767323646 - 00:00:00:00:00:00 - e49d832c\n\nfree 10.0.0.10 0 68020000000001 02:00:00:00:00:01 box d1f065cf\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := newServer(t, lan())
		s.Restore(start, b)
		snapshot := s.Snapshot(start)
		again := newServer(t, lan())
		if bad := again.Restore(start, snapshot); bad != 0 {
			t.Fatalf("%d bad records in %q", bad, snapshot)
		}
		if got, want := known(again, start), known(s, start); got != want {
			t.Fatalf("known: got %s, want %s", got, want)
		}
	})
}
