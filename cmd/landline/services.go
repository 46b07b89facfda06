package main

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"landline"
)

// A service is one of the small ones, at a port.
type service struct {
	name string
	port uint16
}

// An answerer makes the answer to a datagram, or nil if there is none. It may use the space of
// the datagram, and n tells it how many there were before.
type answerer func(in []byte, n int) []byte

func answererOf(name string) answerer {
	switch name {
	case "upper":
		return func(in []byte, _ int) []byte { return upper(in) }
	case "echo": // RFC 862
		return func(in []byte, _ int) []byte { return in }
	case "discard": // RFC 863
		return func([]byte, int) []byte { return nil }
	case "chargen":
		return func(_ []byte, n int) []byte { return chargen(n) }
	}
	return nil
}

// lineService is the one that lets people in: see services_line.go.
const lineService = "serve"

func serviceNames() []string { return []string{"upper", "echo", "discard", "chargen", lineService} }

func parseService(s string) (service, error) {
	name, port, ok := strings.Cut(s, ":")
	if !ok {
		return service{}, errors.New("no port")
	}
	if !slices.Contains(serviceNames(), name) {
		return service{}, errors.New("no such service")
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return service{}, errors.New("a port is a number from 0 to 65535")
	}
	return service{name, uint16(n)}, nil
}

// upper returns text in capitals. What is no UTF-8 stays as it is.
func upper(b []byte) []byte {
	large := make([]byte, 0, len(b))
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			large = append(large, b[0])
		} else {
			large = utf8.AppendRune(large, unicode.ToUpper(r))
		}
		b = b[n:]
	}
	return large
}

const (
	// chargenLine is how many characters a line has (RFC 864, "a popular pattern").
	chargenLine = 72
	// chargenLines is how many lines there are before they begin again: as many as characters
	// that can be printed.
	chargenLines = 95
)

// chargen returns the line of a number. Unlike RFC 864's datagram of up to 512
// characters it is one line, so that who forges its source gains little.
func chargen(n int) []byte {
	b := make([]byte, 0, chargenLine+2)
	for i := range chargenLine {
		b = append(b, byte(' '+(n+i)%chargenLines))
	}
	return append(b, "\r\n"...)
}

// start opens the sockets of services, and answers there until the host is closed.
func (m *machine) start(services []service) error {
	var begin []func() // when all are open: then the guard knows them all
	for _, s := range services {
		if s.name == lineService {
			if err := m.openLine(s.port); err != nil {
				return fmt.Errorf("%s:%d: %w", s.name, s.port, err)
			}
			continue
		}
		c, err := m.host.ListenUDP("udp", &net.UDPAddr{Port: int(s.port)})
		if err != nil {
			return fmt.Errorf("%s:%d: %w", s.name, s.port, bare(err))
		}
		s.port = c.LocalAddr().(*net.UDPAddr).AddrPort().Port()
		l, err := m.host.ListenTCP("tcp", &net.TCPAddr{Port: int(s.port)})
		if err != nil {
			return fmt.Errorf("%s:%d: %w", s.name, s.port, bare(err))
		}
		m.guard = append(m.guard, s.port)
		m.app.announceService(s)
		begin = append(begin, func() { m.answer(c, answererOf(s.name)) }, func() { m.accept(l, s.name) })
	}
	for _, f := range begin {
		m.busy.Go(f)
	}
	m.serveLine()
	return nil
}

// announceService tells where a service answers.
func (a *app) announceService(s service) {
	if a.json {
		printJSON(&a.out, map[string]any{"service": s.name, "port": s.port})
		return
	}
	a.say("%s answers on port %d, TCP and UDP", s.name, s.port)
}

// answer answers until the socket is closed, from the address that was asked.
func (m *machine) answer(c *landline.UDPConn, answer answerer) {
	b := make([]byte, 65535)
	for n := 0; ; n++ {
		size, from, to, err := c.ReadFromTo(b)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil || m.guard.has(from.Port()) {
			continue
		}
		if to.IsMulticast() || to == netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
			to = netip.Addr{}
		}
		if out := answer(b[:size], n); out != nil {
			c.WriteToFrom(out, from, to) // whether it arrives, UDP does not say
		}
	}
}

// A guard knows the ports of services that answer whatever comes: two of them would answer
// each other for ever.
type guard []uint16

// smallPorts are those of echo, discard, daytime, qotd, chargen and time.
var smallPorts = guard{7, 9, 13, 17, 19, 37}

func (g guard) has(port uint16) bool {
	return slices.Contains(smallPorts, port) || slices.Contains(g, port)
}
