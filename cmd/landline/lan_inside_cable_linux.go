package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"landline/link"
)

// A cable leads from the namespace's interface to a port of the LAN. It is the open TAP, which the LAN gets too: as long
// as the connection by which it got it stands, the port is there.
type cable struct {
	inside *inside
	lan    *lanClient
	tap    *os.File
	conn   *upgraded
}

// newCable makes the interface.
func newCable(i *inside) (*cable, error) {
	tap, err := link.MakeTAP(insideNIC)
	if err != nil {
		return nil, &hinted{fmt.Errorf("no interface: %w", bare(err)), hintTUN(err)}
	}
	if i.nic, err = newNIC(insideNIC); err != nil {
		return nil, err
	}
	return &cable{inside: i, lan: lanClientAt(i.cfg.LAN, i.cfg.Socket), tap: tap}, nil
}

// hintTUN says what keeps us from making a TAP in a namespace that is our own.
func hintTUN(err error) string {
	if info, serr := os.Stat("/dev/net/tun"); serr == nil && errors.Is(err, os.ErrPermission) && info.Mode().Perm()&0o006 == 0o006 {
		return hintNamespaces(err)
	}
	return hintTAP(insideNIC, err)
}

// plug has the LAN take the TAP, and returns what it says of itself. Then frames pass.
func (c *cable) plug() (*enterAnswer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), askWithin)
	defer cancel()
	conn, err := c.lan.upgrade(ctx, "enter?"+url.Values{"name": {c.inside.cfg.Hostname}}.Encode())
	if err != nil {
		return nil, err
	}
	info, err := c.handOver(conn)
	if err != nil {
		conn.Close()
		return nil, c.lan.fault(err)
	}
	c.conn = conn
	return info, c.inside.nic.open(info.MTU)
}

func (c *cable) handOver(conn *upgraded) (*enterAnswer, error) {
	conn.SetDeadline(time.Now().Add(askWithin))
	defer conn.SetDeadline(time.Time{})
	err := c.control(func(fd int) error {
		_, _, err := conn.WriteMsgUnix([]byte{0}, unix.UnixRights(fd), nil)
		return err
	})
	if err != nil {
		return nil, err
	}
	var answer enterAnswer
	if err := json.NewDecoder(conn).Decode(&answer); err != nil {
		return nil, err
	}
	if answer.Error != nil {
		return nil, answer.Error
	}
	return &answer, nil
}

// control calls f with the TAP's descriptor, which stays as it is: File.Fd would make it block.
func (c *cable) control(f func(fd int) error) error {
	raw, err := c.tap.SyscallConn()
	if err != nil {
		return err
	}
	cerr := raw.Control(func(fd uintptr) { err = f(int(fd)) })
	return errors.Join(err, cerr)
}

// replugPause is how long a cable without a LAN waits before it looks for it again.
const replugPause = time.Second

// keep sees to it that the interface is at the LAN whenever that is up, and has no carrier otherwise.
func (c *cable) keep() {
	for {
		_, _ = io.Copy(io.Discard, c.conn) // until the LAN ends
		c.conn.Close()
		c.setCarrier(0)
		c.inside.app.say("LAN %s is down", c.inside.cfg.LAN)
		for {
			time.Sleep(replugPause)
			if _, err := c.plug(); err == nil {
				break
			}
		}
		c.setCarrier(1)
		c.inside.lease.again <- struct{}{}
		c.inside.app.say("LAN %s is up again", c.inside.cfg.LAN)
	}
}

func (c *cable) setCarrier(on int) {
	err := c.control(func(fd int) error { return unix.IoctlSetPointerInt(fd, unix.TUNSETCARRIER, on) })
	if err != nil {
		c.inside.app.say("carrier of %s: %v", insideNIC, err)
	}
}

// flush waits until the LAN has read what the interface has sent, but not for long.
func (c *cable) flush() {
	for end := time.Now().Add(flushPatience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		waiting := false
		err := c.control(func(fd int) error {
			poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
			n, err := unix.Poll(poll, 0)
			waiting = n == 1
			return err
		})
		if err != nil || !waiting {
			return
		}
	}
}

// flushPatience is how long the last words of a lease may take.
const flushPatience = 500 * time.Millisecond
