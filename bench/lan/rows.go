package main

import "landline/bench/internal/compare"

func allRows() []*compare.Row { return streams() }
