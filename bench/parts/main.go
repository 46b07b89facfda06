// Command parts measures what any program must do at least that copies a file of
// 1 GiB encrypted and hashed, with Go's cryptography and landline's hash: each part
// alone, by one goroutine, with nothing around it. It prints the processor time of
// each, and how long the whole takes if all processors do nothing else.
//
// Run it from bench/: go run ./parts
package main

import (
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"time"

	"lukechampine.com/blake3/guts"
)

const (
	size   = 1 << 30
	piece  = 256 << 10 // bytes that are moved at once
	record = 16 << 10  // of TLS
	rounds = 5
)

// A part is something that is done to all bytes, by so many of the two ends.
type part struct {
	name string
	ends int
	do   func(w *work) error
}

var parts = []part{
	{"BLAKE3, groups of 16 KiB without the tree above them", 2, (*work).hash},
	{"AES-128-GCM, sealing records of 16 KiB", 1, (*work).seal},
	{"AES-128-GCM, opening them", 1, (*work).open},
	{"reading a file on tmpfs", 1, (*work).read},
	{"writing a new file on tmpfs", 1, (*work).write},
	{"a loopback's connection, both ends", 1, (*work).carry},
}

// A work is what the parts work with.
type work struct {
	dir    string
	buf    []byte // of a piece
	aead   cipher.AEAD
	nonce  []byte
	source *os.File
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "parts:", err)
		os.Exit(1)
	}
}

func run() error {
	w, err := newWork()
	if err != nil {
		return err
	}
	defer os.RemoveAll(w.dir)
	fmt.Printf("| part | seconds of processor for 1 GiB, median of %d | min – max | ends |\n|---|--:|--:|--:|\n", rounds)
	var sum time.Duration
	for _, p := range parts {
		took, err := w.measure(p)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		median := took[rounds/2]
		sum += median * time.Duration(p.ends)
		fmt.Printf("| %s | %.3f | %.3f – %.3f | %d |\n", p.name, median.Seconds(), took[0].Seconds(), took[rounds-1].Seconds(), p.ends)
	}
	n := runtime.NumCPU()
	fmt.Printf("\nAll of it: %.2f s of processor, so %.2f s at least on %d processors.\n", sum.Seconds(), sum.Seconds()/float64(n), n)
	return nil
}

func newWork() (*work, error) {
	dir, err := os.MkdirTemp("/dev/shm", "parts-")
	if err != nil {
		return nil, err
	}
	w := &work{dir: dir, buf: make([]byte, piece), nonce: make([]byte, 12)}
	block, err := aes.NewCipher(make([]byte, 16))
	if err == nil {
		w.aead, err = cipher.NewGCM(block)
	}
	if err == nil {
		w.source, err = os.Create(filepath.Join(dir, "source"))
	}
	if err == nil {
		err = w.fill(w.source)
	}
	if err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	return w, nil
}

// measure returns the processor time of all rounds, least first.
func (w *work) measure(p part) (took [rounds]time.Duration, err error) {
	for i := range took {
		before := used()
		if err := p.do(w); err != nil {
			return took, err
		}
		took[i] = used() - before
	}
	slices.Sort(took[:])
	return took, nil
}

// used is the processor time of this process so far, in it and in the kernel.
func used() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // the kernel has it always
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func (w *work) hash() error {
	for n := 0; n < size; n += record {
		group := (*[record]byte)(w.buf[n%piece:])
		guts.ChainingValue(guts.CompressBuffer(group, record, &guts.IV, uint64(n/guts.ChunkSize), 0))
	}
	return nil
}

func (w *work) seal() error {
	out := make([]byte, 0, record+w.aead.Overhead())
	for n := 0; n < size; n += record {
		w.aead.Seal(out, w.nonce, w.buf[n%piece:][:record], nil)
	}
	return nil
}

func (w *work) open() error {
	sealed := w.aead.Seal(nil, w.nonce, w.buf[:record], nil)
	out := make([]byte, 0, record)
	for n := 0; n < size; n += record {
		if _, err := w.aead.Open(out, w.nonce, sealed, nil); err != nil {
			return err
		}
	}
	return nil
}

func (w *work) read() error {
	for at := int64(0); at < size; at += piece {
		if _, err := w.source.ReadAt(w.buf, at); err != nil {
			return err
		}
	}
	return nil
}

func (w *work) write() error {
	f, err := os.Create(filepath.Join(w.dir, "target"))
	if err != nil {
		return err
	}
	return errors.Join(w.fill(f), f.Close(), os.Remove(f.Name()))
}

func (w *work) fill(to io.Writer) error {
	for n := 0; n < size; n += piece {
		if _, err := to.Write(w.buf); err != nil {
			return err
		}
	}
	return nil
}

func (w *work) carry() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	sent := make(chan error, 1)
	go func() {
		c, err := net.Dial("tcp", l.Addr().String())
		if err == nil {
			err = errors.Join(w.fill(c), c.Close())
		}
		sent <- err
	}()
	c, err := l.Accept()
	if err != nil {
		return err
	}
	defer c.Close()
	for b, left := make([]byte, piece), size; left > 0; {
		n, err := c.Read(b)
		if left -= n; err != nil && left > 0 {
			return err
		}
	}
	return <-sent
}
