package main

import (
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"landline/remote"
)

const (
	progressAfter = time.Second            // how long something must last to get a bar
	rateAfter     = 500 * time.Millisecond // how often its rate is taken
)

// A progress shows on a terminal how a copy goes: bytes, rate, time left. It is
// not there for what is quick, and the zero value shows nothing at all.
type progress struct {
	start time.Time // zero: show nothing

	mu    sync.Mutex
	bars  *mpb.Progress // nil until it is time
	bar   *mpb.Bar
	speed speed
}

func (a *app) newProgress() *progress {
	if a.quiet || a.json || !isTerminal(os.Stderr) {
		return &progress{}
	}
	return &progress{start: time.Now()}
}

// update is told of every step.
func (p *progress) update(now remote.CopyProgress) {
	if p.start.IsZero() {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.speed.update(now.BytesDone, time.Now())
	if p.bars == nil {
		if time.Since(p.start) < progressAfter {
			return
		}
		p.showLocked()
	}
	p.bar.SetTotal(now.BytesKnown, false)
	p.bar.SetCurrent(now.BytesDone)
}

func (p *progress) showLocked() {
	p.bars = mpb.New(mpb.WithOutput(os.Stderr), mpb.WithAutoRefresh())
	p.bar = p.bars.AddBar(0,
		mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.CountersKiloByte("% .1f / % .1f")),
		mpb.AppendDecorators(
			decor.Any(func(decor.Statistics) string { return size(p.speed.now.Load()) + "/s" }, decor.WCSyncSpace),
			decor.Any(func(s decor.Statistics) string { return timeLeft(s.Total-s.Current, p.speed.now.Load()) }, decor.WCSyncSpace),
		),
	)
}

// above prints something that must not be lost in the bar.
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

// hideLocked takes the bar away; the next update brings a new one.
func (p *progress) hideLocked() {
	if p.bars == nil {
		return
	}
	p.bar.Abort(true)
	p.bars.Wait()
	p.bars, p.bar = nil, nil
}

// A speed is how fast bytes have moved lately. What an earlier copy had moved
// already comes in a jump, which is soon forgotten.
type speed struct {
	now   atomic.Int64 // bytes a second
	since time.Time    // the last time it was taken
	bytes int64        // that were done then
}

func (s *speed) update(bytes int64, at time.Time) {
	took := at.Sub(s.since)
	switch latest := rate(bytes-s.bytes, took); {
	case s.since.IsZero():
	case took < rateAfter:
		return
	case s.now.Load() == 0:
		s.now.Store(latest)
	default:
		s.now.Store((3*s.now.Load() + latest) / 4)
	}
	s.since, s.bytes = at, bytes
}
