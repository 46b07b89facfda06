package main

import (
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
