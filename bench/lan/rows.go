package main

import (
	"slices"

	"landline/bench/internal/compare"
)

func allRows() []*compare.Row { return slices.Concat(streams(), switches()) }
