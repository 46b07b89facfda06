package main

import (
	"errors"
	"net"
	"os"

	"landline/remote"
)

var errNoUnix = errors.New("sockets for one user are not offered on Windows")

func listenUnix(string, string) (net.Listener, error) { return nil, errNoUnix }

func listenDatagrams(string, string) (*net.UnixConn, error) { return nil, errNoUnix }

func lockFolder(string) (func(), error) { return nil, errNoUnix }

func admitSelf(*net.UnixConn) (net.Conn, remote.Guest, error) {
	return nil, remote.Guest{}, errNoUnix
}

func checkOwner(*net.UnixConn) error { return errNoUnix }

func checkPrivate(os.FileInfo) error { return errNoUnix }
