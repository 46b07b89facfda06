//go:build !race

package lan_test

const raceEnabled = false
