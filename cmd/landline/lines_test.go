//go:build unix

package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
)

func TestLinesHaveTheirHostHoweverTheyAreCut(t *testing.T) {
	const text, want = "one\n\ntwo\tand\r\nthree \x1b[31m\nlast", "h: one\nh: \nh: two\tand\r\nh: three \x1b[31m\nh: last\n"
	for cut := range len(text) {
		for _, clean := range []bool{false, true} {
			var out bytes.Buffer
			w := lineWriter{to: &out, prefix: "h: ", clean: clean}
			io.WriteString(&w, text[:cut])
			io.WriteString(&w, text[cut:])
			w.Close()
			w.Close()
			want := want
			if clean {
				want = strings.NewReplacer("\x1b", `\x1b`, "\r", "").Replace(want)
			}
			if out.String() != want {
				t.Errorf("cut at %d, clean %v: %q", cut, clean, out.String())
			}
		}
	}
}

func TestLongLineComesInPieces(t *testing.T) {
	var out bytes.Buffer
	w := lineWriter{to: &out, prefix: "h: "}
	long := strings.Repeat("é", longestLine) // two bytes each, so that a piece could end within one
	io.WriteString(&w, "x"+long+"\n")
	if len(w.cut) > longestLine {
		t.Errorf("%d bytes are kept", len(w.cut))
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	var whole strings.Builder
	for _, line := range lines {
		piece, ok := strings.CutPrefix(line, "h: ")
		if !ok || len(piece) > longestLine || strings.ContainsRune(piece, '\ufffd') || !strings.HasPrefix(piece, "x") && !strings.HasPrefix(piece, "é") {
			t.Errorf("a piece of %d bytes, %.10q", len(line), line)
		}
		whole.WriteString(piece)
	}
	if len(lines) != 3 || whole.String() != "x"+long {
		t.Errorf("%d pieces, %d bytes", len(lines), whole.Len())
	}
}

// Both outputs may be one pipe, and what is longer than a pipe takes in one piece must not be torn there either.
func TestLinesOfManyAreNotTorn(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	fd, err := syscall.Dup(int(w.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	other := os.NewFile(uintptr(fd), "the same pipe")
	l := lines{stdout: onScreen{w}, stderr: onScreen{other}}
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			h := host{text: fmt.Sprint("n", i)}
			out := l.writer(h, []string{"stdout", "stderr"}[i%2])
			for range 20 {
				fmt.Fprintln(out, strings.Repeat(fmt.Sprint(i), 30_000))
			}
		})
	}
	go func() {
		wg.Wait()
		w.Close()
		other.Close()
	}()
	all, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Split(strings.TrimSuffix(string(all), "\n"), "\n")
	for _, line := range got {
		i := line[1:2]
		if line != "n"+i+": "+strings.Repeat(i, 30_000) {
			t.Fatalf("torn: %.80q", line)
		}
	}
	if len(got) != 160 {
		t.Errorf("%d lines", len(got))
	}
}
