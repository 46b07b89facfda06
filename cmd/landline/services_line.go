package main

import (
	"context"
	"net"
	"net/url"
	"path/filepath"
	"slices"

	"golang.org/x/crypto/ssh"

	"landline/identity"
	"landline/remote"
)

// lineOf makes what lets people in at a machine, or nil if that is not one of its services.
func (a *app) lineOf(f *machineFlags, services []service) (*daemon, error) {
	if !slices.ContainsFunc(services, func(s service) bool { return s.name == lineService }) {
		return nil, nil
	}
	d := &daemon{a: a, f: &f.line, log: a.logger()}
	// Each machine has its own jobs.
	state, err := stateDir(f.line.state, filepath.Join("host-"+url.PathEscape(f.hostname), "jobs"))
	if err != nil {
		return nil, err
	}
	key, err := d.hostKey()
	if err != nil {
		return nil, err
	}
	d.warnEmpty()
	d.keys = identity.Server{HostKeys: []ssh.Signer{key}, AuthorizedKeys: f.line.authorizedKeys, Log: d.log}
	d.server = remote.Server{Admit: d.admit, State: state, Software: software, Log: d.log}
	return d, d.openAudit()
}

// openLine takes a port for those who are let in.
func (m *machine) openLine(port uint16) error {
	l, err := m.host.ListenTCP("tcp", &net.TCPAddr{Port: int(port)})
	if err != nil {
		return bare(err)
	}
	m.line.listeners = append(m.line.listeners, l)
	m.announceLine(uint16(l.Addr().(*net.TCPAddr).Port))
	return nil
}

func (m *machine) announceLine(port uint16) {
	key := ssh.FingerprintSHA256(m.line.keys.HostKeys[0].PublicKey())
	if m.app.json {
		printJSON(&m.app.out, map[string]any{"service": lineService, "port": port, "host_key": key})
		return
	}
	m.app.say("%s answers on port %d, TCP, host key %s", lineService, port, key)
}

// serveLine lets people in until endLine.
func (m *machine) serveLine() {
	if m.line == nil {
		return
	}
	ctx, end := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer m.line.audit.close()
		if err := m.line.run(ctx); err != nil {
			m.app.say("%s: %v", lineService, err)
		}
	}()
	m.endServing = func() {
		end()
		<-done
	}
}

// endLine ends what runs for those who were let in. They hear of it, so the host must still be there.
func (m *machine) endLine() {
	if m.endServing != nil {
		m.endServing()
	}
}
