package main

import (
	"net"
	"syscall"
	"testing"
	"testing/synctest"

	"landline/lan"
)

// A shortListener has no file for who comes first.
type shortListener struct {
	net.Listener
	conns []net.Conn // nil stands for an error
}

func (l *shortListener) Accept() (net.Conn, error) {
	if len(l.conns) == 0 {
		return nil, net.ErrClosed
	}
	c := l.conns[0]
	l.conns = l.conns[1:]
	if c == nil {
		return nil, &net.OpError{Op: "accept", Net: "unix", Err: syscall.EMFILE}
	}
	return c, nil
}

func (l *shortListener) Addr() net.Addr { return &net.UnixAddr{Name: "lan.sock", Net: "unix"} }

// A socket of machines goes on after there were too many open files.
func TestMachinesAreTakenAgainAfterAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &network{app: &app{quiet: true}, f: &lanFlags{mtu: 1500}, lan: lan.NewSwitch(lan.Config{})}
		near, far := net.Pipe()
		defer near.Close()
		n.accept(&shortListener{conns: []net.Conn{nil, far}}, "lan.sock")
		if len(n.lan.Ports()) != 1 {
			t.Error("who came after the error is not there")
		}
		n.lan.Close()
	})
}
