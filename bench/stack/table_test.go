package main

import "testing"

// aRow is one in which landline is 3 times as fast as the better of two peers, at half of its cost.
func aRow() *row {
	return &row{
		title:   "work",
		figures: []figure{{name: "a second"}, {name: "cost", less: true}},
		hosts: []*host{
			{name: landline, rounds: [][]float64{{300, 2}, {290, 2}, {999, 2}}},
			{name: "gVisor, slow", rounds: [][]float64{{10, 9}}},
			{name: "gVisor, fast", rounds: [][]float64{{100, 4}}},
			{name: "gVisor, broken"},
		},
	}
}

func TestGoalsAreHeldAgainstTheBestOfThePeers(t *testing.T) {
	for _, c := range []struct {
		goal goal
		want string
	}{
		{goal{0, "gVisor", 3, 6}, "| work | a second | 300 | gVisor, fast | 100 | 3.00 | 3: PASS | 6: FALL SHORT, 50 % of it |"},
		{goal{1, "gVisor", 0, 2}, "| work | cost | 2.00 | gVisor, fast | 4.00 | 2.00 | – | 2: PASS |"},
		{goal{1, "", 2, 1}, "| work | cost | 2.00 | – | – | – | 2: PASS | 1: FALL SHORT, 2.00 times it |"},
		{goal{1, "kernel", 2, 1}, ""},
	} {
		if got := aRow().judge(c.goal); got != c.want {
			t.Errorf("%+v:\n%s\nwant\n%s", c.goal, got, c.want)
		}
	}
}

func TestThereIsNoVerdictOnWhatWasNotMeasured(t *testing.T) {
	r := aRow()
	r.hosts[0].rounds = nil
	if got := r.judge(goal{0, "gVisor", 3, 6}); got != "" {
		t.Error(got)
	}
	if got := spread(r.hosts[0].series(0)); got != "–" {
		t.Error(got)
	}
}

func TestNamesOfMeasurementsAreTheirOwn(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range allRows() {
		for _, h := range r.hosts {
			if seen[r.cell(h)] {
				t.Errorf("%s is there twice", r.cell(h))
			}
			seen[r.cell(h)] = true
		}
	}
}
