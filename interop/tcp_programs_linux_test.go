package interop

import (
	"encoding/json"
	"io"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"testing"

	"landline"
)

// A half is a connection whose directions can be closed one by one.
type half interface {
	net.Conn
	CloseWrite() error
}

// relay copies both ways, until both have ended.
func relay(a, b half) {
	done := make(chan struct{}, 2)
	for _, c := range [][2]half{{a, b}, {b, a}} {
		go func() {
			io.Copy(c[0], c[1])
			c[0].CloseWrite()
			done <- struct{}{}
		}()
	}
	<-done
	<-done
	a.Close()
	b.Close()
}

// iperf3 runs a client against a server, both the kernel's, between which n connections are relayed that accept
// and dial make. So each goes over the TAP once, and over the loopback once.
func (r *rig) iperf3(server string, client []string, n int, relays func() (half, half)) {
	r.Helper()
	iperf3 := need(r.T, "iperf3")["iperf3"]
	s := exec.Command(iperf3, "-s", "-1", "-B", server, "-p", "5201")
	s.Stdout = new(strings.Builder)
	if err := s.Start(); err != nil {
		r.Fatal(err)
	}
	defer s.Wait()
	defer s.Process.Kill()
	r.eventually("iperf3 listens", func() bool {
		out, _ := exec.Command("ss", "-Hltn", "sport", "=", "5201").Output()
		return len(out) > 0
	})
	c := exec.Command(iperf3, append([]string{"-J", "-n", "8M"}, client...)...)
	var said strings.Builder
	c.Stdout, c.Stderr = &said, &said
	if err := c.Start(); err != nil {
		r.Fatal(err)
	}
	defer c.Process.Kill()
	for range n {
		a, b := relays()
		go relay(a, b)
	}
	if err := c.Wait(); err != nil {
		r.Errorf("iperf3 %q: %v\n%s", client, err, said.String())
		return
	}
	var report struct {
		End struct {
			Received struct {
				Bytes int64
			} `json:"sum_received"`
		}
	}
	if err := json.Unmarshal([]byte(said.String()), &report); err != nil || report.End.Received.Bytes == 0 {
		r.Errorf("iperf3 %q reports %+v, %v", client, report, err)
	}
}

func TestIperf3GoesThroughUsBothWays(t *testing.T) {
	onWires(t, rigConfig{calm: true, snap: 128}, func(r *rig, h *landline.Host, p pair) {
		need(t, "ss")
		const streams = 2
		for _, way := range [][]string{{}, {"-R"}} {
			args := append([]string{"-P", "2"}, way...)
			// The client comes to us over the TAP.
			l := r.listen(h, p.ours, 5201)
			r.iperf3("127.0.0.1", append(args, "-c", p.ours.String()), 1+streams, func() (half, half) {
				a, err := l.AcceptTCP()
				if err != nil {
					r.Fatal(err)
				}
				b, err := net.Dial("tcp", "127.0.0.1:5201")
				if err != nil {
					r.Fatal(err)
				}
				return a, b.(half)
			})
			l.Close()
			// We go to the server over the TAP.
			k, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				r.Fatal(err)
			}
			_, port, _ := net.SplitHostPort(k.Addr().String())
			r.iperf3(p.theirs.String(), append(args, "-c", "127.0.0.1", "-p", port), 1+streams, func() (half, half) {
				a, err := k.Accept()
				if err != nil {
					r.Fatal(err)
				}
				b, err := h.DialContext(t.Context(), "tcp", netip.AddrPortFrom(p.theirs, 5201).String())
				if err != nil {
					r.Fatal(err)
				}
				return a.(half), b.(half)
			})
			k.Close()
		}
	})
}

func TestSocatClosesHalf(t *testing.T) {
	onWires(t, rigConfig{calm: true}, func(r *rig, h *landline.Host, p pair) {
		socat := need(t, "socat", "ss")["socat"]
		const n = 1 << 20
		want := hashOfStream(n)

		// It sends all, then reads our answer.
		l := r.listen(h, p.ours, 40001)
		go func() {
			c, err := l.AcceptTCP()
			if err != nil {
				return
			}
			hash, err := hashOf(c)
			if err != nil {
				hash = err.Error()
			}
			io.WriteString(c, hash)
			c.Close()
		}()
		family := "TCP4:"
		if p.ours.Is6() {
			family = "TCP6:"
		}
		cmd := exec.Command(socat, "-t", "60", "-", family+netip.AddrPortFrom(p.ours, 40001).String())
		cmd.Stdin = newStream(n)
		if out, err := cmd.CombinedOutput(); err != nil || string(out) != want {
			r.Errorf("%v: socat gets %q, want %q, error %v", p.ours, out, want, err)
		}
		l.Close()

		// It reads all that we send, then answers.
		listen := strings.Replace(family, ":", "-LISTEN:", 1) + "40002,reuseaddr"
		server := exec.Command(socat, "-t", "60", listen, "EXEC:wc -c")
		if err := server.Start(); err != nil {
			r.Fatal(err)
		}
		defer server.Wait()
		defer server.Process.Kill()
		c := r.dial(h, netip.AddrPortFrom(p.theirs, 40002))
		defer c.Close()
		if _, err := io.Copy(c, newStream(n)); err != nil {
			r.Fatal(err)
		}
		if err := c.CloseWrite(); err != nil {
			r.Fatal(err)
		}
		if out, err := io.ReadAll(c); err != nil || string(out) != "1048576\n" {
			r.Errorf("%v: socat says %q, %v", p.theirs, out, err)
		}
		r.checkKernel()
	})
}

// dial connects to a server of the kernel's as soon as it listens.
func (r *rig) dial(h *landline.Host, to netip.AddrPort) (c *landline.TCPConn) {
	r.Helper()
	r.eventually("a connection to "+to.String()+" opens", func() bool {
		o, err := h.DialTCP(r.Context(), "tcp", nil, net.TCPAddrFromAddrPort(to))
		c = o
		return err == nil
	})
	return c
}

func TestNmapFindsPortsAndGuesses(t *testing.T) {
	r := newRig(t)
	nmap := need(t, "nmap")["nmap"]
	h := r.both()
	for _, p := range pairs {
		l := r.listen(h, p.ours, 80)
		args := []string{"-n", "-Pn", "-sS", "-O", "-v", "-p", "80,81", "--max-retries", "3", "--max-os-tries", "1", p.ours.String()}
		if p.ours.Is6() {
			args = append(args, "-6")
		}
		out := run(t, nmap, args...)
		if !strings.Contains(out, "80/tcp open ") || !strings.Contains(out, "81/tcp closed") {
			t.Errorf("nmap says\n%s", out)
		}
		// It can only guess the next sequence number.
		if p.ours.Is4() && !strings.Contains(out, "(Good luck!)") {
			t.Errorf("nmap says\n%s", out)
		}
		// What it does to find out what we are leaves nothing behind.
		l.Close()
		r.eventually("its connections are gone", func() bool { return len(h.Conns()) == 0 })
	}
}
