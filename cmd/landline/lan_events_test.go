package main

import (
	"fmt"
	"net"
	"os"
	"syscall"
	"testing"

	"landline/lan"
)

// A client that is slow holds up nobody, and hears how much it has missed.
func TestSlowListenersAreToldWhatTheyMissed(t *testing.T) {
	var a audience
	l := a.join()
	for range maxEvents + 3 {
		a.tell(&lan.Event{Ask: lan.Ask{Kind: lan.KindTCP}})
	}
	for range maxEvents {
		if e := <-l.queue; e.Lost != 0 {
			t.Fatalf("%+v", e)
		}
	}
	a.tell(&lan.Event{})
	a.tell(&lan.Event{})
	if one, two := <-l.queue, <-l.queue; one.Lost != 3 || two.Lost != 0 {
		t.Errorf("lost %d, then %d", one.Lost, two.Lost)
	}
}

// What went wrong is told without the sockets in which it did, of which no machine knows anything.
func TestEventsTellWhatWentWrongAndNotWhere(t *testing.T) {
	reset := &net.OpError{Op: "read", Net: "unix", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
	e := eventOf(&lan.Event{Err: fmt.Errorf("readfrom tcp 10.77.0.1:1->10.77.0.2:2: %w", reset)})
	if want := syscall.ECONNRESET.Error(); e.Error != want {
		t.Errorf("%q, not %q", e.Error, want)
	}
	if e := eventOf(&lan.Event{Err: lan.ErrManyLeases}); e.Error != lan.ErrManyLeases.Error() {
		t.Errorf("%q", e.Error)
	}
}
