// Command stack measures landline's network stack beside gVisor's and the kernel's: two
// hosts joined by a wire in memory, or one and the kernel by a TAP. It prints a table in
// Markdown for each kind of work, and one that says how far landline is from where it is meant to be.
//
// Run it from bench/: go run ./stack
package main

import (
	"os"

	"landline/bench/internal/compare"
	"landline/bench/internal/kernel"
)

func main() {
	kernel.Help()
	os.Exit(compare.Main("stack", allRows()))
}
