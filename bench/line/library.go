package main

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"time"

	"landline/identity"
	"landline/remote"
)

// callLibrary makes a connection, and runs one command after the other on it, as a program does that uses package
// remote. The keys are in dir.
func callLibrary(addr, dir string) error {
	ctx := context.Background()
	own, err := identity.Keys{Files: []string{filepath.Join(dir, "id")}}.Delegate(ctx, 0, time.Now())
	if err != nil {
		return err
	}
	known := identity.KnownHosts{File: filepath.Join(dir, "known_hosts"), AcceptNew: true}
	raw, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	nc, _, err := (&identity.Client{Delegation: own, KnownHosts: known}).Handshake(ctx, raw, addr)
	if err != nil {
		return err
	}
	cl := remote.NewClient(nc, "bench")
	defer cl.Close()
	for range warmCalls {
		r, err := cl.Run(ctx, remote.Command{Args: []string{"true"}})
		if err != nil {
			return err
		}
		if !r.Success() {
			return fmt.Errorf("true: %+v", r)
		}
	}
	return nil
}
