package landline_test

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"landline"
	"landline/lan"
	"landline/link"
)

// On a LAN in a process, one goroutine carries a frame from the write on a machine down to the wire and up to the connection on another,
// which answers from there. The functions that it is in at that moment are those of the page, in the page's order.
func TestFrameTravelsAsThePageSays(t *testing.T) {
	page, err := os.ReadFile("docs/how-a-frame-travels.md")
	if err != nil {
		t.Fatal(err)
	}
	_, way, _ := strings.Cut(string(page), "\n## Down")
	way, _, _ = strings.Cut(way, "\n## And back")
	stacks := acknowledged(t)
	most := 0
	for _, stack := range stacks {
		met, rest := 0, stack
		for _, p := range places(way) {
			for _, f := range p.functions {
				is := func(c call) bool { return c.function == f && slices.Contains(p.files, c.file) }
				if i := slices.IndexFunc(rest, is); i >= 0 {
					met, rest = met+1, rest[i+1:]
				} else if slices.ContainsFunc(stack, is) {
					t.Fatalf("%s is not where the page has it:\n%v", f, stack)
				}
			}
		}
		most = max(most, met)
	}
	if most < 13 {
		t.Errorf("of %d stacks, none has more than %d of the functions that the page names", len(stacks), most)
	}
}

// A call is a function that is being called.
type call struct{ function, file string }

// acknowledged has a machine write to another, and returns what is being called when that acknowledges it, the
// outermost first.
func acknowledged(t *testing.T) (stacks [][]call) {
	synctest.Test(t, func(t *testing.T) {
		s := lan.NewSwitch(lan.Config{Seed: 1})
		t.Cleanup(func() { s.Close() })
		host := func(addr string, wrap func(link.Device) link.Device) *landline.Host {
			port := must(s.NewPort(lan.PortConfig{}))
			return newHost(t, wrap(port), landline.Config{Addresses: prefixes(addr), NoIPv6: true, Seed: 1})
		}
		shed := host("10.0.0.3/24", func(d link.Device) link.Device { return d })
		var mu sync.Mutex
		desk := host("10.0.0.2/24", func(d link.Device) link.Device {
			return &observed{d, func() {
				mu.Lock()
				defer mu.Unlock()
				if stack := callsNow(t); slices.Contains(stack, call{"TCPConn.Write", "tcpconn.go"}) {
					stacks = append(stacks, stack)
				}
			}}
		})
		l := must(desk.Listen(t.Context(), "tcp", ":80"))
		go func() {
			c := must(l.Accept())
			io.Copy(io.Discard, c)
			c.Close()
		}()
		c := must(shed.DialContext(t.Context(), "tcp", "10.0.0.2:80"))
		must(c.Write(make([]byte, 100_000)))
		c.Close()
		synctest.Wait()
	})
	return stacks
}

// An observed device tells when something is written to it.
type observed struct {
	link.Device
	tell func()
}

func (d *observed) Write(frames []link.Frame) (int, error) {
	d.tell()
	return d.Device.Write(frames)
}

// receiver is how the runtime names methods: "landline/tcp.(*Conn).Write".
var receiver = regexp.MustCompile(`^[\w/]+\.(?:\(\*?(\w+)\)\.)?(.+)$`)

// callsNow returns what of ours is being called, the outermost first.
func callsNow(t *testing.T) (all []call) {
	here, err := os.Getwd()
	if err != nil {
		t.Error(err)
	}
	pc := make([]uintptr, 200)
	frames := runtime.CallersFrames(pc[:runtime.Callers(2, pc)])
	for more := true; more; {
		var f runtime.Frame
		f, more = frames.Next()
		file, ours := strings.CutPrefix(f.File, filepath.ToSlash(here)+"/")
		if m := receiver.FindStringSubmatch(f.Function); ours && m != nil {
			all = append(all, call{strings.TrimPrefix(m[1]+"."+m[2], "."), file})
		}
	}
	slices.Reverse(all)
	return all
}
