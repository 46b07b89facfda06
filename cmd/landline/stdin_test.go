//go:build unix

package main

import (
	"io"
	"os"
	"testing"
)

func TestWhatIsTypedAfterLeavingIsForTheNextReader(t *testing.T) {
	terminal, person, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	in, err := openInput(terminal)
	if err != nil {
		t.Fatal(err)
	}
	took := make(chan string, 1)
	go func() {
		b := make([]byte, 10)
		for {
			n, _ := in.Read(b)
			took <- string(b[:n])
		}
	}()
	io.WriteString(person, "mine")
	if s := <-took; s != "mine" {
		t.Errorf("took %q", s)
	}
	in.leave()
	io.WriteString(person, "next")
	person.Close()
	if b, err := io.ReadAll(terminal); string(b) != "next" || err != nil {
		t.Errorf("the next one got %q, %v", b, err)
	}
}
