//go:build unix && !solaris && !aix

package lan_test

import (
	"errors"
	"testing"

	"landline/lan"
)

func TestGatewaysDoNotShareLeases(t *testing.T) {
	state := t.TempDir()
	start := func() (*lan.Gateway, error) {
		port, err := newSwitch(t, lan.Config{}).NewPort(lan.PortConfig{})
		if err != nil {
			t.Fatal(err)
		}
		return lan.NewGateway(port, lan.GatewayConfig{State: state})
	}
	for range 2 { // what one has left, the next may have
		g, err := start()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := start(); !errors.Is(err, lan.ErrStateInUse) {
			t.Errorf("the second of two: %v", err)
		}
		g.Close()
	}
}
