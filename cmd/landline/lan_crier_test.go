package main

import (
	"fmt"
	"net/netip"
	"os"
	"testing"

	"landline/lan"
)

// A LAN whose lines nobody reads goes on: here a pipe is full.
func TestReaderWhoDoesNotReadHoldsUpNoMachine(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	screen.Lock()
	old := os.Stderr
	os.Stderr = w
	screen.Unlock()
	n := &network{app: &app{}, hosts: map[netip.Addr]string{}, crier: newCrier()}
	for k := range 5000 {
		ask := lan.Ask{Kind: lan.KindLease, Dst: netip.MustParseAddrPort("10.77.0.2:0"), Name: fmt.Sprint("shed-", k)}
		n.event(lan.Event{Ask: ask, Verdict: lan.Allowed})
	}
	r.Close()
	n.crier.close()
	<-n.crier.done
	os.Stderr = old
	w.Close()
}
