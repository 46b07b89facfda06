//go:build race

package lan_test

// raceEnabled says that the race detector is built in. It has sync.Pool forget at
// random, so allocations cannot be counted.
const raceEnabled = true
