package main

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"landline/wire"
)

// hardware returns the hardware address of the machine: if it has a name, the one that it had on this network the last
// time. So the LAN knows it again, and it has its address and its name, also if it was killed and gave nothing back. The zero
// MAC is any that nobody has.
func (m *machine) hardware(f *machineFlags) wire.MAC {
	if f.hostname == "" {
		return wire.MAC{}
	}
	mac, err := m.keptHardware(f)
	if err != nil {
		m.app.say("the machine's hardware address is not kept: %v", err)
	}
	return mac
}

// keptHardware makes the address of the name's file, which is locked as long as the machine is there: another one that is called
// the same has an address of its own.
func (m *machine) keptHardware(f *machineFlags) (mac wire.MAC, err error) {
	dir, err := stateDir(f.line.state, "machines")
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return mac, err
	}
	path := filepath.Join(dir, strings.ToLower(f.hostname)+"-"+f.networkID())
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return mac, err
	}
	if lockNow(file) != nil {
		file.Close()
		return mac, nil
	}
	m.kept = file
	return steadyMAC(path), nil
}

// release lets another machine have the hardware address.
func (m *machine) release() {
	if m.kept != nil {
		m.kept.Close()
	}
}

// networkID tells the network at hand from others.
func (f *machineFlags) networkID() string {
	name := "tap " + f.tap
	if path, err := filepath.Abs(f.socket); err == nil && f.socket != "" {
		name = path
	}
	return fmt.Sprintf("%.4x", sha256.Sum256([]byte(name)))
}
