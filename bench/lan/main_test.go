package main

import "testing"

func TestNamesOfMeasurementsAreTheirOwn(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range allRows() {
		for _, h := range r.Hosts {
			if seen[r.Cell(h)] {
				t.Errorf("%s is there twice", r.Cell(h))
			}
			seen[r.Cell(h)] = true
		}
	}
}

func TestWhatIperfSaysIsRead(t *testing.T) {
	rate, moved, err := parse([]byte(`{"intervals": [{"sum": {"bytes": 7, "omitted": true}}, {"sum": {"bytes": 3}}],
		"end": {"sum_sent": {"bits_per_second": 5}, "sum_received": {"bits_per_second": 24}}}`))
	if rate != 24 || moved != 10 || err != nil {
		t.Error(rate, moved, err)
	}
	if _, _, err := parse([]byte(`{"intervals": [], "end": {}, "error": "unable to connect"}`)); err == nil {
		t.Error("what went wrong was taken for a measurement")
	}
}
