package main

import (
	"os"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"landline/remote"
)

// progressAfter is how long something must last to get a bar.
const progressAfter = time.Second

// A progress shows on a terminal how a copy goes: bytes, rate, time left. It is
// not there for what is quick, and the zero value shows nothing at all.
type progress struct {
	start time.Time // zero: show nothing

	mu   sync.Mutex
	bars *mpb.Progress // nil until it is time
	bar  *mpb.Bar
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
	if p.bars == nil {
		if time.Since(p.start) < progressAfter {
			return
		}
		p.show(now.BytesDone)
	}
	p.bar.SetTotal(now.BytesKnown, false)
	p.bar.SetCurrent(now.BytesDone)
}

// show begins the bar. What was done before it counts for its rate as well.
func (p *progress) show(done int64) {
	p.bars = mpb.New(mpb.WithOutput(os.Stderr), mpb.WithAutoRefresh())
	p.bar = p.bars.AddBar(0,
		mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.CountersKiloByte("% .1f / % .1f")),
		mpb.AppendDecorators(
			decor.Any(func(s decor.Statistics) string {
				return size(rate(s.Current, time.Since(p.start))) + "/s"
			}, decor.WCSyncSpace),
			decor.Any(func(s decor.Statistics) string {
				return timeLeft(s.Current, s.Total, time.Since(p.start))
			}, decor.WCSyncSpace),
		),
	)
	p.bar.SetCurrent(done)
}

// timeLeft reckons with the rate so far.
func timeLeft(done, total int64, took time.Duration) string {
	if done <= 0 || total < done {
		return "-"
	}
	left := time.Duration(float64(took) * float64(total-done) / float64(done))
	return left.Round(time.Second).String() + " left"
}

// above prints something that must not be lost in the bar.
func (p *progress) above(print func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bars == nil {
		print()
		return
	}
	p.hideLocked()
	print()
}

func (p *progress) done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bars != nil {
		p.hideLocked()
	}
}

// hideLocked takes the bar away; the next update brings a new one.
func (p *progress) hideLocked() {
	p.bar.Abort(true)
	p.bars.Wait()
	p.bars, p.bar = nil, nil
}
