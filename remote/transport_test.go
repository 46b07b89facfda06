package remote

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"math/big"
	mrand "math/rand/v2"
	"net"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// recordSession runs a session over a cable that does no harm.
func recordSession(t testing.TB, d *dialer, wrap wrapper) *cable {
	c := &cable{at: -1}
	if o := c.session(t, d, wrap); !o.right() {
		t.Fatalf("without harm: %+v", o)
	}
	return c
}

// everyByte does harm at each byte of a session, each way.
func everyByte(t *testing.T, stride int, one func(c *cable)) {
	d := newDialer(t)
	recorded := recordSession(t, d, nil)
	for i, way := range []string{"to the client", "to the server"} {
		t.Run(way, func(t *testing.T) {
			n := len(recorded.seen[i])/stride + 1
			sideBySide(n, func(k int) {
				c := &cable{toServer: i == 1, at: int64(k * stride)}
				one(c)
				o := c.session(t, d, nil)
				if !o.right() && !o.lost() {
					t.Errorf("harm at byte %d: %+v", c.at, o)
				}
			})
		})
	}
}

func stride() int {
	if testing.Short() {
		return 13
	}
	return 1
}

func TestCloseAtEveryByteIsLostOrRight(t *testing.T) {
	everyByte(t, stride(), func(c *cable) { c.harm = closeEnds })
}

func TestResetAtEveryByteIsLostOrRight(t *testing.T) {
	everyByte(t, stride(), func(c *cable) { c.harm = resetEnds })
}

func TestStallAtEveryByteIsLostOrRight(t *testing.T) {
	everyByte(t, stride(), func(c *cable) { c.harm, c.stalls = stall, true })
}

func TestOneByteWritesChangeNothing(t *testing.T) {
	d := newDialer(t)
	c := &cable{at: -1, step: 1}
	if o := c.session(t, d, nil); !o.right() {
		t.Errorf("%+v", o)
	}
}

// TestFlippedByteNeverHangsTheClient plays a server's side of a session with one
// byte changed. Without TLS nobody can promise more than an end: a flipped byte
// of output is output.
func TestFlippedByteNeverHangsTheClient(t *testing.T) {
	said := recordSession(t, newDialer(t), nil).seen[0]
	for at := 0; at < len(said); at += stride() {
		for _, bit := range []byte{0x01, 0x80} {
			played := bytes.Clone(said)
			played[at] ^= bit
			synctest.Test(t, func(t *testing.T) { playToClient(t, at, played) })
		}
	}
}

func playToClient(t *testing.T, at int, played []byte) {
	near, far := net.Pipe()
	cl := NewClient(near, "test")
	p := newPeer(t, far)
	var playing sync.WaitGroup
	playing.Go(func() {
		p.expect(kindRun)
		playing.Go(func() { far.Write(played) })
		for { // takes what the client says until it ends
			if _, err := far.Read(make([]byte, 4096)); err != nil {
				return
			}
		}
	})
	start := time.Now()
	r, err := cl.Run(t.Context(), Command{Args: []string{"x"}, Stdin: new(bytes.Buffer)})
	if (err != nil) != (r.Reason == Lost) {
		t.Errorf("byte %d: %+v, %v", at, r, err)
	}
	if took := time.Since(start); took > deadAfter+pingAfter {
		t.Errorf("byte %d: an end after %v", at, took)
	}
	cl.Close()
	far.Close()
	playing.Wait()
}

// TestFlippedByteNeverHangsTheServer plays a client's side of a session with one
// byte changed. Whatever it asks for then, it gets a command that does no harm.
func TestFlippedByteNeverHangsTheServer(t *testing.T) {
	said := recordSession(t, newDialer(t), nil).seen[1]
	sideBySide(len(said)/stride(), func(k int) {
		played := bytes.Clone(said)
		played[k*stride()] ^= 0x01
		p, served := peerOfServer(t, &Server{Home: "/"}, Guest{Command: "read x; exit 3"})
		p.nc.Write(played)
		p.nc.(*net.UnixConn).CloseWrite()
		p.goodbye() // or another end
		<-served
	})
}

// overTLS wraps both ends in TLS with a key of the moment.
func overTLS(t testing.TB) wrapper {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"test"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	known := x509.NewCertPool()
	leaf, _ := x509.ParseCertificate(der)
	known.AddCert(leaf)
	server := &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	client := &tls.Config{MinVersion: tls.VersionTLS13, RootCAs: known, ServerName: "test"}
	return func(near, far net.Conn) (net.Conn, net.Conn, error) {
		c, s := tls.Client(near, client), tls.Server(far, server)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		var serverErr error
		var shaking sync.WaitGroup
		shaking.Go(func() {
			if serverErr = s.HandshakeContext(ctx); serverErr != nil {
				far.Close()
			}
		})
		clientErr := c.HandshakeContext(ctx)
		if clientErr != nil {
			near.Close()
		}
		shaking.Wait()
		return c, s, errors.Join(clientErr, serverErr)
	}
}

// TestFlippedByteUnderTLSIsNoticed flips a byte of a session under TLS. The length
// of a record may be the victim: then both wait for bytes that never come, which
// the cable ends. Nobody takes what he gets for the truth.
func TestFlippedByteUnderTLSIsNoticed(t *testing.T) {
	d, wrap := newDialer(t), overTLS(t)
	recorded := recordSession(t, d, wrap)
	noticed := flipUnderTLS(t, d, wrap, recorded, 97)
	if noticed == 0 {
		t.Error("no flipped byte was noticed")
	}
}

// flipUnderTLS flips one byte of every so many, and returns how often that was seen.
func flipUnderTLS(t *testing.T, d *dialer, wrap wrapper, recorded *cable, stride int) int64 {
	var noticed atomic.Int64
	for i := range 2 {
		sideBySide(len(recorded.seen[i])/stride, func(k int) {
			c := &cable{toServer: i == 1, at: int64(k * stride), harm: flipByte, patience: time.Second}
			o := c.session(t, d, wrap)
			if !o.right() && !o.lost() {
				t.Errorf("way %d, byte %d: %+v", i, c.at, o)
			}
			if o.lost() {
				noticed.Add(1)
			}
		})
	}
	return noticed.Load()
}

// Who may come in is nobody's to guess: without Admit there is an error at once, and no crash when somebody comes.
func TestServerWithoutAdmitServesNoListener(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := (&Server{}).Serve(ended, ln); !errors.Is(err, errNoAdmit) {
		t.Errorf("it ends with %v", err)
	}
}

// TestUnfinishedHelloHasTenSeconds has clients that are slow before their hello.
func TestUnfinishedHelloHasTenSeconds(t *testing.T) {
	hello := encode(helloLine, "")
	for _, row := range []struct {
		name  string
		bytes []byte
		every time.Duration
		in    bool // lets it in
	}{
		{"nothing", nil, 0, false},
		{"half a length", hello[:2], time.Second, false},
		{"length, slowly", hello[:4], 4 * time.Second, false},
		{"header, slowly", hello, time.Second, false},
		{"half a header", hello[:20], time.Millisecond, false},
		{"a body that may not be", encode(helloLine, "body"), time.Second, false},
		{"slow but in time", hello, 200 * time.Millisecond, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := net.Pipe()
				start := time.Now()
				served := make(chan error, 1)
				go func() { served <- (&Server{}).ServeConn(t.Context(), far, Guest{}) }()
				if row.in {
					drip(near, row.bytes, row.every)
					newPeer(t, near).expect(kindHello)
					near.Close()
					<-served
					return
				}
				var dripping sync.WaitGroup
				dripping.Go(func() { drip(near, row.bytes, row.every) })
				defer dripping.Wait()
				err := <-served
				if took := time.Since(start); took != helloWithin || !errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("ended after %v: %v", took, err)
				}
				near.Close()
			})
		})
	}
}

// drip writes bytes one at a time.
func drip(nc net.Conn, p []byte, every time.Duration) {
	for i := range p {
		time.Sleep(every)
		if _, err := nc.Write(p[i : i+1]); err != nil {
			return
		}
	}
}

// A onePipe is a listener that accepts one connection.
type onePipe struct {
	conn   chan net.Conn
	closed chan struct{}
}

func (l *onePipe) Accept() (net.Conn, error) {
	select {
	case nc := <-l.conn:
		return nc, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *onePipe) Close() error { close(l.closed); return nil }

func (l *onePipe) Addr() net.Addr { return &net.UnixAddr{} }

func TestHandshakeAndHelloShareTenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := &onePipe{conn: make(chan net.Conn, 1), closed: make(chan struct{})}
		s := &Server{Admit: func(_ context.Context, raw net.Conn) (net.Conn, Guest, error) {
			_, err := raw.Read(make([]byte, 1)) // a handshake of one byte
			return raw, Guest{}, err
		}}
		ctx, cancel := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- s.Serve(ctx, ln) }()
		near, far := net.Pipe()
		ln.conn <- far
		start := time.Now()
		time.Sleep(9 * time.Second)
		near.Write([]byte{1})
		if _, err := near.Read(make([]byte, 1)); err == nil {
			t.Error("the server spoke first")
		}
		if took := time.Since(start); took != helloWithin {
			t.Errorf("ended after %v", took)
		}
		cancel()
		<-served
	})
}

// TestSilenceIsAskedAboutAndThenTheEnd has half-open peers on either side.
func TestSilenceIsAskedAboutAndThenTheEnd(t *testing.T) {
	for _, side := range []string{"client", "server"} {
		t.Run(side, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := net.Pipe()
				p := newPeer(t, far)
				var c *conn
				switch side {
				case "client":
					cl := NewClient(near, "test")
					c = cl.c
					p.expect(kindHello)
					p.send(helloLine, "")
					cl.Connected(t.Context())
				case "server":
					sc := newServerConn(&Server{}, near, Guest{})
					c = sc.conn
					go func() {
						if sc.greet(time.Now().Add(helloWithin)) == nil {
							sc.read()
						}
						sc.end()
					}()
					p.send(helloLine, "")
					p.expect(kindHello)
				}
				start := time.Now()
				pinged := firstPing(p, start)
				<-c.done
				if took := time.Since(start); took != deadAfter || !errors.Is(c.err, ErrSilent) {
					t.Errorf("dead after %v: %v", took, c.err)
				}
				if asked := <-pinged; asked != pingAfter {
					t.Errorf("asked after %v", asked)
				}
				far.Close()
				c.wg.Wait()
			})
		})
	}
}

// firstPing reads all that comes, and tells when the first ping came for silence.
func firstPing(p *peer, start time.Time) <-chan time.Duration {
	first := make(chan time.Duration, 1)
	go func() {
		for {
			h, err := p.frames.Next()
			if err != nil {
				return
			}
			var m message
			m.parse(h, 0)
			if asked := time.Since(start); m.kind == kindPing && asked > 0 && len(first) == 0 {
				first <- asked
			}
		}
	}()
	return first
}

func TestQuietPeerThatAnswersLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		served := make(chan error, 1)
		go func() { served <- (&Server{}).ServeConn(t.Context(), far, Guest{}) }()
		cl := NewClient(near, "test")
		if _, err := cl.Connected(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(24 * time.Hour)
		if err := cl.err(); err != nil {
			t.Errorf("after a day: %v", err)
		}
		cl.Close()
		if err := <-served; err != nil {
			t.Errorf("ServeConn: %v", err)
		}
	})
}

func TestPeerThatReadsNothingIsDeadToo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		cl := NewClient(near, "test")
		start := time.Now()
		r, err := cl.Run(t.Context(), Command{Args: []string{"x"}, Stdin: zeros{}})
		if r.Reason != Lost || !errors.Is(err, ErrSilent) || time.Since(start) != deadAfter {
			t.Errorf("after %v: %+v, %v", time.Since(start), r, err)
		}
		cl.Close()
		far.Close()
	})
}

// TestPeerThatAsksAndDoesNotListenIsLeft floods a server with pings.
func TestPeerThatAsksAndDoesNotListenIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		served := make(chan error, 1)
		go func() { served <- (&Server{}).ServeConn(t.Context(), far, Guest{}) }()
		near.Write(encode(helloLine, ""))
		ping := bytes.Repeat(encode(`{"kind":"ping","token":1}`, ""), 1000)
		for {
			if _, err := near.Write(ping); err != nil {
				break
			}
		}
		if err := <-served; !errors.Is(err, errFlood) {
			t.Errorf("ServeConn: %v", err)
		}
		near.Close()
	})
}

// TestDelayAndLossOnlyDelay sends over a link of 200 ms ± 50 where every twentieth
// piece is late by another round trip. What is lost on the way below is late here:
// a stream knows no other loss.
func TestDelayAndLossOnlyDelay(t *testing.T) {
	for seed := range uint64(2) {
		synctest.Test(t, func(t *testing.T) {
			var mu sync.Mutex
			r := mrand.New(mrand.NewPCG(seed, 0))
			a, b := newLink(20<<20, func() time.Duration {
				mu.Lock()
				defer mu.Unlock()
				d := 150*time.Millisecond + time.Duration(r.IntN(100))*time.Millisecond
				if r.IntN(20) == 0 {
					d += 400 * time.Millisecond
				}
				return d
			})
			f := newFlow(t, a, b)
			sent := make([]byte, 4<<20)
			for i := range sent {
				sent[i] = byte(i * i >> 8)
			}
			go func() {
				f.from.Write(sent)
				f.from.Close()
			}()
			var got bytes.Buffer
			if _, err := f.to.WriteTo(&got); err != nil || !bytes.Equal(got.Bytes(), sent) {
				t.Errorf("seed %d: %d bytes of %d, or others: %v", seed, got.Len(), len(sent), err)
			}
		})
	}
}

// TestStormOfConnectionsLeavesNothing has clients of all manners come and go.
func TestStormOfConnectionsLeavesNothing(t *testing.T) {
	ln, err := net.Listen("unix", t.TempDir()+"/s")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &Server{Home: "/", Admit: func(_ context.Context, raw net.Conn) (net.Conn, Guest, error) { return raw, Guest{}, nil }}
	served := make(chan error, 1)
	files, routines := descriptors(), runtime.NumGoroutine()
	go func() { served <- s.Serve(ctx, ln) }()
	sideBySide(500, func(i int) {
		nc, err := net.Dial("unix", ln.Addr().String())
		if err != nil {
			t.Errorf("connection %d: %v", i, err)
			return
		}
		if err := visit(i, nc); err != nil {
			t.Errorf("connection %d: %v", i, err)
		}
	})
	cancel()
	if err := <-served; err != nil {
		t.Errorf("Serve: %v", err)
	}
	waitFor(t, "the end of every descriptor and goroutine", func() bool {
		return descriptors() <= files && runtime.NumGoroutine() <= routines
	})
}

// visit comes and goes as the i-th client of a storm.
func visit(i int, nc net.Conn) error {
	switch i % 5 {
	case 0: // without a word
		return nc.Close()
	case 1: // in the middle of one
		nc.Write(encode(helloLine, "")[:i%30])
		return nc.Close()
	case 2: // while a command runs
		nc.Write(encode(helloLine, ""))
		nc.Write(encode(`{"kind":"run","call":1,"job":"storm-`+fmt.Sprint(i)+`","args":2}`, "sleep\x00600\x00"))
		return nc.Close()
	}
	cl := NewClient(nc, "test")
	defer cl.Close()
	if i%5 == 3 {
		_, err := cl.Connected(context.Background())
		return err
	}
	r, err := cl.Run(context.Background(), Command{Args: []string{"true"}})
	if err == nil && (r.Reason != Exited || r.Code != 0) {
		err = fmt.Errorf("%+v", r)
	}
	return err
}

// descriptors counts the open files of this process.
func descriptors() int {
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0 // not Linux: goroutines alone are counted
	}
	return len(list)
}

// TestGoodbyeToNobodyIsNotWaitedFor has a client break a rule and vanish.
func TestGoodbyeToNobodyIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		served := make(chan error, 1)
		go func() { served <- (&Server{}).ServeConn(t.Context(), far, Guest{}) }()
		start := time.Now()
		near.Write(append(encode(helloLine, ""), encode(helloLine, "")...))
		near.Close()
		if <-served; time.Since(start) != 0 {
			t.Errorf("the server took %v over it", time.Since(start))
		}
	})
}
