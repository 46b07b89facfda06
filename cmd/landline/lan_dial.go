package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"
)

// dial makes the connection of a request one to a machine, once that has answered.
func (c *control) dial(w http.ResponseWriter, r *http.Request) error {
	to := r.URL.Query().Get("to")
	if _, _, err := net.SplitHostPort(to); err != nil {
		return &controlError{Code: codeBad, Message: "to is HOST:PORT: " + err.Error()}
	}
	if err := checkUpgrade(r); err != nil { // before a machine hears of it
		return err
	}
	return c.network.gateway.Connect(r.Context(), to, func() (net.Conn, error) { return upgrade(w, r) })
}

// dialMachine opens a connection to a machine of the LAN. The errors are those of a net.Dialer.
func (l *lanClient) dialMachine(ctx context.Context, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, connectWithin)
	defer cancel()
	c, err := l.upgrade(ctx, "dial?to="+url.QueryEscape(address))
	if err == nil {
		return c, nil
	}
	e, ok := errors.AsType[*controlError](err)
	switch {
	case !ok:
		return nil, err
	case e.Code == codeNoName:
		return nil, &hinted{fmt.Errorf("no such machine on the LAN %s", l.name), "landline lan ps --name " + l.name}
	}
	err = e.system()
	if errno, ok := err.(syscall.Errno); ok {
		err = os.NewSyscallError("connect", errno)
	}
	err = &net.OpError{Op: "dial", Net: "tcp", Err: err}
	if errors.Is(err, syscall.EHOSTUNREACH) {
		err = &hinted{err, "is it on? landline lan ps --name " + l.name}
	}
	return nil, err
}

// domainWithin is how long a LAN may take to say which one it is.
const domainWithin = 2 * time.Second

// lanOf returns the LAN that is up here and has the domain of a host's name, or nil.
func lanOf(ctx context.Context, addr string) (*lanClient, error) {
	name, ok := fullName(addr)
	if !ok {
		return nil, nil
	}
	// A folder that cannot be read has no LAN in it: all other names are found as ever.
	all, _ := lansUp(ctx)
	var found []*lanClient
	for _, l := range all {
		if strings.HasSuffix(name, "."+l.domain(ctx)) {
			found = append(found, l)
		}
	}
	switch len(found) {
	case 0:
		return nil, nil
	case 1:
		return found[0], nil
	}
	return nil, &hinted{fmt.Errorf("several LANs have the domain of %s: %s", name, strings.Join(namesOf(found), ", ")), "landline lan up --domain gives each its own"}
}

// domain returns the domain of the LAN, or if it does not say that something which ends no name.
func (l *lanClient) domain(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, domainWithin)
	defer cancel()
	var i lanInfo
	if l.ask(ctx, "GET", "lan", nil, &i) != nil || i.Domain == "" {
		return "/"
	}
	return strings.ToLower(i.Domain)
}

// fullName returns the name in an address, name:port, if it has a domain.
func fullName(addr string) (string, bool) {
	name, _, err := net.SplitHostPort(addr)
	if err != nil {
		return "", false
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return "", false
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	return name, strings.Contains(name, ".")
}

// hintLAN says of a name that is not found what it would be on a LAN that is up here, or if it looks like that of a
// machine on a LAN that there is no such LAN.
func hintLAN(ctx context.Context, addr string, err error) error {
	dns, ok := errors.AsType[*net.DNSError](err)
	if !ok || !dns.IsNotFound {
		return err
	}
	name, full := fullName(addr)
	switch {
	case full && strings.HasSuffix(name, ".lan"):
		return &hinted{errors.New("no such host, and no LAN with the domain lan is up here"), "landline lan up"}
	case full:
		return err
	}
	all, _ := lansUp(ctx)
	var names []string
	for _, l := range all {
		names = append(names, name+"."+l.domain(ctx))
	}
	if len(names) == 0 {
		return err
	}
	return &hinted{err, "on a LAN that is up here it is " + strings.Join(names, ", ")}
}
