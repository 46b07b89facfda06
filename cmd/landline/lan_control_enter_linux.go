package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"landline/lan"
	"landline/link"
)

// An enterAnswer is what the LAN says of a TAP that it was given.
type enterAnswer struct {
	MTU   int           `json:"mtu"`
	IPv6  bool          `json:"ipv6"` // routers advertise addresses
	Error *controlError `json:"error,omitempty"`
}

// enter makes a port of a TAP that the client has made, in a network namespace of its own, and sends by the connection. The
// port lives as long as the connection.
func (c *control) enter(w http.ResponseWriter, r *http.Request) error {
	name := r.URL.Query().Get("name")
	if name != labelOf(name) {
		return &controlError{Code: codeBad, Message: "name: not a label"}
	}
	conn, err := upgrade(w, r)
	if err != nil {
		return err
	}
	defer conn.Close()
	port, err := c.takeTAP(conn, name)
	if err != nil {
		e, _ := controlErrorOf(err)
		_ = json.NewEncoder(conn).Encode(enterAnswer{Error: e})
		return nil
	}
	defer port.Close()
	_ = json.NewEncoder(conn).Encode(enterAnswer{MTU: c.network.f.mtu, IPv6: c.network.hasIPv6()})
	_, _ = io.Copy(io.Discard, conn) // until it goes away, or the LAN
	return nil
}

// takeTAP plugs in the TAP that comes by a connection.
func (c *control) takeTAP(conn *net.UnixConn, name string) (*lan.Port, error) {
	file, err := receiveFile(conn)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	n := c.network
	tap, err := link.OpenTAP(link.TAPConfig{File: file, MTU: n.f.mtu})
	if err != nil {
		return nil, err
	}
	port, err := n.plugIn(tap, lan.PortConfig{Name: name})
	if err != nil {
		tap.Close()
	}
	return port, err
}

// receiveFile receives a file that is sent with a byte.
func receiveFile(conn *net.UnixConn) (*os.File, error) {
	conn.SetReadDeadline(time.Now().Add(controlPatience))
	defer conn.SetReadDeadline(time.Time{})
	var b [1]byte
	oob := make([]byte, unix.CmsgSpace(4)) // in which there may be room for two
	_, n, _, _, err := conn.ReadMsgUnix(b[:], oob)
	if err != nil {
		return nil, fmt.Errorf("no file came: %w", bare(err))
	}
	var files []*os.File
	messages, _ := unix.ParseSocketControlMessage(oob[:n])
	for k := range messages {
		fds, _ := unix.ParseUnixRights(&messages[k])
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "of a machine"))
		}
	}
	if len(files) != 1 {
		for _, f := range files {
			f.Close()
		}
		return nil, fmt.Errorf("%d files came, not one", len(files))
	}
	return files[0], nil
}
