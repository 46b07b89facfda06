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
