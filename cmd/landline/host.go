package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

const defaultPort = "7373"

// A host is where to connect: an address of TCP, or a Unix socket.
type host struct {
	text    string // as it was typed
	network string // "tcp" or "unix"
	addr    string // name:port, or the socket's path
}

var errHost = errors.New("a host is name, name:port, [v6]:port or unix:PATH")

// parseHost reads a HOST.
func parseHost(s string) (host, error) {
	if strings.Contains(s, ",") {
		return host{}, fmt.Errorf("%q: one host at a time here", s)
	}
	if path, ok := strings.CutPrefix(s, "unix:"); ok {
		if path == "" {
			return host{}, fmt.Errorf("%q: %w", s, errHost)
		}
		return host{s, "unix", path}, nil
	}
	if strings.Contains(s, "@") {
		return host{}, fmt.Errorf("%q: no user is named here: commands run as the user who serves: %w", s, errHost)
	}
	name, port := s, defaultPort
	if strings.HasPrefix(s, "[") || strings.Count(s, ":") == 1 {
		var err error
		if strings.HasSuffix(s, "]") {
			name = s[1 : len(s)-1]
		} else if name, port, err = net.SplitHostPort(s); err != nil {
			return host{}, fmt.Errorf("%q: %w", s, errHost)
		}
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || !isName(name) {
		return host{}, fmt.Errorf("%q: %w", s, errHost)
	}
	return host{s, "tcp", net.JoinHostPort(name, port)}, nil
}

// isName says whether s can be a machine's name or address.
func isName(s string) bool {
	if strings.Contains(s, ":") {
		_, err := netip.ParseAddr(s)
		return err == nil
	}
	return s != "" && s == escape(s) && !strings.ContainsAny(s, "/ []")
}

// splitPlace splits HOST:PATH. The host is all before the first colon that can end
// it: after "]" or "]:port", after a name and a port of digits, after a socket's
// path, or else after the name.
func splitPlace(s string) (h host, path string, err error) {
	end := strings.IndexByte(s, ':')
	switch {
	case strings.HasPrefix(s, "unix:"):
		end = strings.IndexByte(s[len("unix:"):], ':') + len("unix:")
		if end < len("unix:") {
			end = -1
		}
	case strings.HasPrefix(s, "["):
		end = strings.IndexByte(s, ']') + 1
		if end == 0 || end >= len(s) || s[end] != ':' {
			end = -1
		}
	}
	if end < 0 {
		return host{}, "", fmt.Errorf("%q: a place on another machine is HOST:PATH", s)
	}
	if !strings.HasPrefix(s, "unix:") {
		end = afterPort(s, end)
	}
	h, err = parseHost(s[:end])
	return h, s[end+1:], err
}

// afterPort moves end, a colon, behind ":digits" if another colon follows them.
func afterPort(s string, end int) int {
	digits, _, more := strings.Cut(s[end+1:], ":")
	if _, err := strconv.ParseUint(digits, 10, 16); err != nil || !more {
		return end
	}
	return end + 1 + len(digits)
}
