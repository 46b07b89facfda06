package interop

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"landline"
)

// The programs of a first lesson on sockets: they block, and look after one thing at a time.

// pyServer answers each client with how many bytes it sent, in upper case what they were if few. It serves one
// client after the other.
const pyServer = `
import socket, sys
family = socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET
s = socket.socket(family, socket.SOCK_STREAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind((sys.argv[1], int(sys.argv[2])))
s.listen(5)
print('listening', flush=True)
for k in range(int(sys.argv[3])):
    c, a = s.accept()
    data = b''
    try:
        while True:
            part = c.recv(1024)
            if not part:
                break
            data += part
        c.send(b'%d %s' % (len(data), data[:20].upper()))
        print('client', k, len(data), flush=True)
    except OSError as e:
        print('client', k, type(e).__name__, flush=True)
    c.close()
`

// pyClient sends what it is told, some times over, reads the answer, and says what that is.
const pyClient = `
import socket, sys
c = socket.create_connection((sys.argv[1], int(sys.argv[2])))
for k in range(int(sys.argv[4])):
    c.send(sys.argv[3].encode())
c.shutdown(socket.SHUT_WR)
while True:
    part = c.recv(1024)
    if not part:
        break
    print(part.decode(), end='')
c.close()
`

// pyHang connects, sends a little, and waits to be killed.
const pyHang = `
import socket, sys, time
c = socket.create_connection((sys.argv[1], int(sys.argv[2])))
c.send(b'half a sen')
print('sent', flush=True)
time.sleep(1000)
`

// A script is a Python program that runs.
type script struct {
	*exec.Cmd
	out io.ReadCloser
}

// python starts a script with arguments.
func (r *rig) python(text string, args ...any) *script {
	r.Helper()
	list := []string{"-I", "-S", "-c", text}
	for _, a := range args {
		list = append(list, fmt.Sprint(a))
	}
	s := &script{Cmd: exec.Command(need(r.T, "python3")["python3"], list...)}
	s.Stderr = new(bytes.Buffer)
	out, err := s.StdoutPipe()
	if err == nil {
		err = s.Start()
	}
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() {
		s.Process.Kill()
		s.Wait()
	})
	s.out = out
	return s
}

// says waits until a script has printed a line.
func (r *rig) says(s *script, line string) {
	r.Helper()
	got := make([]byte, len(line)+1)
	if _, err := io.ReadFull(s.out, got); err != nil || string(got) != line+"\n" {
		r.Fatalf("the script says %q, not %q, %v\n%s", got, line, err, s.Stderr)
	}
}

func TestPythonServerOfTheBlockingKind(t *testing.T) {
	onWires(t, rigConfig{calm: true}, func(r *rig, h *landline.Host, p pair) {
		to := netip.AddrPortFrom(p.theirs, 40003)
		s := r.python(pyServer, to.Addr(), to.Port(), 4)
		r.says(s, "listening")
		ask := func(what string, times int, want string) {
			c := r.dial(h, to)
			defer c.Close()
			for range times {
				io.WriteString(c, what)
			}
			c.CloseWrite()
			if got, err := io.ReadAll(c); err != nil || string(got) != want {
				r.Errorf("%v: %q, %v, want %q", p.theirs, got, err, want)
			}
		}
		ask("hello", 1, "5 HELLO")
		r.says(s, "client 0 5")
		ask(strings.Repeat("many bytes ", 1000), 100, "1100000 MANY BYTES MANY BYTE")
		r.says(s, "client 1 1100000")

		// One that sends nothing, and one that goes away in the middle.
		r.dial(h, to).Close()
		r.says(s, "client 2 0")
		c := r.dial(h, to)
		io.WriteString(c, "half a sen")
		c.SetLinger(0)
		c.Close()
		r.says(s, "client 3 ConnectionResetError")
	})
}

// More clients than the backlog takes: the kernel drops what they send in their handshakes, and all are served in the
// end. With cookies it would reset some of those that it has no room for.
func TestQueuedClientsOfAPythonServer(t *testing.T) {
	r := newRig(t)
	h := r.quick()
	r.sysctl("net.ipv4.tcp_syncookies", 0)
	const clients = 9
	var first []net.Conn // that keep the others waiting
	var all sync.WaitGroup
	for _, p := range pairs {
		to := netip.AddrPortFrom(p.theirs, 40004)
		r.says(r.python(pyServer, to.Addr(), to.Port(), 1+clients), "listening")
		first = append(first, r.dial(h, to))
		for k := range clients {
			all.Go(func() {
				c, err := h.DialContext(t.Context(), "tcp", to.String())
				if err != nil {
					t.Error(err)
					return
				}
				defer c.Close()
				fmt.Fprintf(c, "i am %d", k)
				c.(half).CloseWrite()
				if got, err := io.ReadAll(c); err != nil || string(got) != fmt.Sprintf("6 I AM %d", k) {
					t.Errorf("%v: %q, %v", to, got, err)
				}
			})
		}
	}
	r.eventually("the kernel's backlog is full", func() bool { return r.kernelCounters()["TcpExt.ListenOverflows"] > 0 })
	for _, c := range first {
		c.Close()
	}
	all.Wait()
}

func TestPythonClientsOfTheBlockingKind(t *testing.T) {
	onWires(t, rigConfig{calm: true}, func(r *rig, h *landline.Host, p pair) {
		l := r.listen(h, p.ours, 40005)
		defer l.Close()
		accept := func() *landline.TCPConn {
			l.SetDeadline(time.Now().Add(patience))
			c, err := l.AcceptTCP()
			if err != nil {
				r.Fatal(err)
			}
			return c
		}
		// Several are there before anybody looks.
		var clients []*script
		for k := range 3 {
			clients = append(clients, r.python(pyClient, p.ours, 40005, strings.Repeat("x", 1+k), 1+100*k))
		}
		sum := 0
		for range clients {
			c := accept()
			got, err := io.ReadAll(c)
			if err != nil {
				r.Error(err)
			}
			sum += len(got)
			fmt.Fprintf(c, "%d\n", len(got))
			c.Close()
		}
		if want := 1 + 2*101 + 3*201; sum != want {
			r.Errorf("%v: all clients sent %d, want %d", p.ours, sum, want)
		}
		for k, c := range clients {
			r.says(c, fmt.Sprint((1+k)*(1+100*k)))
		}

		// One sends nothing.
		r.python(pyClient, p.ours, 40005, "", 0)
		c := accept()
		if n, err := c.Read(make([]byte, 10)); n != 0 || err != io.EOF {
			r.Errorf("%v: of one that sends nothing we read %d bytes, %v", p.ours, n, err)
		}
		c.Close()

		// One is killed: its kernel closes for it. If it had something to read, that is by a reset.
		for _, unread := range []bool{false, true} {
			s := r.python(pyHang, p.ours, 40005)
			c := accept()
			r.says(s, "sent")
			if unread {
				io.WriteString(c, "nobody reads this")
				r.delivered(c)
			}
			s.Process.Signal(syscall.SIGKILL)
			got, err := io.ReadAll(c)
			if string(got) != "half a sen" || unread != errors.Is(err, syscall.ECONNRESET) || !unread && err != nil {
				r.Errorf("%v: of one that is killed we read %q, %v", p.ours, got, err)
			}
			c.Close()
		}
	})
}
