package interop

import (
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

	"golang.org/x/sys/unix"

	"landline"
	"landline/tcp"
)

// A setting is one of the kernel's, and how a connection shows that it counts.
type setting struct {
	name      string
	set, back int
	seen      func(i tcp.Info, fromUs bool) bool // may be nil
}

// What the kernel does not do, or does otherwise, is no reason for a byte to be wrong, or to be sent twice.
func TestKernelsSettingsDoNotMatter(t *testing.T) {
	onWires(t, rigConfig{calm: true, snap: 128}, func(r *rig, h *landline.Host, p pair) {
		cookies := func() int { return r.kernelCounters()["TcpExt.SyncookiesRecv"] }
		had := cookies()
		for _, s := range []setting{
			{"net.ipv4.tcp_timestamps", 0, 1, func(i tcp.Info, _ bool) bool { return !i.Timestamps && i.SACK && i.Scaling }},
			{"net.ipv4.tcp_sack", 0, 1, func(i tcp.Info, _ bool) bool { return i.Timestamps && !i.SACK && i.Scaling }},
			{"net.ipv4.tcp_window_scaling", 0, 1, func(i tcp.Info, _ bool) bool { return i.Timestamps && i.SACK && !i.Scaling }},
			{"net.ipv4.tcp_dsack", 0, 1, nil},
			{"net.ipv4.tcp_syncookies", 2, 1, func(_ tcp.Info, fromUs bool) bool { return !fromUs || cookies() == had+1 }}, // for all
			{"net.ipv4.tcp_ecn", 1, 2, nil}, // what it opens wants ECN
		} {
			r.swapWith(h, p, s)
		}
		r.checkKernel()
	})
}

// A kernel that takes back what it has offered drops what is on its way.
func TestKernelThatShrinksItsWindow(t *testing.T) {
	onWires(t, rigConfig{snap: 128}, func(r *rig, h *landline.Host, p pair) {
		r.swapWith(h, p, setting{"net.ipv4.tcp_shrink_window", 1, 0, nil})
	})
}

// swapWith swaps streams with a kernel with a setting, over a connection from us and over one to us.
func (r *rig) swapWith(h *landline.Host, p pair, s setting) {
	r.Helper()
	r.sysctl(s.name, s.set)
	for _, fromUs := range []bool{true, false} {
		what := fmt.Sprintf("%v, %s=%d, from us %v", p.ours, s.name, s.set, fromUs)
		ours, theirs := r.connect(h, p, fromUs)
		if s.seen != nil && !s.seen(ours.Info(), fromUs) {
			r.Errorf("%s: the setting does not show in %+v", what, ours.Info())
		}
		r.swap(what, ours, theirs, 1<<20)
	}
	r.sysctl(s.name, s.back)
}

func TestAThousandConnectionsAtOnce(t *testing.T) {
	onWires(t, rigConfig{calm: true}, func(r *rig, h *landline.Host, p pair) {
		const n = 1000
		// Each end opens half of them. They are all open before anything is said.
		l, k := r.listen(h, p.ours, 0), r.kernelListens(p)
		var mu sync.Mutex
		var all sync.WaitGroup
		opened := map[bool][]net.Conn{}
		add := func(ours bool, c net.Conn, err error) {
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			opened[ours] = append(opened[ours], c)
		}
		for range n / 2 {
			all.Go(func() { c, err := h.DialContext(t.Context(), "tcp", k.Addr().String()); add(true, c, err) })
			all.Go(func() { c, err := k.Accept(); add(false, c, err) })
			all.Go(func() { c, err := l.Accept(); add(true, c, err) })
			c, err := net.Dial("tcp", l.Addr().String())
			add(false, c, err)
		}
		all.Wait()
		if len(opened[true]) != n || len(opened[false]) != n {
			r.Fatalf("%v: %d of ours and %d of the kernel's are open", p.ours, len(opened[true]), len(opened[false]))
		}
		// The kernel's say who they are, and ours answer.
		for _, c := range opened[true] {
			all.Go(func() {
				defer c.Close()
				io.Copy(c, c)
			})
		}
		for _, c := range opened[false] {
			all.Go(func() {
				defer c.Close()
				said := strings.Repeat(c.LocalAddr().String()+" ", 100)
				io.WriteString(c, said)
				c.(half).CloseWrite()
				if got, err := io.ReadAll(c); err != nil || string(got) != said {
					t.Errorf("%v: %d bytes come back of %d, %v", c.LocalAddr(), len(got), len(said), err)
				}
			})
		}
		all.Wait()
		l.Close()
		k.Close()
	})
}

// ss returns what ss says of the kernel's end of a connection.
func (r *rig) ss(c net.Conn, options ...string) string {
	r.Helper()
	local, remote := c.LocalAddr().(*net.TCPAddr), c.RemoteAddr().(*net.TCPAddr)
	args := append([]string{"-Htan"}, options...)
	args = append(args, "src", local.String(), "and", "dst", remote.String())
	out, err := exec.Command(need(r.T, "ss")["ss"], args...).CombinedOutput()
	if err != nil {
		r.Fatalf("ss: %v\n%s", err, out)
	}
	return string(out)
}

// state returns the state of our end.
func state(h *landline.Host, c *landline.TCPConn) string {
	for _, i := range h.Conns() {
		if i.Local.String() == c.LocalAddr().String() && i.Remote.String() == c.RemoteAddr().String() {
			return i.State
		}
	}
	return "gone"
}

func TestFINGoesThroughItsStatesBothWays(t *testing.T) {
	r := rigConfig{calm: true}.make(t)
	h := r.quick()
	for _, p := range pairs {
		for _, weFirst := range []bool{true, false} {
			ours, theirs := r.connect(h, p, weFirst)
			arrives := func(ourState, theirState string) {
				r.Helper()
				r.eventually("our end is in "+ourState+" and theirs in "+theirState, func() bool {
					said := r.ss(theirs)
					return state(h, ours) == ourState && (strings.HasPrefix(said, theirState+" ") || theirState == "gone" && said == "")
				})
			}
			arrives("ESTABLISHED", "ESTAB")
			if weFirst {
				ours.CloseWrite()
				arrives("FIN-WAIT-2", "CLOSE-WAIT")
				io.WriteString(theirs, "still to be read")
				theirs.Close()
				arrives("TIME-WAIT", "gone")
				if got, err := io.ReadAll(ours); err != nil || string(got) != "still to be read" {
					r.Errorf("%q, %v", got, err)
				}
				ours.Close()
				continue
			}
			theirs.CloseWrite()
			arrives("CLOSE-WAIT", "FIN-WAIT-2")
			io.WriteString(ours, "still to be read")
			ours.Close()
			arrives("gone", "TIME-WAIT")
			if got, err := io.ReadAll(theirs); err != nil || string(got) != "still to be read" {
				r.Errorf("%q, %v", got, err)
			}
			theirs.Close()
		}
	}
	r.checkKernel()
}

// "If such a host issues a CLOSE call while received data is still pending in the TCP connection ... its TCP SHOULD
// send a RST to show that data was lost" (RFC 9293, Section 3.6.1).
func TestCloseWithUnreadDataResets(t *testing.T) {
	r := rigConfig{calm: true}.make(t)
	h := r.quick()
	for _, p := range pairs {
		ours, theirs := r.connect(h, p, false)
		io.WriteString(theirs, "nobody reads this")
		r.eventually("it is here", func() bool { return ours.Info().Unread > 0 })
		ours.Close()
		theirs.SetDeadline(time.Now().Add(patience))
		if _, err := theirs.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			r.Errorf("%v: the kernel reads %v", p.ours, err)
		}
		ours, theirs = r.connect(h, p, true)
		io.WriteString(ours, "nobody reads this")
		r.delivered(ours)
		theirs.Close()
		ours.SetDeadline(time.Now().Add(patience))
		if _, err := ours.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			r.Errorf("%v: we read %v", p.ours, err)
		}
	}
}

// Both ends ask each other, and hear that the other is there; then the wire is cut.
func TestKeepalivesAreAnsweredBothWays(t *testing.T) {
	r := rigConfig{calm: true}.make(t)
	h := r.quick()
	keep := net.KeepAliveConfig{Enable: true, Idle: time.Second, Interval: time.Second, Count: 2}
	type ends struct {
		ours   *landline.TCPConn
		theirs *net.TCPConn
	}
	var asked, asking []ends
	for _, p := range pairs {
		ours, theirs := r.connect(h, p, true)
		theirs.SetKeepAliveConfig(keep)
		ours.SetKeepAlive(false)
		asked = append(asked, ends{ours, theirs})
		ours, theirs = r.connect(h, p, false)
		theirs.SetKeepAlive(false)
		ours.SetKeepAliveConfig(keep)
		asking = append(asking, ends{ours, theirs})
	}
	for _, e := range asked {
		if said := r.ss(e.theirs, "-o"); !strings.Contains(said, "timer:(keepalive,") {
			r.Errorf("ss says %s", said)
		}
	}
	// Without an answer, two questions would have been the end; and we began as the kernel did.
	r.eventually("the kernel has asked three times", func() bool {
		return r.kernelCounters()["TcpExt.TCPKeepAlive"] >= 3*len(asked)
	})
	for _, e := range append(asked, asking...) {
		e.ours.SetDeadline(time.Now().Add(patience))
		e.theirs.SetDeadline(time.Now().Add(patience))
		io.WriteString(e.ours, "still")
		io.WriteString(e.theirs, "there")
		for _, c := range []net.Conn{e.ours, e.theirs} {
			if _, err := io.ReadFull(c, make([]byte, 5)); err != nil {
				r.Errorf("%v: %v", c.LocalAddr(), err)
			}
		}
	}
	run(t, "ip", "link", "set", "tap0", "down")
	for _, e := range asking {
		if _, err := e.ours.Read(make([]byte, 1)); !errors.Is(err, syscall.ETIMEDOUT) {
			r.Errorf("%v: of a peer that is gone we read %v", e.ours.LocalAddr(), err)
		}
	}
}

// Who does not read stops the other, who asks now and then, and in the end all arrives.
func TestZeroWindowsAreProbedBothWays(t *testing.T) {
	onWires(t, rigConfig{calm: true, snap: 128}, func(r *rig, h *landline.Host, p pair) {
		const n = 12 << 20
		want := hashOfStream(n)
		ourOut, theirIn := r.connect(h, p, true)
		ourIn, theirOut := r.connect(h, p, false)
		for _, c := range []half{ourOut, theirOut} {
			go func() {
				io.Copy(c, newStream(n))
				c.CloseWrite()
			}()
		}
		before := r.kernelCounters()
		r.eventually("both have asked more than once", func() bool {
			now := r.kernelCounters()
			count := func(name string) int { return now["TcpExt."+name] - before["TcpExt."+name] }
			// What we ask with is counted as one of these, by the age of the kernel.
			asked := count("TCPZeroWindowDrop") + count("BeyondWindow")
			return ourOut.Info().SendWindow == 0 && asked >= 2 && count("TCPWinProbe") >= 2
		})
		if said := r.ss(theirOut, "-o"); !strings.Contains(said, "timer:(persist,") {
			r.Errorf("ss says %s", said)
		}
		for _, c := range []half{theirIn, ourIn} {
			c.SetDeadline(time.Now().Add(patience))
			if got, err := hashOf(c); err != nil || got != want {
				r.Errorf("%v: at %v arrives %s, want %s, error %v", p.ours, c.LocalAddr(), got, want, err)
			}
		}
	})
}

// Clients of the kernel's beyond what our backlog takes have to try again, and are served once there is room.
func TestKernelClientsBeyondOurBacklog(t *testing.T) {
	r := rigConfig{snap: 128}.make(t)
	h := r.quick()
	l := r.listen(h, ours4.Addr(), 40006)
	const clients = 4097 + 40
	for range clients {
		r.connectWithoutWaiting(netip.AddrPortFrom(ours4.Addr(), 40006))
	}
	r.eventually("the backlog is full", func() bool { return h.Stats().TCP.Overflows >= 40 })
	from := map[string]bool{}
	l.SetDeadline(time.Now().Add(patience))
	for range clients {
		c, err := l.Accept()
		if err != nil {
			r.Fatalf("after %d clients: %v", len(from), err)
		}
		defer c.Close()
		from[c.RemoteAddr().String()] = true
	}
	if len(from) != clients {
		r.Errorf("%d clients for %d", len(from), clients)
	}
}

// connectWithoutWaiting makes a socket of the kernel's that connects, and that is closed when the test ends.
func (r *rig) connectWithoutWaiting(to netip.AddrPort) {
	r.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { unix.Close(fd) })
	err = unix.Connect(fd, &unix.SockaddrInet4{Addr: to.Addr().As4(), Port: int(to.Port())})
	if err != unix.EINPROGRESS {
		r.Fatal(err)
	}
}
