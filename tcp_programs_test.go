package landline_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	randv2 "math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/ssh"

	"landline"
	"landline/link"
)

// Programs that know package net only: they take our sockets for its.

// onCables runs a test in a bubble on two hosts, on each kind of cable.
func onCables(t *testing.T, f func(t *testing.T, left, right *landline.Host)) {
	for _, c := range cables {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				left, right := neighbors(t, c.CableConfig)
				f(t, left, right)
			})
		})
	}
}

// onBadCable runs a test on two hosts whose wire loses, doubles, damages and reorders. It is not in a bubble:
// HTTP/2 and SSH write while they hold a mutex, and time would not pass for who waits for that.
func onBadCable(t *testing.T, f func(t *testing.T, left, right *landline.Host)) {
	t.Run("bad", func(t *testing.T) {
		a, b := link.NewCable(link.CableConfig{Seed: 1, Checksums: true})
		bad := link.Impairment{
			Loss: 0.01, Duplicate: 0.01, Corrupt: 0.002, Delay: 500 * time.Microsecond, Jitter: 200 * time.Microsecond, Overtake: true,
		}
		left := newHost(t, link.Impair(a, bad, bad), landline.Config{Addresses: prefixes("10.0.0.1/24"), Probes: -1, NoIPv6: true})
		right := newHost(t, b, landline.Config{Addresses: prefixes("10.0.0.2/24"), Probes: -1, NoIPv6: true, Seed: 2})
		f(t, left, right)
	})
}

// A site is a web server on a host, and a client on another.
type site struct {
	*http.Server
	client *http.Client
	url    string
	conns  atomic.Int32  // that the server has accepted
	ended  chan struct{} // closed when Serve has returned
}

const bodySize = 4 << 20

// newSite serves, with TLS and HTTP/2 if secure, what "/echo" is sent, and at "/wait" nothing until the client leaves.
func newSite(t *testing.T, left, right *landline.Host, secure bool) *site {
	t.Helper()
	s := &site{url: "http://10.0.0.2:8080", ended: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		http.NewResponseController(w).EnableFullDuplex()
		w.Header().Set("X-From", r.RemoteAddr)
		io.Copy(w, r.Body)
	})
	s.Server = &http.Server{Handler: mux}
	s.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			s.conns.Add(1)
		}
	}
	l := must(right.Listen(t.Context(), "tcp", ":8080"))
	transport := &http.Transport{DialContext: left.DialContext}
	if secure {
		s.url = "https://10.0.0.2:8080"
		s.TLSConfig, transport.TLSClientConfig = tlsConfigs(t)
		transport.ForceAttemptHTTP2 = true
	}
	s.client = &http.Client{Transport: transport}
	go func() {
		defer close(s.ended)
		serve := func() error { return s.Serve(l) }
		if secure {
			serve = func() error { return s.ServeTLS(l, "", "") }
		}
		if err := serve(); err != http.ErrServerClosed {
			t.Errorf("serve: %v", err)
		}
	}()
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		s.Server.Close()
		<-s.ended
	})
	return s
}

// echo sends a body and compares what comes back.
func (s *site) echo(t *testing.T, size int) {
	body := make([]byte, size)
	randv2.NewChaCha8([32]byte{byte(size)}).Read(body)
	r, err := s.client.Post(s.url+"/echo", "application/octet-stream", bytes.NewReader(body))
	if err != nil {
		t.Error(err)
		return
	}
	defer r.Body.Close()
	hash := sha256.New()
	if n, err := io.Copy(hash, r.Body); err != nil || n != int64(size) || [32]byte(hash.Sum(nil)) != sha256.Sum256(body) {
		t.Errorf("%d bytes of %d, or others: %v", n, size, err)
	}
}

func TestHTTPKeepsItsConnection(t *testing.T) {
	test := func(t *testing.T, left, right *landline.Host) {
		s := newSite(t, left, right, false)
		for _, size := range []int{0, 1, 100, bodySize, 7} {
			s.echo(t, size)
		}
		if n := s.conns.Load(); n != 1 {
			t.Errorf("%d connections for requests one after the other", n)
		}
	}
	onCables(t, test)
	onBadCable(t, test)
}

func TestHTTP2SharesOneConnection(t *testing.T) {
	test := func(t *testing.T, left, right *landline.Host) {
		s := newSite(t, left, right, true)
		s.echo(t, 1)
		var all sync.WaitGroup
		for k := range 20 {
			all.Go(func() { s.echo(t, bodySize/20+k) })
		}
		all.Wait()
		r, err := s.client.Get(s.url + "/echo")
		if err != nil || r.ProtoMajor != 2 {
			t.Fatalf("%v, %v", r, err)
		}
		r.Body.Close()
		if n := s.conns.Load(); n != 1 {
			t.Errorf("%d connections", n)
		}
	}
	onCables(t, test)
	onBadCable(t, test)
}

// A server that shuts down lets who is being served finish, and nobody in any more.
func TestHTTPServerShutsDown(t *testing.T) {
	onCables(t, func(t *testing.T, left, right *landline.Host) {
		s := newSite(t, left, right, false)
		body, send := io.Pipe()
		answer := make(chan error)
		go func() {
			r, err := s.client.Post(s.url+"/echo", "text/plain", body)
			if err == nil {
				var b []byte
				b, err = io.ReadAll(r.Body)
				r.Body.Close()
				if string(b) != "before and after" {
					t.Errorf("got %q", b)
				}
			}
			answer <- err
		}()
		io.WriteString(send, "before ")
		time.Sleep(5 * time.Second)
		down := make(chan error)
		go func() { down <- s.Shutdown(context.Background()) }()
		<-s.ended // nobody accepts any more
		if _, err := left.DialContext(t.Context(), "tcp", "10.0.0.2:8080"); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("somebody was let in: %v", err)
		}
		io.WriteString(send, "and after")
		send.Close()
		if err := errors.Join(<-answer, <-down); err != nil {
			t.Error(err)
		}
	})
}

// A client that does not want an answer any more is heard of by the server.
func TestHTTPClientCancels(t *testing.T) {
	for _, secure := range []bool{false, true} {
		onCables(t, func(t *testing.T, left, right *landline.Host) {
			s := newSite(t, left, right, secure)
			gone := make(chan error)
			s.Handler.(*http.ServeMux).HandleFunc("/wait", func(w http.ResponseWriter, r *http.Request) {
				<-r.Context().Done()
				gone <- r.Context().Err()
			})
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(5*time.Second, cancel)
			r, err := http.NewRequestWithContext(ctx, "GET", s.url+"/wait", nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.client.Do(r); !errors.Is(err, context.Canceled) {
				t.Errorf("the client: %v", err)
			}
			if err := <-gone; err != context.Canceled {
				t.Errorf("the server: %v", err)
			}
		})
	}
}

// tlsConfigs returns those of a server with a certificate of its own and of a client that trusts it.
func tlsConfigs(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "shed"}, IPAddresses: []net.IP{net.IPv4(10, 0, 0, 2)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der := must(x509.CreateCertificate(rand.Reader, template, template, key.Public(), key))
	roots := x509.NewCertPool()
	roots.AddCert(must(x509.ParseCertificate(der)))
	server = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	return server, &tls.Config{RootCAs: roots, ServerName: "10.0.0.2"}
}

// CloseWrite of TLS ends one direction, with a close_notify; the other goes on.
func TestTLSClosesItsHalves(t *testing.T) {
	test := func(t *testing.T, left, right *landline.Host) {
		serverConfig, clientConfig := tlsConfigs(t)
		ca, cb := connected(t, left, right)
		client, server := tls.Client(ca, clientConfig), tls.Server(cb, serverConfig)
		question, answer := bytes.Repeat([]byte("why "), 100_000), bytes.Repeat([]byte("because "), 100_000)
		done := make(chan error)
		go func() {
			got, err := io.ReadAll(server)
			if !bytes.Equal(got, question) {
				t.Errorf("the question is %d bytes, or others", len(got))
			}
			_, werr := server.Write(answer)
			done <- errors.Join(err, werr, server.CloseWrite())
		}()
		if _, err := client.Write(question); err != nil {
			t.Error(err)
		}
		if err := client.CloseWrite(); err != nil {
			t.Error(err)
		}
		got, err := io.ReadAll(client)
		if err != nil || !bytes.Equal(got, answer) {
			t.Errorf("the answer is %d bytes, or others: %v", len(got), err)
		}
		if err := errors.Join(<-done, client.Close(), server.Close()); err != nil {
			t.Error(err)
		}
	}
	onCables(t, test)
	onBadCable(t, test)
}

// A command on another host by SSH, and a connection through it to a third place.
func TestSSHRunsAndForwards(t *testing.T) {
	test := func(t *testing.T, left, right *landline.Host) {
		l := must(right.Listen(t.Context(), "tcp", ":22"))
		served := make(chan error)
		go func() { served <- serveSSH(right, l) }()
		inner := must(right.Listen(t.Context(), "tcp", "127.0.0.1:7"))
		go func() {
			c, err := inner.Accept()
			if err == nil {
				io.Copy(c, c)
				c.Close()
			}
		}()

		raw := must(left.DialContext(t.Context(), "tcp", "10.0.0.2:22"))
		conn, chans, reqs, err := ssh.NewClientConn(raw, "10.0.0.2:22", &ssh.ClientConfig{
			User: "guest", HostKeyCallback: ssh.InsecureIgnoreHostKey(),
		})
		if err != nil {
			t.Fatal(err)
		}
		client := ssh.NewClient(conn, chans, reqs)
		session := must(client.NewSession())
		out := bytes.Repeat([]byte("0123456789abcdef"), 100_000)
		session.Stdin = bytes.NewReader(out)
		if got, err := session.Output("cat"); err != nil || !bytes.Equal(got, out) {
			t.Errorf("%d bytes of %d, or others: %v", len(got), len(out), err)
		}
		through := must(client.Dial("tcp", "127.0.0.1:7"))
		go func() {
			through.Write(out)
			through.(interface{ CloseWrite() error }).CloseWrite()
		}()
		if got, err := io.ReadAll(through); err != nil || !bytes.Equal(got, out) {
			t.Errorf("through it: %d bytes of %d, or others: %v", len(got), len(out), err)
		}
		through.Close()
		client.Close()
		if err := <-served; err != nil {
			t.Error(err)
		}
	}
	onCables(t, test)
	onBadCable(t, test)
}

// serveSSH serves one connection: it gives what a command reads back, and forwards connections.
func serveSSH(h *landline.Host, l net.Listener) error {
	key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	config := &ssh.ServerConfig{NoClientAuth: true}
	config.AddHostKey(must(ssh.NewSignerFromKey(key)))
	raw, err := l.Accept()
	if err != nil {
		return err
	}
	conn, chans, reqs, err := ssh.NewServerConn(raw, config)
	if err != nil {
		return err
	}
	go ssh.DiscardRequests(reqs)
	var all sync.WaitGroup
	for nc := range chans {
		ch, reqs, err := nc.Accept()
		if err != nil {
			return err
		}
		if nc.ChannelType() == "session" {
			all.Go(func() { serveSession(ch, reqs) })
			continue
		}
		var to struct {
			Host       string
			Port       uint32
			Origin     string
			OriginPort uint32
		}
		if err := ssh.Unmarshal(nc.ExtraData(), &to); err != nil {
			return err
		}
		go ssh.DiscardRequests(reqs)
		all.Go(func() { forward(h, ch, fmt.Sprintf("%s:%d", to.Host, to.Port)) })
	}
	all.Wait()
	conn.Wait()
	return nil
}

func serveSession(ch ssh.Channel, reqs <-chan *ssh.Request) {
	for r := range reqs {
		r.Reply(r.Type == "exec", nil)
		if r.Type == "exec" {
			io.Copy(ch, ch)
			ch.SendRequest("exit-status", false, ssh.Marshal(struct{ Code uint32 }{0}))
			ch.Close()
		}
	}
}

func forward(h *landline.Host, ch ssh.Channel, address string) {
	c, err := h.DialContext(context.Background(), "tcp", address)
	if err != nil {
		ch.Close()
		return
	}
	var both sync.WaitGroup
	both.Go(func() {
		io.Copy(c, ch)
		c.(*landline.TCPConn).CloseWrite()
	})
	both.Go(func() {
		io.Copy(ch, c)
		ch.CloseWrite()
	})
	both.Wait()
	c.Close()
	ch.Close()
}
