package load

import (
	"fmt"
	"io"
	"net"
	"runtime"
	"sync/atomic"
	"time"
)

// window is how many datagrams are under way at most, so that none is lost.
const window = 256

// patience is when what has not come is taken for lost.
const patience = 100 * time.Millisecond

// Datagrams sends datagrams of size bytes for d, and counts those that arrive.
func Datagrams(p *Pair, size int, d time.Duration) (Cost, error) {
	rx, tx, err := p.UDP()
	if err != nil {
		return Cost{}, err
	}
	defer tx.Close()
	var got atomic.Int64
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 2*size)
		for {
			// ReadFrom would allocate an address.
			if _, err := rx.(io.Reader).Read(buf); err != nil {
				return
			}
			got.Add(1)
		}
	}()
	m := begin(p)
	err = sendFor(tx, make([]byte, size), d, &got)
	c := m.after(got.Load())
	rx.Close()
	<-done
	return c, err
}

// sendFor keeps a window of datagrams under way for d.
func sendFor(tx net.Conn, buf []byte, d time.Duration, got *atomic.Int64) error {
	start := time.Now()
	progress := start
	for sent := int64(0); time.Since(start) < d; {
		if sent-got.Load() >= window {
			if time.Since(progress) > patience {
				sent, progress = got.Load(), time.Now()
			}
			runtime.Gosched()
			continue
		}
		for range 16 {
			if _, err := tx.Write(buf); err != nil {
				return fmt.Errorf("after %d datagrams: %w", sent, err)
			}
			sent++
		}
		progress = time.Now()
	}
	return nil
}

// DatagramTrips sends a datagram of a byte to an echo on the other host and back for d, and
// returns how long each took.
func DatagramTrips(p *Pair, d time.Duration) ([]time.Duration, Cost, error) {
	rx, tx, err := p.UDP()
	if err != nil {
		return nil, Cost{}, err
	}
	defer tx.Close()
	defer rx.Close()
	go func() {
		buf := make([]byte, 2048)
		for {
			n, from, err := rx.ReadFrom(buf)
			if err != nil {
				return
			}
			rx.WriteTo(buf[:n], from)
		}
	}()
	buf := make([]byte, 2048)
	return repeat(p, d, func() error {
		if _, err := tx.Write(buf[:1]); err != nil {
			return err
		}
		_, err := tx.Read(buf)
		return err
	})
}

// Pings is DatagramTrips for ICMP echoes.
func Pings(p *Pair, d time.Duration) ([]time.Duration, Cost, error) { return repeat(p, d, p.Ping) }
