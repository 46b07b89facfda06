package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"syscall"
	"time"

	"landline"
	"landline/internal/ladder"
	"landline/lan"
	"landline/link"
	"landline/wire"
)

const (
	tryNetwork = "10.0.0.0/24"
	tryGateway = "10.0.0.1/24"
	tryServer  = "shed.lan"
)

// A tryLAN is the LAN of `landline try`: a switch, a gateway to nowhere, and two machines.
type tryLAN struct {
	lan        *lan.Switch
	gateway    *lan.Gateway
	desk, shed *tryMachine
	ladder     *ladder.Ladder

	file    *os.File // of the capture, or nil
	capture *link.PcapNG
	mu      sync.Mutex // so that the ladder and the capture have the same order
}

// A tryMachine is one that takes its address by DHCP.
type tryMachine struct {
	name string
	host *landline.Host
}

// address returns that of the machine's lease.
func (m *tryMachine) address() netip.Prefix {
	for _, a := range m.host.Addresses() {
		if a.Origin == "dhcp" {
			return a.Prefix
		}
	}
	return netip.Prefix{}
}

// tryMAC returns the hardware address of a machine: one that no vendor gave out, and that people can tell from the others.
func tryMAC(n byte) wire.MAC { return wire.MAC{0x02, 0, 0, 0, 0, n} }

// newTryLAN makes the LAN. Its machines are not there before join.
func newTryLAN(capture string) (_ *tryLAN, err error) {
	l := &tryLAN{lan: lan.NewSwitch(lan.Config{})}
	l.ladder = ladder.New(
		ladder.Machine{Name: "gate", MAC: tryMAC(1)}, ladder.Machine{Name: "desk", MAC: tryMAC(2)}, ladder.Machine{Name: "shed", MAC: tryMAC(3)})
	if capture != "" {
		if l.file, err = createCapture("--capture", capture); err != nil {
			return nil, err
		}
		l.capture = link.NewPcapNG(l.file, link.PcapConfig{})
	}
	gate, err := l.plug("gate", 1)
	if err != nil {
		return nil, err
	}
	l.gateway, err = lan.NewGateway(gate, lan.GatewayConfig{
		Name: "gate", Addresses: []netip.Prefix{netip.MustParsePrefix(tryGateway)},
		DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, syscall.ENETUNREACH },
		ResolvConf:  os.DevNull, Switch: l.lan,
	})
	if err != nil {
		return nil, err
	}
	l.desk, l.shed = &tryMachine{name: "desk"}, &tryMachine{name: "shed"}
	return l, nil
}

// plug makes a port whose machine is seen. It takes single frames, as a wire would.
func (l *tryLAN) plug(name string, n byte) (link.Device, error) {
	port, err := l.lan.NewPort(lan.PortConfig{Name: name, MAC: tryMAC(n), Without: link.OffloadChecksum})
	if err != nil {
		return nil, err
	}
	face := 0
	if l.capture != nil {
		face = l.capture.Interface(port.Info())
	}
	return &seenDevice{port, func(frames []link.Frame) { l.see(face, frames) }}, nil
}

// see notes frames that a machine sends.
func (l *tryLAN) see(face int, frames []link.Frame) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	for i := range frames {
		l.ladder.Frame(now, &frames[i])
		if l.capture != nil {
			l.capture.Frame(face, link.Outbound, now, &frames[i], "")
		}
	}
}

// A seenDevice tells of frames before they are sent.
type seenDevice struct {
	link.Device
	see func([]link.Frame)
}

func (d *seenDevice) Write(frames []link.Frame) (int, error) {
	d.see(frames)
	return d.Device.Write(frames)
}

// join has the machines take their addresses, one after the other. They ask nobody whether another machine has them, for
// that takes seconds, and here is none.
func (l *tryLAN) join(ctx context.Context) error {
	for i, m := range []*tryMachine{l.desk, l.shed} {
		l.ladder.Note(m.name + " has no address yet, and asks everybody for one")
		port, err := l.plug(m.name, byte(2+i))
		if err != nil {
			return err
		}
		m.host, err = landline.NewHost(port, landline.Config{DHCP: true, Hostname: m.name, NoIPv6: true, Probes: -1})
		if err != nil {
			return err
		}
		if err := m.host.WaitReady(ctx); err != nil {
			return err
		}
	}
	return nil
}

// close ends the machines and their LAN, once what they have to say has arrived.
func (l *tryLAN) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), tryPatience)
	defer cancel()
	l.ladder.Note("the machines give their addresses back")
	for _, m := range []*tryMachine{l.shed, l.desk} {
		if m.host != nil {
			m.host.Shutdown(ctx)
		}
	}
	errs := []error{l.gateway.Close(), l.lan.Close()}
	if l.file != nil {
		if err := errors.Join(l.capture.Close(), l.file.Close()); err != nil {
			errs = append(errs, fmt.Errorf("--capture %s: %w", l.file.Name(), bare(err)))
		}
	}
	return flat(errors.Join(errs...))
}
