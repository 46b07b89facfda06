package main

import (
	"io"
	"testing"

	"landline/lan"
	"landline/link"
)

// A capture of all ports that goes on for long knows those that are there, not all that ever were.
func TestCapturesForgetPortsThatHaveGone(t *testing.T) {
	n := &network{f: &lanFlags{}, lan: lan.NewSwitch(lan.Config{}), sniffers: map[*sniffer]bool{}}
	defer n.lan.Close()
	s, err := n.sniff(io.Discard, "")
	if err != nil {
		t.Fatal(err)
	}
	defer n.unsniff(s)
	for range 3 {
		dev, _ := link.NewCable(link.CableConfig{})
		p, err := n.plugIn(dev, lan.PortConfig{})
		if err != nil {
			t.Fatal(err)
		}
		if len(s.stops) != 1 || s.stops[p] == nil {
			t.Errorf("%d ports are captured, and one is there", len(s.stops))
		}
		p.Close()
	}
}
