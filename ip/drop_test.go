package ip

import (
	"fmt"
	"testing"

	"landline/wire"
)

func TestEveryDropHasAName(t *testing.T) {
	seen := map[string]Drop{}
	for d := Drop(1); int(d) < Drops; d++ {
		name := d.String()
		if other, twice := seen[name]; twice || name == "" || name == "unknown drop" {
			t.Errorf("drop %d is called %q, as is %d", d, name, other)
		}
		seen[name] = d
	}
	if len(dropText) != Drops-wire.Faults {
		t.Errorf("%d names for %d reasons", len(dropText), Drops-wire.Faults)
	}
	if got := Drop(Drops).String(); got != "unknown drop" {
		t.Errorf("the first unknown drop is called %q", got)
	}
}

func TestDropCountsAreNamed(t *testing.T) {
	st := Stats{Sent: 2}
	st.Drops[DropNoGroup], st.Drops[DropTTL] = 3, 1
	equal(t, "printed", fmt.Sprintf("%+v", st), "{Received:0 Sent:2 Forwarded:0 Fragments:0 Reassembled:0 ICMPErrors:0 Drops:3 no group, 1 ttl}")
}
