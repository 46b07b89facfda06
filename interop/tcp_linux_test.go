package interop

import (
	"io"
	"net"
	"net/http"
	"net/netip"
	"os/exec"
	"strconv"
	"testing"

	"landline"
)

// How much goes each way: over the TAP that takes units, once and otherwise, and over the one that takes frames.
const (
	much = 1 << 30
	some = 64 << 20
	few  = 16 << 20
)

// serveHTTP gives streams away, of as many bytes as the path says, and tells the hash of what it is given.
func serveHTTP(l net.Listener) *http.Server {
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.Method == http.MethodPut {
			hash, err := hashOf(req.Body)
			if err != nil {
				hash = err.Error()
			}
			io.WriteString(w, hash)
			return
		}
		n, _ := strconv.ParseInt(req.URL.Path[1:], 10, 64)
		w.Header().Set("Content-Length", strconv.FormatInt(n, 10))
		io.Copy(w, newStream(n))
	})}
	go s.Serve(l)
	return s
}

func TestCurlMovesMuchBothWays(t *testing.T) {
	curl := need(t, "curl")["curl"]
	onWires(t, rigConfig{calm: true, snap: 128}, func(r *rig, h *landline.Host, p pair) {
		n := int64(few)
		switch {
		case r.without == 0 && p.ours.Is4():
			n = much
		case r.without == 0:
			n = some
		}
		s := serveHTTP(r.listen(h, p.ours, 80))
		defer s.Close()
		url := "http://" + netip.AddrPortFrom(p.ours, 80).String() + "/" + strconv.FormatInt(n, 10)
		want := hashOfStream(n)

		get := exec.Command(curl, "-sS", "-g", url)
		out, err := get.StdoutPipe()
		if err == nil {
			err = get.Start()
		}
		if err != nil {
			r.Fatal(err)
		}
		got, err := hashOf(out)
		if err != nil || got != want {
			r.Errorf("%v: curl got %s, want %s, error %v", p.ours, got, want, err)
		}
		if err := get.Wait(); err != nil {
			r.Errorf("%v: curl: %v", p.ours, err)
		}

		put := exec.Command(curl, "-sS", "-g", "-T", "-", "-H", "Expect:", url)
		put.Stdin = newStream(n)
		if got, err := put.CombinedOutput(); err != nil || string(got) != want {
			r.Errorf("%v: curl gave us %s, want %s, error %v", p.ours, got, want, err)
		}
		r.checkKernel()
	})
}
