package main

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"landline/remote"
)

const (
	progressAfter = time.Second            // how long something must last to be shown
	progressEvery = 100 * time.Millisecond // how often it is shown
	rateAfter     = 500 * time.Millisecond // how often its rate is taken
)

// A progress shows in the last line of a terminal how a copy goes: bytes, rate, time left. It is
// not there for what is quick, and the zero value shows nothing at all.
type progress struct {
	start time.Time // zero: show nothing

	mu    sync.Mutex
	shown time.Time // when it was last
	width int       // of what stands on the terminal
	speed speed
}

func (a *app) newProgress() *progress {
	if a.quiet || a.json || !isTerminal(os.Stderr) {
		return &progress{}
	}
	return &progress{start: time.Now()}
}

// update is told of every step.
func (p *progress) update(done remote.CopyProgress) {
	if p.start.IsZero() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.speed.update(done.BytesDone, now)
	if now.Sub(p.start) < progressAfter || now.Sub(p.shown) < progressEvery {
		return
	}
	cols, _, err := term.GetSize(int(os.Stderr.Fd()))
	if err != nil || cols <= 0 {
		cols = 80
	}
	p.shown = now
	p.showLocked(progressLine(done.BytesDone, done.BytesKnown, p.speed.now, cols-1)) // in the last column some terminals go on to the next line
}

// progressLine says how a copy goes in so many columns.
func progressLine(done, known, rate int64, cols int) string {
	before := fmt.Sprintf("%9s / %-9s", size(done), size(known))
	after := fmt.Sprintf("%9s/s  %-12s", size(rate), timeLeft(known-done, rate))
	n := cols - len(before) - len(after) - len("  [] ")
	if n < 4 {
		return (before + after)[:max(0, min(cols, len(before+after)))]
	}
	full := int(float64(n) * min(float64(done)/float64(max(known, 1)), 1))
	return before + "  [" + strings.Repeat("=", full) + strings.Repeat("-", n-full) + "] " + after
}

// showLocked puts a line in place of the one that stands there.
func (p *progress) showLocked(line string) {
	fmt.Fprintf(os.Stderr, "\r%-*s", p.width, line)
	p.width = len(line)
}

// above prints something that must not be lost in the line.
func (p *progress) above(print func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hideLocked()
	print()
}

func (p *progress) done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hideLocked()
}

// hideLocked takes the line away. A later update brings another.
func (p *progress) hideLocked() {
	if p.width > 0 {
		p.showLocked("")
		fmt.Fprint(os.Stderr, "\r")
	}
}

// A speed is how fast bytes have moved lately. What an earlier copy had moved
// already comes in a jump, which is soon forgotten.
type speed struct {
	now   int64     // bytes a second
	since time.Time // the last time it was taken
	bytes int64     // that were done then
}

func (s *speed) update(bytes int64, at time.Time) {
	took := at.Sub(s.since)
	switch latest := rate(bytes-s.bytes, took); {
	case s.since.IsZero():
	case took < rateAfter:
		return
	case s.now == 0:
		s.now = latest
	default:
		s.now = (3*s.now + latest) / 4
	}
	s.since, s.bytes = at, bytes
}
