package lantest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"landline"
)

// serve answers on a machine with so many bytes.
func serve(t *testing.T, h *landline.Host, size int) {
	ln, err := h.Listen(t.Context(), "tcp", ":80")
	if err != nil {
		t.Fatal(err)
	}
	body := bytes.Repeat([]byte("landline"), size/8)
	go http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write(body) }))
}

func client(h *landline.Host) *http.Client {
	return &http.Client{Transport: &http.Transport{DialContext: h.DialContext}}
}

func get(t *testing.T, c *http.Client, url string) int {
	t.Helper()
	r, err := c.Get(url)
	if err != nil {
		t.Error(err)
		return 0
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Error(err)
	}
	return len(b)
}

// What several machines say to each other over bad wires, from their first word to their last, is the same to the
// nanosecond and the bit if the seed is.
func TestSameSeedMeansSameCapture(t *testing.T) {
	for _, n := range []Network{{}, {Seed: 7}, {RTT: 20 * time.Millisecond, Loss: 0.05, Rate: 50e6, Seed: 8}} {
		first, second := converse(t, n), converse(t, n)
		if len(first) < 100_000 || !bytes.Equal(first, second) {
			t.Errorf("%+v: captures of %d and %d bytes, which differ from byte %d on", n, len(first), len(second), differ(first, second))
		}
		n.Seed++
		if other := converse(t, n); bytes.Equal(first, other) {
			t.Errorf("%+v: another seed makes no difference", n)
		}
	}
}

func differ(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}

// converse has two machines get something from a third, at the same time, and returns all that passed. Each does one thing
// after the other: it does not close one connection while it opens another.
func converse(t *testing.T, n Network) (capture []byte) {
	synctest.Test(t, func(t *testing.T) {
		l := New(t, n)
		serve(t, l.Host("shed"), 100_000)
		done := make(chan bool)
		for _, name := range []string{"desk", "loft"} {
			c := client(l.Host(name))
			go func() {
				for range 3 {
					if n := get(t, c, "http://shed.lan/"); n != 100_000 {
						t.Errorf("%s gets %d bytes", name, n)
					}
				}
				c.CloseIdleConnections()
				done <- true
			}()
		}
		<-done
		<-done
		l.close()
		capture = written(t, l)
	})
	return capture
}

// written returns what passed, as it is written to a file.
func written(t *testing.T, l *LAN) []byte {
	f, err := os.Create(t.TempDir() + "/capture")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := l.passed.write(f); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Who is cut off is not reached, and is again after it was healed; those on the same side of a cut reach each other.
func TestPartitionsCutAndHeal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(t, Network{})
		for _, name := range []string{"a", "b", "c", "d"} {
			l.Host(name)
		}
		wants := func(when string, pairs string) {
			t.Helper()
			var reached []string
			for _, from := range "abcd" {
				for _, to := range "abcd" {
					if from < to && reaches(t, l, string(from), string(to)) {
						reached = append(reached, string(from)+string(to))
					}
				}
			}
			if got := strings.Join(reached, " "); got != pairs {
				t.Errorf("%s: %q, want %q", when, got, pairs)
			}
		}
		wants("at first", "ab ac ad bc bd cd")
		l.Partition("a", "b")
		wants("two and two", "ab cd")
		l.Partition("b")
		wants("and one of them", "cd")
		l.Heal()
		wants("in the end", "ab ac ad bc bd cd")
		l.Partition("d")
		if l.Host("e"); !reaches(t, l, "e", "a") || reaches(t, l, "e", "d") {
			t.Error("a new machine is not among the others")
		}
	})
}

func reaches(t *testing.T, l *LAN, from, to string) bool {
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := l.Host(from).Ping(ctx, to, landline.PingConfig{})
	return err == nil
}

// A connection that is cut waits, and goes on.
func TestConnectionOutlivesAPartition(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(t, Network{})
		ln, err := l.Host("shed").Listen(t.Context(), "tcp", ":7")
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			if c, err := ln.Accept(); err == nil {
				io.Copy(c, c)
			}
		}()
		c, err := l.Host("desk").DialContext(t.Context(), "tcp", "shed:7")
		if err != nil {
			t.Fatal(err)
		}
		l.Partition("shed")
		fmt.Fprint(c, "hello")
		b := make([]byte, 10)
		c.SetReadDeadline(time.Now().Add(10 * time.Second))
		if n, err := c.Read(b); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("over the cut come %q, %v", b[:n], err)
		}
		l.Heal()
		c.SetReadDeadline(time.Now().Add(time.Minute))
		if n, err := io.ReadFull(c, b[:5]); err != nil {
			t.Errorf("after it come %q, %v", b[:n], err)
		}
	})
}

// A ping takes the RTT, and with a rate a little more; a lossy wire loses its share.
func TestWiresAreAsTheyWereTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(t, Network{RTT: 80 * time.Millisecond, Rate: 1e6})
		desk := l.Host("desk")
		l.Host("shed")
		ping := func(size int) time.Duration {
			r, err := desk.Ping(t.Context(), "shed.lan", landline.PingConfig{Size: size})
			if err != nil {
				t.Fatal(err)
			}
			return r.RTT
		}
		ping(1) // after which the hardware addresses are known
		// 1,042 bytes of frame take 8.3 ms, at each of four places.
		if rtt := ping(1000); rtt < 113*time.Millisecond || rtt > 114*time.Millisecond {
			t.Errorf("the RTT is %v", rtt)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		l := New(t, Network{Loss: 0.1})
		lost := 0
		for range 500 {
			l.Host("shed")
			if !reaches(t, l, "desk", "shed") {
				lost++
			}
		}
		if lost < 70 || lost > 120 { // 95 are expected
			t.Errorf("%d of 500 pings were lost, each of which had two frames of which one in ten is", lost)
		}
	})
}

// Names are those of the LAN, in any case, with the domain or without.
func TestMachinesHaveNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(t, Network{})
		desk := l.Host("desk")
		l.Host("shed")
		for name, want := range map[string]string{"shed": "[10.0.0.2]", "SHED.lan": "[10.0.0.2]", "desk.lan": "[10.0.0.1]", "desk": "[10.0.0.1]"} {
			if got, err := desk.LookupHost(t.Context(), name); fmt.Sprint(got) != want {
				t.Errorf("%s is %v, %v; want %s", name, got, err, want)
			}
		}
		for _, name := range []string{"barn.lan", "barn", "example.org"} {
			_, err := desk.LookupHost(t.Context(), name)
			if dns, ok := errors.AsType[*net.DNSError](err); !ok || !dns.IsNotFound {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// There need be no bubble.
func TestLANInRealTime(t *testing.T) {
	l := New(t, Network{})
	serve(t, l.Host("shed"), 1_000_000)
	if n := get(t, client(l.Host("desk")), "http://shed.lan/"); n != 1_000_000 {
		t.Errorf("%d bytes", n)
	}
}

// A double is a test that fails if it is told to.
type double struct {
	testing.TB
	fails    bool
	fatal    string
	log      strings.Builder
	cleanups []func()
}

func (d *double) Failed() bool            { return d.fails }
func (d *double) Name() string            { return "TestX/a b:c" }
func (d *double) Cleanup(f func())        { d.cleanups = append(d.cleanups, f) }
func (d *double) Logf(s string, a ...any) { fmt.Fprintf(&d.log, s, a...) }
func (d *double) Fatalf(s string, a ...any) {
	d.fatal = fmt.Sprintf(s, a...)
	panic(d)
}

// What passed is kept if the test failed, and only then.
func TestCaptureIsKeptOfFailures(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	for _, fails := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			d := &double{TB: t, fails: fails}
			l := New(d, Network{})
			l.Host("shed")
			if !reaches(t, l, "desk", "shed") {
				t.Error("no answer")
			}
			l.Partition("shed")
			if reaches(t, l, "desk", "shed") {
				t.Error("an answer over a cut")
			}
			d.cleanups[0]()
			_, told, _ := strings.Cut(d.log.String(), "is in ")
			file, shown, _ := strings.Cut(told, ";")
			b, err := os.ReadFile(file)
			switch {
			case !fails && d.log.Len() > 0:
				t.Errorf("no failure, and it logs %q", d.log.String())
			case fails && (err != nil || !bytes.Contains(b, []byte("does not arrive: partition")) || bytes.Count(b, []byte("\x08\x00")) < 3):
				t.Errorf("%q, %v, %d bytes", d.log.String(), err, len(b))
			case fails && strings.Count(shown, "icmp echo request") != 2:
				t.Errorf("the log shows\n%s", shown)
			}
		})
	}
}

// Only the newest frames are remembered.
func TestMemoryOfFramesIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := New(t, Network{})
		serve(t, l.Host("shed"), 3*maxPassed)
		if n := get(t, client(l.Host("desk")), "http://shed.lan/"); n != 3*maxPassed {
			t.Errorf("%d bytes", n)
		}
		if n := len(written(t, l)); n < maxPassed || n > 3*maxPassed {
			t.Errorf("%d bytes are remembered", n)
		}
	})
}

// Mistakes are told.
func TestMistakesEndTheTest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for what, do := range map[string]func(*LAN){
			`machine "a.b"`: func(l *LAN) { l.Host("a.b") }, `machine ""`: func(l *LAN) { l.Host("") }, `machine "Shed"`: func(l *LAN) { l.Host("Shed") },
			`partition of "barn"`: func(l *LAN) { l.Partition("desk", "barn") },
			`machine "late"`:      func(l *LAN) { l.close(); l.Host("late") },
		} {
			d := &double{TB: t}
			l := New(d, Network{})
			l.Host("desk")
			func() {
				defer func() { recover() }()
				do(l)
			}()
			if !strings.Contains(d.fatal, what) {
				t.Errorf("%s: %q", what, d.fatal)
			}
			l.close()
		}
	})
}
