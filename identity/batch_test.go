package identity

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"time"
)

// A tally counts the writes to the network.
type tally struct {
	net.Conn
	writes int
}

func (c *tally) Write(p []byte) (int, error) {
	c.writes++
	return c.Conn.Write(p)
}

// connPair returns both ends of a connection that has been let in.
func connPair(t testing.TB) (client, server *Conn, network *tally) {
	t.Helper()
	w := newWorld(t)
	near, far := loopback(t)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	done := make(chan error, 1)
	go func() {
		var err error
		server, _, err = w.server.Handshake(ctx, far)
		done <- err
	}()
	network = &tally{Conn: near}
	client, _, err := w.client.Handshake(ctx, network, worldHost)
	if err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return client, server, network
}

func TestOneWriteIsOneWriteToTheNetwork(t *testing.T) {
	client, server, network := connPair(t)
	network.writes = 0
	sent := make([]byte, 256<<10)
	rand.NewChaCha8([32]byte{}).Read(sent)
	got := make([]byte, len(sent))
	read := make(chan error, 1)
	go func() {
		_, err := io.ReadFull(server, got)
		read <- err
	}()
	if _, err := client.Write(sent); err != nil {
		t.Fatal(err)
	}
	if err := <-read; err != nil || !bytes.Equal(got, sent) {
		t.Fatalf("what was read is not what was written: %v", err)
	}
	if network.writes != 1 {
		t.Errorf("256 KiB took %d writes to the network", network.writes)
	}
}

var errNet = errors.New("the network is gone")

// A brokenConn fails its first write and would take the next.
type brokenConn struct {
	net.Conn
	writes int
}

func (c *brokenConn) Write(p []byte) (int, error) {
	if c.writes++; c.writes == 1 {
		return 0, errNet
	}
	return len(p), nil
}

func TestNothingFollowsWritesThatWereLost(t *testing.T) {
	network := &brokenConn{}
	b := &batchConn{Conn: network}
	b.hold()
	b.Write([]byte("lost"))
	if err := b.release(); err != errNet {
		t.Fatalf("release: %v", err)
	}
	if _, err := b.Write([]byte("later")); err != errNet || network.writes != 1 {
		t.Errorf("a write after a loss: %v, %d writes to the network", err, network.writes)
	}
}

func BenchmarkConnWrite(b *testing.B) {
	client, server, _ := connPair(b)
	go io.CopyBuffer(struct{ io.Writer }{io.Discard}, server, make([]byte, 64<<10))
	p := make([]byte, 256<<10)
	b.SetBytes(int64(len(p)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := client.Write(p); err != nil {
			b.Fatal(err)
		}
	}
	client.NetConn().Close()
}
