package pkt

import (
	"bytes"
	"fmt"
	"net/netip"
	"syscall"
	"time"

	"landline/tcp"
)

// A transfer is what a call reads or writes, or tries to.
type transfer struct {
	s      *socket
	data   Expr // what is written, or what must have been read
	size   int
	flags  int64
	to     netip.AddrPort // for sendto
	noWait bool
}

// maxTransfer is the most that one call moves.
const maxTransfer = 64 << 20

// Where the arguments of a call are that moves data; -1 if it has none.
type positions struct{ flags, to int }

// callWrite makes a call that writes: write(fd, data, size), send with flags, sendto with an address too.
func callWrite(at positions) syscallFunc {
	return func(r *runner, c *Call) (*action, error) {
		t, err := r.transfer(c, at)
		if err != nil {
			return failing(err)
		}
		return t.write(r)
	}
}

// callRead makes a call that reads.
func callRead(at positions) syscallFunc {
	return func(r *runner, c *Call) (*action, error) {
		t, err := r.transfer(c, at)
		if err != nil {
			return failing(err)
		}
		return t.read(r)
	}
}

// transfer reads the arguments.
func (r *runner) transfer(c *Call, at positions) (t *transfer, err error) {
	t = &transfer{data: c.arg(1)}
	if t.s, err = r.socketArg(c); err != nil {
		return nil, err
	}
	size, err := r.argInt(c, 2, 0)
	if err != nil {
		return nil, err
	}
	if at.flags >= 0 {
		if t.flags, err = r.argInt(c, at.flags, 0); err != nil {
			return nil, err
		}
	}
	if at.to >= 0 {
		t.to, err = r.address(c.arg(at.to), netip.AddrPortFrom(r.options.remote, r.options.connectPort))
	}
	return t, t.limit(size, err)
}

// callMessage makes a call with a struct msghdr.
func callMessage(write bool) syscallFunc {
	return func(r *runner, c *Call) (*action, error) {
		t := &transfer{}
		var err error
		if t.s, err = r.socketArg(c); err != nil {
			return failing(err)
		}
		if t.flags, err = r.argInt(c, 2, 0); err != nil {
			return nil, err
		}
		size := int64(0)
		for _, v := range c.arg(1).field("msg_iov").List {
			if len(v.List) != 2 {
				return nil, fmt.Errorf("expected {..., length} in msg_iov, got %s", v)
			}
			n, err := r.int(v.List[1])
			if err != nil {
				return nil, err
			}
			size += n
		}
		if len(c.arg(1).field("msg_control").List) > 0 {
			return nil, fmt.Errorf("not supported: msg_control")
		}
		if err := t.limit(size, nil); err != nil {
			return nil, err
		}
		t.to = netip.AddrPortFrom(r.options.remote, r.options.connectPort)
		if write {
			return t.write(r)
		}
		return t.read(r)
	}
}

func (t *transfer) limit(size int64, err error) error {
	if err == nil && (size < 0 || size > maxTransfer) {
		err = fmt.Errorf("not supported: to move %d bytes in one call", size)
	}
	t.size = int(size)
	t.noWait = t.s.noWait || t.flags&constants["MSG_DONTWAIT"] != 0
	return err
}

// bytes returns what is to be written. If the script does not say, the bytes tell where in the stream they are.
func (t *transfer) bytes(at int) []byte {
	b := make([]byte, t.size)
	if t.data.Kind == String {
		copy(b, t.data.Text)
		return b
	}
	for i := range b {
		b[i] = pattern(uint32(at + i))
	}
	return b
}

func (t *transfer) write(r *runner) (*action, error) {
	s := t.s
	if !s.stream {
		return t.writeUDP(r), nil
	}
	conn := s.connection()
	switch {
	case conn == nil && s.dialing():
		return returns(0, syscall.EAGAIN), nil
	case conn == nil && s.dial != nil && s.dial.err != nil && !s.dial.told:
		s.dial.told = true
		return returns(0, s.dial.err), nil
	case conn == nil:
		return returns(0, syscall.EPIPE), nil
	}
	f := s.flow
	if f == nil {
		f = &flow{}
	}
	start := len(f.written)
	b := t.bytes(start)
	f.written = append(f.written, b...) // the packets come before the call returns
	moved := 0
	a := &action{do: func() (int64, error) {
		n, err := conn.Write(b)
		moved = n
		if n > 0 && err != nil {
			err = nil
		}
		conn.SetWriteDeadline(time.Time{})
		return int64(n), err
	}}
	if t.noWait {
		a.cancel = func() { conn.SetWriteDeadline(time.Unix(1, 0)) }
	}
	a.ended = func() { f.written = f.written[:start+moved] }
	return a, nil
}

func (t *transfer) writeUDP(r *runner) *action {
	s := t.s
	return &action{do: func() (int64, error) {
		if err := s.openUDP(r); err != nil {
			return 0, err
		}
		to := t.to
		if s.udp.Remote().IsValid() {
			to = netip.AddrPort{}
		} else if !to.IsValid() {
			return 0, syscall.EDESTADDRREQ
		}
		if err := s.udp.WriteTo(t.bytes(0), to); err != nil {
			return 0, err
		}
		return int64(t.size), nil
	}, check: func() error { r.addFlow(s.flow); return nil }}
}

func (t *transfer) read(r *runner) (*action, error) {
	s := t.s
	if t.flags&constants["MSG_ERRQUEUE"] != 0 {
		return nil, fmt.Errorf("not supported: MSG_ERRQUEUE")
	}
	if !s.stream {
		return t.readUDP(), nil
	}
	conn := s.connection()
	switch {
	case conn == nil && s.dialing():
		return returns(0, syscall.EAGAIN), nil
	case conn == nil && s.dial != nil && s.dial.err != nil && !s.dial.told:
		s.dial.told = true
		return returns(0, s.dial.err), nil
	case conn == nil:
		return returns(0, syscall.ENOTCONN), nil
	}
	b := make([]byte, t.size)
	got := 0
	a := &action{do: func() (n int64, err error) {
		got, err = t.fill(conn, b)
		conn.SetReadDeadline(time.Time{})
		return int64(got), err
	}}
	if t.noWait {
		a.cancel = func() { conn.SetReadDeadline(time.Unix(1, 0)) }
	}
	a.check = func() error {
		at := s.taken
		if t.flags&constants["MSG_PEEK"] == 0 {
			s.taken += uint32(got)
		}
		return t.compare(b[:got], at)
	}
	return a, nil
}

// fill reads what there is, or with MSG_WAITALL all that is wanted.
func (t *transfer) fill(conn *tcp.Conn, b []byte) (n int, err error) {
	s := t.s
	if t.flags&constants["MSG_PEEK"] != 0 {
		return s.peek(conn, b)
	}
	n = copy(b, s.peeked)
	s.peeked = s.peeked[n:]
	all := t.flags&constants["MSG_WAITALL"] != 0
	for n == 0 || n < len(b) && (all || conn.Info().Unread > 0) {
		k, err := conn.Read(b[n:])
		if n += k; err != nil || len(b) == 0 {
			if n > 0 {
				err = nil
			}
			return n, err
		}
	}
	return n, nil
}

// peek reads what stays to be read.
func (s *socket) peek(conn *tcp.Conn, b []byte) (n int, err error) {
	for len(s.peeked) < len(b) && (len(s.peeked) == 0 || conn.Info().Unread > 0) {
		more := make([]byte, len(b)-len(s.peeked))
		n, err = conn.Read(more)
		s.peeked = append(s.peeked, more[:n]...)
		if err != nil {
			break
		}
	}
	if n = copy(b, s.peeked); n > 0 {
		err = nil
	}
	return n, err
}

func (t *transfer) readUDP() *action {
	s := t.s
	if s.udp == nil {
		return returns(0, syscall.EAGAIN)
	}
	b := make([]byte, t.size)
	got := 0
	a := &action{do: func() (int64, error) {
		n, _, _, _, err := s.udp.ReadFrom(b)
		got = n
		s.udp.SetReadDeadline(time.Time{})
		return int64(n), err
	}}
	if t.noWait {
		a.cancel = func() { s.udp.SetReadDeadline(time.Unix(1, 0)) }
	}
	a.check = func() error { return t.compare(b[:got], 0) }
	return a
}

// compare fails if what was read is not what the peer sent, or what the script expects.
func (t *transfer) compare(got []byte, at uint32) error {
	if t.data.Kind == String {
		if want := t.data.Text; !bytes.HasPrefix(got, []byte(want[:min(len(want), len(got))])) {
			return fmt.Errorf("expected to read %q, got %q", want, got)
		}
		return nil
	}
	for i := range got {
		if got[i] != pattern(at+uint32(i)) {
			return fmt.Errorf("expected to read what was sent, got another byte at %d of the stream", at+uint32(i))
		}
	}
	return nil
}
