package lantest_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"landline"
	"landline/lantest"
)

func TestServiceOutlivesPartitions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := lantest.New(t, lantest.Network{RTT: 20 * time.Millisecond, Loss: 0.01})
		for _, name := range []string{"left", "right"} {
			serve(t, l.Host(name), func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, name) })
		}
		front := l.Host("front")
		serve(t, front, func(w http.ResponseWriter, _ *http.Request) {
			for _, name := range []string{"left", "right"} {
				if answer := get(front, "http://"+name+".lan/", time.Second); answer != "" {
					fmt.Fprint(w, answer)
					return
				}
			}
			http.Error(w, "nobody", http.StatusBadGateway)
		})
		wants := func(answer string) {
			t.Helper()
			if got := get(l.Host("desk"), "http://front.lan/", time.Minute); got != answer {
				t.Errorf("%q answers, not %q", got, answer)
			}
		}
		wants("left")
		l.Partition("left")
		wants("right")
		l.Partition("right")
		wants("nobody\n")
		l.Heal()
		wants("left")
	})
}

// serve answers what comes to a machine.
func serve(t *testing.T, h *landline.Host, answer http.HandlerFunc) {
	l, err := h.Listen(t.Context(), "tcp", ":80")
	if err != nil {
		t.Fatal(err)
	}
	go http.Serve(l, answer) // until the machine ends with the test
}

// get asks from a machine, and returns the answer that comes in time, or "".
func get(h *landline.Host, url string, within time.Duration) string {
	client := http.Client{Transport: &http.Transport{DialContext: h.DialContext}, Timeout: within}
	defer client.CloseIdleConnections()
	r, err := client.Get(url)
	if err != nil {
		return ""
	}
	defer r.Body.Close()
	text, _ := io.ReadAll(r.Body)
	return string(text)
}

// The test in the package's documentation is the one above.
func TestDocumentationShowsATestThatRuns(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	var shown strings.Builder
	for line := range strings.Lines(string(doc)) {
		if code, ok := strings.CutPrefix(line, "//\t"); ok {
			shown.WriteString(code)
		} else if shown.Len() > 0 && line == "//\n" {
			shown.WriteString("\n")
		}
	}
	runs, err := os.ReadFile("example_test.go")
	if code := strings.TrimSpace(shown.String()); err != nil || len(code) < 1000 || !strings.Contains(string(runs), code) {
		t.Errorf("%v: no test is\n%s", err, code)
	}
}
