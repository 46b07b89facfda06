package compare

import "testing"

// aRow is one in which landline is 3 times as fast as the better of two peers, at half of its cost.
func aRow() *Row {
	return &Row{
		Title:   "work",
		Figures: []Figure{{Name: "a second"}, {Name: "cost", Less: true}},
		Hosts: []*Host{
			{Name: Landline, rounds: [][]float64{{300, 2}, {290, 2}, {999, 2}}},
			{Name: "gVisor, slow", rounds: [][]float64{{10, 9}}},
			{Name: "gVisor, fast", rounds: [][]float64{{100, 4}}},
			{Name: "gVisor, broken"},
		},
	}
}

func TestGoalsAreHeldAgainstTheBestOfThePeers(t *testing.T) {
	for _, c := range []struct {
		goal Goal
		want string
	}{
		{Goal{Peers: "gVisor", Must: 3, Aim: 6}, "| work | a second | 300 | gVisor, fast | 100 | 3.00 | 3: PASS | 6: FALL SHORT, 50 % of it |"},
		{Goal{Figure: 1, Peers: "gVisor", Aim: 2}, "| work | cost | 2.00 | gVisor, fast | 4.00 | 2.00 | – | 2: PASS |"},
		{Goal{Figure: 1, Must: 2, Aim: 1}, "| work | cost | 2.00 | – | – | – | 2: PASS | 1: FALL SHORT, 2.00 times it |"},
		{Goal{Figure: 1, Peers: "kernel", Must: 2, Aim: 1}, ""},
		{Goal{Own: "gVisor, slow", Peers: "gVisor, fast", Must: 2}, "| work, gVisor, slow | a second | 10.0 | gVisor, fast | 100 | 0.10 | 2: FALL SHORT, 5 % of it | – |"},
		{Goal{Own: "gVisor, broken", Peers: "gVisor", Must: 2}, ""},
	} {
		if got := aRow().judge(c.goal); got != c.want {
			t.Errorf("%+v:\n%s\nwant\n%s", c.goal, got, c.want)
		}
	}
}

func TestThereIsNoVerdictOnWhatWasNotMeasured(t *testing.T) {
	r := aRow()
	r.Hosts[0].rounds = nil
	if got := r.judge(Goal{Peers: "gVisor", Must: 3, Aim: 6}); got != "" {
		t.Error(got)
	}
	if got := spread(r.Hosts[0].series(0)); got != "–" {
		t.Error(got)
	}
}
