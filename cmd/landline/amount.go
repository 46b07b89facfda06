package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// parseRate reads bytes a second: a number, and k, M or G for powers of 1,000.
func parseRate(s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	units := map[string]int64{"": 1, "k": 1e3, "M": 1e6, "G": 1e9}
	digits := strings.TrimRight(s, "kMG")
	unit := units[s[len(digits):]]
	n, err := strconv.ParseUint(digits, 10, 62)
	if err != nil || unit == 0 || n == 0 || int64(n) > (1<<62)/unit {
		return 0, fmt.Errorf("--limit %s: it is a number, with k, M or G after it if you like", s)
	}
	return int64(n) * unit, nil
}

// A period is the value of a flag that says a time.
type period struct {
	flag string // its name
	d    *time.Duration
}

// A periodError is what was given and is no time.
type periodError struct{ flag, value string }

func (e *periodError) Error() string {
	return fmt.Sprintf("--%s %s: a time has a unit, e.g. 5s or 2m", e.flag, e.value)
}

func (p *period) Set(s string) error {
	d, err := time.ParseDuration(s)
	if err != nil {
		return &periodError{p.flag, s}
	}
	*p.d = d
	return nil
}

func (p *period) Type() string { return "duration" }

// String returns nothing for no time, which help then does not call a default.
func (p *period) String() string {
	if p.d == nil || *p.d == 0 {
		return ""
	}
	return p.d.String()
}

// size writes a number of bytes for people, in powers of 1,000.
func size(n int64) string {
	units := []string{"B", "kB", "MB", "GB", "TB", "PB", "EB"}
	f := float64(n)
	for f >= 999.5 && len(units) > 1 {
		f /= 1000
		units = units[1:]
	}
	decimals := 1
	if f >= 9.95 || f == float64(int64(f)) {
		decimals = 0
	}
	return strconv.FormatFloat(f, 'f', decimals, 64) + " " + units[0]
}

// count writes a number of things, of which one is called what.
func count(n int64, what string) string {
	if n != 1 {
		what += "s"
	}
	return strconv.FormatInt(n, 10) + " " + what
}

// rate is bytes a second.
func rate(n int64, d time.Duration) int64 {
	return int64(float64(n) / max(d.Seconds(), 1e-9))
}

// timeLeft reckons with a rate in bytes a second.
func timeLeft(bytes, rate int64) string {
	if bytes < 0 || rate <= 0 {
		return "-"
	}
	seconds := bytes / rate
	if bytes%rate > 0 {
		seconds++
	}
	seconds = min(seconds, 360_000) // beyond 100 hours nobody waits
	return (time.Duration(seconds) * time.Second).String() + " left"
}

func round(d time.Duration) time.Duration {
	switch {
	case d > time.Minute:
		return d.Round(time.Second)
	case d > time.Second:
		return d.Round(10 * time.Millisecond)
	}
	return d.Round(10 * time.Microsecond)
}
