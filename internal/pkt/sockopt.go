package pkt

import (
	"fmt"
	"strconv"
	"syscall"
	"time"
)

// callSetsockopt is setsockopt(fd, level, name, [value], length).
func callSetsockopt(r *runner, c *Call) (*action, error) {
	s, err := r.socketArg(c)
	if err != nil {
		return failing(err)
	}
	name := c.arg(2).Text
	value, err := r.optionArg(c.arg(3))
	if name == "" || err != nil {
		r.ignore(r.event.Line, "the option "+c.arg(2).String()+" "+c.arg(3).String())
		return returns(0, nil), nil
	}
	return &action{do: func() (int64, error) {
		s.options[name] = value
		return 0, s.set(name, value)
	}}, nil
}

// optionArg returns the value of an option. That of SO_LINGER is -1 if it is off.
func (r *runner) optionArg(e Expr) (int64, error) {
	if e.Kind == Array && len(e.List) == 1 && e.List[0].Kind == Struct {
		e = e.List[0]
	}
	switch e.Kind {
	case Struct:
		on, err := r.argField(e, "onoff")
		if on == 0 || err != nil {
			return -1, err
		}
		return r.argField(e, "linger")
	case String, Ellipsis:
		return 0, nil
	}
	return r.value(e)
}

func (r *runner) argField(e Expr, name string) (int64, error) {
	f := e.field(name)
	if f.Kind == Ellipsis {
		return 0, nil
	}
	f.Name = ""
	return r.int(f)
}

// Of keepalive, in seconds, what counts if nobody says otherwise, as on Linux.
const (
	usualIdle     = 7200
	usualInterval = 75
	usualCount    = 9
)

// set sets an option of the connection, if there is one yet. What has no effect here has none.
func (s *socket) set(name string, value int64) error {
	conn := s.connection()
	if conn == nil {
		return nil
	}
	switch name {
	case "TCP_NODELAY":
		return conn.SetNoDelay(value != 0)
	case "SO_LINGER":
		return conn.SetLinger(int(value))
	case "SO_RCVBUF":
		return conn.SetBuffers(0, int(value))
	case "SO_SNDBUF":
		return conn.SetBuffers(int(value), 0)
	case "IP_TTL", "IPV6_UNICAST_HOPS":
		return conn.SetTTL(int(value))
	case "IP_TOS", "IPV6_TCLASS":
		return conn.SetTOS(int(value))
	case "TCP_USER_TIMEOUT":
		return conn.SetUserTimeout(time.Duration(value) * time.Millisecond)
	case "SO_KEEPALIVE", "TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT":
		if s.options["SO_KEEPALIVE"] == 0 {
			return conn.SetKeepAlive(0, 0, 0)
		}
		seconds := func(name string, otherwise int64) time.Duration {
			return time.Duration(s.option(name, otherwise)) * time.Second
		}
		return conn.SetKeepAlive(seconds("TCP_KEEPIDLE", usualIdle), seconds("TCP_KEEPINTVL", usualInterval), int(s.option("TCP_KEEPCNT", usualCount)))
	}
	return nil
}

func (s *socket) option(name string, otherwise int64) int64 {
	if n, ok := s.options[name]; ok {
		return n
	}
	return otherwise
}

// callGetsockopt is getsockopt(fd, level, name, [value], [length]).
func callGetsockopt(r *runner, c *Call) (*action, error) {
	s, err := r.socketArg(c)
	if err != nil {
		return failing(err)
	}
	want := c.arg(3)
	if want.Kind == Array && len(want.List) == 1 && want.List[0].Kind == Ellipsis || want.Kind == Ellipsis {
		return returns(0, nil), nil
	}
	value, err := r.optionArg(want)
	if err != nil {
		return nil, err
	}
	got, known := s.get(c.arg(2).Text)
	if !known {
		r.ignore(r.event.Line, "the value of "+c.arg(2).Text)
		return returns(0, nil), nil
	}
	if name := c.arg(2).Text; r.cfg.Profile == Linux && (name == "SO_SNDBUF" || name == "SO_RCVBUF") {
		got *= 2 // with what Linux needs itself
	}
	a := returns(0, nil)
	a.check = func() error {
		if got != value {
			return fmt.Errorf("expected %s to be %s, got %s", c.arg(2).Text, s.valueText(c.arg(2).Text, value), s.valueText(c.arg(2).Text, got))
		}
		return nil
	}
	return a, nil
}

// valueText returns the value of an option, for people.
func (s *socket) valueText(name string, value int64) string {
	if name == "SO_ERROR" && value != 0 {
		return errnoName(syscall.Errno(value))
	}
	return strconv.FormatInt(value, 10)
}

// get returns the value of an option.
func (s *socket) get(name string) (value int64, known bool) {
	switch conn := s.connection(); {
	case name == "SO_ERROR":
		return int64(errnoOf(s.takeError())), true
	case name == "TCP_MAXSEG" && conn != nil:
		return int64(conn.Info().SendMSS), true
	}
	value, known = s.options[name]
	return value, known
}

// takeError returns what has gone wrong since somebody asked.
func (s *socket) takeError() error {
	if s.dial != nil && !s.dialing() && !s.dial.told {
		s.dial.told = true
		if s.dial.err != nil {
			return s.dial.err
		}
	}
	if conn := s.connection(); conn != nil {
		return conn.TakeError()
	}
	return nil
}

// callFcntl is fcntl(fd, F_GETFL) and fcntl(fd, F_SETFL, flags).
func callFcntl(r *runner, c *Call) (*action, error) {
	s, err := r.socketArg(c)
	if err != nil {
		return failing(err)
	}
	noWait, err := r.constant("O_NONBLOCK")
	if err != nil {
		return nil, err
	}
	switch command := c.arg(1).Text; command {
	case "F_GETFL":
		flags := constants["O_RDWR"]
		if s.noWait {
			flags |= noWait
		}
		return returns(flags, nil), nil
	case "F_SETFL":
		flags, err := r.argInt(c, 2, 0)
		s.noWait = flags&noWait != 0
		return returns(0, nil), err
	default:
		return nil, fmt.Errorf("not supported: the command %s", command)
	}
}

// callIoctl is ioctl(fd, SIOCINQ, [bytes]) and the like.
func callIoctl(r *runner, c *Call) (*action, error) {
	s, err := r.socketArg(c)
	if err != nil {
		return failing(err)
	}
	conn := s.connection()
	if conn == nil {
		return returns(0, syscall.EINVAL), nil
	}
	var got int
	switch i, request := conn.Info(), c.arg(1).Text; request {
	case "SIOCINQ", "FIONREAD":
		got = i.Unread + len(s.peeked)
	case "SIOCOUTQ":
		got = i.InFlight + i.Unsent
	case "SIOCOUTQNSD":
		got = i.Unsent
	default:
		return nil, fmt.Errorf("not supported: the request %s", request)
	}
	want, err := r.value(c.arg(2))
	if err != nil {
		return nil, err
	}
	a := returns(0, nil)
	a.check = func() error {
		if int64(got) != want {
			return fmt.Errorf("expected %d bytes, got %d", want, got)
		}
		return nil
	}
	return a, nil
}
