package pkt

import (
	"fmt"
	"net/netip"
	"syscall"
)

// constants are those that are the same on all systems as far as a script can see.
var constants = map[string]int64{
	"AF_INET": 2, "AF_INET6": 10, "PF_INET": 2, "PF_INET6": 10,
	"SOCK_STREAM": 1, "SOCK_DGRAM": 2, "SOCK_NONBLOCK": 0x800, "SOCK_CLOEXEC": 0x80000,
	"IPPROTO_IP": 0, "IPPROTO_TCP": 6, "IPPROTO_UDP": 17, "IPPROTO_IPV6": 41,
	"O_RDONLY": 0, "O_WRONLY": 1, "O_RDWR": 2, "O_NONBLOCK": 0x800,
	"SHUT_RD": 0, "SHUT_WR": 1, "SHUT_RDWR": 2,
	"MSG_OOB": 1, "MSG_PEEK": 2, "MSG_CTRUNC": 8, "MSG_TRUNC": 0x20, "MSG_DONTWAIT": 0x40, "MSG_EOR": 0x80,
	"MSG_WAITALL": 0x100, "MSG_ERRQUEUE": 0x2000, "MSG_NOSIGNAL": 0x4000, "MSG_MORE": 0x8000,
	"POLLIN": pollIn, "POLLRDNORM": pollIn, "POLLOUT": pollOut, "POLLWRNORM": pollOut, "POLLERR": pollErr,
	"POLLHUP": pollHup, "POLLNVAL": 0x20, "POLLPRI": 2, "POLLRDHUP": pollRdHup,
	"EPOLLIN": pollIn, "EPOLLRDNORM": pollIn, "EPOLLOUT": pollOut, "EPOLLWRNORM": pollOut, "EPOLLERR": pollErr,
	"EPOLLHUP": pollHup, "EPOLLPRI": 2, "EPOLLRDHUP": pollRdHup, "EPOLLET": 1 << 31, "EPOLLONESHOT": 1 << 30,
	"EPOLL_CTL_ADD": 1, "EPOLL_CTL_DEL": 2, "EPOLL_CTL_MOD": 3,
	"NULL": 0,
}

// int returns the value of a number, a constant or an "or" of them.
func (r *runner) int(e Expr) (int64, error) {
	switch e.Kind {
	case Number:
		return e.Num, nil
	case Word:
		return r.constant(e.Text)
	case Or:
		var all int64
		for _, part := range e.List {
			n, err := r.int(part)
			if err != nil {
				return 0, err
			}
			all |= n
		}
		return all, nil
	}
	return 0, fmt.Errorf("expected a number, got %s", e)
}

func (r *runner) constant(name string) (int64, error) {
	if name == "O_NONBLOCK" && r.cfg.Profile == FreeBSD {
		return 4, nil
	}
	if n, ok := constants[name]; ok {
		return n, nil
	}
	if n, ok := errnos[canonical(name)]; ok {
		return int64(n), nil
	}
	return 0, fmt.Errorf("not supported: the constant %s", name)
}

// arg returns an argument of a call. What is not there is "...".
func (c *Call) arg(i int) Expr {
	if i < len(c.Args) {
		return c.Args[i]
	}
	return Expr{}
}

// argInt returns an argument that is a number. If the script does not say, it is otherwise.
func (r *runner) argInt(c *Call, i int, otherwise int64) (int64, error) {
	e := c.arg(i)
	if e.Kind == Ellipsis {
		return otherwise, nil
	}
	return r.int(e)
}

// field returns a field of a struct, or "...".
func (e Expr) field(name string) Expr {
	for _, f := range e.List {
		if f.Name == name {
			return f
		}
	}
	return Expr{}
}

// address returns the socket address that an expression stands for.
func (r *runner) address(e Expr, otherwise netip.AddrPort) (netip.AddrPort, error) {
	if e.Kind != Struct {
		return otherwise, nil
	}
	a, port := otherwise.Addr(), int64(otherwise.Port())
	for _, f := range e.List {
		var err error
		switch f.Name {
		case "sin_port", "sin6_port":
			port, err = r.int(f.inner())
		case "sin_addr", "sin6_addr":
			if text := f.inner(); text.Kind == String {
				a, err = netip.ParseAddr(text.Text)
			}
		}
		if err != nil {
			return netip.AddrPort{}, err
		}
	}
	return netip.AddrPortFrom(a, uint16(port)), nil
}

// inner returns what stands in a conversion: 8080 of htons(8080).
func (e Expr) inner() Expr {
	if e.Kind == Function && len(e.List) == 1 {
		return e.List[0]
	}
	return e
}

// value returns the number in "[5]".
func (r *runner) value(e Expr) (int64, error) {
	if e.Kind == Array && len(e.List) == 1 {
		e = e.List[0]
	}
	return r.int(e)
}

// socketArg returns the socket that the first argument is the descriptor of.
func (r *runner) socketArg(c *Call) (*socket, error) {
	fd, err := r.int(c.arg(0))
	if err != nil {
		return nil, err
	}
	s, ok := r.fds[int(fd)].(*socket)
	if !ok {
		return nil, syscall.EBADF
	}
	return s, nil
}
