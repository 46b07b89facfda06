package remote

import (
	"context"
	"io"
	"time"
)

// A limiter keeps the mean rate of what passes under a bound. The zero value
// lets everything pass.
type limiter struct {
	rate  float64 // bytes a second
	free  time.Time
	piece int // most bytes to pass at once
}

func (l *limiter) set(bytesPerSecond int64) {
	const pieces = 20 // a second
	l.rate = float64(bytesPerSecond)
	l.piece = int(min(max(bytesPerSecond/pieces, 512), 1<<20))
}

// wait waits until n more bytes may pass.
func (l *limiter) wait(ctx context.Context, n int) error {
	if l.rate <= 0 {
		return nil
	}
	now := time.Now()
	if l.free.Before(now) {
		l.free = now
	}
	delay := l.free.Sub(now)
	l.free = l.free.Add(time.Duration(float64(n) / l.rate * float64(time.Second)))
	if delay == 0 {
		return nil
	}
	t := time.NewTimer(delay)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// A limitedWriter writes no faster than its limiter allows.
type limitedWriter struct {
	ctx     context.Context
	w       io.Writer
	limiter *limiter
}

func (l *limitedWriter) Write(p []byte) (n int, err error) {
	for len(p) > 0 && err == nil {
		piece := p[:min(len(p), l.limiter.piece)]
		if err = l.limiter.wait(l.ctx, len(piece)); err == nil {
			var m int
			m, err = l.w.Write(piece)
			n, p = n+m, p[len(piece):]
		}
	}
	return n, err
}
