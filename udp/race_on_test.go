//go:build race

package udp_test

// raceDetector is on: it makes sync.Pool forget on purpose.
const raceDetector = true
