package main

import (
	"os"
	"slices"
	"sync"
	"time"
)

// A crier says what happens on a LAN, in a goroutine of its own: a reader who does not read, or a terminal that was
// stopped, holds up no machine. What there is no room for is not said.
type crier struct {
	words chan func()
	quit  chan struct{}
	done  chan struct{}
	once  sync.Once
}

const (
	// crierRoom is how many lines wait.
	crierRoom = 1024
	// crierPatience is how long close waits for them to be read.
	crierPatience = 2 * time.Second
)

func newCrier() *crier {
	c := &crier{words: make(chan func(), crierRoom), quit: make(chan struct{}), done: make(chan struct{})}
	go c.run()
	return c
}

// cry has say print something. It does not wait for that.
func (c *crier) cry(say func()) {
	select {
	case c.words <- say:
	default:
	}
}

// Write has a line of the log written to standard error.
func (c *crier) Write(line []byte) (int, error) {
	line = slices.Clone(line)
	c.cry(func() { os.Stderr.Write(line) })
	return len(line), nil
}

// close says what waits. Nothing comes any more. It may be called twice.
func (c *crier) close() {
	c.once.Do(func() { close(c.quit) })
	select {
	case <-c.done:
	case <-time.After(crierPatience):
	}
}

func (c *crier) run() {
	defer close(c.done)
	for {
		select {
		case say := <-c.words:
			say()
			continue
		default:
		}
		select {
		case say := <-c.words:
			say()
		case <-c.quit:
			if len(c.words) == 0 {
				return
			}
		}
	}
}
